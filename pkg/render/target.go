package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// place is the target without its port, as people write it.
func place(t *route.Target) string {
	switch t.To {
	case dataplane.LoadBalancerHostname:
		return t.Hostname
	case dataplane.NodePort:
		if t.IPv6 {
			return "node ports over IPv6"
		}
		return "node ports"
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

// title names the targets of a part of the map among all targets: by place, by port, or one by one.
func title(b *route.Part, all []route.Part) string {
	places, ports := named(b.Targets)
	var every []route.Target
	for _, other := range all {
		every = append(every, other.Targets...)
	}
	allPlaces, allPorts := named(every)
	if len(places)*len(ports) == len(b.Targets) {
		switch {
		case len(ports) == len(allPorts):
			return strings.Join(places, " ")
		case len(places) == len(allPlaces):
			return strings.Join(ports, " ")
		}
		return strings.Join(places, " ") + "   " + strings.Join(ports, " ")
	}
	singles := make([]string, len(b.Targets))
	for i := range b.Targets {
		singles[i] = place(&b.Targets[i]) + " " + portText(&b.Targets[i].Port, false)
	}
	return strings.Join(singles, ", ")
}

// named lists the distinct places and ports of targets, in their order.
func named(targets []route.Target) (places, ports []string) {
	for i := range targets {
		if p := place(&targets[i]); !slices.Contains(places, p) {
			places = append(places, p)
		}
		if p := portText(&targets[i].Port, targets[i].To == dataplane.NodePort); !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	return places, ports
}
