// Package finding knows what can be wrong with the way a Service is reached, and which facts show it.
package finding

// Severity orders findings; the zero Severity is Info.
type Severity uint8

const (
	Info Severity = iota
	Warning
	Error
)

// String is the word of the published report.
func (s Severity) String() string { return [...]string{"Info", "Warning", "Error"}[s] }

// Result of a check. Pass is reported only where it was asked for.
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

// Remedy is a mode of `kubectl etp fix`, or "" for advice that is not a change to the cluster, and what to do in words.
type Remedy struct {
	Mode string
	// Text is what to run or do, one line; Gain is what it keeps or costs, "" where there is nothing to say.
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
