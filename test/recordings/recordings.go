// Package recordings knows the form of the files in test/truth: each is one cluster, and the result of real connections in it, from every source to every address
// of every Service.
package recordings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// Outcome is how the connections of one cell ended: one value for all of them.
type Outcome string

// The outcomes. Partial: the connections ended in different ways. Every other outcome is that of all connections.
const (
	Reachable   Outcome = "Reachable"
	Refused     Outcome = "Refused"
	TimedOut    Outcome = "TimedOut"
	Partial     Outcome = "Partial"
	Unreachable Outcome = "Unreachable" // connect failed immediately, with an error other than "connection refused"
)

// The kinds of source.
const (
	SourceNode     = "Node"     // a process in the network namespace of the node
	SourcePod      = "Pod"      // a process in the network namespace of a pod
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

// Recording is one cluster with one data plane, and the result of every connection in it.
type Recording struct {
	Made    Made    `json:"made"`
	Network Network `json:"network"`
	// Sources, in the order of the results.
	Sources []Source `json:"sources"`
	// Objects are the cluster's API objects, each as `kubectl get -o json` prints it, without managedFields: Nodes, Services, EndpointSlices, Pods, and the ConfigMap
	// and DaemonSet of kube-proxy. The ConfigMap holds the configuration with which the recorded kube-proxies ran.
	Objects []json.RawMessage `json:"objects"`
	Probes  []Probe           `json:"probes"`
	Flips   []Flip            `json:"flips,omitempty"`
}

// Made is the software that made a recording, and when.
type Made struct {
	Dataplane string `json:"dataplane"` // iptables, ipvs or nftables: kube-proxy in that mode; or cilium
	// Version is the data plane's version, such as v1.20.2; empty for kube-proxy.
	Version   string `json:"version,omitempty"`
	KubeProxy string `json:"kubeProxy,omitempty"` // version of the kube-proxy that ran, such as v1.36.3; empty where none did
	Variant   string `json:"variant,omitempty"`   // empty: the default settings
	// Changed describes in one sentence how the variant differs from the default settings.
	Changed       string            `json:"changed,omitempty"`
	KubeAPIServer string            `json:"kubeAPIServer"`
	Kernel        string            `json:"kernel"`
	Tools         map[string]string `json:"tools"` // iptables, nft, ipset, ipvsadm: the version that each prints
	Date          string            `json:"date"`  // the day on which the recording was last made, 2006-01-02
}

// Network holds the properties of the cluster that affect packets and that the API does not show.
type Network struct {
	// PodMasquerade: connections from a pod to a destination that is not a pod leave the node with the node's address.
	PodMasquerade bool `json:"podMasquerade"`
	// Nodes lists all addresses of each node, those in the API first.
	Nodes []NodeNetwork `json:"nodes"`
	// LoadBalancer is the machine outside the cluster that holds every load balancer address.
	LoadBalancer LoadBalancer `json:"loadBalancer"`
}

// NodeNetwork is the network of one node.
type NodeNetwork struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	// HostnameOverride is the value of kube-proxy's hostnameOverride; empty where it is the name of the node.
	HostnameOverride string `json:"hostnameOverride,omitempty"`
}

// LoadBalancer is the behaviour of the load balancer outside the cluster. It forwards to the node ports of the nodes whose health check succeeds: the
// healthCheckNodePort with externalTrafficPolicy Local, kube-proxy's :10256/healthz otherwise. With no healthy node it drops the packet. It also serves clients inside
// the cluster, and then always replaces the client IP with its own address.
type LoadBalancer struct {
	Addresses []string `json:"addresses"` // its own, which nodes see as the source when it does not keep the client IP
	// Services by namespace/name; a Service that it does not serve is absent.
	Services map[string]LoadBalancing `json:"services"`
}

// LoadBalancing is the behaviour of the load balancer for one Service.
type LoadBalancing struct {
	KeepsClientAddress bool     `json:"keepsClientAddress"` // for clients outside the cluster
	HealthyNodes       []string `json:"healthyNodes"`       // never nil; by name
}

// Source is a place where connections start.
type Source struct {
	ID        string   `json:"id"` // node/n1, pod/client-1, external
	Kind      string   `json:"kind"`
	Node      string   `json:"node,omitempty"` // empty for External
	Pod       string   `json:"pod,omitempty"`  // namespace/name of the pod, for Pod
	Addresses []string `json:"addresses"`      // source addresses of its connections, before any SNAT
}

// Target is the destination of connections.
type Target struct {
	Kind    string `json:"kind"`
	Address string `json:"address"` // an IP address; for LoadBalancerHostname the address that the name resolves to
	// Node: for a NodePort, the node that holds the address. For any other kind of target and an External source, the node at which the packet arrives; empty where the
	// load balancer chooses it. Empty in every other case.
	Node     string `json:"node,omitempty"`
	Hostname string `json:"hostname,omitempty"` // for LoadBalancerHostname
	Port     int    `json:"port"`
	Protocol string `json:"protocol"` // TCP or UDP
}

// Probe is one target of one Service, with the result of every source.
type Probe struct {
	Service string `json:"service"` // namespace/name
	Target  Target `json:"target"`
	// Sticky: the Service has session affinity, so all connections of a source reach the same endpoint. Which one is random.
	Sticky  bool     `json:"sticky,omitempty"`
	Results []Result `json:"results"` // in the order of Recording.Sources
}

// Result is the result of the connections from one source to one target.
type Result struct {
	From    string  `json:"from"` // a Source's ID
	Outcome Outcome `json:"outcome"`
	// Answered counts the connections that each endpoint answered, by endpoint address. Nil where no endpoint answered.
	Answered map[string]int `json:"answered,omitempty"`
	// Saw are the source addresses that the endpoints saw, sorted.
	Saw []string `json:"saw,omitempty"`
	// Tries is the number of connections: the sum of those answered, refused, timed out, and failed at once otherwise.
	Tries       int `json:"tries"`
	Refused     int `json:"refused,omitempty"`
	TimedOut    int `json:"timedOut,omitempty"`
	Unreachable int `json:"unreachable,omitempty"`
}

// Flip is a change of a Service while a connection is open, and its effect on that connection and on new ones.
type Flip struct {
	Service string `json:"service"`
	Target  Target `json:"target"`
	From    string `json:"from"`
	// Change is the JSON merge patch of the Service.
	Change string `json:"change"`
	// Survived: the connection opened before the change still carried data after it.
	Survived bool   `json:"survived"`
	After    Result `json:"after"` // new connections, after the change
}

// Same reports whether two results agree in outcome, endpoints and source addresses. How many connections each endpoint got is random, and is not compared.
func (r Result) Same(o Result) bool {
	if r.From != o.From || r.Outcome != o.Outcome || len(r.Answered) != len(o.Answered) || len(r.Saw) != len(o.Saw) ||
		(r.Refused > 0) != (o.Refused > 0) || (r.TimedOut > 0) != (o.TimedOut > 0) || (r.Unreachable > 0) != (o.Unreachable > 0) {
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

// String returns the result in one line, for error messages.
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
		s += fmt.Sprintf(" (of %d tries %d refused, %d timed out, %d unreachable)", r.Tries, r.Refused, r.TimedOut, r.Unreachable)
	}
	return s
}

// Read reads one recording. An unknown field is an error.
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

// Files returns the sorted paths of all recordings in a directory; empty if there is none.
func Files(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing recordings in %s: %w", dir, err)
	}
	sort.Strings(files)
	return files, nil
}

// Write writes a recording as JSON with one object, source, probe result or flip per line, so that diffs are readable.
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

// Encode returns the JSON that Write writes.
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
