// Package remedy plans fixes for findings: the change and its inverse, what must hold before it, what it costs, and what is true after it.
//
// It builds patches and sends nothing.
package remedy

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Mode is a value of `kubectl etp fix --mode`.
type Mode string

const (
	Cluster      Mode = "cluster"
	Local        Mode = "local"
	ENI          Mode = "eni"
	AntiAffinity Mode = "anti-affinity"
	Spread       Mode = "spread"
	Hostname     Mode = "hostname"
	DNS          Mode = "dns"
)

// Description says in a few words what a Mode does, for help, menus and completion.
type Description struct {
	Mode Mode
	Does string
}

// Modes lists every mode, in the order of help.
func Modes() []Description {
	return []Description{
		{Cluster, "let every node use all endpoints (externalTrafficPolicy Cluster): kube-proxy hides the client IP"},
		{Local, "use only endpoints on the same node (externalTrafficPolicy Local): keeps the client IP"},
		{ENI, "make the load balancer send to pods directly: nodes are not on the way; the client IP is kept if the load balancer keeps it"},
		{AntiAffinity, "schedule pods on different nodes (preferred pod anti-affinity): starts a rollout"},
		{Spread, "spread pods evenly over nodes (topologySpreadConstraints): starts a rollout"},
		{Hostname, "publish a host name instead of an IP address, so that nodes do not handle it themselves"},
		{DNS, "make CoreDNS answer the public host names with the Service, inside the cluster"},
	}
}

// Facts are everything that a plan may read. It changes none of them.
type Facts struct {
	Snapshot *cluster.Snapshot
	Service  *cluster.Service
	Provider provider.LoadBalancer
	// Findings are those of the Service before the change.
	Findings     []finding.Finding
	Surroundings *cluster.Surroundings
}

// Plan is a mode applied to one Service: what to change, and what is known of the change before it is made.
type Plan struct {
	Mode    Mode
	Service cluster.Object
	// Preconditions are in the order in which to show them.
	Preconditions []Precondition
	// Owner is the program that would revert the change; nil if none is known.
	Owner *Owner
	// Gains are what the change improves, a sentence each.
	Gains []string
	// Costs are what the change loses or starts, and what to know before it, a sentence each.
	Costs []string
	// Assumes is what Simulate assumes because it cannot be known before the change, a sentence each.
	Assumes []string
	// Fixes are the codes of the findings that the change is expected to fix; empty if it fixes none.
	Fixes []string
	// ByName are the codes of the findings that the change fixes only for clients that connect by a DNS name.
	ByName []string
	// Effects are what the change does to clients inside the cluster that the map does not show.
	Effects []Effect
	// ClientIP is what mode Cluster does to the client IP; the zero value for other modes.
	ClientIP finding.ClientIP
	// ToPods is what the load balancer does with the client IP once it sends to pods; "" for modes other than ENI.
	ToPods provider.ClientIP
	// May are the codes of the findings that the change may fix; whether it does cannot be predicted.
	May []string
	// Changes are made in this order; empty if there is nothing left to change.
	Changes []Change
	// ByHand is what to change by hand, because this tool does not change objects of that kind. Changes is empty then.
	ByHand []string
	// Signs are the events of the Service to wait for after the change; nil if no controller is known to write any.
	Signs []provider.Sign

	// effects apply the change to a copy of the snapshot.
	effects []effect
}

// EffectKind is what an Effect does to clients inside the cluster.
type EffectKind uint8

const (
	// FixesByName: clients that connect by a DNS name work; those that connect to the address fail as before.
	FixesByName EffectKind = iota
	// Breaks: some connections that work now fail.
	Breaks
	// MayBreak: it is not known whether some connections that work now fail.
	MayBreak
)

// Effect is what a change does to clients inside the cluster that the map does not show. The map has addresses and what nodes do with them. It has no DNS names, and no
// load balancer that sends a connection back to the node that it came from.
type Effect struct {
	Kind EffectKind
	// Message is one sentence without a full stop. Nodes are those that it is about.
	Message string
	Nodes   []string
}

// Precondition is something that must hold before a change is made.
type Precondition struct {
	// Name is a short word with hyphens: terway-ready.
	Name string
	// Holds is Undetermined if it could not be read, which refuses the change too.
	Holds cluster.Tristate
	// Message is one sentence without a full stop: what was found.
	Message  string
	Evidence []finding.Evidence
	// Risk is the value of --accept-risk that allows the change although this does not hold; "" if nothing allows it.
	Risk string
}

// Owner is a program that manages the object and would revert a change of it.
type Owner struct {
	// Name is for people: Helm release web, Argo CD application shop.
	Name string
	// Source is what shows it: label app.kubernetes.io/managed-by.
	Source string
	// Instead is what to change where the owner reads it.
	Instead string
}

const (
	// WillBeReverted is the risk of changing an object that has an Owner.
	WillBeReverted = "will-be-reverted"
	// LosesClientIP is the risk of hiding the client IP from something that depends on it, or may.
	LosesClientIP = "loses-client-ip"
	// BreaksInside is the risk that connections from inside the cluster fail after the change.
	BreaksInside = "breaks-in-cluster-clients"
	// noEffect is the risk that the change has no effect.
	noEffect = "no-effect"
)

// Change is what one patch does to one object.
type Change struct {
	Object cluster.Object
	Fields []Field
	// Starts is what the change starts: a rollout of deployment shop/web; "" if nothing.
	Starts string
}

// Field is one field of an object, with its JSON value before and after the change: numbers are int64 or float64, lists []any, objects map[string]any. nil stands for an
// absent field.
//
// If parents of the field are absent too, the Field is the topmost absent one, so that the inverse removes all of it. Annotations are the exception: the API server keeps
// no empty map of them.
type Field struct {
	Path     []string
	Was, Now any
	// Follows: the API server changes the field itself because the others change. It is not part of the patch; the inverse requests its old value.
	Follows bool
	// Part is the part of a text that changes, if the rest belongs to others; nil if the whole field changes.
	Part *Part
}
