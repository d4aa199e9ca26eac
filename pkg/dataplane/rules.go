package dataplane

//go:generate go test . -run ^TestPredictionsEqualWhatPacketsDid$ -update

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// families are the letters of rules that belong to no data plane: what is true of all of them, and what is not known.
var families = []string{"SVC", "UNK"}

// Rules lists every rule: those of no data plane in particular, then those of each plane of the registry, each in the
// order of their ids. IPT-13 is retired, and its id is not given again.
func Rules() []*Rule {
	// No plane lists these: Terway's patched Cilium is not told apart by its release, and the others are about what Cilium does
	// to connections that others serve.
	all := append(slices.Clone(common), cil12, cil42, cil48, cil49)
	order := slices.Clone(families)
	for _, p := range planes {
		order = append(order, p.letters)
		all = append(append(all, p.rules...), p.unread)
		if p.beside != nil {
			all = append(append(all, p.beside.rules...), p.beside.unread)
		}
	}
	slices.SortFunc(all, func(a, b *Rule) int {
		family, number, _ := strings.Cut(a.ID, "-")
		otherFamily, otherNumber, _ := strings.Cut(b.ID, "-")
		return cmp.Or(cmp.Compare(slices.Index(order, family), slices.Index(order, otherFamily)), cmp.Compare(number, otherNumber))
	})
	return slices.Compact(all)
}

// Measured gives the minor releases of the rule's data plane, in order, in whose recordings packets agreed with the rule
// for some kind of connection, such as v1.20; nil for none. For a rule of no data plane in particular they are kube-proxy's.
func (r *Rule) Measured() []string {
	of := iptablesPlane
	family, _, _ := strings.Cut(r.ID, "-")
	if i := slices.IndexFunc(planes, func(p *plane) bool { return p.letters == family }); i >= 0 {
		of = planes[i]
	}
	var minors []int
	for _, m := range measurements {
		if m.rule == r.ID && m.program == of.name {
			minors = append(minors, m.releases...)
		}
	}
	slices.Sort(minors)
	var releases []string
	for _, minor := range slices.Compact(minors) {
		releases = append(releases, fmt.Sprintf("v%d.%d", of.since.Major, minor))
	}
	return releases
}

// Range is the releases of its data plane in which the rule holds, within those that were read: from since until before
// until. Both are "" for a rule of no data plane in particular.
func (r *Rule) Range() (since, until string) {
	if family, _, _ := strings.Cut(r.ID, "-"); family == "SVC" {
		return cmp.Or(r.Since, "1.15"), cmp.Or(r.Until, "1.38")
	}
	for _, p := range planes {
		if slices.Contains(p.rules, r) {
			return cmp.Or(r.Since, strings.TrimPrefix(p.since.Text, "v")), cmp.Or(r.Until, strings.TrimPrefix(p.until.Text, "v"))
		}
	}
	return r.Since, r.Until
}
