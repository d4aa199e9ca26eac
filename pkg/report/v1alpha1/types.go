// Package v1alpha1 knows the published form of a report: what -o json and -o yaml print, and the schema that promises
// it.
//
// Fields may be added, never renamed or removed. There are no nulls: an empty list is [], and a thing that is not there
// is left out or "" or 0.
package v1alpha1

//go:generate go test . -update

// APIVersion of everything this package publishes.
const APIVersion = "kubectl-etp/v1alpha1"

// The words of the report. What each of them may be stands in schema.json.
type (
	// AddressKind says what an address of a Service is.
	AddressKind string
	// From says where a connection starts: Node is a process on the host network, External a packet from outside that
	// arrives at the node.
	From string
	// To says which address is dialled.
	To string
	// Outcome is what the client sees.
	Outcome string
	// Endpoints says which of the Service's endpoints such a connection can reach.
	Endpoints string
	// ClientIP says whose address the endpoint sees; "" where nothing is reached.
	ClientIP string
	// ExtraHop says whether the connection crosses to another node.
	ExtraHop string
	// Basis says how a prediction is known.
	Basis string
	// Confidence says how a data plane is known.
	Confidence string
	// PodDetection says how a data plane tells pods from others.
	PodDetection string
	// Backends says what a load balancer sends to.
	Backends string
	// BackendCheck says what decides whether a backend gets traffic.
	BackendCheck string
	// Delivery says where a load balancer's packets arrive.
	Delivery string
	// Weights says how a load balancer divides connections.
	Weights string
	// ProviderClientIP says what a load balancer does to the client's address.
	ProviderClientIP string
	// OutsideOutcome is what clients outside see.
	OutsideOutcome string
	// OutsideClientIP says whose address the endpoint sees of a client outside.
	OutsideClientIP string
	// Tristate is a fact that may not be known.
	Tristate string
	// HealthCheck is what a node's health check answered.
	HealthCheck string
	// Severity of a finding.
	Severity string
	// Result of a check: Pass and NotChecked are there only where they were asked for. NotChecked: nobody asked for
	// what the check reads, or it does not apply.
	Result string
	// Clients are pods that do not connect as other pods do: in virtual machines or sandboxes, on Windows nodes, on
	// virtual nodes.
	Clients string
	// GapReason says why something could not be read.
	GapReason string
)

