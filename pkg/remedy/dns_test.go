package remedy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// kubeadm is the Corefile of kubeadm, with a comment that is somebody's.
const kubeadm = `.:53 {
    errors
    # ask me before you change this
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`

const block = `    # BEGIN kubectl-etp shop/web
    rewrite name exact www.example.com web.shop.svc.cluster.local.
    # END kubectl-etp shop/web
`

func corednsWith(corefile string) func(*cluster.Surroundings) {
	return func(s *cluster.Surroundings) {
		s.ConfigMaps = []cluster.ConfigMap{{
			Object: cluster.Object{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns", ResourceVersion: "9"},
			Data:   map[string]string{"Corefile": corefile},
		}}
	}
}

var www = Options{Hosts: []string{"www.Example.com."}}

func TestDNSWritesAMarkedBlockAndNothingElse(t *testing.T) {
	f := facts(t, story, "ETP002")
	corednsWith(kubeadm)(f.Surroundings)
	p := plan(t, DNS, f, www)
	want := strings.Replace(kubeadm, ".:53 {\n", ".:53 {\n"+block, 1)
	if diff := cmp.Diff([]Change{{
		Object: f.Surroundings.ConfigMaps[0].Object, Fields: []Field{{Path: []string{"data", "Corefile"}, Was: kubeadm, Now: want, Part: &Part{
			Begin: "# BEGIN kubectl-etp shop/web", End: "# END kubectl-etp shop/web", Now: strings.TrimSuffix(block, "\n"),
		}}},
		Starts: "a reload of the Corefile by CoreDNS, in a minute or two",
	}}, p.Changes); diff != "" {
		t.Fatal(diff)
	}
	corednsWith(want)(f.Surroundings)
	if again := plan(t, DNS, f, www); len(again.Changes) != 0 {
		t.Errorf("again: %+v", again.Changes)
	}
	more := plan(t, DNS, f, Options{Hosts: []string{"api.example.com"}})
	wantMore := strings.Replace(want, "    rewrite", "    rewrite name exact api.example.com web.shop.svc.cluster.local.\n    rewrite", 1)
	if diff := cmp.Diff(wantMore, more.Changes[0].Fields[0].Now); diff != "" {
		t.Error(diff)
	}
}

func TestDNS(t *testing.T) {
	ingress := func(corefile string, hosts ...string) func(*cluster.Surroundings) {
		return func(s *cluster.Surroundings) {
			corednsWith(corefile)(s)
			s.Ingresses = []cluster.IngressObject{{Namespace: "shop", Name: "web", Hosts: hosts}}
		}
	}
	stub := kubeadm + "example.com:53 {\n    forward . 10.0.0.10\n}\n"
	run(t, []testCase{
		{name: "names of the Ingresses", mode: DNS, text: story, around: ingress(kubeadm, "www.example.com", "*.example.org"), found: []string{"ETP002"}, want: []string{
			"set configmap/coredns data.Corefile*", "cost *.example.org of ingress shop/web is a wildcard*", "fixes ", "by name ETP002", "need pods-ask-coredns yes", "need in-cluster-clients yes",
			"fixes by name on b: pods on 1 of 2 nodes can reach the Service by the name www.example.com; connections to the address fail as before",
		}},
		{name: "a node whose pods reach no cluster IP", mode: DNS, text: with("etp=Local", "itp=Local etp=Local", "ipvs@v1.20.15", "iptables@v1.33.0", "10.0.1.105", "172.20.0.5"), o: www, around: corednsWith(kubeadm), found: []string{"ETP002"}, want: []string{
			"need in-cluster-clients no breaks-in-cluster-clients", "!by name *", "!fixes by name *",
		}},
		{name: "no CoreDNS", mode: DNS, text: story, o: www, want: []string{"need coredns-there no", nothing}},
		{name: "CoreDNS unread", mode: DNS, text: story, o: www, around: gap(configMaps), want: []string{"need coredns-there unknown", nothing}},
		{name: "a stub domain has the name", mode: DNS, text: story, o: www, around: corednsWith(stub), want: []string{"need names-meet-services no", nothing}},
		{name: "a stub domain has another name", mode: DNS, text: story, o: Options{Hosts: []string{"www.example.org"}}, around: corednsWith(stub), want: []string{"set configmap/coredns*"}},
		{name: "no kubernetes there", mode: DNS, text: story, o: www, around: corednsWith(".:53 {\n    forward . /etc/resolv.conf\n}\n"), want: []string{"need names-meet-services no"}},
		{name: "taken", mode: DNS, text: story, o: www, around: corednsWith(strings.Replace(kubeadm, "    errors\n", "    errors\n    rewrite name www.example.com other.shop.svc.cluster.local\n", 1)), want: []string{
			"need names-not-taken no", nothing,
		}},
		{name: "so already, by hand", mode: DNS, text: story, o: www, around: corednsWith(strings.Replace(kubeadm, "    errors\n", "    errors\n    rewrite name exact www.example.com web.shop.svc.cluster.local\n", 1)), want: []string{nothing, "!need *"}},
		{name: "node cache", mode: DNS, text: story, o: www, around: func(s *cluster.Surroundings) {
			corednsWith(kubeadm)(s)
			s.DaemonSets = []cluster.DaemonSet{{Namespace: "kube-system", Name: "node-local-dns"}}
		}, want: []string{"need pods-ask-coredns no bypassed-by-node-cache"}},
		{name: "node cache unread", mode: DNS, text: story, o: www, around: func(s *cluster.Surroundings) { corednsWith(kubeadm)(s); gap(daemonSets)(s) }, want: []string{"need pods-ask-coredns unknown bypassed-by-node-cache"}},
		{name: "PROXY protocol", mode: DNS, text: with("etp=Local", "annotations=load-balancer.hetzner.cloud/uses-proxyprotocol=true etp=Local"), o: www, around: corednsWith(kubeadm), want: []string{"need no-proxy-protocol no no-proxy-header"}},
		{name: "without reload", mode: DNS, text: story, o: www, around: corednsWith(strings.Replace(kubeadm, "    reload\n", "", 1)), want: []string{"cost the Corefile has no reload directive*", "!starts *"}},
		{name: "not a Corefile", mode: DNS, text: story, o: www, around: corednsWith(".:53 {\n    errors\n"), want: []string{"need corefile-understood no", nothing}},
		{name: "without braces", mode: DNS, text: story, o: www, around: corednsWith(".:53\nkubernetes cluster.local\n"), want: []string{"need corefile-understood no", nothing}},
		{name: "on one line", mode: DNS, text: story, o: www, around: corednsWith(".:53 { kubernetes cluster.local }\n"), want: []string{"need corefile-understood no", nothing}},
		{name: "half a mark", mode: DNS, text: story, o: www, around: corednsWith(strings.Replace(kubeadm, "    ready\n", "    ready\n    # BEGIN kubectl-etp shop/web\n", 1)), want: []string{"need corefile-understood no", nothing}},
		{name: "k3s writes it again", mode: DNS, text: story, o: www, around: func(s *cluster.Surroundings) {
			corednsWith(kubeadm)(s)
			s.ConfigMaps[0].Metadata.Annotations = map[string]string{"objectset.rio.cattle.io/owner-name": "coredns"}
		}, want: []string{"owner the deploy controller of k3s, RKE2 or Fleet, for coredns"}},
		{name: "no cluster IP", mode: DNS, text: with("etp=Local", "headless=true etp=Local"), o: www, around: corednsWith(kubeadm), want: []string{"need has-cluster-ip no"}},
	})
}

// Which public names the cluster's DNS answers with a Service is read as CoreDNS follows it: by the server block of the name, the first rewrite of it, and the domain.
func TestAnsweredInside(t *testing.T) {
	web := &cluster.Service{Namespace: "shop", Name: "web"}
	rewrite := func(lines ...string) string {
		return strings.Replace(kubeadm, "    errors\n", "    errors\n    "+strings.Join(lines, "\n    ")+"\n", 1)
	}
	const to = " web.shop.svc.cluster.local."
	stub := "example.com:53 {\n    forward . 10.0.0.10\n}\n"
	for _, c := range []struct {
		name, corefile string
		want           []string
	}{
		{"none", kubeadm, nil},
		{"not read", "", nil},
		{"by this tool", strings.Replace(kubeadm, ".:53 {\n", ".:53 {\n"+block, 1), []string{"www.example.com"}},
		{"by hand", rewrite("rewrite name b.example.com"+to, "rewrite stop name exact A.example.com"+to), []string{"a.example.com", "b.example.com"}},
		{"to another Service", rewrite("rewrite name www.example.com api.shop.svc.cluster.local"), nil},
		{"another rewrite first", rewrite("rewrite name www.example.com api.shop.svc.cluster.local", "rewrite name www.example.com"+to), nil},
		{"another server block has the name", rewrite("rewrite name www.example.com"+to) + stub, nil},
		{"no Corefile", rewrite("rewrite name www.example.com"+to) + "}", nil},
	} {
		if diff := cmp.Diff(c.want, AnsweredInside(c.corefile, web)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// Backends that wait for a PROXY protocol header refuse connections that do not come through the load balancer: a rewrite fixes nothing, a host name does.
func TestProxyProtocolNeedsTheLoadBalancer(t *testing.T) {
	text := with(elsewhere, "linode://", "etp=Local", "annotations=service.beta.kubernetes.io/linode-loadbalancer-default-proxy-protocol=v2 etp=Local")
	run(t, []testCase{
		{name: "dns", mode: DNS, text: text, o: www, around: corednsWith(kubeadm), found: []string{"ETP002"}, want: []string{
			"need no-proxy-protocol no no-proxy-header", "fixes ", "!by name *", "!fixes by name *",
		}},
		{name: "hostname", mode: Hostname, text: text, found: []string{"ETP002"}, want: []string{
			"fixes ETP002", "gain connections from inside the cluster get the PROXY protocol header too*", "need in-cluster-clients yes", "!breaks *", "!may break *",
		}},
	})
	f := facts(t, text, "ETP002")
	corednsWith(kubeadm)(f.Surroundings)
	f.Surroundings.Ingresses = []cluster.IngressObject{{Namespace: "shop", Name: "web", Hosts: []string{"www.example.com"}}}
	for _, o := range Offers(f) {
		if o.Mode == DNS {
			t.Errorf("offered: %+v", o)
		}
	}
}

// A directive that names files is not followed: they would be those of the machine that this runs on.
func TestCorefileImportsNothing(t *testing.T) {
	c, err := parseCorefile("import /etc/coredns/custom/*.server\n" + strings.Replace(kubeadm, "    errors\n", "    errors\n    import /etc/passwd\n", 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.servers) != 1 || c.servers[0].directives[1].name != "import" {
		t.Errorf("servers: %+v", c.servers)
	}
}

func TestNamesAreAskedFor(t *testing.T) {
	for _, mode := range []Mode{DNS, Hostname} {
		f := facts(t, story)
		corednsWith(kubeadm)(f.Surroundings)
		_, err := Make(mode, f, Options{})
		var wanting *HostNeeded
		if !errors.As(err, &wanting) || wanting.Mode != mode || !strings.Contains(err.Error(), "--host") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// Each Service has lines of its own in the Corefile. One is taken back without the other, whatever else has been written meanwhile, and not where its own lines were changed.
func TestPartGoesBackAlone(t *testing.T) {
	f := facts(t, story, "ETP002")
	corednsWith(kubeadm)(f.Surroundings)
	first := plan(t, DNS, f, www).Changes[0].Fields[0]
	withFirst := first.Now.(string)
	other := facts(t, with("shop/web", "shop/api"), "ETP002")
	corednsWith(withFirst)(other.Surroundings)
	second := plan(t, DNS, other, Options{Hosts: []string{"api.example.com"}}).Changes[0].Fields[0]
	both := second.Now.(string)
	more := plan(t, DNS, func() *Facts { corednsWith(both)(f.Surroundings); return f }(), Options{Hosts: []string{"m.example.com"}}).Changes[0].Fields[0]

	for _, c := range []struct {
		name, text string
		part       *Part
		// want is the text afterwards, "" where the part was changed.
		want string
	}{
		{"nothing else was changed", withFirst, first.Part, kubeadm},
		{"another Service came", both, first.Part, strings.Replace(both, block, "", 1)},
		{"another Service came first", both, second.Part, withFirst},
		{"somebody else's line came", strings.Replace(withFirst, "    ready\n", "    ready\n    log\n", 1), first.Part, strings.Replace(kubeadm, "    ready\n", "    ready\n    log\n", 1)},
		{"it was indented anew", strings.ReplaceAll(withFirst, "    rewrite", "\trewrite"), first.Part, kubeadm},
		{"a name was added, and goes first", more.Now.(string), more.Part, both},
		{"a name was added since", more.Now.(string), first.Part, ""},
		{"a line of it was changed", strings.Replace(withFirst, "www.example.com", "w.example.com", 1), first.Part, ""},
		{"it is gone", kubeadm, first.Part, ""},
		{"its end is gone", strings.Replace(withFirst, first.Part.End, "#", 1), first.Part, ""},
	} {
		got, unchanged := c.part.Back(c.text)
		if unchanged != (c.want != "") {
			t.Errorf("%s: unchanged is %t", c.name, unchanged)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
