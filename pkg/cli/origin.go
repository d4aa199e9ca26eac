package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

// origin is the value of --from: one of a pod, a node and an address is set.
type origin struct {
	text      string
	pod, node string
	// namespace is the pod's, "" where none is named.
	namespace string
	address   netip.Addr
}

// The names of the kinds that --from takes.
func podKinds() []string  { return []string{"pod", "pods", "po"} }
func nodeKinds() []string { return []string{"node", "nodes", "no"} }

const fromForms = "pod/NAME, node/NAME or an IP address"

// parseOrigin reads pod/NAME, pod/NAMESPACE/NAME, node/NAME or an IP address.
func parseOrigin(text string) (origin, error) {
	o := origin{text: text}
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() {
			return o, misuse("give the address that its packets have", "--from %s: no connection comes from this address over a network", text)
		}
		o.address = a
		return o, nil
	}
	kind, name, named := strings.Cut(text, "/")
	switch kind = strings.ToLower(kind); {
	case slices.Contains(podKinds(), kind):
		if space, rest, ok := strings.Cut(name, "/"); ok {
			o.namespace, name = space, rest
		}
		o.pod = name
	case slices.Contains(nodeKinds(), kind):
		o.node = name
	default:
		next := "write --from pod/" + text + " or --from node/" + text
		if named {
			next = "it is " + fromForms
		}
		return o, misuse(next, "--from %s: expected %s", text, fromForms)
	}
	if !named || name == "" || strings.ContainsAny(name, "/%") || name == "." || name == ".." {
		return o, misuse("it is "+fromForms, "--from %s: the name is missing or not valid", text)
	}
	return o, nil
}

// found is a client with all its addresses.
type found struct {
	route.Client
	// addresses are a pod's own, of each family one at most; nil where they are not known or do not matter.
	addresses []netip.Addr
}

// speaks says whether the client has an address of the target's family, as far as that is known.
func (f found) speaks(t dataplane.Target) bool {
	return !t.Address.IsValid() || len(f.addresses) == 0 || slices.ContainsFunc(f.addresses, func(a netip.Addr) bool { return a.Is6() == t.Address.Is6() })
}

// towards is the client with its address of the target's family. A process on a node has none of its own.
func (f found) towards(t *dataplane.Target, svc *cluster.Service) (route.Client, error) {
	if f.From == dataplane.Node {
		return f.Client, nil
	}
	if !f.speaks(*t) {
		has, needs := "IPv4", "IPv6"
		if f.addresses[0].Is6() {
			has, needs = needs, has
		}
		next := "the Service has no " + has + " address"
		for _, o := range dataplane.Published(svc) {
			if o.Address.IsValid() && f.speaks(o) {
				next = "choose an " + has + " address: --to " + targetText(svc, o)
				break
			}
		}
		return f.Client, misuse(next, "the client %s has no %s address, which it needs to reach %s", f.addresses[0], needs, t.Address)
	}
	c := f.Client
	for _, a := range f.addresses {
		if !t.Address.IsValid() || a.Is6() == t.Address.Is6() {
			c.Address = a
			break
		}
	}
	return c, nil
}

// clientReader finds the client of --from, in a cluster or in files.
type clientReader struct {
	*app
	// client reads from a cluster; nil with files.
	client *collect.Client
	files  *collect.Objects
	// namespace is that of a pod without one; "" is that of the context, and with files any.
	namespace string
	pod       collect.Pod
	// known: pod was read. err says why it was not.
	known bool
	err   error
}

// ask reads the pod of --from from the cluster. That it cannot be read is an error only where nothing else shows its node.
func (r *clientReader) ask(ctx context.Context, from origin) error {
	if from.pod == "" {
		return nil
	}
	r.pod, r.err = r.client.Pod(ctx, r.spaceOf(from), from.pod)
	r.known = r.err == nil
	if errors.Is(r.err, context.Canceled) {
		return reading(r.err)
	}
	return nil
}

func (r *clientReader) spaceOf(from origin) string {
	if from.namespace != "" {
		return from.namespace
	}
	if r.namespace == "" && r.client != nil {
		return r.client.Namespace()
	}
	return r.namespace
}

// nodes are those that must be read in full.
func (r *clientReader) nodes(from origin) []string {
	switch {
	case from.node != "":
		return []string{from.node}
	case r.known && r.pod.Node != "":
		return []string{r.pod.Node}
	}
	return nil
}

