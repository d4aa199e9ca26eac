package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

var versionPath = []string{"metadata", "resourceVersion"}

// Prepared is a change that was not written, as Prepare or Draft has found that it would be.
type Prepared struct {
	Change remedy.Change
	// Patch is a JSON merge patch that makes the change by hand, and Command the shell command that sends it.
	Patch   []byte
	Command string
	// Diff is a unified diff of the object in YAML.
	Diff string
	// Warnings are the server's. Notes are sentences on what the change leaves as it is.
	Warnings, Notes []string

	// sent is Patch with the resourceVersion that it is for and the records.
	sent []byte
	// recordsWere and recordsAre are the values of the annotation that holds the records, before and after.
	recordsWere, recordsAre any
	fields                  []Recorded
	// live is the object that the change was prepared from.
	live map[string]any
}

// healthCheckPath is the field that the API server fills and empties by itself as externalTrafficPolicy comes and goes
// (pkg/registry/core/service/storage/alloc.go).
var healthCheckPath = []string{"spec", "healthCheckNodePort"}

// assigned replaces, in a diff, a value that the server chooses only when the change is written.
const assigned = "(the server assigns one)"

// Prepare sends every change as a server-side dry run, which applies defaults and checks webhooks, quotas and
// permissions. The error is a *ConflictError where an object is not what the change was planned from, and a
// *ServerError where the server refuses.
func (c *Client) Prepare(ctx context.Context, f *Fix) ([]Prepared, error) {
	prepared := make([]Prepared, 0, len(f.Changes))
	for i := range f.Changes {
		live, err := c.read(ctx, f.Changes[i].Object)
		if err != nil {
			return nil, err
		}
		p, err := c.prepare(ctx, f, i, live)
		if err != nil {
			return nil, err
		}
		prepared = append(prepared, *p)
	}
	return prepared, nil
}

// Draft is Prepare without the dry run: it only reads, and the diff is that of the patch alone.
func (c *Client) Draft(ctx context.Context, f *Fix) ([]Prepared, error) {
	prepared := make([]Prepared, 0, len(f.Changes))
	for i := range f.Changes {
		live, err := c.read(ctx, f.Changes[i].Object)
		if err != nil {
			return nil, err
		}
		p, fields, err := draft(f, i, live)
		if err != nil {
			return nil, err
		}
		after := clone(live)
		for _, field := range fields {
			if field.Now == nil {
				remove(after, field.Path, len(field.Path)-1)
			} else {
				put(after, field.Path, field.Now)
			}
		}
		if p.Diff, err = unified(Name(p.Change.Object), live, after, nil, "as patched"); err != nil {
			return nil, err
		}
		prepared = append(prepared, *p)
	}
	return prepared, nil
}

// draft makes the patch of one change, and returns the fields that are in it.
func draft(f *Fix, place int, live map[string]any) (*Prepared, []remedy.Field, error) {
	change := f.Changes[place]
	if version, _ := at(live, versionPath).(string); change.Object.ResourceVersion != "" && version != change.Object.ResourceVersion {
		return nil, nil, &ConflictError{change.Object}
	}
	asked := make([]remedy.Field, 0, len(change.Fields))
	for _, field := range change.Fields {
		var err error
		if field.Was, err = normal(field.Was); err != nil {
			return nil, nil, fmt.Errorf("encode the change of %s: %w", Name(change.Object), err)
		}
		if field.Now, err = normal(field.Now); err != nil {
			return nil, nil, fmt.Errorf("encode the change of %s: %w", Name(change.Object), err)
		}
		if field.Follows {
			continue
		}
		if !reflect.DeepEqual(at(live, field.Path), field.Was) {
			return nil, nil, &ConflictError{change.Object}
		}
		asked = append(asked, field)
	}
	patch := mergePatch(live, asked)
	p := &Prepared{Change: change, Notes: f.notes[place]}
	var err error
	if p.Patch, err = compact(patch); err != nil {
		return nil, nil, err
	}
	p.Command = command(change.Object, p.Patch)
	return p, asked, nil
}

