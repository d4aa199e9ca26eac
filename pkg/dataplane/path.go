// Package dataplane predicts what a node does with a connection to a Service: it is reachable, refused or times out, at
// which endpoints, and with which client IP.
//
// Each data plane has a file with a decision list, in the order in which a packet is handled, and its rules: a reason
// each, with the source of the fact and how it was established. What is not known is Unknown, never a guess.
// registry.go lists the data planes.
package dataplane

import (
	"net/netip"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// From says where a connection starts.
type From uint8

const (
	// Node is a process on the host network of the node.
	Node From = iota
	// Pod is a pod on the node, with an address of its own.
	Pod
	// External is a client outside the cluster whose packet has been sent to the node, as a load balancer that targets
	// nodes does.
	External
)

// To says which address of the Service is dialled.
type To uint8

const (
	LoadBalancerIP To = iota
	LoadBalancerHostname
	ExternalIP
	NodePort
	ClusterIP
)

// Outcome is what happens to the connection.
type Outcome uint8

const (
	// Unknown: not established; the rule says what it depends on.
	Unknown Outcome = iota
	Reachable
	Refused
	TimedOut
	// Partial: some connections work and some do not, by the endpoint chosen.
	Partial
	// ViaLoadBalancer: the node does not handle the address itself, and the connection leaves for the load balancer.
	ViaLoadBalancer
	// Unreachable: connect fails at once with another error than refused (no route to host, operation not permitted),
	// as load balancing at the socket does.
	Unreachable
)

// lastOutcome is the last of them.
const lastOutcome = Unreachable

// Endpoints says which of the Service's endpoints such a connection can reach.
type Endpoints uint8

const (
	EndpointsUnknown Endpoints = iota
	AllEndpoints
	// LocalEndpoints are those on the node that handles the packet.
	LocalEndpoints
	NoEndpoints
)

// ClientIP says which client IP the endpoint sees.
type ClientIP uint8

const (
	// NoClientIP: nothing is reached.
	NoClientIP ClientIP = iota
	// Preserved: the client's own; for a process on a node, any address its node owns.
	Preserved
	// Rewritten: an address of a node for a pod's or an external client's connection, the dialled address for a process
	// on the node.
	Rewritten
	// Mixed: preserved for some endpoints, rewritten for others.
	Mixed
	ClientIPUnknown
)

// ExtraHop says whether the connection crosses from the node that handles it to another one.
type ExtraHop uint8

const (
	Never ExtraHop = iota
	Sometimes
	Always
)

// Basis says how a prediction is known.
type Basis uint8

const (
	NoBasis Basis = iota
	// Documented by the data plane's own documentation.
	Documented
	// Source: read in the data plane's code.
	Source
	// Measured: real packets did this, and the recording is in test/truth.
	Measured
)

// The strings below are those of the published report.
func (f From) String() string { return [...]string{"Node", "Pod", "External"}[f] }

func (t To) String() string {
	return [...]string{"LoadBalancerIP", "LoadBalancerHostname", "ExternalIP", "NodePort", "ClusterIP"}[t]
}
func (e Endpoints) String() string { return [...]string{"Unknown", "All", "Local", "None"}[e] }
func (c ClientIP) String() string {
	return [...]string{"", "Preserved", "Rewritten", "Mixed", "Unknown"}[c]
}
func (h ExtraHop) String() string { return [...]string{"Never", "Sometimes", "Always"}[h] }
func (b Basis) String() string    { return [...]string{"Unknown", "Documented", "Source", "Measured"}[b] }

func (o Outcome) String() string {
	return [...]string{"Unknown", "Reachable", "Refused", "TimedOut", "Partial", "ViaLoadBalancer", "Unreachable"}[o]
}

// Path is what happens to one kind of connection.
type Path struct {
	From From
	To   To
	// Address is what is dialled; for NodePort the node's own InternalIP. The zero Addr for LoadBalancerHostname.
	Address netip.Addr
	// Hostname is set for LoadBalancerHostname only.
	Hostname string
	Port     uint16
	Protocol cluster.Protocol

	Outcome   Outcome
	Endpoints Endpoints
	ClientIP  ClientIP
	ExtraHop  ExtraHop
	Basis     Basis
	// Topology is Zone or Node where topology hints confine the choice of endpoints to the client's own; "" elsewhere.
	Topology string
	// Could are the outcomes that remain possible where Outcome is Unknown; 0 elsewhere.
	Could Outcomes
	// Rule decided; never nil.
	Rule *Rule
}

// Badness orders outcomes by how much is known to fail: 0 where nothing is, 1 for Unknown, 3 where every connection
// fails.
func (o Outcome) Badness() int {
	switch o {
	case Refused, TimedOut, Unreachable:
		return 3
	case Partial:
		return 2
	case Unknown:
		return 1
	case Reachable, ViaLoadBalancer:
	}
	return 0
}

// Outcomes is a set of Outcome.
type Outcomes uint8

// Has says whether o is in the set.
func (s Outcomes) Has(o Outcome) bool { return s&(1<<o) != 0 }

// All lists the outcomes of the set, Unknown never among them.
func (s Outcomes) All() []Outcome {
	var all []Outcome
	for o := Reachable; o <= lastOutcome; o++ {
		if s.Has(o) {
			all = append(all, o)
		}
	}
	return all
}

// Fails says whether no connection of this kind reaches an endpoint: the node refuses or drops it, or it leaves for a
// load balancer that has no endpoint to send it to. A packet that came from the load balancer (External) and leaves for
// it again does not count.
func (p *Path) Fails() bool {
	switch p.Outcome {
	case Refused, TimedOut, Unreachable:
		return true
	case ViaLoadBalancer:
		return p.Endpoints == NoEndpoints && p.From != External
	case Reachable, Partial, Unknown:
	}
	return false
}

// Works is No where all or some of these connections fail, Undetermined where the outcome is not known, and Yes
// otherwise.
func (p *Path) Works() cluster.Tristate {
	switch {
	case p.Fails(), p.Outcome == Partial:
		return cluster.No
	case p.Outcome == Unknown:
		return cluster.Undetermined
	}
	return cluster.Yes
}

func either(outcomes ...Outcome) Outcomes {
	var s Outcomes
	for _, o := range outcomes {
		s |= 1 << o
	}
	return s
}

// Rule is one line of a data plane's table.
type Rule struct {
	// ID never changes and is never reused: IPVS-03.
	ID string
	// Reason says what the node does with the connection and why, without the Service's name: one thought a sentence,
	// without a full stop at the end.
	Reason string
	// Source is where the fact was read: a file of the data plane's code, a pull request, a page of its documentation.
	Source string
	// Since and Until are releases between which the rule holds, "" where it has no bound on that side. Until is the
	// first release without it.
	Since, Until string
	// Basis is Source or Documented; predictions that the recordings hold are raised to Measured.
	Basis Basis
}

// measurement is a rule with which recorded packets agreed, for one kind of connection, in these minor releases of a
// program: kube-proxy, or another data plane. The major version is the one that its table is about.
type measurement struct {
	program  cluster.DataplaneName
	rule     string
	from     From
	to       To
	protocol cluster.Protocol
	releases []int
}

// cells are the minor releases of a program, one bit each, by From, To and whether it is UDP.
type cells [External + 1][ClusterIP + 1][2]uint64

// ruleOf is a rule as a program follows it: some hold for several.
type ruleOf struct {
	program cluster.DataplaneName
	rule    string
}

// measured is by rule.
var measured = byRule(measurements)

func byRule(all []measurement) map[ruleOf]*cells {
	out := map[ruleOf]*cells{}
	for _, m := range all {
		k := ruleOf{m.program, m.rule}
		if out[k] == nil {
			out[k] = new(cells)
		}
		for _, minor := range m.releases {
			out[k][m.from][m.to][datagrams(m.protocol)] |= 1 << minor
		}
	}
	return out
}

func datagrams(p cluster.Protocol) int {
	if p == cluster.UDP {
		return 1
	}
	return 0
}

// basis is Measured where recordings hold the rule for such a connection in that release; a release between two that
// were recorded is not one of them, nor is one that is not known.
func (r *Rule) basis(c *connection) Basis {
	program, version := c.plane, c.version
	if family, _, _ := strings.Cut(r.ID, "-"); program.name == cluster.KubeProxy && family == ciliumLetters {
		program, version = ciliumPlane, c.pluginVersion
	}
	m, ok := measured[ruleOf{program.name, r.ID}]
	if !ok || c.probe != nil || c.protocol == cluster.SCTP || version.Major != program.since.Major || version.Minor > 63 || m[c.from][c.dialled][datagrams(c.protocol)]&(1<<version.Minor) == 0 {
		return r.Basis
	}
	return Measured
}
