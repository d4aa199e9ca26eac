// Package finding knows what can be wrong with the way a Service is reached, and which facts show it.
package finding

import (
	"cmp"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Severity orders findings; the zero Severity is Info.
type Severity uint8

const (
	Info Severity = iota
	Warning
	Error
)

// String is the word of the published report.
func (s Severity) String() string { return [...]string{"Info", "Warning", "Error"}[s] }

// Result of a check.
type Result uint8

const (
	Pass Result = iota
	Fail
	// Unknown: the evidence that the check needs is missing.
	Unknown
)

// String is the word of the published report.
func (r Result) String() string { return [...]string{"Pass", "Fail", "Unknown"}[r] }

// Evidence is one fact and where it was read.
type Evidence struct {
	Fact, Source string
}

// Subject is the object a finding is about. Namespace is "" for a Node.
type Subject struct {
	Kind, Namespace, Name string
}

// Remedy is a mode of repair, or "" for advice that changes nothing in the cluster, and how to do it.
type Remedy struct {
	Mode string
	// Text is what to run or do, one line, "" where it takes more than a line; Gain is what it keeps or costs, "" where there is nothing to say.
	Text, Gain string
}

// Finding is the result of one check for one subject.
type Finding struct {
	Code     string
	Severity Severity
	Result   Result
	Title    string
	// Message is one line with the numbers; Detail is what the people there see and why, "" where Message says all.
	Message, Detail string
	Subject         Subject
	Evidence        []Evidence
	// Remedies are ordered best first.
	Remedies []Remedy
}

// Facts are all that a check may look at: one Service, and its rows of the map in the order of the report.
type Facts struct {
	Snapshot *cluster.Snapshot
	Service  *cluster.Service
	Provider provider.LoadBalancer
	Rows     []Row
	// Nowhere counts the endpoints that name no node, or none of the cluster's.
	Nowhere dataplane.Count
	// PredictCluster predicts for the Service as it would be with externalTrafficPolicy Cluster.
	PredictCluster func(dataplane.Client, dataplane.Target) dataplane.Path
	// AnsweredInside lists the public names that the cluster's DNS answers with the Service itself; nil where that was not read.
	AnsweredInside func() []string
}

// Row is one node of the map. Node.Dataplane is set only where the node differs from the cluster.
type Row struct {
	Node *cluster.Node
	// Index is the node's place in the snapshot.
	Index     int
	Endpoints dataplane.Count
	// LoadBalancer says whether the load balancer sends to this node, and why not.
	LoadBalancer Receives
	// Live is nil unless asked for.
	Live  *cluster.Live
	Paths []dataplane.Path
}

// Receives says what part of the external connections a load balancer that balances evenly over nodes sends to a node.
type Receives struct {
	Receives bool
	// Reason is "" where it receives, else one of NoLocalEndpoint, ExcludedByLabel, BeingRemoved, NoLoadBalancer, SendsToPods, RunsNoProxy,
	// HealthCheckNotServed, HealthCheckFails, NotKnown.
	Reason string
	// Share is 0 to 1, and 0 where it depends on which node announces the address; PodShare is what each ready endpoint on the node gets of all connections.
	Share, PodShare float64
}

// Kind is one entry of the catalogue. Codes are for ever and never used for something else.
type Kind struct {
	Code  string
	Title string
	// Severity is the usual one; a check may find a milder case.
	Severity Severity
	// Explain says what it means and how to confirm it.
	Explain string
	// check returns nothing where all is well.
	check func(*Facts) []Finding
	// needsNodes: all is well only where all nodes were read.
	needsNodes bool
	// hiddenBy are codes of causes: where one of them fails, this one is only its effect and is left out.
	hiddenBy []string
}

// Catalogue lists every kind by code.
func Catalogue() []Kind {
	return []Kind{noReadyEndpoint, unreachableInside, unreachableFromHost, uneven, singleNode, nowhereToSend, nodePortSomewhere, withoutNode, disagrees, unservedPort, otherMode, sentInVain}
}

// Hides says whether a finding of the one code, where it fails, leaves out one of the other, of which it is the cause.
func Hides(cause, effect string) bool {
	return slices.ContainsFunc(Catalogue(), func(k Kind) bool { return k.Code == effect && slices.Contains(k.hiddenBy, cause) })
}

// Check runs the whole catalogue: what failed or is not known, worst first and then by code, and what passed, by code.
func Check(f *Facts) (found, passed []Finding) {
	failed := map[string]bool{}
	for _, kind := range Catalogue() {
		if slices.ContainsFunc(kind.hiddenBy, func(code string) bool { return failed[code] }) {
			continue
		}
		results := kind.check(f)
		if len(results) == 0 && !(kind.needsNodes && f.nodesUnread()) {
			passed = append(passed, Finding{Code: kind.Code, Severity: kind.Severity, Result: Pass, Title: kind.Title, Message: kind.Title + ": no", Subject: f.subject()})
		}
		for _, result := range results {
			result.Code, result.Title = kind.Code, kind.Title
			failed[kind.Code] = failed[kind.Code] || result.Result == Fail
			found = append(found, result)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a.Code, b.Code))
	})
	return found, passed
}

// rank puts what is not known between warnings and mere information: it may hide an error.
func rank(f Finding) int {
	switch {
	case f.Result == Fail && f.Severity == Error:
		return 3
	case f.Result == Fail && f.Severity == Warning:
		return 2
	case f.Result == Unknown:
		return 1
	default:
		return 0
	}
}

func (f *Facts) subject() Subject {
	return Subject{Kind: "Service", Namespace: f.Service.Namespace, Name: f.Service.Name}
}

func (f *Facts) finding(s Severity) Finding {
	return Finding{Severity: s, Result: Fail, Subject: f.subject()}
}
