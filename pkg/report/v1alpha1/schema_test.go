package v1alpha1

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

var update = flag.Bool("update", false, "write schema.json and testdata anew")

// schema is generated from the Go types: a ServiceReport, a ServiceReportList or a Trace.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	types := map[reflect.Type]*jsonschema.Schema{}
	for word, list := range words() {
		s := &jsonschema.Schema{Type: "string"}
		for _, w := range list {
			s.Enum = append(s.Enum, w)
		}
		types[word] = s
	}
	single, err := jsonschema.For[ServiceReport](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		t.Fatal(err)
	}
	list, err := jsonschema.For[ServiceReportList](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		t.Fatal(err)
	}
	trace, err := jsonschema.For[Trace](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		t.Fatal(err)
	}
	for s, kind := range map[*jsonschema.Schema]string{single: "ServiceReport", list: "ServiceReportList", trace: "Trace"} {
		promise(s)
		s.Properties["kind"] = &jsonschema.Schema{Type: "string", Enum: []any{kind}}
		s.Properties["apiVersion"] = &jsonschema.Schema{Type: "string", Enum: []any{APIVersion}}
	}
	list.Properties["items"].Items = &jsonschema.Schema{Ref: "#/$defs/ServiceReport"}
	return &jsonschema.Schema{
		Schema:      "https://json-schema.org/draft/2020-12/schema",
		Title:       APIVersion,
		Description: "What kubectl etp prints with -o json and -o yaml. Fields may be added, never renamed or removed.",
		Defs:        map[string]*jsonschema.Schema{"ServiceReport": single, "ServiceReportList": list, "Trace": trace},
		OneOf:       []*jsonschema.Schema{{Ref: "#/$defs/ServiceReport"}, {Ref: "#/$defs/ServiceReportList"}, {Ref: "#/$defs/Trace"}},
	}
}

// promise makes a schema say what the types cannot: nothing is null, and fields may be added.
func promise(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	s.AdditionalProperties = nil
	for _, t := range s.Types {
		if t != "null" {
			s.Type = t
		}
	}
	s.Types = nil
	promise(s.Items)
	for _, p := range s.Properties {
		promise(p)
	}
}

// words lists what each type of word may be. Those of the data planes are the ones that package dataplane itself
// prints.
func words() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[AddressKind]():  printed(dataplane.LoadBalancerIP, dataplane.LoadBalancerHostname, dataplane.ExternalIP, dataplane.ClusterIP),
		reflect.TypeFor[From]():         printed(dataplane.Node, dataplane.Pod, dataplane.External),
		reflect.TypeFor[To]():           printed(dataplane.LoadBalancerIP, dataplane.LoadBalancerHostname, dataplane.ExternalIP, dataplane.NodePort, dataplane.ClusterIP),
		reflect.TypeFor[Outcome]():      printed(dataplane.Reachable, dataplane.Refused, dataplane.TimedOut, dataplane.Partial, dataplane.ViaLoadBalancer, dataplane.Unreachable, dataplane.Unknown),
		reflect.TypeFor[Endpoints]():    printed(dataplane.AllEndpoints, dataplane.LocalEndpoints, dataplane.NoEndpoints, dataplane.EndpointsUnknown),
		reflect.TypeFor[ClientIP]():     printed(dataplane.Preserved, dataplane.Rewritten, dataplane.Mixed, dataplane.ClientIPUnknown, dataplane.NoClientIP),
		reflect.TypeFor[ExtraHop]():     printed(dataplane.Never, dataplane.Sometimes, dataplane.Always),
		reflect.TypeFor[Basis]():        printed(dataplane.Measured, dataplane.Source, dataplane.Documented, dataplane.NoBasis),
		reflect.TypeFor[Confidence]():   named(cluster.Observed, cluster.Inferred, cluster.Assumed, cluster.UnknownConfidence),
		reflect.TypeFor[PodDetection](): named(cluster.ClusterCIDR, cluster.NodeCIDR, cluster.BridgeInterface, cluster.InterfaceNamePrefix, cluster.NoDetection, cluster.UnknownDetection),
		reflect.TypeFor[Backends]():     named(provider.Nodes, provider.Pods, provider.MixedBackends, provider.UnknownBackends),
		reflect.TypeFor[BackendCheck](): named(provider.HealthCheckNodePort, provider.ChecksNodePort, provider.ChecksKubeProxy, provider.ChecksPods, provider.NoHealthCheck,
			provider.UnknownCheck),
		reflect.TypeFor[Delivery]():         named(provider.ToNodePort, provider.ToAddress, provider.ToPod, provider.UnknownDelivery),
		reflect.TypeFor[Weights]():          named(provider.EqualWeights, provider.ByEndpoints, provider.ByZone, provider.OneNode, provider.UnknownWeights),
		reflect.TypeFor[ProviderClientIP](): named(provider.Preserved, provider.Rewritten, provider.ByProxyProtocol, provider.UnknownClientIP),
		reflect.TypeFor[OutsideOutcome]():   printed(dataplane.Reachable, dataplane.Partial, dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable, dataplane.Unknown),
		reflect.TypeFor[OutsideClientIP]():  append(named(provider.Preserved, provider.Rewritten, provider.ByProxyProtocol, provider.UnknownClientIP), dataplane.Mixed.String()),
		reflect.TypeFor[HopKind]():          named(route.ClientHop, route.NodeHop, route.LoadBalancerHop, route.NetworkHop, route.EndpointsHop, route.AnswerHop),
		reflect.TypeFor[HopClientIP](): append(
			named(provider.Preserved, provider.Rewritten, provider.ByProxyProtocol, provider.UnknownClientIP), string(route.SeenMixed), "",
		),
		reflect.TypeFor[HopOutcome](): append(
			printed(dataplane.Reachable, dataplane.Refused, dataplane.TimedOut, dataplane.Partial, dataplane.ViaLoadBalancer, dataplane.Unreachable, dataplane.Unknown), "",
		),
		reflect.TypeFor[Tristate]():    {"Yes", "No", "Unknown"},
		reflect.TypeFor[HealthCheck](): named(cluster.Pass, cluster.Fail, cluster.Unreachable),
		reflect.TypeFor[Severity]():    printed(finding.Error, finding.Warning, finding.Info),
		reflect.TypeFor[Result]():      printed(finding.Fail, finding.Unknown, finding.Pass, finding.NotChecked),
		reflect.TypeFor[Clients]():     named(report.SandboxedPods, report.WindowsPods, report.VirtualNodePods),
		reflect.TypeFor[GapReason]():   named(cluster.Forbidden, cluster.NotFound, cluster.TimedOut, cluster.Failed, cluster.NotInFiles),
	}
}

