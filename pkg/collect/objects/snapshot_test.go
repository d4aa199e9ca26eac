package objects_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// The cluster of the project's opening story: kubectl get -o yaml of a v1.20 cluster, whose slices are v1beta1 and name nodes in their topology only.
func TestKubeadmIPVS(t *testing.T) {
	s := collecttest.Snapshot(t, collecttest.Offline(t, "collect/testdata/kubeadm-ipvs.yaml"), objects.Query{Args: []string{"svc/nginx-ingress-lb"}, Namespace: "kube-system"})
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

const (
	webService = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
`
	otherService = `apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 443}]}
`
)

func TestSelection(t *testing.T) {
	text := webService + "---\n" + otherService + "---\n" + strings.Replace(webService, "shop", "yard", 1) + `---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: shop, labels: {tier: back}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: plain}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: v1
kind: Service
metadata: {name: controller, namespace: yard, labels: {gateway.networking.k8s.io/gateway-name: gate}}
spec: {type: LoadBalancer}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: shop}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: early, namespace: shop}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: yard}
status: {addresses: [{type: IPAddress, value: 203.0.113.9}]}
`
	read := collecttest.FromText(t, text)
	for name, test := range map[string]struct {
		query objects.Query
		want  []string
		fails string
	}{
		"all":                    {objects.Query{}, []string{"shop/api", "shop/web", "yard/controller", "yard/web"}, ""},
		"namespace":              {objects.Query{Namespace: "shop"}, []string{"shop/api", "shop/web"}, ""},
		"selector":               {objects.Query{Selector: "tier=back"}, []string{"shop/inner"}, ""},
		"names, in their order":  {objects.Query{Args: []string{"svc/web", "service/api"}, Namespace: "shop"}, []string{"shop/web", "shop/api"}, ""},
		"type and names":         {objects.Query{Args: []string{"services", "web", "api"}, Namespace: "shop"}, []string{"shop/web", "shop/api"}, ""},
		"bare":                   {objects.Query{Args: []string{"inner"}}, []string{"shop/inner"}, ""},
		"manifest, no namespace": {objects.Query{Args: []string{"plain"}, Namespace: "mine"}, []string{"mine/plain"}, ""},
		"ingress":                {objects.Query{Args: []string{"ing/front"}}, []string{"yard/controller"}, ""},
		"gateway":                {objects.Query{Args: []string{"gateway/gate"}}, []string{"yard/controller"}, ""},
		"ambiguous":              {objects.Query{Args: []string{"web"}}, nil, "one in each of the namespaces shop, yard"},
		"elsewhere":              {objects.Query{Args: []string{"api"}, Namespace: "yard"}, nil, "get service yard/api: not found in namespace yard; there is one in shop: add -n shop"},
		"none":                   {objects.Query{Args: []string{"wb"}, Namespace: "shop"}, nil, "get service shop/wb: not found in namespace shop; there are shop/"},
		"early ingress":          {objects.Query{Args: []string{"ing/early"}}, nil, "it has no address yet"},
		"wrong kind":             {objects.Query{Args: []string{"pod/web"}}, nil, `"pod/web": expected a Service`},
		"both forms":             {objects.Query{Args: []string{"svc", "svc/web"}}, nil, "not both"},
		"name and -A":            {objects.Query{Args: []string{"web"}, AllNamespaces: true}, nil, "-n instead of -A"},
		"name and -l":            {objects.Query{Args: []string{"web"}, Selector: "a=b"}, nil, "cannot be combined"},
		"bad selector":           {objects.Query{Selector: "a in"}, nil, "-l"},
		"no ingress named":       {objects.Query{Args: []string{"ing"}}, nil, "name the ingress"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := read.Snapshot(test.query)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("error %v, want %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, service := range s.Services {
				got = append(got, service.Namespace+"/"+service.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("services %v, want %v", got, test.want)
			}
		})
	}
}

// The rules for what is absent, from a manifest that has met no API server and slices that a hand has written.
func TestNilRules(t *testing.T) {
	read := collecttest.FromText(t, `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  ports: [{port: 80}, {port: 443, name: s, protocol: UDP, targetPort: https}]
  loadBalancerSourceRanges: [" 10.0.0.0/8 ", wrong]
