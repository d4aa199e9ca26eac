package clustertest

import (
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

var same = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

// TestEverySnapshotCanBePrinted fills every field there is, so a new field without a key is noticed.
func TestEverySnapshotCanBePrinted(t *testing.T) {
	for seed := range uint64(100) {
		f := filler{rand.New(rand.NewPCG(seed, 1))}
		var want cluster.Snapshot
		f.fill(reflect.ValueOf(&want).Elem())
		contract(&want)
		printed := Print(&want)
		got, err := Parse(printed)
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, printed)
		}
		if diff := cmp.Diff(&want, got, same); diff != "" {
			t.Fatalf("seed %d: (-filled +read back)\n%s\nfrom\n%s", seed, diff, printed)
		}
		if again := Print(got); again != printed {
			t.Fatalf("seed %d: printing again differs:\n%s", seed, cmp.Diff(printed, again))
		}
	}
}

// filler puts something into every field, and sometimes nothing.
type filler struct{ *rand.Rand }

func pick[T any](f filler, list ...T) T { return list[f.IntN(len(list))] }

func (f filler) fill(v reflect.Value) {
	if f.IntN(4) == 0 && v.Kind() != reflect.Struct {
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *netip.Addr:
		*p = pick(f, netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("10.244.1.9"), netip.MustParseAddr(`fe80::1%a,"b" c`))
		return
	case *netip.Prefix:
		*p = pick(f, netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("fd00::/64"))
		return
	case *time.Time:
		*p = time.Date(2026, time.March, 1+f.IntN(28), f.IntN(24), f.IntN(60), f.IntN(60), 0, time.UTC)
		return
	case *cluster.Version:
		*p, _ = cluster.ParseVersion(pick(f, "v1.20.15", "v1.30.4-eks-abc", "v1.31.2+k3s1", `1.19-a "b",@c`))
		return
	}
	switch v.Kind().String() {
	case "struct":
		for _, field := range v.Fields() {
			f.fill(field)
		}
	case "ptr":
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case "slice":
		for range 1 + f.IntN(3) {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			f.fill(v.Index(v.Len() - 1))
		}
	case "map":
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + f.IntN(2) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	case "bool":
		v.SetBool(true)
	case "string":
		v.SetString(pick(f, "plain", "kube-system/x_1.y", "two words", `say "no", = \`, "节点", "true", "1"))
	case "uint8":
		v.SetUint(uint64(f.IntN(3)))
	case "uint16":
		v.SetUint(uint64(1 + f.IntN(65535)))
	case "int":
		v.SetInt(int64(f.IntN(5)))
	default:
		panic("no way to fill a " + v.Type().String())
	}
}

// anyPart has every character that separates something.
const anyPart = `a:1/b>c@d+e,f=g "h\`

// contract makes what was filled at random a Snapshot that the API could lead to: words from closed lists, names that are names, everything in order.
func contract(s *cluster.Snapshot) {
	f := filler{rand.New(rand.NewPCG(uint64(len(s.Nodes)), 2))}
	plane := func(d *cluster.Dataplane) {
		d.Name = pick(f, cluster.KubeProxy, cluster.Cilium, cluster.Windows, cluster.UnknownDataplane)
		d.Mode = pick(f, "", cluster.IPTables, cluster.IPVS)
		if d.KubeProxy != nil {
			d.KubeProxy.PodDetection = pick(f, "", cluster.ClusterCIDR, cluster.NodeCIDR)
		}
	}
	plane(&s.Dataplane)
	for i := range s.Nodes {
		s.Nodes[i].Name += string(rune('a' + i))
		if s.Nodes[i].Dataplane != nil {
			plane(s.Nodes[i].Dataplane)
		}
	}
	slices.SortFunc(s.Nodes, func(a, b cluster.Node) int { return strings.Compare(a.Name, b.Name) })
	for i := range s.Services {
		svc := &s.Services[i]
		svc.Namespace, svc.Name = pick(f, "shop", `a "b"/c`), pick(f, "web", `d/e "`)
		svc.Type = pick(f, cluster.TypeClusterIP, cluster.TypeLoadBalancer, cluster.TypeExternalName)
		svc.ExternalTrafficPolicy = pick(f, cluster.PolicyUnset, cluster.PolicyCluster, cluster.PolicyLocal)
		svc.InternalTrafficPolicy = pick(f, cluster.PolicyUnset, cluster.PolicyCluster, cluster.PolicyLocal)
		for j := range svc.Ingress {
			in := &svc.Ingress[j]
			in.IPMode = pick(f, cluster.VIP, cluster.Proxy)
			if in.Hostname = pick(f, "lb.example.com", "192.0.2.1", `a "b"/c+d`, ""); !in.IP.IsValid() && in.Hostname == "" {
				in.Hostname = "lb.example.com"
			}
		}
		for j := range svc.Ports {
			p := &svc.Ports[j]
			p.Name, p.TargetPort = pick(f, "", "http", anyPart), pick(f, "", "8443", "web", anyPart)
			p.Protocol, p.AppProtocol = pick(f, cluster.TCP, cluster.UDP, cluster.SCTP), pick(f, "", "http", "kubernetes.io/h2c", anyPart)
		}
		for j := range svc.Endpoints {
			e := &svc.Endpoints[j]
			e.Address = netip.AddrFrom4([4]byte{10, 244, 7, byte(j + 1)})
			for k := range e.Ports {
				e.Ports[k].Name, e.Ports[k].Protocol = pick(f, "", "http", anyPart), pick(f, cluster.TCP, cluster.UDP)
			}
		}
		live := map[string]cluster.Live{}
		for name, l := range svc.Live {
			l.HealthCheck = pick(f, cluster.Pass, cluster.Fail, cluster.Unreachable)
			live["n"+name] = l
		}
		svc.Live = live
	}
	for i := range s.Gaps {
		g := &s.Gaps[i]
		g.Verb, g.Resource, g.Reason = "list", "nodes", pick(f, cluster.Forbidden, cluster.TimedOut)
	}
}

func TestParse(t *testing.T) {
	got, err := Parse(`
# a comment
dataplane kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:10.244.0.0/16
dataplane windows@v1.30.4 on=w1
node n{9..10} zone=h podcidr=auto
node w1 os=windows ready=unknown
svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7,lb.example.com port=http:80:30080>8080,dns:53/UDP
ep 10.244.1.11,10.244.1.10 node=n9
ep 10.244.2.10 terminating node=n10
live n9 pass 2
gap list nodes Forbidden message="nodes is forbidden"
`)
	if err != nil {
		t.Fatal(err)
	}
	v20, _ := cluster.ParseVersion("v1.20.15")
	v30, _ := cluster.ParseVersion("v1.30.4")
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	serves := []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}, {Name: "dns", Protocol: cluster.UDP, Port: 8080}}
	want := &cluster.Snapshot{
		Dataplane: cluster.Dataplane{
			Name: cluster.KubeProxy, Mode: cluster.IPVS, Version: v20, Confidence: cluster.Observed,
			KubeProxy: &cluster.KubeProxySettings{PodDetection: cluster.ClusterCIDR, ClusterCIDRs: []netip.Prefix{prefix("10.244.0.0/16")}},
		},
		Nodes: []cluster.Node{
			{Name: "n10", Zone: "h", Known: true, Ready: cluster.Yes, OS: "linux", InternalIPs: []netip.Addr{addr("192.168.0.2")}, PodCIDRs: []netip.Prefix{prefix("10.244.2.0/24")}},
			{Name: "n9", Zone: "h", Known: true, Ready: cluster.Yes, OS: "linux", InternalIPs: []netip.Addr{addr("192.168.0.1")}, PodCIDRs: []netip.Prefix{prefix("10.244.1.0/24")}},
			{
				Name: "w1", Known: true, OS: "windows", InternalIPs: []netip.Addr{addr("192.168.0.3")},
				Dataplane: &cluster.Dataplane{Name: cluster.Windows, Version: v30, Confidence: cluster.Observed},
			},
		},
		Services: []cluster.Service{{
			Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: cluster.PolicyLocal, InternalTrafficPolicy: cluster.PolicyCluster,
			HealthCheckNodePort: 32000, HasSelector: true, EndpointsKnown: true, ClusterIPs: []netip.Addr{addr("10.96.0.1")},
			Ingress: []cluster.Ingress{{IP: addr("203.0.113.7"), IPMode: cluster.VIP}, {Hostname: "lb.example.com", IPMode: cluster.VIP}},
			Ports:   []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080, TargetPort: "8080"}, {Name: "dns", Protocol: cluster.UDP, Port: 53}},
			Endpoints: []cluster.Endpoint{
				{Address: addr("10.244.1.10"), Node: "n9", Ready: true, Serving: true, Ports: serves, Target: "shop/web-2", Slice: "web-1"},
				{Address: addr("10.244.1.11"), Node: "n9", Ready: true, Serving: true, Ports: serves, Target: "shop/web-1", Slice: "web-1"},
				{Address: addr("10.244.2.10"), Node: "n10", Serving: true, Terminating: true, Ports: serves, Target: "shop/web-3", Slice: "web-1"},
			},
			Live: map[string]cluster.Live{"n9": {HealthCheck: cluster.Pass, LocalEndpoints: 2}},
		}},
		Gaps: []cluster.Gap{{Resource: "nodes", Verb: "list", Reason: cluster.Forbidden, Message: "nodes is forbidden"}},
	}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseSaysWhereItFails(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"pod a", `line 1: unknown word "pod"; a line starts with dataplane, node, svc, ep, live, asked, corefile or gap`},
		{"\nnode a\nnode", "line 3: node: too short, want: node NAME[,NAME…]"},
		{"node a zon=h", `line 1: node: unknown key "zon"; known are zone, podcidr, `},
		{"node a zone=h zone=i", "line 1: node: key zone is there twice"},
		{"node n{1..99999}", `line 1: node: "n{1..99999}" stands for no nodes, or for more than 15000`},
		{"node n{1..x}", `line 1: node: "n{1..x}" is not NAME{FIRST..LAST}`},
		{"node n{2..1}", `line 1: node: "n{2..1}" stands for no nodes, or for more than 15000`},
		{"node a,a", "line 1: node: a is there twice"},
		{"node a ready=maybe", `line 1: node: ready: "maybe" is none of`},
		{"node a ip=1.2.3", `line 1: node: ip: ParseAddr("1.2.3")`},
		{`node a zone="h`, "line 1: a double quote is not closed"},
		{`node a zone="h"i`, "line 1: node: zone: invalid syntax"},
		{`svc shop/web LoadBalancer port=h"p:80 etp=Local`, "line 1: a double quote is not closed"},
		{"svc shop/web LoadBalancer created=2026-03-01T00:00:00.5Z", "line 1: svc: created: "},
		{"svc shop/web LoadBalancer created=0000-01-01T00:00:00+01:00", "line 1: svc: created: "},
		{"dataplane kube-proxi", `line 1: dataplane: name: "kube-proxi" is none of`},
		{"dataplane kube-proxy/userspace", `line 1: dataplane: mode: "userspace" is none of`},
		{"dataplane kube-proxy@latest", `line 1: dataplane: version: "latest" is no version`},
		{"dataplane kube-proxy pods=Guess", `line 1: dataplane: pods: "Guess" is none of`},
		{"dataplane kube-proxy\ndataplane cilium", "line 2: dataplane: the cluster's is there twice; on=NODE is for a node that differs"},
		{"dataplane windows on=w1", "line 1: dataplane: on=w1: there is no such node"},
		{"svc web LoadBalancer", `line 1: svc: "web" is not NAMESPACE/NAME`},
		{"svc shop/web Balancer", `line 1: svc: type "Balancer" is none of`},
		{"svc shop/web NodePort port=80", `line 1: svc: port: "80" is not NAME:PORT[:NODEPORT][/PROTOCOL][>TARGETPORT][@APPPROTOCOL]`},
		{"svc shop/web NodePort port=a:80/TPC", `line 1: svc: port: protocol "TPC" is not TCP, UDP or SCTP`},
		{"svc shop/web NodePort port=a:80000", `line 1: svc: port: strconv.ParseUint: parsing "80000": value out of range`},
		{"svc shop/web LoadBalancer ingress=1.2.3.4/Vip", `line 1: svc: ingress: ipMode "Vip" is not VIP or Proxy`},
		{"svc shop/web LoadBalancer etp=local", `line 1: svc: etp: "local" is none of`},
		{"ep 10.0.0.1", "line 1: ep: there is no svc line above"},
		{"svc shop/web NodePort\nep 10.0.0 ready", `line 2: ep: ParseAddr("10.0.0")`},
		{"svc shop/web NodePort\nep 10.0.0.1 redy", `line 2: ep: unknown key "redy"`},
		{"svc shop/web NodePort\nep 10.0.0.1 conditions=ready+set", `line 2: ep: conditions: "set" is not ready, serving or terminating`},
		{"live a pass", "line 1: live: there is no svc line above"},
		{"svc shop/web NodePort\nlive a ok", `line 2: live: "ok" is not pass, fail or unreachable`},
		{"svc shop/web NodePort\nlive a pass -1", `line 2: live: "-1" is no number of endpoints`},
		{"svc shop/web NodePort\nlive a pass many", `line 2: live: "many" is no number of endpoints`},
		{"gap list nodes Denied", `line 1: gap: reason: "Denied" is none of`},
	} {
		got, err := Parse(c.text)
		if err == nil {
			t.Errorf("%q is read without an error, as %+v", c.text, got)
		} else if !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: error is\n%v\nwant it to start\n%s", c.text, err, c.want)
		}
	}
}

