package read

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// BenchmarkServices prints how much longer ten times the Services take: ten times as long, not a hundred.
func BenchmarkServices(b *testing.B) {
	const few = 2000
	services := func(n int) []corev1.Service {
		out := make([]corev1.Service, n)
		for i := range out {
			out[i].Namespace, out[i].Name = "shop", fmt.Sprintf("web-%d", i)
		}
		return out
	}
	once := func(n int) float64 {
		items := services(n)
		start := time.Now()
		for range 20 {
			r := &reading{objects: &objects.Objects{}}
			for page := range slices.Chunk(items, api.PageSize) {
				r.addServices(page)
			}
		}
		return time.Since(start).Seconds()
	}
	var one, ten float64
	for b.Loop() {
		one, ten = once(few), once(10*few)
	}
	b.ReportMetric(ten/one, "ratio-10x")
}