status:
  loadBalancer:
    ingress: [{ip: 203.0.113.7}, {hostname: lb.example.com}, {ip: "2001:db8::7", ipMode: Proxy}, {ip: wrong}, {}]
---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: shop}
spec: {clusterIP: None, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-a, namespace: shop, labels: {kubernetes.io/service-name: web}}
ports: [{port: 8080}, {name: s, port: 8443, protocol: UDP}, {name: nothing}]
endpoints:
- {addresses: [10.1.0.9, 10.1.0.10], nodeName: b}
- {addresses: [10.1.0.2], conditions: {ready: false, terminating: true}}
- {addresses: []}
- {addresses: [wrong]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-b, namespace: shop, labels: {kubernetes.io/service-name: web}}
ports: [{name: more, port: 9000}]
endpoints:
- {addresses: [10.1.0.2], nodeName: c, zone: z, hints: {forZones: [{name: z}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: FQDN
metadata: {name: web-c, namespace: shop, labels: {kubernetes.io/service-name: web}}
endpoints: [{addresses: [pod.example.com]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: stray, namespace: shop}
endpoints: [{addresses: [10.1.0.3]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-d, namespace: other, labels: {kubernetes.io/service-name: web}}
endpoints: [{addresses: [10.1.0.4]}]
`)
	s := collecttest.Snapshot(t, read, objects.Query{Args: []string{"web", "inner"}})
	web, inner := s.Services[0], s.Services[1]
	if web.ExternalTrafficPolicy != cluster.PolicyCluster || web.InternalTrafficPolicy != cluster.PolicyCluster || len(web.SourceRanges) != 1 {
		t.Errorf("service: %+v", web)
	}
	if inner.Type != cluster.TypeClusterIP || !inner.Headless || inner.ExternalTrafficPolicy != cluster.PolicyUnset || len(inner.Ingress) != 0 || len(inner.ClusterIPs) != 0 {
		t.Errorf("headless service: %+v", inner)
	}
	if want := (cluster.Port{Protocol: cluster.TCP, Port: 80, TargetPort: "80"}); web.Ports[0] != want {
		t.Errorf("port: %+v", web.Ports[0])
	}
	if want := (cluster.Port{Name: "s", Protocol: cluster.UDP, Port: 443, TargetPort: "https"}); web.Ports[1] != want {
		t.Errorf("port: %+v", web.Ports[1])
	}
	if len(web.Ingress) != 3 || web.Ingress[0].IPMode != cluster.VIP || web.Ingress[1].Hostname != "lb.example.com" || web.Ingress[1].IP.IsValid() || web.Ingress[2].IPMode != cluster.Proxy {
		t.Errorf("ingress: %+v", web.Ingress)
	}
	if len(web.Endpoints) != 3 {
		t.Fatalf("endpoints: %+v", web.Endpoints)
	}
	// An address that is terminating in one slice and ready in another is each for the ports of that slice, as kube-proxy has it.
	leaving, moved, plain := web.Endpoints[0], web.Endpoints[1], web.Endpoints[2]
	if leaving.Ready || !leaving.Terminating || leaving.Slice != "web-a" || len(leaving.Ports) != 2 {
		t.Errorf("endpoint that is leaving: %+v", leaving)
	}
	if moved.Node != "c" || !moved.Ready || moved.Terminating || moved.Slice != "web-b" || len(moved.Ports) != 1 || !slices.Equal(moved.ForZones, []string{"z"}) {
		t.Errorf("an endpoint of two slices: %+v", moved)
	}
	if plain.Node != "b" || !plain.Ready || !plain.Serving || plain.Terminating || len(plain.Ports) != 2 || plain.Ports[0].Protocol != cluster.TCP {
		t.Errorf("endpoint: %+v", plain)
	}
	if len(s.Nodes) != 2 || s.Nodes[0].Name != "b" || s.Nodes[0].Known || s.Nodes[1].Zone != "z" {
		t.Errorf("nodes: %+v", s.Nodes)
	}
}
