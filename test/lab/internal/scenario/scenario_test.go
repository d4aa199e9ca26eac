package scenario

import (
	"net/netip"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// Clusters, their files and their Services have names of their own, and all addresses are different and valid.
func TestScenariosDoNotCollide(t *testing.T) {
	once := map[string]bool{}
	only := func(what string) {
		t.Helper()
		if once[what] {
			t.Errorf("%s twice", what)
		}
		once[what] = true
	}
	for _, c := range Clusters() {
		only(c.Name())
		only(c.File())
		if plain := c.Variant == "" && c.Announcer == ""; plain != (c.Changed == "") {
			t.Errorf("%s does not say what it has changed", c.Name())
		}
		if announced := c.Announcer != ""; announced != (len(c.Services()) == 0) {
			t.Errorf("%s has %d Services of the lab's; what an announcer is tried with is its own", c.Name(), len(c.Services()))
		}
	}
	address := func(both [2]string) {
		t.Helper()
		for i, a := range both {
			ip, err := netip.ParseAddr(a)
			if err != nil || ip.Is6() != (i == 1) || ip.String() != a {
				t.Errorf("%q is no address as it is usually written", a)
			}
			only(a)
		}
	}
	for i, s := range Services() {
		only(s.Name)
		for k := range 2 {
			address(VIP(i+1, k))
		}
		address(ClusterIP(i + 1))
	}
	for i, p := range Pods() {
		only(p.Name)
		if p.Node < 1 || p.Node > Nodes {
			t.Errorf("%s is on node %d", p.Name, p.Node)
		}
		address(PodIP(p.Node, i))
	}
	for n := 1; n <= Nodes; n++ {
		address(NodeIP(n))
		address(BridgeIP(n))
		only(SecondIP(n))
	}
}

// What is drawn can be made: names and addresses are the Services' own, and the same seed draws the same.
func TestDrawnClustersCanBeMade(t *testing.T) {
	for seed := range uint64(mixing + 60) {
		c := Drawn("iptables", Newest, seed+1)
		if again := Drawn("iptables", Newest, seed+1); !reflect.DeepEqual(c, again) || !reflect.DeepEqual(c.Services(), again.Services()) || !reflect.DeepEqual(c.Pods(), again.Pods()) {
			t.Fatalf("%s differs from itself", c.Name())
		}
		shared := map[string]bool{}
		for i, s := range c.Services() {
			if c.Number(s.Name) != i+1 {
				t.Errorf("%s: %s has number %d, not %d", c.Name(), s.Name, c.Number(s.Name), i+1)
			}
			if len(s.Ingress)+s.ExternalIPs > 2 {
				t.Errorf("%s: %s needs more addresses than there are", c.Name(), s.Name)
			}
			if s.SharesWith == "" {
				continue
			}
			if c.Number(s.SharesWith) == 0 || shared[s.SharesWith] {
				t.Errorf("%s: %s shares the address of %q, which is not there or not alone", c.Name(), s.Name, s.SharesWith)
			}
			shared[s.SharesWith] = true
		}
	}
}

// Every Service chooses pods that exist, or says that it chooses none.
func TestServicesHaveTheirPods(t *testing.T) {
	sets := map[string]bool{"": true}
	for _, p := range Pods() {
		for _, s := range p.Sets {
			sets[s] = true
		}
	}
	all := Services()
	for _, c := range Clusters() {
		all = append(all, c.Own...)
	}
	for _, s := range all {
		if !sets[s.Backends] || !sets[s.HandMade] {
			t.Errorf("%s chooses %q%q, where no pod is", s.Name, s.Backends, s.HandMade)
		}
	}
}

// The Services of a cluster that has its own have names of their own, and need no more addresses than there are.
func TestOwnServicesCanBeMade(t *testing.T) {
	var clusters int
	for _, c := range Clusters() {
		if c.Own == nil {
			continue
		}
		clusters++
		once := map[string]bool{}
		for i, s := range c.Own {
			if once[s.Name] || c.Number(s.Name) != i+1 || len(s.Ingress)+s.ExternalIPs > 2 {
				t.Errorf("%s: %s twice, or with number %d, or with %d addresses", c.Name(), s.Name, c.Number(s.Name), len(s.Ingress)+s.ExternalIPs)
			}
			once[s.Name] = true
			for _, r := range s.SourceRanges {
				if p, err := netip.ParsePrefix(r); err != nil || p.Masked() != p {
					t.Errorf("%s: %s has the range %q (%v)", c.Name(), s.Name, r, err)
				}
			}
		}
	}
	if clusters == 0 {
		t.Error("no cluster has Services of its own")
	}
}

// The recordings are those of the clusters, no fewer and no more.
func TestEveryClusterIsRecorded(t *testing.T) {
	const truth = "../../../truth"
	recorded := map[string]bool{}
	for _, folder := range []string{"", recordings.AnnouncersFolder} {
		files, err := recordings.Files(filepath.Join(truth, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name, err := filepath.Rel(truth, f)
			if err != nil {
				t.Fatal(err)
			}
			recorded[name] = true
		}
	}
	for _, c := range Clusters() {
		if !recorded[c.File()] {
			t.Errorf("%s has no recording", c.Name())
		}
		delete(recorded, c.File())
	}
	for f := range recorded {
		t.Errorf("no cluster makes the recording %s", f)
	}
}
