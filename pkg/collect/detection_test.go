//go:build unix

package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/read"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// foreignTypes are the types of Calico, its operator and OpenShift that detection reads, without their schemas.
func foreignTypes(t *testing.T, server *apiserver.Server) {
	t.Helper()
	const definition = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.GROUP}
spec:
  group: GROUP
  scope: Cluster
  names: {plural: PLURAL, singular: SINGULAR, kind: KIND, listKind: KINDList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`
	var all, probes bytes.Buffer
	for _, one := range [][4]string{
		{"felixconfigurations", "felixconfiguration", "FelixConfiguration", "crd.projectcalico.org"},
		{"installations", "installation", "Installation", "operator.tigera.io"},
		{"networks", "network", "Network", "config.openshift.io"},
	} {
		text := []byte(definition)
		for i, word := range []string{"PLURAL", "SINGULAR", "KIND", "GROUP"} {
			text = bytes.ReplaceAll(text, []byte(word), []byte(one[i]))
		}
		all.Write(text)
		fmt.Fprintf(&probes, "---\napiVersion: %s/v1\nkind: %s\nmetadata: {name: none}\n", one[3], one[2])
	}
	loadForNow(t, server, all.Bytes())
	// A type is served some time after it is made.
	deadline := time.Now().Add(time.Minute)
	for {
		err := server.Apply(t.Context(), probes.Bytes())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := server.Delete(t.Context(), probes.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// loadable is a file as an API server takes it: with the fields that it demands, and without what only a dump has.
func loadable(t *testing.T, text []byte) []byte {
	t.Helper()
	objects, err := apiserver.Objects(text)
	if err != nil {
		t.Fatal(err)
	}
	set := func(o *unstructured.Unstructured, value any, path ...string) {
		if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	for _, o := range objects {
		switch o.GetKind() {
		case "Gaps":
			continue
		case "Node":
			for _, field := range []string{"architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "osImage", "systemUUID"} {
				set(o, "", "status", "nodeInfo", field)
			}
			if system, _, _ := unstructured.NestedString(o.Object, "status", "nodeInfo", "operatingSystem"); system == "" {
				set(o, "", "status", "nodeInfo", "operatingSystem")
			}
		case "DaemonSet":
			labels := map[string]any{"app": o.GetName()}
			set(o, labels, "spec", "selector", "matchLabels")
			set(o, labels, "spec", "template", "metadata", "labels")
			for _, count := range []string{"currentNumberScheduled", "numberMisscheduled", "numberReady"} {
				set(o, int64(0), "status", count)
			}
		}
		one, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(one)
	}
	return out.Bytes()
}

// planes are the data planes of a snapshot: the cluster's, as "", and each node's.
func planes(s *cluster.Snapshot) map[string]*cluster.Dataplane {
	out := map[string]*cluster.Dataplane{"": &s.Dataplane}
	for i := range s.Nodes {
		out[s.Nodes[i].Name] = s.DataplaneOf(&s.Nodes[i])
	}
	return out
}

// A cluster and a file of the same objects are the same facts: every case of detection, read both ways.
func TestDetectionLiveAndOffline(t *testing.T) {
	server := apiserver.Start(t)
	foreignTypes(t, server)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	files, err := filepath.Glob("../detect/testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			loadForNow(t, server, loadable(t, text))
			proxy.Reset()
			objects, live := readCluster(t, c, Query{AllNamespaces: true})
			if n := len(proxy.Requests()); n > read.Budget {
				t.Errorf("%d requests: %v", n, proxy.Requests())
			}
			if slices.ContainsFunc(live.Gaps, func(g cluster.Gap) bool { return g.Reason != cluster.NotFound }) {
				t.Errorf("gaps: %v", live.Gaps)
			}
			sameDataplanes(t, "the cluster and the file", live, collecttest.Snapshot(t, collecttest.Offline(t, "detect/testdata/"+filepath.Base(name)), Query{}))
			var dump bytes.Buffer
			if err := Dump(&dump, objects); err != nil {
				t.Fatal(err)
			}
			sameDataplanes(t, "the cluster and its dump", live, collecttest.Snapshot(t, collecttest.FromText(t, dump.String()), Query{}))
		})
	}
}

func sameDataplanes(t *testing.T, what string, a, b *cluster.Snapshot) {
	t.Helper()
	compare := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, cluster.Version{})}
	if diff := cmp.Diff(planes(a), planes(b), compare); diff != "" {
		t.Errorf("%s differ:\n%s", what, diff)
	}
}

// loadForNow makes a cluster hold these objects until the test ends.
func loadForNow(t *testing.T, server *apiserver.Server, manifests []byte) {
	t.Helper()
	t.Cleanup(func() {
		if err := server.Delete(context.Background(), manifests); err != nil {
			t.Error(err)
		}
	})
	if err := server.Apply(t.Context(), manifests); err != nil {
		t.Fatal(err)
	}
}

// Who may list the DaemonSets of some namespaces alone is told what they say, and that it is not all.
func TestDetectionWithNarrowRights(t *testing.T) {
	server := apiserver.Start(t, apiserver.Users("reader"))
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: "reader", Server: proxy.URL}))
	var wide []rbacv1.PolicyRule
	for resource, rule := range rights {
		if resource != cluster.ResourceDaemonSets {
			wide = append(wide, rule)
		}
	}
	wide = append(wide, apiserver.Rule("list", "pods"), apiserver.Rule("get", "installations.operator.tigera.io", "networks.config.openshift.io"))
	if err := server.Grant(t.Context(), "reader", wide...); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file string
		// spaces are the namespaces whose DaemonSets may be listed.
		spaces []string
		name   cluster.DataplaneName
		cilium bool
		source string
	}{
		{"cilium-own-namespace", []string{"kube-system", "cilium"}, cluster.KubeProxy, true, "daemonset kube-system/kube-proxy"},
		{"cilium-own-namespace", []string{"kube-system"}, cluster.KubeProxy, false, "daemonset kube-system/kube-proxy"},
		{
			"cilium-other-name",
			[]string{"kube-system"},
			cluster.UnknownDataplane, false,
			"no DaemonSet in kube-system belongs to a known data plane, and those in other namespaces could not be listed",
		},
		{"cilium-other-name", nil, cluster.UnknownDataplane, false, "the DaemonSets could not be listed"},
		{"microk8s", nil, cluster.KubeProxy, false, "node label microk8s.io/cluster, with the default arguments of MicroK8s"},
	} {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile("../detect/testdata/" + test.file + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			loadForNow(t, server, loadable(t, text))
			for _, namespace := range test.spaces {
				loadForNow(t, server, reads(t, namespace, "reader"))
			}
			proxy.Reset()
			_, s := readCluster(t, c, Query{AllNamespaces: true})
			if n := len(proxy.Requests()); n > read.Budget {
				t.Errorf("%d requests: %v", n, proxy.Requests())
			}
			d := s.Dataplane
			if d.Name != test.name || d.Source != test.source || (d.Cilium != nil) != test.cilium || d.Confidence == cluster.Observed {
				t.Errorf("data plane: %+v", d)
			}
			if len(s.Gaps) == 0 || s.Gaps[0].Resource != cluster.ResourceDaemonSets || s.Gaps[0].Namespace != "" || s.Gaps[0].Reason != cluster.Forbidden {
				t.Errorf("gaps: %+v", s.Gaps)
			}
		})
	}
}

// reads is a Role with its binding: a user may list the DaemonSets of a namespace.
func reads(t *testing.T, namespace, user string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, object := range []any{
		map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": map[string]any{"name": "reads", "namespace": namespace},
			"rules": []rbacv1.PolicyRule{apiserver.Rule("list", "daemonsets.apps")},
		},
		map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": map[string]any{"name": "reads", "namespace": namespace},
			"roleRef":  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "reads"},
			"subjects": []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: user}},
		},
	} {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(text)
		out.WriteString("\n")
	}
	return out.Bytes()
}
