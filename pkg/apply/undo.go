package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// NothingError says that no record of a fix was found.
type NothingError struct {
	Service string
	// Unread says where one may be all the same, a sentence each.
	Unread []string
}

func (e *NothingError) Error() string {
	text := "nothing to take back: no fix of this tool is recorded for service " + e.Service
	return strings.Join(append([]string{text}, e.Unread...), "; ")
}

// workloads are the kinds beside the Service itself on which fixes of it are recorded, in its namespace. They are looked for; the Corefile is one object.
var workloads = []struct{ version, kind string }{{"apps/v1", "Deployment"}, {"apps/v1", "StatefulSet"}}

// coredns is the one object of another namespace that a fix changes.
var coredns = cluster.Object{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns"}

// held is an object with a record.
type held struct {
	object cluster.Object
	live   map[string]any
	record Record
}

// Undo finds the last fix of a Service (as namespace, name) and makes its inverse, in the inverse order. It is a NothingError where none is recorded, and a ChangedError
// where a field of it has been changed since.
func (c *Client) Undo(ctx context.Context, namespace, name string) (*Fix, error) {
	service := namespace + "/" + name
	objects, unread, err := c.carriers(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	var all []held
	for _, o := range objects {
		live, err := c.read(ctx, o)
		if apierrors.IsNotFound(err) {
			continue // What was changed for a Service may outlive it.
		}
		if err != nil && o == coredns && ctx.Err() == nil {
			unread = append(unread, fmt.Sprintf("%s could not be read, where one may be (%v)", Name(o), err))
			continue
		}
		if err != nil {
			return nil, err
		}
		list, err := records(live)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Name(o), err)
		}
		o.ResourceVersion, _ = at(live, []string{"metadata", "resourceVersion"}).(string)
		for _, r := range list {
			if r.Service == service {
				all = append(all, held{o, live, r})
			}
		}
	}
	if len(all) == 0 {
		return nil, &NothingError{service, unread}
	}
	last := slices.MaxFunc(all, func(a, b held) int { return a.record.Time.Compare(b.record.Time) }).record
	f := &Fix{Mode: remedy.Mode(last.Mode), Service: service, Time: last.Time, takesBack: &last, notes: map[int][]string{}}
	all = slices.DeleteFunc(all, func(h held) bool { return !h.record.same(&last) })
	// The last to be changed is the first to be given back.
	slices.SortStableFunc(all, func(a, b held) int {
		return slices.Index(last.Objects, Name(b.object)) - slices.Index(last.Objects, Name(a.object))
	})
	for _, h := range all {
		fields, err := inverse(h.live, h.record.Fields, Name(h.object))
		if err != nil {
			return nil, err
		}
		change := remedy.Change{Object: h.object, Fields: fields}
		if h.object.Kind == "Deployment" || h.object.Kind == "StatefulSet" {
			change.Starts = "a rollout of " + Name(h.object)
		}
		f.Changes = append(f.Changes, change)
	}
	for _, reason := range unread {
		f.notes[0] = append(f.notes[0], "this is the last fix that was found: "+reason)
	}
	for _, o := range last.Objects {
		if !slices.ContainsFunc(all, func(h held) bool { return Name(h.object) == o }) {
			f.notes[0] = append(f.notes[0], "the fix also changed "+o+", which carries no record of it any more: it is left as it is")
		}
	}
	return f, nil
}

// carriers are the Service and the objects that have records.
func (c *Client) carriers(ctx context.Context, namespace, name string) (list []cluster.Object, unread []string, err error) {
	list = []cluster.Object{{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name}}
	for _, place := range workloads {
		found, err := c.annotated(ctx, cluster.Object{APIVersion: place.version, Kind: place.kind, Namespace: namespace})
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			unread = append(unread, fmt.Sprintf("%ss in namespace %s could not be listed, where one may be (%v)", strings.ToLower(place.kind), namespace, err))
			continue
		}
		list = append(list, found...)
	}
	return append(list, coredns), unread, nil
}

