package provider

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Published is how a provider publishes something that no node answers for itself, in place of an address.
type Published struct {
	// Key is the annotation that makes it do so, Value what to set it to; Value is "" where it is the name itself.
	Key, Value string
	// Mode is Proxy where the address stays and its ipMode is set; "" where a name takes its place.
	Mode cluster.IPMode
	// Since is the release of Kubernetes from which the nodes obey it; the zero Version where any does.
	Since cluster.Version
	// Source is where the fact was read.
	Source string
}

// NeedsName says whether somebody must give the name.
func (p Published) NeedsName() bool { return p.Value == "" }

// ToName is how the provider publishes a name; Instead says what to do where it has no way.
func (lb LoadBalancer) ToName() (p Published, instead string) {
	for _, one := range published {
		if one.name == lb.Name && (one.product == "" || one.product == lb.Product) {
			return one.Published, ""
		}
	}
	switch lb.Name {
	case "huawei":
		return Published{}, "Huawei Cloud has annotation kubernetes.io/elb.pass-through instead, and settings of kubernetes.io/elb.* cannot be changed later: make the Service anew " +
			"with it, or use --mode=cluster or --mode=dns"
	case "":
		return Published{}, "whose load balancer stands before the Service is not known, so no annotation is known that publishes a name; use --mode=cluster or --mode=dns"
	}
	return Published{}, lb.Title + " has no annotation that publishes a name instead of an address; use --mode=cluster or --mode=dns"
}

// published are the annotations, by the source of each controller.
var published = []struct {
	name, product string
	Published
}{
	{"alibaba", "CLB", Published{
		Key:    alibabaPrefix + "hostname",
		Source: "kubernetes/cloud-provider-alibaba-cloud pkg/controller/service/clbv1/service_controller.go",
	}},
	{"digitalocean", "", Published{
		Key:    "service.beta.kubernetes.io/do-loadbalancer-hostname",
		Source: "digitalocean/digitalocean-cloud-controller-manager cloud-controller-manager/do/loadbalancers.go",
	}},
	{"hetzner", "", Published{
		Key:    "load-balancer.hetzner.cloud/hostname",
		Source: "hetznercloud/hcloud-cloud-controller-manager hcloud/load_balancers.go",
	}},
	{"vultr", "", Published{
		Key:    "service.beta.kubernetes.io/vultr-loadbalancer-hostname",
		Source: "vultr/vultr-cloud-controller-manager vultr/loadbalancers.go",
	}},
	{"openstack", "", Published{
		Key:    "loadbalancer.openstack.org/hostname",
		Source: "kubernetes/cloud-provider-openstack pkg/openstack/loadbalancer.go",
	}},
	{"linode", "", Published{
		Key: "service.beta.kubernetes.io/linode-loadbalancer-hostname-only-ingress", Value: "true",
		Source: "linode/linode-cloud-controller-manager cloud/annotations/annotations.go",
	}},
	{"scaleway", "", Published{
		Key: "service.beta.kubernetes.io/scw-loadbalancer-use-hostname", Value: "true",
		Source: "scaleway/scaleway-cloud-controller-manager scaleway/loadbalancers.go",
	}},
	{"oci", "", Published{
		Key: "oci.oraclecloud.com/ingress-ip-mode", Value: "proxy", Mode: cluster.Proxy, Since: cluster.Version{Major: 1, Minor: 30, Text: "v1.30"},
		Source: "oracle/oci-cloud-controller-manager pkg/cloudprovider/providers/oci/load_balancer.go",
	}},
}

// Obeyed checks that the nodes are new enough to obey what is published.
func (p Published) Obeyed(s *cluster.Snapshot) (Check, bool) {
	if !p.Since.Known() {
		return Check{}, false
	}
	c := Check{Name: "ip-mode-obeyed", Holds: cluster.Yes, Message: fmt.Sprintf("the nodes obey ipMode: it is on since %s", p.Since)}
	for i := range s.Nodes {
		d := s.DataplaneOf(&s.Nodes[i])
		switch {
		case !d.Version.Known():
			c.Holds, c.Risk = cluster.Undetermined, "ip-mode-ignored"
			c.Message = fmt.Sprintf("whether node %s obeys ipMode is not known: the release of its data plane was not read", s.Nodes[i].Name)
			c.Fact, c.Source = "release not known", d.Source
		case d.Version.Before(p.Since.Major, p.Since.Minor, p.Since.Patch):
			c.Holds, c.Risk = cluster.No, "ip-mode-ignored"
			c.Message = fmt.Sprintf("node %s runs %s %s, which does not obey ipMode: it is on since %s", s.Nodes[i].Name, d.Name, d.Version, p.Since)
			c.Fact, c.Source = fmt.Sprintf("node %s runs %s", s.Nodes[i].Name, d.Version), d.VersionSource
			return c, true
		}
	}
	return c, true
}
