package collect

import (
	"context"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

func openFile(name string) (fs.File, error) { return os.Open(name) }

func offline(t *testing.T, paths ...string) *Objects {
	t.Helper()
	objects, err := Offline(context.Background(), Input{Paths: paths, Open: openFile})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func snapshot(t *testing.T, o *Objects, q Query) *cluster.Snapshot {
	t.Helper()
	s, err := o.Snapshot(q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sameFacts compares Snapshots; nil and empty are the same fact.
func sameFacts(t *testing.T, got, want *cluster.Snapshot) {
	t.Helper()
	addresses := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	ranges := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, got, addresses, ranges, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the facts differ (-want +got):\n%s", diff)
	}
}

func fromText(t *testing.T, text string) *Objects {
	t.Helper()
	objects, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: strings.NewReader(text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return objects
}

// The cluster of the project's opening story: kubectl get -o yaml of a v1.20 cluster, whose slices are v1beta1 and name nodes in their topology only.
func TestKubeadmIPVS(t *testing.T) {
	s := snapshot(t, offline(t, "testdata/kubeadm-ipvs.yaml"), Query{Args: []string{"svc/nginx-ingress-lb"}, Namespace: "kube-system"})
	d := s.Dataplane
	if d.Name != cluster.KubeProxy || d.Mode != cluster.IPVS || d.Version.String() != "v1.20.15" || d.Confidence != cluster.Observed ||
		d.Source != "configmap kube-system/kube-proxy" || d.PodDetection() != cluster.ClusterCIDR {
		t.Errorf("data plane: %+v", d)
	}
	if len(s.Nodes) != 40 || len(s.Services) != 1 {
		t.Fatalf("%d nodes, %d services", len(s.Nodes), len(s.Services))
	}
	web := s.Services[0]
	if web.ExternalTrafficPolicy != cluster.PolicyLocal || web.HealthCheckNodePort != 32000 || len(web.Endpoints) != 3 || !web.EndpointsKnown {
		t.Errorf("service: %+v", web)
	}
	first := web.Endpoints[0]
	if first.Node != "cn-hangzhou.10.0.1.11" || first.Zone != "cn-hangzhou-h" || !first.Ready || !first.Serving || first.Terminating || len(first.Ports) != 2 ||
		first.Target != "kube-system/nginx-ingress-controller-0" {
		t.Errorf("endpoint: %+v", first)
	}
	if cordoned := s.Nodes[38]; !cordoned.Unschedulable || len(cordoned.Taints) != 1 || cordoned.Ready != cluster.Yes {
		t.Errorf("node: %+v", cordoned)
	}
	if lost := s.Nodes[39]; lost.Ready != cluster.Undetermined {
		t.Errorf("a Ready condition of Unknown became %v", lost.Ready)
	}
	for _, n := range s.Nodes {
		if n.Dataplane != nil {
			t.Errorf("%s differs from the cluster: %+v", n.Name, *n.Dataplane)
		}
	}
}