// find says where the client is.
func (r *clientReader) find(ctx context.Context, s *cluster.Snapshot, from origin) (found, error) {
	switch {
	case from.address.IsValid():
		c := route.ClientAt(s, from.address)
		f := found{Client: c}
		if c.From != dataplane.Node {
			f.addresses = []netip.Addr{from.address}
		} else {
			f.addresses = s.Nodes[c.Node].InternalIPs
		}
		return f, nil
	case from.node != "":
		return r.onNode(s, from)
	}
	space := r.spaceOf(from)
	if r.files != nil {
		r.pod, r.known = r.files.Pod(space, from.pod)
	}
	if !r.known {
		return r.endpoint(ctx, s, from, space)
	}
	return onItsNode(s, &r.pod, space+"/"+from.pod)
}

func (r *clientReader) onNode(s *cluster.Snapshot, from origin) (found, error) {
	i := s.NodeIndex(from.node)
	if i < 0 {
		next := "kubectl get nodes lists the nodes"
		names := make([]string, len(s.Nodes))
		for n := range s.Nodes {
			names[n] = s.Nodes[n].Name
		}
		if near := suggest.Close(from.node, names); len(near) > 0 {
			next = "did you mean --from node/" + near[0] + "?"
		} else if r.files != nil && len(names) > 0 {
			next = "the files have " + strings.Join(names[:min(len(names), 5)], ", ")
		}
		return found{}, &ExitError{Code: exitFailed, Err: fmt.Errorf("finding node %s: there is no such node", from.node), Next: next}
	}
	return found{Client: route.Client{Client: dataplane.Client{From: dataplane.Node, Node: i}}, addresses: s.Nodes[i].InternalIPs}, nil
}

// endpoint finds a pod that could not be read among the endpoints of the Service.
func (r *clientReader) endpoint(ctx context.Context, s *cluster.Snapshot, from origin, space string) (found, error) {
	pod := collect.Pod{Namespace: space, Name: from.pod}
	for i := range s.Services {
		for j := range s.Services[i].Endpoints {
			e := &s.Services[i].Endpoints[j]
			if e.Target == space+"/"+from.pod || space == "" && strings.HasSuffix(e.Target, "/"+from.pod) {
				pod.Node, pod.Addresses = e.Node, append(pod.Addresses, e.Address)
				pod.HostNetwork = pod.HostNetwork || hasAddress(s, e)
			}
		}
	}
	if len(pod.Addresses) > 0 {
		return onItsNode(s, &pod, space+"/"+from.pod)
	}
	if r.files != nil {
		return found{}, &ExitError{
			Code: exitFailed, Err: fmt.Errorf("finding pod %s: the files do not contain it", from.pod),
			Next: "name its node: --from node/NAME is the host network of the node; or add the pod to the files: kubectl get pod " + from.pod + " -o yaml",
		}
	}
	next := ""
	if names, err := r.client.PodNames(ctx, space); err == nil {
		if near := suggest.Close(from.pod, names); len(near) > 0 {
			next = "did you mean --from pod/" + near[0] + "?"
		}
	}
	return found{}, &ExitError{Code: exitFailed, Err: fmt.Errorf("finding the client: %w", r.err), Next: next}
}

// hasAddress says whether an endpoint's address is its node's.
func hasAddress(s *cluster.Snapshot, e *cluster.Endpoint) bool {
	i := s.NodeIndex(e.Node)
	return i >= 0 && slices.Contains(s.Nodes[i].InternalIPs, e.Address)
}

// onItsNode is the client that a pod is.
func onItsNode(s *cluster.Snapshot, pod *collect.Pod, name string) (found, error) {
	failed := func(reason, next string) (found, error) {
		return found{}, &ExitError{Code: exitFailed, Err: fmt.Errorf("finding pod %s: %s", strings.TrimPrefix(name, "/"), reason), Next: next}
	}
	if pod.Ended {
		return failed("it has ended, and runs no more", "name a pod that is running, or its node: --from node/NAME")
	}
	if pod.Node == "" {
		return failed("it is on no node yet", "kubectl describe pod "+pod.Name+" shows why it is not scheduled")
	}
	i := s.NodeIndex(pod.Node)
	if i < 0 {
		return failed("its node "+pod.Node+" was not read", "kubectl get nodes shows whether it still exists")
	}
	name = strings.TrimPrefix(name, "/")
	if pod.HostNetwork {
		c := route.Client{Client: dataplane.Client{From: dataplane.Node, Node: i}, Pod: name, Taken: "the pod is on the host network, so it connects like any process on the node"}
		return found{Client: c, addresses: s.Nodes[i].InternalIPs}, nil
	}
	return found{Client: route.Client{Client: dataplane.Client{From: dataplane.Pod, Node: i}, Pod: name}, addresses: pod.Addresses}, nil
}
