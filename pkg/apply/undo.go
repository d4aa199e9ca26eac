package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// NothingError says that no record of a fix was found.
type NothingError struct {
	Service string
	// Unread says where one may be recorded all the same, a sentence each.
	Unread []string
}

func (e *NothingError) Error() string {
	text := "nothing to undo: no fix is recorded for service " + e.Service
	return strings.Join(append([]string{text}, e.Unread...), "; ")
}

// workloads are the kinds, beside the Service itself, on which fixes of it are recorded, in its namespace.
var workloads = []cluster.Object{{APIVersion: "apps/v1", Kind: "Deployment"}, {APIVersion: "apps/v1", Kind: "StatefulSet"}}

// coredns is the one object of another namespace that a fix changes.
var coredns = cluster.Object{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns"}

// held is one record, and the object that has it as it was read.
type held struct {
	object cluster.Object
	live   map[string]any
	record Record
}

// Undo finds the last fix of a Service and makes its inverse, in the inverse order. Its error is a *NothingError where
// no fix is recorded, and a *ChangedError where a field of it has been changed since.
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
			continue // What was changed for a Service may exist longer than the Service.
		}
		if err != nil && o == coredns && ctx.Err() == nil {
			unread = append(unread, notRead(Name(o), err))
			continue
		}
		if err != nil {
			return nil, err
		}
		list, err := records(live)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Name(o), err)
		}
		o.ResourceVersion, _ = at(live, versionPath).(string)
		for _, r := range list {
			if r.Service == service {
				all = append(all, held{o, live, r})
			}
		}
	}
	if len(all) == 0 {
		return nil, &NothingError{service, unread}
	}
	return inverseOf(all, unread)
}

// inverseOf undoes the newest of the fixes of one Service. Unread says where a newer one may be recorded, a sentence
// each.
func inverseOf(all []held, unread []string) (*Fix, error) {
	last := slices.MaxFunc(all, func(a, b held) int { return a.record.Time.Compare(b.record.Time) }).record
	f := &Fix{Mode: remedy.Mode(last.Mode), Service: last.Service, Time: last.Time, undoes: &last, notes: map[int][]string{}}
	all = slices.DeleteFunc(slices.Clone(all), func(h held) bool { return !h.record.same(&last) })
	// The object that was changed last is restored first.
	slices.SortStableFunc(all, func(a, b held) int { return last.place(b.object) - last.place(a.object) })
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
			f.notes[0] = append(f.notes[0], "the fix also changed "+o+", which no longer has a record of it and is left as it is")
		}
	}
	return f, nil
}

// Made is one fix that is recorded and not undone.
type Made struct {
	Mode string
	// Service is namespace/name.
	Service string
	Time    time.Time
	// Changes are what it changed, in that order, on the objects that still have the record.
	Changes []remedy.Change
}

// Fixes are the recorded fixes of the Services of a namespace, "" for all namespaces: by Service, the newest first, in
// the order in which undo takes them. Unread says where others may be recorded, a sentence each. It is an error where
// Services cannot be listed.
func (c *Client) Fixes(ctx context.Context, namespace string) (list []Made, unread []string, err error) {
	services := cluster.Object{APIVersion: "v1", Kind: "Service", Namespace: namespace}
	texts, err := c.annotated(ctx, services)
	if err != nil {
		return nil, nil, c.refused(err, services, "list")
	}
	for _, kind := range workloads {
		kind.Namespace = namespace
		found, err := c.annotated(ctx, kind)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			unread = append(unread, notListed(kind, err))
		}
		texts = append(texts, found...)
	}
	live, err := c.read(ctx, coredns)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if err != nil && !apierrors.IsNotFound(err) {
		unread = append(unread, notRead(Name(coredns), err))
	}
	if text, ok := at(live, recordPath).(string); ok {
		texts = append(texts, recordText{coredns, text})
	}
	var all []held
	for _, t := range texts {
		records, err := parseRecords(t.text)
		if err != nil {
			unread = append(unread, Name(t.object)+": "+err.Error())
		}
		for _, r := range records {
			if namespace == "" || strings.HasPrefix(r.Service, namespace+"/") {
				all = append(all, held{object: t.object, record: r})
			}
		}
	}
	return gather(all), unread, nil
}

