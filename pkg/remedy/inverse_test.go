package remedy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// apply puts fields into an object as a merge patch does, with the value that each gets or, for the inverse, had. What follows by itself is asked for by the inverse
// alone. An empty map of annotations is none: the API server does not keep it.
func apply(object map[string]any, fields []Field, inverse bool) {
	for _, f := range fields {
		value := f.Now
		if inverse {
			value = f.Was
		}
		at := object
		for _, name := range f.Path[:len(f.Path)-1] {
			below, ok := at[name].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[name] = below
			}
			at = below
		}
		if last := f.Path[len(f.Path)-1]; value == nil {
			delete(at, last)
		} else {
			at[last] = value
		}
	}
	metadata := object["metadata"].(map[string]any)
	if annotations, ok := metadata["annotations"].(map[string]any); ok && len(annotations) == 0 {
		delete(metadata, "annotations")
	}
}

func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, below := range v {
			out[key] = clone(below)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, below := range v {
			out[i] = clone(below)
		}
		return out
	}
	return value
}

// leaves are all places of an object that hold something, with what.
func leaves(value any, path string, out map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			leaves(below, path+"/"+key, out)
		}
		if len(v) == 0 {
			out[path] = "{}"
		}
	default:
		out[path] = fmt.Sprint(v)
	}
}

// holdsInverse checks that a change touches nothing outside its fields, that it does what it says, and that its inverse gives back the start.
func holdsInverse(t *rapid.T, object map[string]any, fields []Field) {
	start := clone(object).(map[string]any)
	apply(object, fields, false)
	before, after := map[string]string{}, map[string]string{}
	leaves(start, "", before)
	leaves(object, "", after)
	places := maps.Clone(before)
	maps.Copy(places, after)
	for place := range places {
		inside := slices.ContainsFunc(fields, func(f Field) bool {
			root := "/" + strings.Join(f.Path, "/")
			return place == root || strings.HasPrefix(place, root+"/") || strings.HasPrefix(root, place)
		})
		if before[place] != after[place] && !inside {
			t.Fatalf("%s: %q became %q, which is no field of %+v", place, before[place], after[place], fields)
		}
	}
	apply(object, fields, true)
	if diff := cmp.Diff(start, object); diff != "" {
		t.Fatalf("undone (-start +undone):\n%s", diff)
	}
}

// randomFacts draws a Service of any cloud, with the annotations that plans look at, and its object.
func randomFacts(t *rapid.T) (*Facts, map[string]any) {
	ids := []string{"cn-hangzhou.i-a", "aws:///a/i-1", "gce://p/z/n", "azure:///s", "qcloud:///1/ins-1", "cce://a", "volcengine://a", "oci://a", "linode://1", "openstack:///1", "hcloud://1", "scaleway://a", "other://"}
	keys := []string{
		"service.beta.kubernetes.io/backend-type", "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type", "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes",
		"oci-network-load-balancer.oraclecloud.com/is-preserve-source", "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path", "service.cloud.tencent.com/direct-access",
		"load-balancer.hetzner.cloud/hostname", "example.com/theirs",
	}
	s := &cluster.Snapshot{Nodes: []cluster.Node{
		{Name: "a", Known: true, Ready: cluster.Yes, ProviderID: rapid.SampledFrom(ids).Draw(t, "id"), InternalIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}},
		{Name: "b", Known: true, Ready: cluster.Yes},
	}}
	svc := cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, EndpointsKnown: true, HasSelector: true, InternalTrafficPolicy: cluster.PolicyCluster,
		ExternalTrafficPolicy: rapid.SampledFrom([]cluster.Policy{cluster.PolicyCluster, cluster.PolicyLocal}).Draw(t, "policy"),
		Ports:                 []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080}},
		Ingress:               []cluster.Ingress{{IP: netip.MustParseAddr("203.0.113.10"), IPMode: cluster.VIP}},
		Labels:                map[string]string{},
		Finalizers:            rapid.SampledFrom([][]string{nil, {"service.k8s.aws/resources"}}).Draw(t, "finalizers"),
	}
	for _, e := range []string{"10.0.0.9", "10.0.0.8"} {
		svc.Endpoints = append(svc.Endpoints, cluster.Endpoint{
			Address: netip.MustParseAddr(e), Node: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node"), Ready: true, Serving: true,
			Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}, Target: "shop/" + e,
		})
	}
	spec := map[string]any{"externalTrafficPolicy": string(svc.ExternalTrafficPolicy), "ports": []any{map[string]any{"port": int64(80)}}}
	if svc.ExternalTrafficPolicy == cluster.PolicyLocal {
		svc.HealthCheckNodePort = 32000
		spec["healthCheckNodePort"] = int64(32000)
	}
	metadata := map[string]any{"name": "web"}
	for _, key := range keys {
		if rapid.Bool().Draw(t, key) {
			if svc.Annotations == nil {
				svc.Annotations = map[string]string{}
				metadata["annotations"] = map[string]any{}
			}
			svc.Annotations[key] = rapid.SampledFrom([]string{"eni", "ip", "true", "x"}).Draw(t, "value")
			metadata["annotations"].(map[string]any)[key] = svc.Annotations[key]
		}
	}
	s.Services = []cluster.Service{svc}
	f := &Facts{Snapshot: s, Service: &s.Services[0], Provider: provider.Of(s, &s.Services[0]), Surroundings: &cluster.Surroundings{AppProtocols: map[string]string{"http": "http"}}}
	if rapid.Bool().Draw(t, "nginx") {
		svc.Labels["app.kubernetes.io/name"] = "ingress-nginx"
	}
	return f, map[string]any{"metadata": metadata, "spec": spec}
}

