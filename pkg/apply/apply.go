// Package apply is the only writer: it knows how a change reaches an object of the API server whole, with the record that takes it back, or not at all.
package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// Manager is the name under which the API server notes what this program changed.
const Manager = "kubectl-etp"

// patience is how long one write may take: admission webhooks have up to 30 seconds. Once the user has had enough it is grace.
const (
	patience = 40 * time.Second
	grace    = 5 * time.Second
)

// Client writes to an API server.
type Client struct {
	rest *rest.RESTClient
	host string
	// after is a channel that receives once, d later.
	after func(d time.Duration) <-chan time.Time
}

// NewClient takes the connection from kubectl's flags and kubeconfig. It sends nothing.
func NewClient(getter genericclioptions.RESTClientGetter, after func(time.Duration) <-chan time.Time) (*Client, error) {
	config, err := getter.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	config.WarningHandlerWithContext = nil
	if config.UserAgent == "" {
		config.UserAgent = Manager
	}
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return &Client{rest: client, host: config.Host, after: after}, nil
}

// Fix is what is to be changed, in this order, and what for. Time tells one fix from another; it is the same for all that belongs together.
type Fix struct {
	Mode remedy.Mode
	// Service is the one that is to be cured, as namespace/name.
	Service string
	Time    time.Time
	Changes []remedy.Change
	// takesBack is the fix that this one undoes, nil where it undoes none.
	takesBack *Record
	// notes are what is to be known of a change, by its place.
	notes map[int][]string
}

// TakesBack is the fix that this one undoes, nil where it undoes none.
func (f *Fix) TakesBack() *Record { return f.takesBack }

// Prepared is a change as the server would make it. It has been asked, and nothing has been changed.
type Prepared struct {
	Change remedy.Change
	// Patch is the JSON merge patch of a person who does the same by hand, Command the line of a shell that sends it.
	Patch   []byte
	Command string
	// Diff is a unified diff of the object in YAML.
	Diff string
	// Warnings are the server's own; Notes say what else is to be known.
	Warnings, Notes []string

	// sent is Patch with the guard and the records.
	sent []byte
	// records is the value of the annotation that holds them, before and after.
	recordsWere, recordsAre any
	fields                  []Recorded
	// live is the object that was shown.
	live map[string]any
}

// healthCheckPath is the field that the API server fills and empties by itself as externalTrafficPolicy comes and goes (pkg/registry/core/service/storage/alloc.go).
var healthCheckPath = []string{"spec", "healthCheckNodePort"}

// assigned stands in a diff for a value that a dry run only makes up.
const assigned = "(the server assigns one)"

// Prepare has the server try every change without keeping it: defaults, webhooks, quotas and permissions speak here. Its error is a ConflictError where an object is
// not what the changes were made from.
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

// Draft is Prepare without asking the server to try anything: the diff is that of the patch alone.
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

// draft is a change of a live object as a patch, with the fields that are in it.
func draft(f *Fix, place int, live map[string]any) (*Prepared, []remedy.Field, error) {
	change := f.Changes[place]
	if version, _ := at(live, []string{"metadata", "resourceVersion"}).(string); change.Object.ResourceVersion != "" && version != change.Object.ResourceVersion {
		return nil, nil, &ConflictError{change.Object}
	}
	asked := make([]remedy.Field, 0, len(change.Fields))
	for _, field := range change.Fields {
		var err error
		if field.Was, err = normal(field.Was); err != nil {
			return nil, nil, fmt.Errorf("reading the plan for %s: %w", Name(change.Object), err)
		}
		if field.Now, err = normal(field.Now); err != nil {
			return nil, nil, fmt.Errorf("reading the plan for %s: %w", Name(change.Object), err)
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
	// What the server makes of the fields is known when it has tried; until then the record holds what it was asked for.
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
	if f.takesBack != nil && err != nil {
		// The former value of what the server sets by itself may be somebody else's by now.
		if without, taken := f.withoutTaken(place, err); taken {
			return c.prepare(ctx, without, place, live)
		}
	}
	if err != nil {
		return nil, c.refused(err, change.Object, "the server's dry run of the patch of")
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
				return nil, fmt.Errorf("patch %s: the server would keep something else: %w", Name(change.Object), err)
			}
			effect = effect || field.Part.Now != field.Part.Was
			continue
		}
		field.Now = value
		effect = effect || !reflect.DeepEqual(value, field.Was)
	}
	// A dry run makes a port up; the one that will be assigned is another.
	if value := at(kept, healthCheckPath); value != nil && !equal(value, at(live, healthCheckPath)) && !slices.ContainsFunc(change.Fields, func(f remedy.Field) bool { return slices.Equal(f.Path, healthCheckPath) }) {
		masks = append(masks, mask{healthCheckPath, assigned})
	}
	if !effect {
		return nil, fmt.Errorf("patch %s: the server would not keep the change: an admission webhook or policy puts the former values back", Name(change.Object))
	}
	if err := p.seal(f, before, live, asked); err != nil {
		return nil, err
	}
	if p.Diff, err = unified(Name(change.Object), live, kept, masks, "as the server would keep it"); err != nil {
		return nil, err
	}
	return p, nil
}