// ServiceReport is the report of one Service.
type ServiceReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`

	Service   Service   `json:"service"`
	Dataplane Dataplane `json:"dataplane"`
	Provider  Provider  `json:"provider"`
	// Unsupported says in one sentence why there is no map of this Service; left out where there is one.
	Unsupported string  `json:"unsupported,omitempty"`
	Outside     Outside `json:"outside"`
	Nodes       []Node  `json:"nodes"`
	// Limits are the kinds of clients to which the results do not apply.
	Limits []Limit `json:"limits"`
	// Rules are those that the paths and the nodes name, ordered by id.
	Rules    []Rule    `json:"rules"`
	Findings []Finding `json:"findings"`
	Gaps     []Gap     `json:"gaps"`
}

// ServiceReportList holds the reports of several Services.
type ServiceReportList struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Items      []ServiceReport `json:"items"`
}

// Service is what was asked about.
type Service struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	// ExternalTrafficPolicy and InternalTrafficPolicy are "" where the type has none.
	ExternalTrafficPolicy string `json:"externalTrafficPolicy"`
	InternalTrafficPolicy string `json:"internalTrafficPolicy"`
	// HealthCheckNodePort is 0 where there is none.
	HealthCheckNodePort int       `json:"healthCheckNodePort"`
	Addresses           []Address `json:"addresses"`
	Ports               []Port    `json:"ports"`
	// LastFix is the newest fix that is recorded on the Service and not undone; left out where none is.
	LastFix *Fix `json:"lastFix,omitempty"`
}

// Fix is a change that kubectl etp fix made.
type Fix struct {
	Mode string `json:"mode"`
	// Time is in UTC, as RFC 3339 writes it.
	Time string `json:"time"`
	// Undo is the command that undoes it.
	Undo string `json:"undo"`
}

// Address is one address of a Service.
type Address struct {
	Kind    AddressKind `json:"kind"`
	Address string      `json:"address"`
	// IPMode is VIP or Proxy for LoadBalancerIP, left out for the others.
	IPMode string `json:"ipMode,omitempty"`
}

// Port is one port of a Service.
type Port struct {
	Name       string `json:"name"`
	Protocol   string `json:"protocol"`
	Port       int    `json:"port"`
	NodePort   int    `json:"nodePort"`
	TargetPort string `json:"targetPort"`
}

// Dataplane is the program that handles Services on the nodes.
type Dataplane struct {
	Name         string       `json:"name"`
	Mode         string       `json:"mode"`
	Version      string       `json:"version"`
	PodDetection PodDetection `json:"podDetection"`
	Source       string       `json:"source"`
	Confidence   Confidence   `json:"confidence"`
	// VersionSource says where the version was read, where that is another place than Source.
	VersionSource     string     `json:"versionSource,omitempty"`
	VersionConfidence Confidence `json:"versionConfidence"`
}

// Provider is the load balancer of the Service.
type Provider struct {
	// Name is "" where it is not known.
	Name     string   `json:"name"`
	Product  string   `json:"product"`
	Backends Backends `json:"backends"`
	Source   string   `json:"source"`
	// HealthCheck, Delivery, Weights and ClientIP hold under the Service's traffic policy.
	HealthCheck BackendCheck     `json:"healthCheck"`
	Delivery    Delivery         `json:"delivery"`
	Weights     Weights          `json:"weights"`
	ClientIP    ProviderClientIP `json:"clientIP"`
	// Announcer is the node that announces the address, where one alone does and it was read; "" elsewhere.
	Announcer string `json:"announcer"`
}

// Outside is the result of connections from outside the cluster to the load balancer's addresses, over all backends
// that the load balancer may choose.
type Outside struct {
	// Outcome is the worst port's.
	Outcome OutsideOutcome `json:"outcome"`
	// Failing is the share of connections that fail, 0 to 1; left out where it is not known.
	Failing *float64 `json:"failing,omitempty"`
	// ClientIP is what the endpoint sees in the end, both halves together.
	ClientIP OutsideClientIP `json:"clientIP"`
	Basis    Basis           `json:"basis"`
}

// Node is one node of the map.
type Node struct {
	Name string `json:"name"`
	Zone string `json:"zone"`
	// Known is false for a node that only EndpointSlices name; its readiness is not known then.
	Known       bool `json:"known"`
	Ready       bool `json:"ready"`
	Schedulable bool `json:"schedulable"`
	// Dataplane is left out where the node runs what the cluster runs.
	Dataplane    *Dataplane     `json:"dataplane,omitempty"`
	Endpoints    EndpointCounts `json:"endpoints"`
	LoadBalancer LoadBalancer   `json:"loadBalancer"`
	// Live is left out unless the nodes were asked.
	Live  *Live  `json:"live,omitempty"`
	Paths []Path `json:"paths"`
}

// EndpointCounts are the endpoints of the Service on a node.
type EndpointCounts struct {
	// Known is false where the EndpointSlices could not be read; the counts are 0 then.
	Known              bool `json:"known"`
	Ready              int  `json:"ready"`
	ServingTerminating int  `json:"servingTerminating"`
	NotReady           int  `json:"notReady"`
}

// LoadBalancer says whether the load balancer sends to a node.
type LoadBalancer struct {
	Receives Tristate `json:"receives"`
	// Reason is "" where it receives, and NotKnown where that is not known.
	Reason string `json:"reason"`
	// Rule is the id of the rule that decided, left out where it receives; the report lists it under rules.
	Rule string `json:"rule,omitempty"`
	// Share of the external connections, 0 to 1; PodShare is what each ready endpoint of the node gets of them. Left
	// out where not known.
	Share    float64 `json:"share,omitempty"`
	PodShare float64 `json:"podShare,omitempty"`
}

// Live is what the node itself answered.
type Live struct {
	HealthCheck HealthCheck `json:"healthCheck"`
	// LocalEndpoints is the node's own count of ready endpoints, -1 where its answer has no count.
	LocalEndpoints int `json:"localEndpoints"`
	// Reason says why the health check is Unreachable; left out otherwise.
	Reason string `json:"reason,omitempty"`
}

// Path is the result of one kind of connection on a node.
type Path struct {
	From From `json:"from"`
	To   To   `json:"to"`
	// Address is what is dialled: for NodePort this node's own address, for LoadBalancerHostname the name.
	Address   string    `json:"address"`
	Port      int       `json:"port"`
	Protocol  string    `json:"protocol"`
	Outcome   Outcome   `json:"outcome"`
	Endpoints Endpoints `json:"endpoints"`
	ClientIP  ClientIP  `json:"clientIP"`
	ExtraHop  ExtraHop  `json:"extraHop"`
	Basis     Basis     `json:"basis"`
	// Rule is the id of the rule that decided; the report lists it under rules.
	Rule string `json:"rule"`
	// Topology is Zone or Node where topology hints restrict the choice of endpoints to the client's own; left out
	// elsewhere.
	Topology string `json:"topology,omitempty"`
	// Could lists the outcomes that remain possible where Outcome is Unknown; left out elsewhere.
	Could []Outcome `json:"could,omitempty"`
}

// Limit is a kind of clients that was seen in the cluster and to which the results do not apply.
type Limit struct {
	Clients Clients `json:"clients"`
	// Source says where they were seen.
	Source string `json:"source"`
	Reason string `json:"reason"`
}

// Rule is one line of a data plane's table.
type Rule struct {
	ID string `json:"id"`
	// Reason is one sentence; Source is where the fact was read.
	Reason string `json:"reason"`
	Source string `json:"source"`
}

// Finding is the result of one check.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Result   Result   `json:"result"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	// Detail is what clients see and why; left out where the message says all.
	Detail string `json:"detail,omitempty"`
	// Confirm is a command that shows the finding on one of its nodes; left out where there is none.
	Confirm  string     `json:"confirm,omitempty"`
	Subject  Subject    `json:"subject"`
	Evidence []Evidence `json:"evidence"`
	// Remedies are modes of kubectl etp fix, best first.
	Remedies []string `json:"remedies"`
	// Advice is what to run or do, in words, best first.
	Advice []Advice `json:"advice"`
}

// Subject is the object that a finding is about. Namespace is "" for a node.
type Subject struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Evidence is one fact and where it was read.
type Evidence struct {
	Fact   string `json:"fact"`
	Source string `json:"source"`
}

// Advice is one thing to do.
type Advice struct {
	// Mode of kubectl etp fix, "" where the advice is no change to the cluster.
	Mode string `json:"mode"`
	Text string `json:"text"`
	// Gain is what it keeps or costs.
	Gain string `json:"gain"`
}

// Gap is something that could not be read.
type Gap struct {
	Resource string    `json:"resource"`
	Verb     string    `json:"verb"`
	Reason   GapReason `json:"reason"`
	// Namespace and Name are left out where the read was not confined to one.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Message is the API server's own sentence, or the transport's.
	Message string `json:"message,omitempty"`
}
