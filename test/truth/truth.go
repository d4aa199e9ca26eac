// Package truth knows the form of a recording: one cluster, and what real packets met in it, from every source to every address of every Service.
package truth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// Outcome is what became of the connections of one cell, judged over all of them.
type Outcome string

// The outcomes. All but Partial mean that every connection ended so; Partial that they did not all end the same way.
const (
	Reachable   Outcome = "Reachable"
	Refused     Outcome = "Refused"
	TimedOut    Outcome = "TimedOut"
	Partial     Outcome = "Partial"
	Unreachable Outcome = "Unreachable" // connect failed at once with another error than refused
)

// The kinds of source.
const (
	SourceNode     = "Node"     // a process in a node's own network
	SourcePod      = "Pod"      // a process in a pod's network
	SourceExternal = "External" // a machine outside the cluster
)

// The kinds of target.
const (
	TargetLoadBalancerIP       = "LoadBalancerIP"
	TargetLoadBalancerHostname = "LoadBalancerHostname"
	TargetExternalIP           = "ExternalIP"
	TargetNodePort             = "NodePort"
	TargetClusterIP            = "ClusterIP"
)

// Recording is one cluster with one data plane, and what connections met in it.
type Recording struct {
	Made    Made    `json:"made"`
	Network Network `json:"network"`
	// Sources, in the order in which results name them.
	Sources []Source `json:"sources"`
	// Objects are the cluster's API objects, each as `kubectl get -o json` gives it, without managedFields: Nodes, Services, EndpointSlices, Pods, and the
	// ConfigMap and DaemonSet of kube-proxy. The ConfigMap holds the configuration that the recorded kube-proxies really ran with.
	Objects []json.RawMessage `json:"objects"`
	Probes  []Probe           `json:"probes"`
	Flips   []Flip            `json:"flips,omitempty"`
}

// Made says what made a recording.
type Made struct {
	Dataplane string `json:"dataplane"`         // iptables, ipvs or nftables
	KubeProxy string `json:"kubeProxy"`         // version of the kube-proxy that ran, v1.36.3
	Variant   string `json:"variant,omitempty"` // empty: the default settings
	// Changed names what the variant has different from the default settings, in one sentence.
	Changed       string            `json:"changed,omitempty"`
	KubeAPIServer string            `json:"kubeAPIServer"`
	Kernel        string            `json:"kernel"`
	Tools         map[string]string `json:"tools"` // iptables, nft, ipset, ipvsadm: what each says of its version
	Date          string            `json:"date"`  // the day on which the recording was last made, 2006-01-02
}

// Network holds what decides about packets and cannot be read from the API.
type Network struct {
	// PodMasquerade: connections from a pod to anything that is not a pod leave its node with the node's address.
	PodMasquerade bool `json:"podMasquerade"`
	// Nodes: all addresses that each node holds, the API's own first.
	Nodes []NodeNetwork `json:"nodes"`
	// LoadBalancer is the machine outside the cluster that owns every load balancer address.
	LoadBalancer LoadBalancer `json:"loadBalancer"`
}

// NodeNetwork is one node's own network.
type NodeNetwork struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	// HostnameOverride is the node name that kube-proxy was told; empty where it is the node's real name.
	HostnameOverride string `json:"hostnameOverride,omitempty"`
}

// LoadBalancer is how the load balancer outside the cluster behaves. It sends to nodePorts of the nodes whose health check succeeds: healthCheckNodePort under
// externalTrafficPolicy Local, kube-proxy's :10256/healthz otherwise. It drops what it has no node for. It answers clients inside the cluster too, always
// with its own address.
type LoadBalancer struct {
	Addresses []string `json:"addresses"` // that nodes see from it, when it does not keep the client's
	// Services: how each Service was treated, by namespace/name; Services that it does not serve are absent.
	Services map[string]LoadBalancing `json:"services"`
}

// LoadBalancing is what the load balancer did for one Service.
type LoadBalancing struct {
	KeepsClientAddress bool     `json:"keepsClientAddress"` // for clients outside the cluster
	HealthyNodes       []string `json:"healthyNodes"`       // never nil; by name
}

// Source is where connections start.
type Source struct {
	ID        string   `json:"id"` // node/n1, pod/client-1, external
	Kind      string   `json:"kind"`
	Node      string   `json:"node,omitempty"` // empty for External
	Pod       string   `json:"pod,omitempty"`  // namespace/name of the pod, for Pod
	Addresses []string `json:"addresses"`      // the addresses that it dials from, before anything rewrites them
}

// Target is what connections are made to.
type Target struct {
	Kind    string `json:"kind"`
	Address string `json:"address"` // an IP address; for LoadBalancerHostname the address that the name stands for
	// Node is the node that holds the address of a NodePort; for a source External and another kind of target the node at which the packet arrives, empty
	// where the load balancer chooses it. Empty for everything else.
	Node     string `json:"node,omitempty"`
	Hostname string `json:"hostname,omitempty"` // for LoadBalancerHostname
	Port     int    `json:"port"`
	Protocol string `json:"protocol"` // TCP or UDP
}

