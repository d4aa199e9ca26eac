// Package apply is the only package that writes to the API server. Each change is one patch that also writes the record
// which undoes it, or nothing is written.
package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// Manager is the field manager of all writes.
const Manager = "kubectl-etp"

// Fix is a list of changes that belong together, in the order in which they are made. Mode, Service and Time identify
// it.
type Fix struct {
	Mode remedy.Mode
	// Service is the one that the fix is for, as namespace/name.
	Service string
	Time    time.Time
	Changes []remedy.Change
	// undoes is the fix that this one undoes, nil where it is a fix itself.
	undoes *Record
	// notes are sentences on a change, by its index in Changes.
	notes map[int][]string
}

// Undoes is the fix that this one undoes, nil where it is a fix itself.
func (f *Fix) Undoes() *Record { return f.undoes }

// Apply writes the changes in their order; nil means that all of them are written. Where one fails, those before it are
// restored, and the error is a *RestoredError if there were any. When ctx ends, no further change is sent, but the
// answer to one that was sent is awaited, so that the result says what the cluster has.
func (c *Client) Apply(ctx context.Context, prepared []Prepared) error {
	for i := range prepared {
		err := ctx.Err()
		if err == nil {
			err = c.write(ctx, &prepared[i])
		}
		if err == nil {
			continue
		}
		if i == 0 {
			return err
		}
		out := &RestoredError{Err: err}
		for j := i - 1; j >= 0; j-- {
			if failure := c.restore(ctx, &prepared[j]); failure != nil {
				out.Left = append(out.Left, prepared[j].Change.Object)
				out.Err = errors.Join(out.Err, fmt.Errorf("restore %s: %w", Name(prepared[j].Change.Object), failure))
			} else {
				out.Restored = append(out.Restored, prepared[j].Change.Object)
			}
		}
		return out
	}
	return nil
}

// write sends one patch. Where the answer does not say whether it was written, write reads the object again to find
// out.
func (c *Client) write(ctx context.Context, p *Prepared) error {
	_, _, err := c.patch(ctx, p.Change.Object, p.sent, false)
	for n := 0; apierrors.IsConflict(err) && n < maxConflicts && c.onlyStatusChanged(ctx, p); n++ {
		_, _, err = c.patch(ctx, p.Change.Object, p.sent, false)
	}
	if err == nil {
		return nil
	}
	if refusedByServer(err) {
		return c.refused(err, p.Change.Object, "patch")
	}
	written, unread := c.wasWritten(ctx, p)
	switch {
	case unread != nil:
		return &UncertainError{Object: p.Change.Object, Err: err}
	case written:
		return nil
	}
	return c.refused(err, p.Change.Object, "patch")
}

// onlyStatusChanged says whether only the status of a workload has changed since its preview, and then sets the new
// resourceVersion in the patch. During a rollout the controller writes the status so often that every patch would
// conflict. Other kinds always conflict: their status may be what the change was planned from.
func (c *Client) onlyStatusChanged(ctx context.Context, p *Prepared) bool {
	if o := p.Change.Object; o.Kind != "Deployment" && o.Kind != "StatefulSet" {
		return false
	}
	now, err := c.readWithin(context.WithoutCancel(ctx), grace, p.Change.Object)
	if err != nil || !reflect.DeepEqual(withoutStatus(now), withoutStatus(p.live)) {
		return false
	}
	var patch map[string]any
	if err := json.Unmarshal(p.sent, &patch); err != nil {
		return false
	}
	put(patch, versionPath, at(now, versionPath))
	sent, err := json.Marshal(patch)
	if err != nil {
		return false
	}
	p.sent = sent
	return true
}

// withoutStatus is a copy of a workload without what its controller writes, such as the revision of a Deployment.
func withoutStatus(o map[string]any) map[string]any {
	out := maps.Clone(o)
	delete(out, "status")
	metadata, _ := out["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	for _, name := range []string{"resourceVersion", "managedFields", "generation"} {
		delete(metadata, name)
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	delete(annotations, "deployment.kubernetes.io/revision")
	delete(metadata, "annotations")
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	out["metadata"] = metadata
	return out
}

// pauses are the waits before each read that finds out whether a patch was written: the server may be away, or busy
// with the patch.
var pauses = [...]time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second}

// wasWritten reads the object again and looks for the records that the patch would have written. It takes two reads
// without them to say no, because the server may still be busy with the patch at the first. Its error is that of the
// last read, where no read succeeded.
func (c *Client) wasWritten(ctx context.Context, p *Prepared) (bool, error) {
	ctx = context.WithoutCancel(ctx)
	reads := 0
	var err error
	for _, pause := range pauses {
		<-c.after(pause)
		var live map[string]any
		if live, err = c.readWithin(ctx, grace, p.Change.Object); err != nil {
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			continue
		}
		if reflect.DeepEqual(at(live, recordPath), p.recordsAre) && !reflect.DeepEqual(p.recordsAre, p.recordsWere) {
			return true, nil
		}
		if reads++; reads == 2 {
			return false, nil
		}
	}
	if reads > 0 {
		return false, nil
	}
	return false, err
}

// maxConflicts is how often a write is repeated because something else wrote to the object meanwhile.
const maxConflicts = 5

// restore gives the fields of a change their former values, whatever other fields have been written since.
func (c *Client) restore(ctx context.Context, p *Prepared) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	for range maxConflicts {
		var live map[string]any
		if live, err = c.readWithin(ctx, patience, p.Change.Object); err != nil {
			return err
		}
		if !reflect.DeepEqual(at(live, recordPath), p.recordsAre) {
			return fmt.Errorf("something else has changed annotation %s of %s since", UndoAnnotation, Name(p.Change.Object))
		}
		var fields []remedy.Field
		if fields, err = inverse(live, p.fields, Name(p.Change.Object)); err != nil {
			return err
		}
		patch := mergePatch(live, fields)
		put(patch, versionPath, at(live, versionPath))
		put(patch, recordPath, p.recordsWere)
		var body []byte
		if body, err = json.Marshal(patch); err != nil {
			return err
		}
		if _, _, err = c.patch(ctx, p.Change.Object, body, false); !apierrors.IsConflict(err) {
			return err
		}
	}
	return err
}
