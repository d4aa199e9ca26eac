package dataplane

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// ciliumAnnotations are what a Service's annotations change for Cilium (pkg/annotation/k8s.go in cilium/cilium v1.20.2).
type ciliumAnnotations struct {
	// mode is the forwarding mode that is asked for: snat, dsr or "".
	mode string
	// only is the type that alone is served, "" for all.
	only cluster.ServiceType
	// home and here are whether the Service is served on the client's node and on the judging node.
	home, here exposure
	// denies: loadBalancerSourceRanges name those that are kept out. global: other clusters have endpoints of the
	// Service. other: an annotation of which nobody has read what it does.
	denies, global, other bool
}

// exposure says whether a node's labels match what annotations of a Service ask for: byNode service.cilium.io/node (from
// v1.17 on), bySelector service.cilium.io/node-selector (from v1.18 on, and then in place of the former). asked: the
// latter is there.
type exposure struct {
	byNode, bySelector cluster.Tristate
	asked              bool
}

const (
	ciliumNodeAnnotation     = "service.cilium.io/node"
	ciliumSelectorAnnotation = "service.cilium.io/node-selector"
)

// annotationsForCilium reads a Service's annotations for a client on the node home and the judging node here.
func annotationsForCilium(s *cluster.Service, home, here *cluster.Node) ciliumAnnotations {
	if len(s.Annotations) == 0 {
		return ciliumAnnotations{home: exposure{byNode: cluster.Yes}, here: exposure{byNode: cluster.Yes}}
	}
	has := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return s.Annotations[key] != "" && s.Annotations[key] != "false" })
	}
	out := ciliumAnnotations{
		home: exposedOn(s, home), here: exposedOn(s, here),
		denies: strings.EqualFold(s.Annotations["service.cilium.io/src-ranges-policy"], "deny"),
		global: has("service.cilium.io/global", "io.cilium/global-service"),
		other:  has("service.cilium.io/proxy-delegation", "service.cilium.io/lb-l7"),
	}
	if mode := strings.ToLower(s.Annotations["service.cilium.io/forwarding-mode"]); mode == "dsr" || mode == "snat" {
		out.mode = mode
	}
	switch only := cluster.ServiceType(s.Annotations["service.cilium.io/type"]); only {
	case cluster.TypeClusterIP, cluster.TypeNodePort, cluster.TypeLoadBalancer:
		out.only = only
	case cluster.TypeExternalName:
	}
	return out
}

// MayLeaveOut says whether Cilium serves the Service of this path not at all or only in part: because of annotations, or
// because another Service has one of its addresses and ports.
func (p *Path) MayLeaveOut() bool { return p.Rule == cil18 || p.Rule == cil37 || p.Rule == cil45 }

func exposedOn(s *cluster.Service, n *cluster.Node) exposure {
	out := exposure{byNode: cluster.Yes}
	if value, ok := s.Annotations[ciliumNodeAnnotation]; ok {
		label, has := n.Labels[ciliumNodeAnnotation]
		out.byNode = cluster.Is(has && label == value)
	}
	if selector, ok := s.Annotations[ciliumSelectorAnnotation]; ok {
		out.asked, out.bySelector = true, selects(selector, n.Labels)
	}
	if !n.Known && (out.asked || s.Annotations[ciliumNodeAnnotation] != "") {
		out.byNode, out.bySelector = cluster.Undetermined, cluster.Undetermined
	}
	return out
}

// selects says whether a label selector matches labels; Undetermined for a selector with sets.
func selects(selector string, labels map[string]string) cluster.Tristate {
	if strings.ContainsAny(selector, "()<>") {
		return cluster.Undetermined
	}
	for term := range strings.SplitSeq(selector, ",") {
		term = strings.TrimSpace(term)
		key, value, equal := strings.Cut(term, "=")
		key, unequal := strings.CutSuffix(key, "!")
		key, not := strings.CutPrefix(strings.TrimSpace(key), "!")
		label, has := labels[key]
		matches := has != not
		if equal {
			matches = (has && label == strings.TrimSpace(strings.TrimPrefix(value, "="))) != unequal
		}
		if term != "" && !matches {
			return cluster.No
		}
	}
	return cluster.Yes
}

// servedAt says whether a node of which e speaks serves the address that is dialled.
func (c *connection) servedAt(e exposure) cluster.Tristate {
	v := c.version
	only := c.annotations.only
	switch {
	case v.Before(1, 17, 0):
		return cluster.Yes
	case only == "", c.to == ExternalIP:
	case c.to == LoadBalancerIP && only != cluster.TypeLoadBalancer, c.to == NodePort && only != cluster.TypeNodePort, c.to == ClusterIP && only != cluster.TypeClusterIP:
		return cluster.No
	}
	switch {
	case e.asked && !v.Before(1, 18, 0):
		return e.bySelector
	default:
		return e.byNode
	}
}

// ciliumMode is bpf-lb-mode for this connection, snat or dsr; known is false where the Service asks for a mode of its
// own and nobody has read whether it gets it (v1.17: pkg/k8s/service.go reads it under another setting).
func (c *connection) ciliumMode() (mode string, known bool) {
	s := c.cilium
	switch {
	case s.ModeAnnotation && c.annotations.mode != "" && !c.version.Before(1, 18, 0):
		return c.annotations.mode, true
	case s.ModeAnnotation && c.annotations.mode != "" && !c.version.Before(1, 17, 0):
		return "", false
	case s.Mode == "hybrid" && c.protocol == cluster.TCP:
		return "dsr", true
	case s.Mode == "hybrid":
		return "snat", true
	default:
		return s.Mode, true
	}
}

// ciliumAllows says whether loadBalancerSourceRanges admit a packet that arrives at the node. Ranges of another address
// family than the packet's admit none. Before v1.19 enable-svc-source-range-check switches them off
// (pkg/service/service.go in v1.13.18 to v1.17.0, pkg/kpr/kpr.go in v1.18.0).
func (c *connection) ciliumAllows() cluster.Tristate {
	s, v := c.cilium, c.version
	applies := c.to == LoadBalancerIP || s.RangesOfAllTypes && !v.Before(1, 17, 0) || !v.Before(1, 18, 0) && v.Before(1, 18, 6) ||
		c.to == ExternalIP && !v.Before(1, 20, 0)
	denies := c.annotations.denies && !v.Before(1, 17, 0)
	listed := c.allowsClient
	switch {
	case !c.ranged || !applies, s.NoSourceRanges && v.Before(1, 19, 0):
		return cluster.Yes
	case !c.hasRanges:
		listed = cluster.No
	case c.allowsAll:
		listed = cluster.Yes
	case c.anyClient:
		// It is a client that the ranges admit.
		return cluster.Yes
	case c.elsewhere && c.masqueradedByCNI != cluster.No:
		return cluster.Undetermined
	}
	if denies && listed != cluster.Undetermined {
		return cluster.Is(listed == cluster.No)
	}
	return listed
}