func TestServiceIsAsBeforeAfterTheInverse(t *testing.T) {
	changed := map[Mode]int{}
	rapid.Check(t, func(t *rapid.T) {
		f, object := randomFacts(t)
		for _, mode := range []Mode{Cluster, Local, ENI, Hostname} {
			o := Options{}
			if published, instead := f.Provider.ToName(); mode == Hostname && instead == "" && published.NeedsName() {
				o.Hosts = []string{"www.example.com"}
			}
			p, err := Make(mode, f, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Changes {
				changed[mode]++
				holdsInverse(t, object, c.Fields)
			}
		}
	})
	for _, mode := range []Mode{Cluster, Local, ENI, Hostname} {
		if changed[mode] == 0 {
			t.Errorf("no drawn Service was changed by %s", mode)
		}
	}
}

// randomTemplate draws spec.affinity and topologySpreadConstraints of a pod template, each perhaps absent, perhaps empty.
func randomTemplate(t *rapid.T) map[string]any {
	term := func() any {
		return map[string]any{"labelSelector": map[string]any{"matchLabels": map[string]any{"app": rapid.SampledFrom([]any{"web", "db"}).Draw(t, "app")}}, "topologyKey": rapid.SampledFrom([]any{hostnameKey, "zone"}).Draw(t, "key")}
	}
	list := func(name string, one func() any) ([]any, bool) {
		if !rapid.Bool().Draw(t, name) {
			return nil, false
		}
		out := []any{}
		for range rapid.IntRange(0, 2).Draw(t, name+" n") {
			out = append(out, one())
		}
		return out, true
	}
	spec := map[string]any{"containers": []any{map[string]any{"name": "web"}}}
	if rapid.Bool().Draw(t, "affinity") {
		affinity := map[string]any{}
		if rapid.Bool().Draw(t, "node affinity") {
			affinity["nodeAffinity"] = map[string]any{}
		}
		if rapid.Bool().Draw(t, "anti-affinity") {
			apart := map[string]any{}
			if terms, ok := list("preferred", func() any { return map[string]any{"weight": int64(3), "podAffinityTerm": term()} }); ok {
				apart[preferredTerms] = terms
			}
			if terms, ok := list("required", term); ok {
				apart[requiredTerms] = terms
			}
			affinity["podAntiAffinity"] = apart
		}
		spec["affinity"] = affinity
	}
	if constraints, ok := list("spread", func() any {
		one := term().(map[string]any)
		one["maxSkew"], one["whenUnsatisfiable"] = int64(rapid.IntRange(1, 2).Draw(t, "skew")), rapid.SampledFrom([]any{"ScheduleAnyway", "DoNotSchedule"}).Draw(t, "when")
		return one
	}); ok {
		spec["topologySpreadConstraints"] = constraints
	}
	return spec
}

func TestWorkloadIsAsBeforeAfterTheInverse(t *testing.T) {
	changed := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		spec := randomTemplate(t)
		w := cluster.Workload{Labels: map[string]string{"app": "web"}}
		if affinity, ok := spec["affinity"].(map[string]any); ok {
			w.Affinity = affinity
		}
		if constraints, ok := spec["topologySpreadConstraints"].([]any); ok {
			w.TopologySpread = constraints
		}
		kept := clone(spec)
		for name, want := range map[string]placement{"anti-affinity": antiAffinity, "spread": spread} {
			field, change, err := want(&w, map[string]string{"app": "web"})
			if diff := cmp.Diff(kept, any(spec)); diff != "" {
				t.Fatalf("%s changed what it looked at:\n%s", name, diff)
			}
			if err != nil || !change {
				continue
			}
			changed[name]++
			object := map[string]any{"metadata": map[string]any{}, "spec": map[string]any{"template": map[string]any{"spec": clone(spec)}}}
			holdsInverse(t, object, []Field{field})
			apply(object, []Field{field}, false)
			// Made again, it changes nothing.
			after := object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
			again := cluster.Workload{Labels: w.Labels}
			again.Affinity, _ = after["affinity"].(map[string]any)
			again.TopologySpread, _ = after["topologySpreadConstraints"].([]any)
			if _, change, err := want(&again, map[string]string{"app": "web"}); change || err != nil {
				t.Fatalf("%s twice: %t, %v", name, change, err)
			}
		}
	})
	for _, name := range []string{"anti-affinity", "spread"} {
		if changed[name] == 0 {
			t.Errorf("no drawn workload was changed by %s", name)
		}
	}
}
