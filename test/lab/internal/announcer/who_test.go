package announcer

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// Frames as they were seen: an ARP reply and a neighbor advertisement are answers, what the router asks is none.
func TestAnswer(t *testing.T) {
	node := net.HardwareAddr{2, 0, 0, 0, 0, 0x11}
	asker := &card{hardware: net.HardwareAddr{2, 0, 0, 0, 0, 0xfe}, ipv4: netip.MustParseAddr("172.30.0.254"), ipv6: netip.MustParseAddr("fd00:30::254")}
	v4, v6 := netip.MustParseAddr("172.30.0.100"), netip.MustParseAddr("fd00:30::100")
	reply := asker.arpRequest(v4)
	reply[21] = 2 // operation
	copy(reply[22:28], node)
	copy(reply[28:32], v4.AsSlice())
	advertisement := asker.neighborSolicitation(v6)
	advertisement[54] = 136 // type
	advertisement[78] = 2   // option: the target's hardware address
	copy(advertisement[80:86], node)
	for _, c := range []struct {
		name  string
		frame []byte
		want  netip.Addr
	}{
		{"ARP reply", reply, v4},
		{"neighbor advertisement", advertisement, v6},
		{"ARP request", asker.arpRequest(v4), netip.Addr{}},
		{"neighbor solicitation", asker.neighborSolicitation(v6), netip.Addr{}},
		{"cut", reply[:30], netip.Addr{}},
		{"cut, IPv6", advertisement[:70], netip.Addr{}},
		{"empty", nil, netip.Addr{}},
	} {
		a, hardware, ok := answer(c.frame)
		if ok != c.want.IsValid() || a != c.want || ok && !bytes.Equal(hardware, node) {
			t.Errorf("%s: %v %v %v", c.name, a, hardware, ok)
		}
	}
}

// The checksum of the example in RFC 1071, section 3.
func TestChecksum(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("%04x", got)
	}
}

// Every Service has an address of its own in each of its families, unless it shares one; every address is in one pool.
func TestPlace(t *testing.T) {
	for name, m := range modes {
		all := m.tried()
		pools := m.place(all)
		owner := map[netip.Addr]string{}
		for _, s := range all {
			if len(s.addresses) != len(s.families) {
				t.Errorf("%s: %s has %v", name, s.name, s.addresses)
			}
			for _, a := range s.addresses {
				if other := owner[a]; other != "" && s.shares != other {
					t.Errorf("%s: %s and %s both have %s", name, other, s.name, a)
				} else if other == "" {
					owner[a] = s.name
				}
				if !slices.Contains(pools[s.pool], a) {
					t.Errorf("%s: %s of %s is not in pool %s", name, a, s.name, s.pool)
				}
			}
		}
	}
}

// A difference in who announces, in what the client got, and in what was tried is each one line.
func TestDifferences(t *testing.T) {
	made := func(change func(*recordings.Announcement)) *recordings.Announcing {
		n := recordings.Announcement{
			Service: "lab/a", Address: "172.30.0.100", Port: 80, Nodes: []string{"n1"},
			Client: recordings.Result{From: client, Outcome: recordings.Reachable, Answered: map[string]int{"10.244.1.10": 3}, Saw: []string{"198.51.100.9"}, Tries: 3},
		}
		change(&n)
		return &recordings.Announcing{States: []recordings.State{{Name: "start", Announcements: []recordings.Announcement{n}}}}
	}
	old := made(func(*recordings.Announcement) {})
	for _, c := range []struct {
		name   string
		change func(*recordings.Announcement)
		want   []string
	}{
		{"more connections", func(n *recordings.Announcement) {
			n.Client.Answered = map[string]int{"10.244.1.10": 7}
			n.Client.Tries = 7
		}, nil},
		{"another node", func(n *recordings.Announcement) { n.Nodes = []string{"n2"} }, []string{"announced by [n1]; now [n2]"}},
		{"another client IP", func(n *recordings.Announcement) { n.Client.Saw = []string{"172.30.0.11"} }, []string{"recorded Reachable"}},
		{"another port", func(n *recordings.Announcement) { n.Port = 81 }, []string{"not recorded", "not seen now"}},
	} {
		got := Differences(old, made(c.change))
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", c.name, got)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(strings.Join(got, "\n"), want) {
				t.Errorf("%s: %q, want %q in line %d", c.name, got, want, i)
			}
		}
	}
}
