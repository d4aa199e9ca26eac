// Package remedy knows what can be changed to fix a finding: the change and its inverse, what must hold first, what it costs, and what is true after it.
//
// It builds patches and sends nothing.
package remedy

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Mode is what `kubectl etp fix --mode` names.
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

// Description is a Mode in a few words, for help, menus and completion.
type Description struct {
	Mode Mode
	Does string
}

// Modes lists every mode, in the order of help.
func Modes() []Description {
	return []Description{
		{Cluster, "send to every node (externalTrafficPolicy Cluster): works everywhere; kube-proxy then hides the client IP"},
		{Local, "send only to nodes with a backend (externalTrafficPolicy Local): keeps the client IP"},
		{ENI, "let the load balancer send to pods directly: works everywhere, keeps the client IP"},
		{AntiAffinity, "keep the pods apart (preferred pod anti-affinity): starts a rollout"},
		{Spread, "spread the pods over nodes (topologySpreadConstraints): starts a rollout"},
		{Hostname, "publish a host name instead of an address, so that nodes do not answer for it themselves"},
		{DNS, "let CoreDNS answer the public host names with the Service itself, inside the cluster"},
	}
}

// Facts are all that a plan may look at. It changes none of them.
type Facts struct {
	Snapshot *cluster.Snapshot
	Service  *cluster.Service
	Provider provider.LoadBalancer
	// Findings are those of the Service as it is.
	Findings     []finding.Finding
	Surroundings *cluster.Surroundings
}

// Plan is how a mode would be put into effect for one Service.
type Plan struct {
	Mode    Mode
	Service cluster.Object
	// Preconditions are in the order in which they are best read.
	Preconditions []Precondition
	// Owner is who would take the change back; nil where nobody is known to.
	Owner *Owner
	// Gains are what the change buys, a sentence each.
	Gains []string
	// Costs are what is lost, set off or to be known first, a sentence each.
	Costs []string
	// Assumes is what Simulate takes for granted and nobody can know before, a sentence each.
	Assumes []string
	// Fixes are the codes of the findings that the mode is for; empty where nothing calls for it.
	Fixes []string
	// ByName are the codes of the findings that stay, and no longer concern clients that connect by name.
	ByName []string
	// Effects are what the change does that the map does not show.
	Effects []Effect
	// ClientIP is what mode Cluster does to the client IP; of no meaning for other modes.
	ClientIP finding.ClientIP
	// May are the codes of the findings that the mode is for and that it may not fix: what comes of it cannot be foreseen.
	May []string
	// Changes are made in this order. Empty where nothing is left to change.
	Changes []Change
	// ByHand is what to change where this tool does not: the kind of object is somebody else's. Changes is empty then.
	ByHand []string
	// Signs are the events of the Service to wait for after the change; nil where nobody is known to give any.
	Signs []provider.Sign

	// effects put the change into a copy of the snapshot.
	effects []effect
}

// EffectKind says what an Effect does to clients inside the cluster.
type EffectKind uint8

const (
	// FixesByName: clients that connect by name work, while those that dial the address fail as before.
	FixesByName EffectKind = iota
	// Breaks: some connections that work now fail.
	Breaks
	// MayBreak: it is not known whether some connections that work now fail.
	MayBreak
)

// Effect is what a change does to clients inside the cluster that the map does not show. The map is about addresses and about what nodes do: not about names, and not
// about a load balancer that sends a connection back to where it came from.
type Effect struct {
	Kind EffectKind
	// Message is one sentence, without a full stop, and Nodes are those that it is about.
	Message string
	Nodes   []string
}

// Precondition is something that must hold before a change.
type Precondition struct {
	// Name is a short word with hyphens: terway-ready.
	Name string
	// Holds is Undetermined where it could not be read; that refuses too.
	Holds cluster.Tristate
	// Message is one sentence of what was found.
	Message  string
	Evidence []finding.Evidence
	// Risk is the word that --accept-risk takes to go on all the same; "" where the change is impossible without.
	Risk string
}

// Owner is somebody who writes the object too, and would take a change of it back.
type Owner struct {
	// Name is for people: Helm release web, Argo CD application shop.
	Name string
	// Source says what it was concluded from: label app.kubernetes.io/managed-by.
	Source string
	// Instead is what to change there.
	Instead string
}

const (
	// WillBeReverted is the risk of changing an object that has an Owner.
	WillBeReverted = "will-be-reverted"
	// LosesClientIP is the risk of hiding the client's address from somebody who was found to depend on it, or may.
	LosesClientIP = "loses-client-ip"
	// BreaksInside is the risk that connections from inside the cluster fail afterwards.
	BreaksInside = "breaks-in-cluster-clients"
	// noEffect is the risk that a change is made in vain.
	noEffect = "no-effect"
)

// Change is what one patch does to one object.
type Change struct {
	Object cluster.Object
	Fields []Field
	// Starts says what the change sets off, "" where nothing: a rollout of deployment shop/web.
	Starts string
}

// Field is one place of an object, with the JSON value that it has and the one that it gets: numbers are int64 or float64, lists []any, objects map[string]any. nil is
// a field that is not there.
//
// Where something above the place is absent too, the Field is the highest that is absent, so that the inverse leaves nothing behind. Annotations are the exception:
// the API server keeps no empty map of them.
type Field struct {
	Path     []string
	Was, Now any
	// Follows: the API server changes the field by itself because of the others. It is in no patch; the inverse asks for the value that it had.
	Follows bool
	// Part is what the change is about where the field is a text of which the rest is somebody else's; nil where it is about the whole field.
	Part *Part
}
