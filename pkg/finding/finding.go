// Package finding is the catalogue of what can be wrong with connections to a Service, and the checks that find it.
package finding

import (
	"cmp"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
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
	// Pass: every fact that the check reads is there, and nothing is wrong.
	Pass Result = iota
	Fail
	// Unknown: a fact that was asked for is missing, and the others show no failure.
	Unknown
	// NotChecked: the check does not apply to the Service, nothing asked for the facts that it reads, or its cause was found.
	NotChecked
)

// String is the word of the published report.
func (r Result) String() string { return [...]string{"Pass", "Fail", "Unknown", "NotChecked"}[r] }

// Found says whether a diagnosis shows the result by default: Fail or Unknown.
func (r Result) Found() bool { return r == Fail || r == Unknown }

// Evidence is one fact and where it was read.
type Evidence struct {
	Fact, Source string
}

// Subject is the object a finding is about. Namespace is "" for a Node.
type Subject struct {
	Kind, Namespace, Name string
}

// Remedy is one thing to do about a finding. Mode is a mode of `kubectl etp fix`, "" for everything else.
type Remedy struct {
	Mode string
	// Text is one line: a command, or a sentence without a full stop. Gain is what it keeps or costs; "" if there is nothing to say.
	Text, Gain string
}

// Finding is the result of one check for one subject.
type Finding struct {
	Code     string
	Severity Severity
	Result   Result
	Title    string
	// Message is one line: what happens, to whom. Detail is what clients see and why; "" if Message says all.
	Message, Detail string
	Subject         Subject
	Evidence        []Evidence
	// Confirm is a command of one line that shows the finding on one of its nodes, with that node's name, the address and the port; "" if there is none.
	Confirm string
	// Remedies are ordered best first. Checks give those without a Mode.
	Remedies []Remedy
}

// Facts are everything that a check may read: one Service, and its rows of the map in the order of the report.
type Facts struct {
	Snapshot *cluster.Snapshot
	Service  *cluster.Service
	Provider provider.LoadBalancer
	Rows     []Row
	// Nowhere counts the backends that are on no node of the cluster.
	Nowhere dataplane.Count
}

// Row is one node of the map.
type Row = route.Row

// Kind is one entry of the catalogue.
type Kind struct {
	Code  string
	Title string
	// Severity is the usual one; a check may give a lower one.
	Severity Severity
	// Explain says what the finding means and how to confirm it, with NODE and ADDRESS:PORT for the values of a case.
	Explain string
	// Sources say where the facts were read; nil where the rules that decide have them.
	Sources []string
	// passed says what is true of a Service for which the check passes.
	passed string
	// applies says why the check does not apply to a Service; "" if it does. It is nil for a check of every Service.
	applies func(*Facts) string
	// reads are the facts that the check needs to pass. The first missing one decides whether the result is Unknown or NotChecked.
	reads []fact
	// check returns what fails, or is Unknown for a reason of its own, judged by the facts that are there.
	check func(*Facts) []Finding
	// degrades: connections still work. Such findings come after those of the same severity that make connections fail.
	degrades bool
	// hiddenBy are codes of causes: if one of them fails, this finding would only be its effect and is not checked.
	hiddenBy []string
}

// Catalogue lists every kind, ordered by code.
func Catalogue() []Kind {
	return []Kind{
		noReadyEndpoint, failsFromPods, failsFromHost, bypassesLoadBalancer, unevenLoad, singleNode, sendsToNoEndpoint, announcerWithoutEndpoint, announcedByAnyNode, healthAgainstPolicy, localHidesClientIP,
		nodePortOnSomeNodes, endpointWithoutNode, unhealthyIsExpected, noAddress, countsDiffer, unservedPort, otherProxyMode, sendsToFailingNodes, crossZoneOff,
	}
}

// Hides says whether a failed check of code cause hides the check of code effect.
func Hides(cause, effect string) bool {
	return slices.ContainsFunc(Catalogue(), func(k Kind) bool { return k.Code == effect && slices.Contains(k.hiddenBy, cause) })
}

// Check runs the whole catalogue. found is what failed or is not known: the worst severity first, within it what makes connections fail before what only degrades them, then
// by code. silent is what passed or was not checked, by code.
func Check(f *Facts) (found, silent []Finding) {
	degrades := map[string]int{}
	c := checking{facts: f, results: map[string][]Finding{}}
	for _, kind := range Catalogue() {
		if kind.degrades {
			degrades[kind.Code] = 1
		}
		for _, result := range c.run(&kind) {
			if result.Result.Found() {
				found = append(found, result)
			} else {
				silent = append(silent, result)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(degrades[a.Code], degrades[b.Code]), cmp.Compare(a.Code, b.Code))
	})
	return found, silent
}

// checking is one run of the catalogue: the results so far, by code.
type checking struct {
	facts   *Facts
	results map[string][]Finding
}

// run gives the results of a check, at least one, after those of its causes.
func (c *checking) run(k *Kind) []Finding {
	if done, ok := c.results[k.Code]; ok {
		return done
	}
	list := k.run(c.facts, c.failed)
	for i := range list {
		list[i].Code, list[i].Title = k.Code, k.Title
	}
	c.results[k.Code] = list
	return list
}

// failed says whether the check of a code fails.
func (c *checking) failed(code string) bool {
	all := Catalogue()
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Code == code })
	return i >= 0 && slices.ContainsFunc(c.run(&all[i]), func(f Finding) bool { return f.Result == Fail })
}

// run gives at least one result. What the check finds counts even if facts are missing; it passes only if every fact that it reads is there.
func (k *Kind) run(f *Facts, failed func(code string) bool) []Finding {
	result := func(r Result, message string) Finding {
		return Finding{Severity: k.Severity, Result: r, Message: message, Subject: f.subject()}
	}
	for _, cause := range k.hiddenBy {
		if failed(cause) {
			return []Finding{result(NotChecked, comesFirst(cause))}
		}
	}
	if k.applies != nil {
		if why := k.applies(f); why != "" {
			return []Finding{result(NotChecked, "not checked: "+why)}
		}
	}
	if found := k.check(f); len(found) > 0 {
		return found
	}
	for _, fact := range k.reads {
		switch l := fact.lack(f); {
		case l == nil:
		case l.asked:
			unknown := result(Unknown, l.message)
			unknown.Detail, unknown.Evidence = l.detail, l.evidence
			return []Finding{unknown}
		default:
			return []Finding{result(NotChecked, "not checked: "+l.message)}
		}
	}
	return []Finding{result(Pass, k.passed)}
}

// comesFirst is why a check did not run whose cause was found.
func comesFirst(cause string) string { return "not checked: " + cause + " comes first" }

// rank puts Unknown between warnings and information: it may hide an error.
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