// gather makes fixes of records: those of one fix belong together.
func gather(all []held) []Made {
	slices.SortStableFunc(all, func(a, b held) int {
		return cmp.Or(
			strings.Compare(a.record.Service, b.record.Service), b.record.Time.Compare(a.record.Time),
			strings.Compare(a.record.Mode, b.record.Mode), a.record.place(a.object)-b.record.place(b.object),
		)
	})
	var list []Made
	for i, h := range all {
		r := &h.record
		if i == 0 || !r.same(&all[i-1].record) {
			list = append(list, Made{Mode: r.Mode, Service: r.Service, Time: r.Time})
		}
		change := remedy.Change{Object: h.object}
		for _, f := range r.Fields {
			field := remedy.Field{Path: f.Path, Was: f.Was, Now: f.Now, Follows: f.Follows}
			if f.Part != nil {
				part := remedy.Part(*f.Part)
				field.Part = &part
			}
			change.Fields = append(change.Fields, field)
		}
		last := &list[len(list)-1]
		last.Changes = append(last.Changes, change)
	}
	return list
}

// notListed and notRead say that an object may have a record all the same.
func notListed(kind cluster.Object, err error) string {
	where := "in all namespaces"
	if kind.Namespace != "" {
		where = "in namespace " + kind.Namespace
	}
	return fmt.Sprintf("a fix may also be recorded on %ss %s, which could not be listed (%v)", strings.ToLower(kind.Kind), where, err)
}

func notRead(name string, err error) string {
	return fmt.Sprintf("a fix may also be recorded on %s, which could not be read (%v)", name, err)
}

// carriers are the Service and the objects that may have records of it.
func (c *Client) carriers(ctx context.Context, namespace, name string) (list []cluster.Object, unread []string, err error) {
	list = []cluster.Object{{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name}}
	for _, kind := range workloads {
		kind.Namespace = namespace
		found, err := c.annotated(ctx, kind)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			unread = append(unread, notListed(kind, err))
		}
		for _, t := range found {
			list = append(list, t.object)
		}
	}
	return append(list, coredns), unread, nil
}

// recordText is the value of the annotation that holds an object's records.
type recordText struct {
	object cluster.Object
	text   string
}

// annotated lists the objects of a kind that have records, in the order of the server, from their metadata alone. Of is
// the kind and its namespace, "" for all.
func (c *Client) annotated(ctx context.Context, of cluster.Object) ([]recordText, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type partial struct {
		Metadata struct {
			Namespace   string            `json:"namespace"`
			Name        string            `json:"name"`
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	var found []recordText
	path, next := strings.TrimSuffix(resource(of), "/"), ""
	for {
		request := c.rest.Get().AbsPath(path).SetHeader("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
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
			return nil, fmt.Errorf("the server's answer is not valid JSON: %w", err)
		}
		for i := range page.Items {
			if m := page.Items[i].Metadata; m.Annotations[UndoAnnotation] != "" {
				of.Namespace, of.Name = m.Namespace, m.Name
				found = append(found, recordText{of, m.Annotations[UndoAnnotation]})
			}
		}
		if next = page.Metadata.Continue; next == "" {
			return found, nil
		}
	}
}

// inverse makes the changes that restore the recorded fields of a live object. A field that the server sets by itself
// is asked for where it had a value. Every other field must still have the value that the fix gave it; a *ChangedError
// names the first that does not.
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
		// The server drops an empty map of metadata. Anything else that the fix created above the field is removed with
		// it.
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

// withoutTaken is the fix without the one former value that the server says is in use. It is false where the server
// refuses something else.
func (f *Fix) withoutTaken(place int, err error) (*Fix, bool) {
	// Releases answer Invalid or InternalError, with the same words: "provided port is already allocated" (ErrAllocated
	// in pkg/registry/core/service/portallocator).
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
	out.notes[place] = append(out.notes[place], fmt.Sprintf(
		"the former health check node port %v is in use by now: the server assigns another one, and firewalls and health checks "+
			"that name the old one must follow", taken.Now))
	return &out, true
}