// oddTexts have quotes and separators where no API object has them. The first leaves a quote open, which is refused.
var oddTexts = []string{
	"svc shop/web LoadBalancer ingress=203.0.113.7 port=ht`%\x18`0J\xabd\xa9\xb8\xc2\"sRQY\xd9\x1dCtp:80:30080",
	`svc a"b"/c"d" NodePort port=h" "p:80>t"@"x@y" "z ingress=a"+"b,"fe80::1%/"+c/Proxy external-ip=fe80::1%a"b",fe80::2%c`,
	`svc "a b/c"/"d e" LoadBalancer ingress=+192.0.2.1,"+192.0.2.1" port=":":80,"a":81@"b"`,
	`dataplane kube-proxy/ipvs@"1.30.4-a b" on=a` + "\n" + `dataplane cilium@1.30-x"@"y cilium=1.2-"z"` + "\nnode a,\"b{1..2}\",c\"d\"\n",
	"svc a/b NodePort created=9999-12-31T23:59:59+01:00\nep fe80::1%a\"b\",fe80::1%c node=a\"b\"\nlive \"\" pass 1 reason=\"\"",
	"gap \"\" a\"b\" Forbidden\ncorefile a\"b\\nc\"",
}

// FuzzWhatIsReadCanBePrinted also holds Parse to errors instead of panics.
func FuzzWhatIsReadCanBePrinted(f *testing.F) {
	files, err := filepath.Glob("../*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	for i, seed := range oddTexts {
		f.Add(seed)
		if _, err := Parse(seed); (err == nil) != (i > 0) {
			f.Errorf("%q: only the first is refused, got %v", seed, err)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		read, err := Parse(s)
		if err != nil || len(read.Nodes) > 100 {
			// More of the same nodes would only be slow.
			return
		}
		printed := Print(read)
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%q is printed as\n%s\nwhich is not read: %v", s, printed, err)
		}
		if diff := cmp.Diff(read, again, same); diff != "" {
			t.Fatalf("%q is printed as\n%s\nwhich is read as something else:\n%s", s, printed, diff)
		}
	})
}