func printed[T interface{ String() string }](list ...T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return texts
}

func named[T ~string](list ...T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return texts
}

func TestSchemaInTheRepositoryIsThatOfTheTypes(t *testing.T) {
	got, err := json.MarshalIndent(schema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	kept(t, "schema.json", got)
}

func kept(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; go test ./pkg/report/v1alpha1 -update writes it anew (-want +got):\n%s", file, diff)
	}
}

// example has something in every field.
func example() report.Report {
	ip := netip.MustParseAddr("203.0.113.10")
	rule := &dataplane.Rule{ID: "IPVS-04", Reason: "A virtual server without real servers refuses."}
	v, _ := cluster.ParseVersion("v1.20.15")
	return report.Report{
		Service: &cluster.Service{
			Namespace: "kube-system", Name: "nginx-ingress-lb", Type: cluster.TypeLoadBalancer,
			ExternalTrafficPolicy: cluster.PolicyLocal, InternalTrafficPolicy: cluster.PolicyCluster, HealthCheckNodePort: 32000,
			ClusterIPs: []netip.Addr{netip.MustParseAddr("172.21.3.9")}, ExternalIPs: []netip.Addr{netip.MustParseAddr("2001:db8::1")},
			Ingress:        []cluster.Ingress{{IP: ip, IPMode: cluster.VIP}, {Hostname: "lb.example.com", IPMode: cluster.VIP}},
			Ports:          []cluster.Port{{Name: "https", Protocol: cluster.TCP, Port: 443, NodePort: 30443, TargetPort: "8443"}},
			LastFix:        &cluster.Fix{Mode: "eni", Time: time.Date(2026, 11, 25, 3, 0, 0, 123, time.FixedZone("CET", 3600))},
			EndpointsKnown: true,
		},
		Dataplane: &cluster.Dataplane{
			Name: cluster.KubeProxy, Mode: cluster.IPVS, Version: v, Source: "configmap kube-system/kube-proxy", Confidence: cluster.Observed,
			VersionSource: "kubelet versions", VersionConfidence: cluster.Inferred, KubeProxy: &cluster.KubeProxySettings{PodDetection: cluster.ClusterCIDR},
		},
		Provider: provider.LoadBalancer{
			Name: "alibaba", Title: "Alibaba Cloud CLB", Product: "CLB", Backends: provider.Nodes, Source: "finalizer service.k8s.alibaba/resources",
			Checks: []provider.HealthCheck{provider.ChecksNodePort}, Delivery: provider.ToNodePort, Weights: provider.EqualWeights, ClientIP: provider.Preserved,
		},
		Outside: report.Outside{Outcome: dataplane.Reachable, FailingKnown: true, ClientIP: provider.Preserved, Basis: dataplane.Measured},
		Nodes: []report.Row{
			{
				Node: &cluster.Node{
					Name: "a", Zone: "z", Known: true, Ready: cluster.Yes, Dataplane: &cluster.Dataplane{Name: cluster.Windows, Confidence: cluster.Inferred},
				},
				Endpoints:    report.Counts{Ready: 1, ServingTerminating: 2, NotReady: 3},
				LoadBalancer: report.Receives{Receives: cluster.Yes, Share: 1, PodShare: 1},
				Live:         &cluster.Live{HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "timed out"},
				Paths: []dataplane.Path{
					{
						From: dataplane.Node, To: dataplane.LoadBalancerIP, Address: ip, Port: 443, Protocol: cluster.TCP, Outcome: dataplane.Refused,
						Endpoints: dataplane.NoEndpoints, Basis: dataplane.Measured, Rule: rule,
					},
					{
						From: dataplane.Pod, To: dataplane.LoadBalancerHostname, Hostname: "lb.example.com", Port: 443, Protocol: cluster.TCP,
						Outcome: dataplane.ViaLoadBalancer, Endpoints: dataplane.AllEndpoints, ClientIP: dataplane.ClientIPUnknown, ExtraHop: dataplane.Sometimes,
						Basis: dataplane.Source, Rule: rule,
					},
				},
			},
			{Node: &cluster.Node{Name: "b"}, LoadBalancer: report.Receives{Receives: cluster.No, Reason: "NoLocalEndpoint", Rule: provider.NoLocalEndpoint}},
		},
		Findings: []finding.Finding{{
			Code: "ETP002", Severity: finding.Error, Result: finding.Fail, Title: "In-cluster clients cannot use the load balancer address on some nodes",
			Message: "1 of 2 nodes refuses <connections> & more", Detail: "why",
			Subject:  finding.Subject{Kind: "Service", Namespace: "kube-system", Name: "nginx-ingress-lb"},
			Evidence: []finding.Evidence{{Fact: "node b has no ready endpoint", Source: "endpointslice kube-system/x"}},
			Remedies: []finding.Remedy{{Mode: "eni", Text: "run", Gain: "keeps"}, {Text: "call it by name"}},
		}, {Code: "ETP001"}, {Code: "ETP048", Result: finding.NotChecked}},
		Gaps: []cluster.Gap{{Resource: "nodes", Verb: "list", Reason: cluster.Forbidden, Message: "no"}},
	}
}

