package recordings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// AnnouncersFolder is the folder in test/truth of the recordings whose form is Announcing.
const AnnouncersFolder = "announcers"

// Announcing is one cluster in which nodes announce the load balancer addresses of Services, in several states one
// after another: which nodes announced each address, and the result of connections to it from a client outside.
type Announcing struct {
	Made  AnnouncingMade `json:"made"`
	Nodes []NodeNetwork  `json:"nodes"`
	// Client is the machine outside from which all connections were made. A router is between it and the nodes.
	Client Source `json:"client"`
	// Router is the router's behaviour, in one sentence: how it finds the node, and what it does with an address that
	// no node announces.
	Router string  `json:"router"`
	States []State `json:"states"`
}

// AnnouncingMade is the software that made a recording of the form Announcing, and when.
type AnnouncingMade struct {
	Announcer     string            `json:"announcer"` // metallb-l2, metallb-bgp
	Version       string            `json:"version"`   // of the announcer, such as v0.16.2
	Dataplane     string            `json:"dataplane"` // as in Made
	KubeProxy     string            `json:"kubeProxy"`
	KubeAPIServer string            `json:"kubeAPIServer"`
	Kernel        string            `json:"kernel"`
	Tools         map[string]string `json:"tools,omitempty"` // gobgpd: its version
	Date          string            `json:"date"`            // the day on which the recording was last made, 2006-01-02
}

// State is a cluster that has settled after a change.
type State struct {
	Name string `json:"name"`
	// Changed describes in one sentence what was changed since the state before; empty in the first.
	Changed string `json:"changed,omitempty"`
	// Objects are the API objects that are new or different since the state before, in the form of Recording.Objects.
	// Those of the announcer are among them.
	Objects []json.RawMessage `json:"objects"`
	// Gone are the objects of earlier states that no longer exist, each as Identity names it.
	Gone []string `json:"gone,omitempty"`
	// Announcements has one entry for each load balancer address and port of each Service.
	Announcements []Announcement `json:"announcements"`
}

// Announcement is what was seen of one address of one Service.
type Announcement struct {
	Service string `json:"service"` // namespace/name
	Address string `json:"address"`
	Port    int    `json:"port"`
	// Nodes are the nodes that announced the address, by name, sorted: those that answered ARP requests or neighbor
	// solicitations for it, or the next hops of its route. Never nil.
	Nodes []string `json:"nodes"`
	// Client is the result of the client's TCP connections.
	Client Result `json:"client"`
}

// Identity names an object of a recording: its kind, namespace and name, with slashes between them. The namespace is
// empty where there is none.
func Identity(object json.RawMessage) (string, error) {
	var o struct {
		Kind     string
		Metadata struct{ Namespace, Name string }
	}
	if err := json.Unmarshal(object, &o); err != nil {
		return "", fmt.Errorf("reading an object: %w", err)
	}
	return o.Kind + "/" + o.Metadata.Namespace + "/" + o.Metadata.Name, nil
}

// Objects returns all API objects of a state, by its index, in the order in which they first appeared.
func (a *Announcing) Objects(state int) ([]json.RawMessage, error) {
	var order []string
	now := map[string]json.RawMessage{}
	for _, s := range a.States[:state+1] {
		for _, id := range s.Gone {
			delete(now, id)
		}
		for _, o := range s.Objects {
			id, err := Identity(o)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(order, id) {
				order = append(order, id)
			}
			now[id] = o
		}
	}
	var out []json.RawMessage
	for _, id := range order {
		if o, ok := now[id]; ok {
			out = append(out, o)
		}
	}
	return out, nil
}

// ReadAnnouncing reads one recording of the form Announcing. An unknown field is an error.
func ReadAnnouncing(path string) (*Announcing, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a recording: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	a := new(Announcing)
	if err := d.Decode(a); err != nil {
		return nil, fmt.Errorf("reading the recording %s: %w", path, err)
	}
	return a, nil
}

// Write writes the recording as JSON with one object and one announcement per line, so that diffs are readable.
func (a *Announcing) Write(path string) error {
	data, err := a.Encode()
	if err != nil {
		return fmt.Errorf("writing the recording %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	if err := os.WriteFile(path, data, fs.FileMode(0o644)); err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	return nil
}

// Encode returns the JSON that Write writes.
func (a *Announcing) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := encoder{b: &b}
	b.WriteString("{\n")
	e.field("made", a.Made)
	e.field("nodes", a.Nodes)
	e.field("client", a.Client)
	e.field("router", a.Router)
	e.lines("states", len(a.States), func(i int) {
		s := a.States[i]
		b.WriteString("{\n")
		e.field("name", s.Name)
		if s.Changed != "" {
			e.field("changed", s.Changed)
		}
		e.lines("objects", len(s.Objects), func(j int) { e.value(s.Objects[j]) })
		b.WriteString(",\n")
		if len(s.Gone) > 0 {
			e.field("gone", s.Gone)
		}
		e.lines("announcements", len(s.Announcements), func(j int) { e.value(s.Announcements[j]) })
		b.WriteByte('}')
	})
	b.WriteString("\n}\n")
	return b.Bytes(), e.err
}
