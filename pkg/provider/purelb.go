package provider

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// pureLB is PureLB: addresses that it gave (purelb/purelb v0.17 internal/allocator), announced from nodes.
type pureLB struct{ unknown }

func (pureLB) about() (name, title string) { return "purelb", "PureLB" }

func (pureLB) recognise(c candidate) (LoadBalancer, bool) {
	key := c.annotated("purelb.io/allocated-by")
	return announced("purelb", "PureLB", "annotation "+key), key != ""
}

// announcers: for an address of a local pool, annotations name the node that won the election: node,interface, and since
// v0.17 node,interface,ip with spaces between entries; before, nodes overwrote each other's (PureLB's release notes of
// v0.17). A Service whose addresses are of remote pools has none.
func (pureLB) announcers(svc *cluster.Service) (nodes []cluster.Announcer, old bool) {
	for _, key := range []string{"purelb.io/announcing-IPv4", "purelb.io/announcing-IPv6"} {
		for entry := range strings.FieldsSeq(svc.Annotations[key]) {
			if node, _, _ := strings.Cut(entry, ","); node != "" {
				nodes = append(nodes, cluster.Announcer{Node: node, By: "purelb", Source: "annotation " + key})
			}
		}
	}
	return announcing(&cluster.Service{Announcers: nodes}, "purelb"), true
}

func (pureLB) announcerShown(*cluster.Service) (command, sentence string) {
	return "", "Annotation purelb.io/announcing-IPv4 or -IPv6 of the Service names it, where the address is of a local pool"
}

func (pureLB) toLocal(LoadBalancer, Facts) Change { return announcedToLocal() }