// bare has as little as a Report can have.
func bare() report.Report {
	return report.Report{
		Service:     &cluster.Service{Namespace: "a", Name: "b", Type: cluster.TypeExternalName},
		Unsupported: "an ExternalName Service is a DNS name, and no node answers for it",
	}
}

func TestOutputHoldsToTheSchema(t *testing.T) {
	resolved, err := schema(t).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	full, poor := example(), bare()
	one, err := JSON(Of(&full))
	if err != nil {
		t.Fatal(err)
	}
	little, err := JSON(Of(&poor))
	if err != nil {
		t.Fatal(err)
	}
	several, err := JSON(List(slices.Values([]*report.Report{&full, &poor})))
	if err != nil {
		t.Fatal(err)
	}
	none, err := JSON(List(slices.Values([]*report.Report(nil))))
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := YAML(Of(&full))
	if err != nil {
		t.Fatal(err)
	}
	fromYAML, err := yaml.YAMLToJSON(asYAML)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"one": one, "bare": little, "several": several, "none": none, "yaml": fromYAML} {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if bytes.Contains(text, []byte("null")) {
			t.Errorf("%s has a null:\n%s", name, text)
		}
	}
	for _, wrong := range []struct{ name, old, new string }{
		{"a word nobody has heard of", `"outcome": "Refused"`, `"outcome": "Rejected"`},
		{"a null list", `"gaps": [`, `"gaps": null, "more": [`},
		{"a field that is missing", `"podDetection"`, `"podDetections"`},
	} {
		var v any
		if err := json.Unmarshal([]byte(strings.Replace(string(one), wrong.old, wrong.new, 1)), &v); err != nil {
			t.Fatal(err)
		}
		if resolved.Validate(v) == nil {
			t.Errorf("the schema accepts %s", wrong.name)
		}
	}
	kept(t, "testdata/full.json", one)
	kept(t, "testdata/bare.json", little)
	kept(t, "testdata/full.yaml", asYAML)
}