// seal makes what is sent: the fields asked for, the resourceVersion that they are for, and the records.
func (p *Prepared) seal(f *Fix, before []Record, live map[string]any, asked []remedy.Field) error {
	var after []Record
	if f.takesBack == nil {
		record := Record{Mode: string(f.Mode), Service: f.Service, Time: f.Time, Fields: p.fields}
		if len(f.Changes) > 1 {
			for _, c := range f.Changes {
				record.Objects = append(record.Objects, Name(c.Object))
			}
		}
		after = append(append(after, before...), record)
	} else {
		for i := range before {
			if !before[i].same(f.takesBack) {
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

// Apply makes the changes in their order. Where one fails, those before it are taken back, and its error is a TakenBackError where there were any. Once ctx ends no
// further change is begun; one that has been sent is waited for, so that what is returned is what is true. Nil means that all of them are made.
func (c *Client) Apply(ctx context.Context, prepared []Prepared) error {
	for i := range prepared {
		err := ctx.Err()
		if err == nil {
			err = c.make(ctx, &prepared[i])
		}
		if err == nil {
			continue
		}
		if i == 0 {
			return err
		}
		out := &TakenBackError{Err: err}
		for j := i - 1; j >= 0; j-- {
			if failure := c.takeBack(ctx, &prepared[j]); failure != nil {
				out.Left = append(out.Left, prepared[j].Change.Object)
				out.Err = errors.Join(out.Err, fmt.Errorf("taking back the change of %s: %w", Name(prepared[j].Change.Object), failure))
			} else {
				out.TakenBack = append(out.TakenBack, prepared[j].Change.Object)
			}
		}
		return out
	}
	return nil
}

// make sends one patch, and finds out what became of it where the server did not say.
func (c *Client) make(ctx context.Context, p *Prepared) error {
	_, _, err := c.patch(ctx, p.Change.Object, p.sent, false)
	for n := 0; apierrors.IsConflict(err) && n < attempts && c.onlyReported(ctx, p); n++ {
		_, _, err = c.patch(ctx, p.Change.Object, p.sent, false)
	}
	if err == nil {
		return nil
	}
	if settled(err) {
		return c.refused(err, p.Change.Object, "patch")
	}
	made, unread := c.made(ctx, p)
	switch {
	case unread != nil:
		return &UncertainError{Object: p.Change.Object, Err: err}
	case made:
		return nil
	}
	return c.refused(err, p.Change.Object, "patch")
}

var versionPath = []string{"metadata", "resourceVersion"}

// onlyReported says whether nothing but the status of a workload has been written since it was shown, and makes what is sent fit that: while a rollout is under way its
// controller writes all the time, and nobody would ever be quick enough. The status of anything else may be what a change was made from.
func (c *Client) onlyReported(ctx context.Context, p *Prepared) bool {
	if o := p.Change.Object; o.Kind != "Deployment" && o.Kind != "StatefulSet" {
		return false
	}
	now, err := c.readWithin(context.WithoutCancel(ctx), grace, p.Change.Object)
	if err != nil || !reflect.DeepEqual(unreported(now), unreported(p.live)) {
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

// unreported is a copy of a workload without what its controller writes, the revision of a Deployment among it.
func unreported(o map[string]any) map[string]any {
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

// pauses are how long a server that was cut off is given to come back, or to finish what it was doing.
var pauses = [...]time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second}

// made reads the object again to see whether it carries the records that the patch would have written. That it does not is believed at the second sight only: the
// server may have been busy with it still.
func (c *Client) made(ctx context.Context, p *Prepared) (bool, error) {
	ctx = context.WithoutCancel(ctx)
	sights := 0
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
		if sights++; sights == 2 {
			return false, nil
		}
	}
	if sights > 0 {
		return false, nil
	}
	return false, err
}

// attempts is how often taking back starts over because somebody else wrote to the object meanwhile.
const attempts = 5

// takeBack gives an object back what a change took, whatever else has been written to it since.
func (c *Client) takeBack(ctx context.Context, p *Prepared) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	for range attempts {
		var live map[string]any
		if live, err = c.readWithin(ctx, patience, p.Change.Object); err != nil {
			return err
		}
		if !reflect.DeepEqual(at(live, recordPath), p.recordsAre) {
			return fmt.Errorf("somebody else has written annotation %s of %s since", UndoAnnotation, Name(p.Change.Object))
		}
		var fields []remedy.Field
		if fields, err = inverse(live, p.fields, Name(p.Change.Object)); err != nil {
			return err
		}
		patch := mergePatch(live, fields)
		put(patch, []string{"metadata", "resourceVersion"}, at(live, []string{"metadata", "resourceVersion"}))
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

// patch sends a JSON merge patch and returns the object as the server keeps it, or would keep it. A write that is no dry run outlives ctx for a while.
func (c *Client) patch(ctx context.Context, o cluster.Object, body []byte, dry bool) (map[string]any, []string, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	if !dry {
		bounded, cancel = outlive(ctx)
	}
	defer cancel()
	heard := &warnings{}
	request := c.rest.Patch(types.MergePatchType).AbsPath(resource(o)).Param("fieldManager", Manager).Param("fieldValidation", "Strict").
		SetHeader("Accept", "application/json").WarningHandler(heard).MaxRetries(0).Body(body)
	if dry {
		request = request.Param("dryRun", "All")
	}
	object, err := answer(request.Do(collect.Quiet(bounded)))
	return object, heard.texts, err
}

// outlive is a context that ends after patience, or grace after ctx has ended.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	stop := context.AfterFunc(ctx, func() {
		short, done := context.WithTimeout(long, grace)
		defer done()
		<-short.Done()
		cancel()
	})
	return long, func() { stop(); cancel() }
}

func (c *Client) read(ctx context.Context, o cluster.Object) (map[string]any, error) {
	object, err := c.readWithin(ctx, patience, o)
	if err != nil {
		return nil, c.refused(err, o, "get")
	}
	return object, nil
}

func (c *Client) readWithin(ctx context.Context, d time.Duration, o cluster.Object) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	// Asked once more where the connection was cut, not for as long as the client would by itself.
	return answer(c.rest.Get().AbsPath(resource(o)).SetHeader("Accept", "application/json").MaxRetries(1).Do(collect.Quiet(ctx)))
}

// answer is the object in an answer, or the server's own error.
func answer(result rest.Result) (map[string]any, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	raw, err := result.Raw()
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return object, nil
}

// warnings collects what the server warns of.
type warnings struct {
	lock  sync.Mutex
	texts []string
}

func (w *warnings) HandleWarningHeader(code int, _, text string) {
	if code != 299 || text == "" {
		return
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.texts = append(w.texts, text)
}

// resource is the path of an object. All kinds that are written have regular plurals.
func resource(o cluster.Object) string {
	prefix := "/apis/" + o.APIVersion
	if !strings.Contains(o.APIVersion, "/") {
		prefix = "/api/" + o.APIVersion
	}
	if o.Namespace != "" {
		prefix += "/namespaces/" + o.Namespace
	}
	return prefix + "/" + strings.ToLower(o.Kind) + "s/" + o.Name
}

// Name is an object as kubectl names it, with its namespace: service shop/web.
func Name(o cluster.Object) string {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return strings.ToLower(o.Kind) + " " + name
}

// command is the line of a shell that sends a patch by hand.
func command(o cluster.Object, patch []byte) string {
	kind := strings.ToLower(o.Kind)
	if o.Kind == "Service" {
		kind = "svc"
	}
	line := "kubectl patch " + kind + " " + o.Name
	if o.Namespace != "" {
		line += " -n " + o.Namespace
	}
	return line + " --type=merge -p " + quote(string(patch))
}

// Document is the patch as an object that holds the changed fields alone, as JSON.
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
