package anonymize

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// addressOrRange replaces an address or a range; it is false for a text that is neither.
func (a *anonymizer) addressOrRange(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return a.other4or6(prefix.Masked()).String(), true
	}
	if address, ok := cluster.ParseAddress(text); ok {
		return a.other4or6(netip.PrefixFrom(address.WithZone(""), address.BitLen())).Addr().String(), true
	}
	return "", false
}

// address replaces an address or a range; a text that is neither ("None") is a word, or a name.
func (a *anonymizer) address(text string) string {
	if to, ok := a.addressOrRange(text); ok {
		return to
	}
	if allowedWords[strings.ToLower(text)] {
		return text
	}
	return a.host(text)
}

// bindAddress replaces kube-proxy's. One that is unspecified is the default and is left out, and a variable stays one.
func (a *anonymizer) bindAddress(text string) string {
	address, ok := cluster.ParseAddress(strings.TrimSpace(text))
	switch {
	case !ok:
		return "$(NODE_IP)"
	case address.IsUnspecified():
		return ""
	default:
		return a.address(text)
	}
}

func (a *anonymizer) other4or6(p netip.Prefix) netip.Prefix {
	if !a.settled {
		a.seen[p] = true
		return p
	}
	return a.changed[p]
}

// settleAddresses finds another for each address and range. Seen as a tree of bits, a bit is turned only where what was read goes one way alone, and there it may as
// well go the other: so all that lies in a range still does, what is lower stays lower, and no address that has such a bit is one of those that were read. On the way
// into a range of a known meaning (allowedRanges) no bit is turned.
func (a *anonymizer) settleAddresses() {
	a.changed = make(map[netip.Prefix]netip.Prefix, len(a.seen))
	var four, six []netip.Prefix
	for p := range a.seen {
		if p.Addr().Is4() {
			four = append(four, p)
		} else {
			six = append(six, p)
		}
	}
	for _, all := range [][]netip.Prefix{four, six} {
		if len(all) == 0 {
			continue
		}
		slices.SortFunc(all, func(x, y netip.Prefix) int {
			return cmp.Or(x.Addr().Compare(y.Addr()), cmp.Compare(x.Bits(), y.Bits()))
		})
		a.turn(all, make([]byte, all[0].Addr().BitLen()/8), 0, false)
	}
}

// turn gives those of a sorted list, which share their first bits, the same other ones, out. Turned is true where one of these was turned.
func (a *anonymizer) turn(all []netip.Prefix, out []byte, bit int, turned bool) {
	for len(all) > 0 && all[0].Bits() == bit {
		address, _ := netip.AddrFromSlice(out)
		a.changed[all[0]] = netip.PrefixFrom(address, bit)
		all = all[1:]
	}
	if len(all) == 0 {
		return
	}
	set := func(p netip.Prefix) bool { return p.Addr().AsSlice()[bit/8]&(0x80>>(bit%8)) != 0 }
	low := slices.IndexFunc(all, set)
	if low < 0 {
		low = len(all)
	}
	free := low == 0 || low == len(all)
	if free {
		shared, err := all[0].Addr().Prefix(bit)
		free = err == nil && !a.towardsKept(shared)
	}
	// The first bit that may be turned is: that alone makes every address another.
	turns := free && (!turned || a.random.Uint64()&1 == 1)
	for _, half := range []struct {
		one bool
		all []netip.Prefix
	}{{false, all[:low]}, {true, all[low:]}} {
		if len(half.all) == 0 {
			continue
		}
		next := slices.Clone(out)
		if half.one != turns {
			next[bit/8] |= 0x80 >> (bit % 8)
		}
		a.turn(half.all, next, bit+1, turned || turns)
	}
}

// towardsKept says whether a kept range lies within a prefix.
func (a *anonymizer) towardsKept(prefix netip.Prefix) bool {
	return slices.ContainsFunc(a.kept, func(kept netip.Prefix) bool { return prefix.Bits() < kept.Bits() && prefix.Contains(kept.Addr()) })
}