// annotated lists the objects of a kind that carry records, in the order of the server: their metadata alone is read.
func (c *Client) annotated(ctx context.Context, of cluster.Object) ([]cluster.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type partial struct {
		Metadata struct {
			Name        string            `json:"name"`
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	var found []cluster.Object
	next := ""
	for {
		request := c.rest.Get().AbsPath(strings.TrimSuffix(resource(of), "/")).SetHeader("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
		for key, value := range (url.Values{"limit": {"500"}, "continue": {next}}) {
			if value[0] != "" {
				request = request.Param(key, value[0])
			}
		}
		result := request.Do(collect.Quiet(ctx))
		err := result.Error()
		if apierrors.IsResourceExpired(err) && next != "" {
			found, next = nil, ""
			continue
		}
		if err != nil {
			return nil, err
		}
		raw, err := result.Raw()
		if err != nil {
			return nil, err
		}
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []partial `json:"items"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		for i := range page.Items {
			if m := page.Items[i].Metadata; m.Annotations[UndoAnnotation] != "" {
				of.Name = m.Name
				found = append(found, of)
			}
		}
		if next = page.Metadata.Continue; next == "" {
			return found, nil
		}
	}
}

// inverse gives a live object back what recorded fields were. What the server sets by itself is asked for where it had a value; everything else must be what the
// change made of it, or a ChangedError says what is not.
func inverse(live map[string]any, fields []Recorded, name string) ([]remedy.Field, error) {
	rest := clone(live)
	var out []remedy.Field
	for i := range slices.Backward(fields) {
		f := &fields[i]
		now := at(live, f.Path)
		if f.Follows {
			if f.Was != nil && !equal(now, f.Was) {
				out = append(out, remedy.Field{Path: f.Path, Was: now, Now: f.Was})
			}
			continue
		}
		if f.Part != nil {
			text, _ := now.(string)
			part := remedy.Part(*f.Part)
			back, unchanged := part.Back(text)
			if !unchanged {
				return nil, &ChangedError{Object: name, Path: f.Path, Part: f.Part.Begin}
			}
			out = append(out, remedy.Field{Path: f.Path, Was: now, Now: back})
			continue
		}
		if !equal(now, f.Now) {
			return nil, &ChangedError{Object: name, Path: f.Path, Made: f.Now, Is: now}
		}
		if f.Was != nil {
			out = append(out, remedy.Field{Path: f.Path, Was: now, Now: f.Was})
			continue
		}
		if now == nil {
			continue
		}
		// Metadata's maps are nothing to the server when they are empty; anything else that the change made above the field is a difference, and goes with it.
		keep := f.There
		if f.Path[0] == "metadata" {
			keep = len(f.Path) - 1
		}
		gone := remove(rest, f.Path, keep)
		out = slices.DeleteFunc(out, func(o remedy.Field) bool { return len(o.Path) > len(gone) && slices.Equal(o.Path[:len(gone)], gone) })
		out = append(out, remedy.Field{Path: gone, Was: at(live, gone), Now: nil})
	}
	return out, nil
}

// withoutTaken leaves out of one change what the server says is taken. It is false where the server's refusal is about something else.
func (f *Fix) withoutTaken(place int, err error) (*Fix, bool) {
	// An Invalid or an InternalError, by the release: the words are the same ("provided port is already allocated", ErrAllocated of the API server's port allocator).
	if !strings.Contains(err.Error(), "already allocated") {
		return nil, false
	}
	i := slices.IndexFunc(f.Changes[place].Fields, func(field remedy.Field) bool {
		return slices.Equal(field.Path, healthCheckPath) && field.Now != nil && !field.Follows
	})
	if i < 0 {
		return nil, false
	}
	taken := f.Changes[place].Fields[i]
	out := *f
	out.Changes = slices.Clone(f.Changes)
	out.Changes[place].Fields = slices.Clone(out.Changes[place].Fields)
	// The server chooses another one.
	out.Changes[place].Fields[i] = remedy.Field{Path: healthCheckPath, Was: taken.Was, Follows: true}
	out.notes = map[int][]string{}
	for key, value := range f.notes {
		out.notes[key] = slices.Clone(value)
	}
	out.notes[place] = append(out.notes[place], fmt.Sprintf("the former health check node port %v is taken by now: the server assigns another one, and whatever names the old one must follow", taken.Now))
	return &out, true
}
