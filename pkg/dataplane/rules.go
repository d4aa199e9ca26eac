package dataplane

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Rules lists every rule, in the order of the tables. IPT-13 is retired, and its id is not given again.
func Rules() []*Rule {
	return []*Rule{
		endpointsNotRead, virtualNode, otherProxy, noNodePort, noWayToNode, hostnameOnly, proxyMode, otherFamily, ignoredExternalIP, singleStack, ownConnection, confined,
		unknownDataplane, unknownMode, unknownVersion, someAdmitted, unknownSelf, unknownAddress, unknownPlugin, unknownMasquerade, unknownDetection, unknownCount, sharedAddress, sticky, capturedAddress, borrowedName, patchedByTencent, unknownHolder, unknownArrival,
		ipt01, ipt02, ipt03, ipt04, ipt05, ipt06, ipt07, ipt08, ipt09, ipt10, ipt11, ipt12, ipt14, ipt15, ipt16, ipt17, ipt18, ipt19, ipt20, ipt21,
		ipvs01, ipvs02, ipvs03, ipvs04, ipvs05, ipvs06, ipvs07, ipvs08, ipvs09, ipvs10, ipvs11, ipvs12, ipvs13, ipvs14, ipvs15,
		nft01, nft02, nft03, nft04, nft05, nft06, nft07, nft08, nft09, nft10, nft11, nft12, nft13, nft14, nft15, nft16,
		cil01, cil02, cil03, cil04, cil05, cil06, cil07, cil08, cil09, cil10, cil11, cil12, cil13, cil15, cil16, cil17, cil18, cil19, cil20, cil21, cil22, cil23, cil24,
		cil25, cil26, cil27, cil28, cil29, cil30, cil31, cil32, cil33, cil34,
		cal01, cal02, cal03, cal04, cal05, cal06, cal07, cal08,
		ant01, ant02, ant03, ant04, ant05, ant06, ant07, ant08, ant09, ant10, ant11, ant12, ant13, ant14, ant15, ant16, ant17, ant18,
		ovn01, ovn02, ovn03, ovn04, ovn05, ovn06, ovn07, ovn08,
		kr01, kr02, kr03, kr04, kr05, kr06, kr07, kr08, kr09, kr10,
		win01, win02, win03, win04, win05,
		unknownRelease, unreadCilium, unreadCalico, unreadAntrea, unreadOVN, unreadKubeRouter, unreadWindows, unreadKubeProxy, unknownSettings, unknownFallback,
		unknownIPMode, placeholder, unknownGuard,
	}
}

// Measured gives the minor releases of kube-proxy, in order, in whose recordings packets agreed with the rule for some kind of connection, as v1.20; nil for none.
func (r *Rule) Measured() []string {
	var releases []string
	for _, m := range measurements {
		if m.rule != r.ID {
			continue
		}
		for _, minor := range m.releases {
			releases = append(releases, fmt.Sprintf("v1.%02d", minor))
		}
	}
	slices.Sort(releases)
	return slices.Compact(releases)
}

// Range is the releases of its data plane in which the rule holds, within those that were read: from since until before until. Both are "" for a rule of no data plane
// in particular.
func (r *Rule) Range() (since, until string) {
	var p *plane
	switch family, _, _ := strings.Cut(r.ID, "-"); family {
	case "IPT":
		p = kubeProxies[cluster.IPTables]
	case "IPVS":
		p = kubeProxies[cluster.IPVS]
	case "NFT":
		p = kubeProxies[cluster.NFTables]
	case "SVC":
		return cmp.Or(r.Since, "1.15"), cmp.Or(r.Until, "1.38")
	default:
		for _, one := range planes {
			if slices.Contains(one.rules, r) {
				p = one
			}
		}
	}
	if p == nil {
		return r.Since, r.Until
	}
	return cmp.Or(r.Since, strings.TrimPrefix(p.since.Text, "v")), cmp.Or(r.Until, strings.TrimPrefix(p.until.Text, "v"))
}
