package file_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/anonymize"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// TestWhatFilesDoNotHold: that something is missing from files is no proof that the cluster has none of it.
func TestWhatFilesDoNotHold(t *testing.T) {
	const (
		selecting = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n"
		byHand    = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n"
		alias     = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}\n"
		node      = "---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n"
		asked     = "---\napiVersion: kubectl-etp/v1alpha1\nkind: Gaps\ngaps: []\n"
	)
	slice := func(namespace, service string) string {
		return "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + service + "-1, namespace: " + namespace +
			", labels: {kubernetes.io/service-name: " + service + "}}\naddressType: IPv4\n"
	}
	noSlices := cluster.Gap{Resource: "endpointslices.discovery.k8s.io", Verb: "list", Namespace: "shop", Reason: cluster.NotInFiles}
	noNodes := cluster.Gap{Resource: "nodes", Verb: "list", Reason: cluster.NotInFiles}
	for name, c := range map[string]struct {
		text  string
		known bool
		gaps  []cluster.Gap
	}{
		"a Service alone":                       {selecting, false, []cluster.Gap{noSlices, noNodes}},
		"no slices":                             {selecting + node, false, []cluster.Gap{noSlices}},
		"its slice":                             {selecting + slice("shop", "web") + node, true, nil},
		"its slice, without endpoints":          {selecting + slice("shop", "web") + slice("shop", "api") + node, true, nil},
		"no nodes":                              {selecting + slice("shop", "web"), true, []cluster.Gap{noNodes}},
		"another Service's slice":               {selecting + slice("shop", "api") + node, false, []cluster.Gap{noSlices}},
		"another Service's slice, kept by hand": {byHand + slice("shop", "api") + node, true, nil},
		"a slice of another namespace":          {selecting + slice("yard", "web") + node, false, []cluster.Gap{noSlices}},
		"a slice of another namespace, by hand": {byHand + slice("yard", "web") + node, false, []cluster.Gap{noSlices}},
		"a dump has everything in the cluster":  {selecting + asked, true, nil},
		"a name for something else":             {alias + node, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := collecttest.Snapshot(t, collecttest.FromText(t, c.text), objects.Query{Args: []string{"svc/web"}})
			if s.Services[0].EndpointsKnown != c.known {
				t.Errorf("endpoints are known: %t", s.Services[0].EndpointsKnown)
			}
			if !slices.Equal(s.Gaps, c.gaps) {
				t.Errorf("gaps %+v, want %+v", s.Gaps, c.gaps)
			}
		})
	}
}

// TestCollectCommandIsComplete holds the command that help shows to the kinds that files are read for.
func TestCollectCommandIsComplete(t *testing.T) {
	list, _, _ := strings.Cut(strings.TrimPrefix(file.CollectCommand, "kubectl get "), " ")
	resources := strings.Split(list, ",")
	// An Ingress or a Gateway is read where it is named in place of a Service; only some clusters know the
	// kinds of Calico, of its operator, of OpenShift and of MetalLB, and of the many Leases only Cilium's matter; a dump
	// alone has Gaps.
	others := []string{"Ingress", "Gateway", "FelixConfiguration", "Installation", "Network", "Lease", "ServiceL2Status", "Gaps"}
	for _, kind := range file.Kinds() {
		if got, want := slices.Contains(resources, strings.ToLower(kind)+"s"), !slices.Contains(others, kind); got != want {
			t.Errorf("%s is collected: %t", kind, got)
		}
	}
	if len(resources)+len(others) != len(file.Kinds()) {
		t.Errorf("it collects %q, and files are read for %q", resources, file.Kinds())
	}
}

const pendingService = `---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, creationTimestamp: "2026-03-02T08:00:00Z"}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
`

func TestPendingServiceOfFiles(t *testing.T) {
	text := pendingService +
		collecttest.EventText("e1", "Service", "web", "Old", `lastTimestamp: "2026-03-02T08:01:00Z"`) +
		collecttest.EventText("e2", "Service", "web", "Newest", `eventTime: "2026-03-02T08:05:00.123456Z"`+"\nlastTimestamp: null") +
		collecttest.EventText("e3", "Service", "web", "Series", `lastTimestamp: "2026-03-02T08:09:00Z"`+"\nseries: {count: 3, lastObservedTime: \"2026-03-02T08:04:00.000000Z\"}") +
		collecttest.EventText("e4", "Service", "api", "Other", `lastTimestamp: "2026-03-02T08:10:00Z"`) +
		collecttest.EventText("e5", "Pod", "web", "Pod", `lastTimestamp: "2026-03-02T08:10:00Z"`)
	read := collecttest.FromText(t, text)
	want := cluster.Event{Type: "Warning", Reason: "Newest", Message: "Newest of web", Last: time.Date(2026, time.March, 2, 8, 5, 0, 0, time.UTC)}
	for _, o := range []*objects.Objects{read, collecttest.FromText(t, collecttest.Dumped(t, read))} {
		s := collecttest.Snapshot(t, o, objects.Query{Args: []string{"svc/web"}}).Services[0]
		if s.NewestEvent == nil || *s.NewestEvent != want || s.EventsKnown {
			t.Errorf("newest event %+v, events are known: %t", s.NewestEvent, s.EventsKnown)
		}
		if !s.Created.Equal(time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)) {
			t.Errorf("created %s", s.Created)
		}
	}
	anonymous := collecttest.Dumped(t, anonymize.Objects(read))
	for _, secret := range []string{"shop", "web", "Newest", "Old"} {
		if strings.Contains(anonymous, secret) {
			t.Errorf("%s is in\n%s", secret, anonymous)
		}
	}
	s := collecttest.Snapshot(t, collecttest.FromText(t, anonymous), objects.Query{}).Services[0]
	if s.NewestEvent == nil || s.NewestEvent.Type != "Warning" || s.NewestEvent.Last != want.Last {
		t.Errorf("the anonymous Service has the newest event %+v", s.NewestEvent)
	}
	// Of a Service that has an address, nobody wants to know.
	served := strings.Replace(text, "ports: [{port: 80}]}\n", "ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}\n", 1)
	s = collecttest.Snapshot(t, collecttest.FromText(t, served), objects.Query{Args: []string{"svc/web"}}).Services[0]
	if s.NewestEvent != nil || s.EventsKnown || !s.Created.IsZero() {
		t.Errorf("%+v, %t, %s", s.NewestEvent, s.EventsKnown, s.Created)
	}
}