func (c *Client) prepare(ctx context.Context, f *Fix, place int, live map[string]any) (*Prepared, error) {
	p, asked, err := draft(f, place, live)
	if err != nil {
		return nil, err
	}
	change := p.Change
	before, err := records(live)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name(change.Object), err)
	}
	p.recordsWere = at(live, recordPath)
	// For the dry run the record holds the requested values; afterwards it gets those that the server would store.
	for _, field := range change.Fields {
		was := at(live, field.Path)
		now, err := normal(field.Now)
		if err != nil {
			return nil, err
		}
		recorded := Recorded{Path: field.Path, Was: was, Now: now, There: depth(live, field.Path), Follows: field.Follows}
		if field.Part != nil {
			part := RecordedPart(*field.Part)
			recorded.Was, recorded.Now, recorded.Part = nil, nil, &part
		}
		p.fields = append(p.fields, recorded)
	}
	if err := p.seal(f, before, live, asked); err != nil {
		return nil, err
	}
	kept, warnings, err := c.patch(ctx, change.Object, p.sent, true)
	if f.undoes != nil && err != nil {
		// A former value that the server allocated may be in use by another object now.
		if without, taken := f.withoutTaken(place, err); taken {
			return c.prepare(ctx, without, place, live)
		}
	}
	if err != nil {
		return nil, c.refused(err, change.Object, "server-side dry run of the patch of")
	}
	p.Warnings = warnings
	var masks []mask
	effect := len(asked) == 0
	for i := range p.fields {
		field := &p.fields[i]
		value := at(kept, field.Path)
		if field.Follows && value != nil && !reflect.DeepEqual(value, field.Now) {
			masks = append(masks, mask{field.Path, assigned})
			continue
		}
		if field.Part != nil {
			text, _ := value.(string)
			part := remedy.Part(*field.Part)
			if field.Part.Now, err = part.In(text); err != nil {
				return nil, fmt.Errorf("patch %s: the server would store something else: %w", Name(change.Object), err)
			}
			effect = effect || field.Part.Now != field.Part.Was
			continue
		}
		field.Now = value
		effect = effect || !reflect.DeepEqual(value, field.Was)
	}
	// A dry run shows a port that is not the one that will be assigned.
	planned := slices.ContainsFunc(change.Fields, func(f remedy.Field) bool { return slices.Equal(f.Path, healthCheckPath) })
	if value := at(kept, healthCheckPath); value != nil && !equal(value, at(live, healthCheckPath)) && !planned {
		masks = append(masks, mask{healthCheckPath, assigned})
	}
	if !effect {
		return nil, fmt.Errorf("patch %s: the change would have no effect: an admission webhook or policy restores the former values", Name(change.Object))
	}
	if err := p.seal(f, before, live, asked); err != nil {
		return nil, err
	}
	if p.Diff, err = unified(Name(change.Object), live, kept, masks, "as the server would store it"); err != nil {
		return nil, err
	}
	return p, nil
}

// seal makes the patch that is sent: the requested fields, the resourceVersion that they are for, and the records.
func (p *Prepared) seal(f *Fix, before []Record, live map[string]any, asked []remedy.Field) error {
	var after []Record
	if f.undoes == nil {
		record := Record{Mode: string(f.Mode), Service: f.Service, Time: f.Time, Fields: p.fields}
		if len(f.Changes) > 1 {
			for _, c := range f.Changes {
				record.Objects = append(record.Objects, Name(c.Object))
			}
		}
		after = append(append(after, before...), record)
	} else {
		for i := range before {
			if !before[i].same(f.undoes) {
				after = append(after, before[i])
			}
		}
	}
	var err error
	if p.recordsAre, err = annotation(after); err != nil {
		return err
	}
	patch := mergePatch(live, asked)
	put(patch, versionPath, at(live, versionPath))
	put(patch, recordPath, p.recordsAre)
	p.live = live
	p.sent, err = json.Marshal(patch)
	return err
}

// Document is the patch as a JSON object with apiVersion, kind and name, which kubectl patch --patch-file and kustomize
// take.
func (p *Prepared) Document() ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(p.Patch, &object); err != nil {
		return nil, err
	}
	o := p.Change.Object
	object["apiVersion"], object["kind"] = o.APIVersion, o.Kind
	put(object, []string{"metadata", "name"}, o.Name)
	if o.Namespace != "" {
		put(object, []string{"metadata", "namespace"}, o.Namespace)
	}
	return json.MarshalIndent(object, "", "  ")
}