// Probe is one target of one Service and what every source met there.
type Probe struct {
	Service string `json:"service"` // namespace/name
	Target  Target `json:"target"`
	// Sticky: the Service has session affinity, so that a source keeps to one of the endpoints it could reach. Which one is chance.
	Sticky  bool     `json:"sticky,omitempty"`
	Results []Result `json:"results"` // in the order of the recording's Sources
}

// Result is what one source met at one target.
type Result struct {
	From    string  `json:"from"` // a Source's ID
	Outcome Outcome `json:"outcome"`
	// Answered counts the connections that each endpoint answered, by the endpoint's address. Absent where none did.
	Answered map[string]int `json:"answered,omitempty"`
	// Saw are the source addresses that the endpoints saw, sorted.
	Saw []string `json:"saw,omitempty"`
	// Tries is the number of connections tried: those answered, those refused and those that timed out.
	Tries    int `json:"tries"`
	Refused  int `json:"refused,omitempty"`
	TimedOut int `json:"timedOut,omitempty"`
}

// Flip is a change made to a Service while a connection was open, and what became of that connection and of new ones.
type Flip struct {
	Service string `json:"service"`
	Target  Target `json:"target"`
	From    string `json:"from"`
	// Change is the patch made to the Service: a merge patch as JSON.
	Change string `json:"change"`
	// Survived: the connection opened before the change still carried data after it.
	Survived bool   `json:"survived"`
	After    Result `json:"after"` // new connections, after the change
}

// Same says whether two results are the same truth: outcome, endpoints and source addresses seen. How many connections each endpoint happened to get is chance.
func (r Result) Same(o Result) bool {
	if r.From != o.From || r.Outcome != o.Outcome || len(r.Answered) != len(o.Answered) || len(r.Saw) != len(o.Saw) ||
		(r.Refused > 0) != (o.Refused > 0) || (r.TimedOut > 0) != (o.TimedOut > 0) {
		return false
	}
	for a := range r.Answered {
		if _, ok := o.Answered[a]; !ok {
			return false
		}
	}
	for i := range r.Saw {
		if r.Saw[i] != o.Saw[i] {
			return false
		}
	}
	return true
}

// String is the result in one line, for a difference shown to a person.
func (r Result) String() string {
	s := string(r.Outcome)
	if len(r.Answered) > 0 {
		endpoints := make([]string, 0, len(r.Answered))
		for a := range r.Answered {
			endpoints = append(endpoints, a)
		}
		sort.Strings(endpoints)
		s += fmt.Sprintf(" by %v seeing %v", endpoints, r.Saw)
	}
	if r.Outcome == Partial {
		s += fmt.Sprintf(" (of %d tries %d refused, %d timed out)", r.Tries, r.Refused, r.TimedOut)
	}
	return s
}

// Read reads one recording. Errors name the file and what is wrong with it.
func Read(path string) (*Recording, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a recording: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	r := new(Recording)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("reading the recording %s: %w", path, err)
	}
	return r, nil
}

// Files are the paths of all recordings in a directory, sorted. Empty where it holds none.
func Files(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing recordings in %s: %w", dir, err)
	}
	sort.Strings(files)
	return files, nil
}

// Write writes a recording as JSON with one object, source, probe result and flip a line, so that a difference between two recordings reads as what changed.
func (r *Recording) Write(path string) error {
	data, err := r.Encode()
	if err != nil {
		return fmt.Errorf("writing the recording %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, fs.FileMode(0o644)); err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	return nil
}

// Encode is the recording as Write writes it.
func (r *Recording) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := encoder{b: &b}
	b.WriteString("{\n")
	e.field("made", r.Made)
	e.field("network", r.Network)
	e.lines("sources", len(r.Sources), func(i int) { e.value(r.Sources[i]) })
	b.WriteString(",\n")
	e.lines("objects", len(r.Objects), func(i int) { e.value(r.Objects[i]) })
	b.WriteString(",\n")
	e.lines("probes", len(r.Probes), func(i int) {
		p := r.Probes[i]
		b.WriteString(`{"service": `)
		e.value(p.Service)
		b.WriteString(`, "target": `)
		e.value(p.Target)
		if p.Sticky {
			b.WriteString(`, "sticky": true`)
		}
		b.WriteString(`, "results": [`)
		for j := range p.Results {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n  ")
			e.value(p.Results[j])
		}
		b.WriteString("]}")
	})
	if len(r.Flips) > 0 {
		b.WriteString(",\n")
		e.lines("flips", len(r.Flips), func(i int) { e.value(r.Flips[i]) })
	}
	b.WriteString("\n}\n")
	return b.Bytes(), e.err
}

type encoder struct {
	b   *bytes.Buffer
	err error
}

func (e *encoder) value(v any) {
	data, err := json.Marshal(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.b.Write(data)
}

func (e *encoder) field(name string, v any) {
	fmt.Fprintf(e.b, "%q: ", name)
	e.value(v)
	e.b.WriteString(",\n")
}

func (e *encoder) lines(name string, n int, line func(int)) {
	fmt.Fprintf(e.b, "%q: [", name)
	for i := range n {
		if i > 0 {
			e.b.WriteByte(',')
		}
		e.b.WriteString("\n ")
		line(i)
	}
	e.b.WriteByte(']')
}
