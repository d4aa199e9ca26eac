package oracle_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// TestReaderSettlesAsKubeProxyDoes: what the product reads of the API objects, with their absent conditions, is the snapshot that the other tests hold against
// kube-proxy.
func TestReaderSettlesAsKubeProxyDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := worlds().Draw(t, "cluster")
		want := w.snapshot().Services[0]
		got := w.read(t)
		if !reflect.DeepEqual(settled(got), settled(want)) {
			t.Errorf("the reader has\n%+v, want\n%+v", settled(got), settled(want))
		}
		if got.ExternalTrafficPolicy != want.ExternalTrafficPolicy || got.InternalTrafficPolicy != want.InternalTrafficPolicy {
			t.Errorf("the reader has the policies %s and %s", got.ExternalTrafficPolicy, got.InternalTrafficPolicy)
		}
	})
}

// settled are the facts of endpoints that kube-proxy looks at.
func settled(s cluster.Service) []cluster.Endpoint {
	var all []cluster.Endpoint
	for _, e := range s.Endpoints {
		e.Zone, e.Target, e.Slice = "", "", ""
		if len(e.ForNodes) == 0 {
			e.ForNodes = nil
		}
		if len(e.ForZones) == 0 {
			e.ForZones = nil
		}
		all = append(all, e)
	}
	return all
}

// read gives the reader what kubectl get -o json prints of the world.
func (w *world) read(t *rapid.T) cluster.Service {
	t.Helper()
	service, slice := w.service(), w.slice()
	service.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}
	slice.TypeMeta = metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}
	objects := []any{service, slice}
	for _, n := range w.nodes {
		object := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: n.name}}
		objects = append(objects, object)
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	if err != nil {
		t.Fatal(err)
	}
	read, err := collect.Offline(t.Context(), collect.Input{Paths: []string{"-"}, Stdin: bytes.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := read.Snapshot(collect.Query{Args: []string{"svc/web"}, Namespace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.Services[0]
}
