package cluster

import (
	"cmp"
	"net/netip"
	"strings"
)

// ParseAddress reads an IP address as kube-proxy does: also with the leading zeros that objects of old clusters may
// have, and an IPv4 address in its IPv6 form as IPv4.
func ParseAddress(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap(), true
	}
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	for i := range parts {
		parts[i] = cmp.Or(strings.TrimLeft(parts[i], "0"), "0")
	}
	address, err := netip.ParseAddr(strings.Join(parts, "."))
	return address, err == nil
}

// ParsePrefixes reads IP ranges and masks their host bits. Malformed ranges are left out.
func ParsePrefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
			out = append(out, prefix.Masked())
		}
	}
	return out
}
