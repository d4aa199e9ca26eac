package render

import (
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

func TestBuildText(t *testing.T) {
	for _, test := range []struct {
		name    cluster.DataplaneName
		mode    cluster.ProxyMode
		version string
		want    string
	}{
		{cluster.KubeProxy, cluster.IPVS, "v1.20.6-tke.27", "Tencent TKE build known to differ in ipvs mode"},
		{cluster.KubeProxy, "", "v1.20.6-tke.27", "Tencent TKE build known to differ in ipvs mode"},
		{cluster.KubeProxy, cluster.IPTables, "v1.20.6-tke.27", "Tencent TKE build treated as upstream"},
		{cluster.KubeProxy, cluster.IPTables, "v1.31.2+k3s1", "k3s build treated as upstream"},
		{cluster.KubeProxy, cluster.IPVS, "v1.30.0-acme.3", "build -acme.3 of an unknown vendor treated as upstream"},
		{cluster.KubeProxy, cluster.IPVS, "v1.36.3", ""},
		{cluster.KubeProxy, cluster.IPVS, "", ""},
		{cluster.Cilium, "", "v1.15.6-gke.3", ""},
	} {
		v, _ := cluster.ParseVersion(test.version)
		if got := buildText(&cluster.Dataplane{Name: test.name, Mode: test.mode, Version: v}); got != test.want {
			t.Errorf("%s %s %s: %q, want %q", test.name, test.mode, test.version, got, test.want)
		}
	}
}
