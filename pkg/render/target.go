package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// placeOf is the target without its port, as people write it.
func placeOf(t *route.Target) string {
	switch t.To {
	case dataplane.LoadBalancerHostname:
		return t.Hostname
	case dataplane.NodePort:
		if t.IPv6 {
			return "the node ports over IPv6"
		}
		return "the node ports"
	case dataplane.LoadBalancerIP, dataplane.ExternalIP, dataplane.ClusterIP:
	}
	return t.Address.String()
}

func portText(p *cluster.Port, nodePort bool) string {
	text := strconv.Itoa(int(p.Port))
	if nodePort && p.NodePort != 0 {
		text += ":" + strconv.Itoa(int(p.NodePort))
	}
	return text + "/" + string(p.Protocol)
}

// title names the targets of a part of the map: their addresses, with the ports where other parts have other ports.
func title(b *route.Part, all []route.Part) string {
	places, ports := named(b.Targets)
	var every []route.Target
	for _, other := range all {
		every = append(every, other.Targets...)
	}
	_, allPorts := named(every)
	switch {
	case len(places)*len(ports) != len(b.Targets):
		singles := make([]string, len(b.Targets))
		for i := range b.Targets {
			singles[i] = placeOf(&b.Targets[i]) + " port " + portText(&b.Targets[i].Port, b.Targets[i].To == dataplane.NodePort)
		}
		return english.And(singles)
	case len(ports) == len(allPorts):
		return english.And(places)
	}
	return english.And(places) + " " + english.Word(len(ports), "port", "") + " " + strings.Join(ports, " ")
}

// named lists the distinct places and ports of targets, in their order.
func named(targets []route.Target) (places, ports []string) {
	for i := range targets {
		if p := placeOf(&targets[i]); !slices.Contains(places, p) {
			places = append(places, p)
		}
		if p := portText(&targets[i].Port, targets[i].To == dataplane.NodePort); !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	return places, ports
}
