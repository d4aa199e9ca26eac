package apply

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// UndoAnnotation holds the records of all fixes of an object that are not undone, the newest last. The patch that makes
// a change also writes its record, so that there is never one without the other.
const UndoAnnotation = collect.UndoAnnotation

var recordPath = []string{"metadata", "annotations", UndoAnnotation}

// Record is what one fix did to one object.
type Record struct {
	Mode string `json:"mode"`
	// Service is the one that the fix was for, as namespace/name.
	Service string    `json:"service"`
	Time    time.Time `json:"time"`
	// Fields are the changed fields, with their values before and after.
	Fields []Recorded `json:"fields"`
	// Objects are the names of all objects that the fix changed, in that order; empty where there is only this one.
	// Their records have the same time.
	Objects []string `json:"objects,omitempty"`
}

// Recorded is one field of a Record. A value of nil (null in JSON) means that the field is absent.
type Recorded struct {
	Path []string `json:"path"`
	Was  any      `json:"was"`
	// Now is the value as the server keeps it.
	Now any `json:"now"`
	// There is how many names of the path existed before the fix, counted from the left. What the fix created above the
	// field is removed with it.
	There int `json:"there"`
	// Follows: the server sets the field by itself because of others.
	Follows bool `json:"follows,omitempty"`
	// Part replaces Was and Now where the fix changed only some lines of a text. The other lines may change meanwhile
	// and are left alone.
	Part *RecordedPart `json:"part,omitempty"`
}

// RecordedPart is a remedy.Part in a Record.
type RecordedPart struct {
	Begin string `json:"begin"`
	End   string `json:"end"`
	Was   string `json:"was"`
	Now   string `json:"now"`
}

// same says whether two records are of the same fix.
func (r *Record) same(o *Record) bool {
	return r.Mode == o.Mode && r.Service == o.Service && r.Time.Equal(o.Time)
}

// place is where an object stands in the order of the fix's changes, -1 where the fix changed only one object.
func (r *Record) place(o cluster.Object) int { return slices.Index(r.Objects, Name(o)) }

// records reads those of an object, nil where it has none.
func records(object map[string]any) ([]Record, error) {
	text, ok := at(object, recordPath).(string)
	if !ok {
		return nil, nil
	}
	return parseRecords(text)
}

// parseRecords reads the value of the annotation. A value that this program did not write is an error, so that it is
// not overwritten.
func parseRecords(text string) ([]Record, error) {
	var list []Record
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("annotation %s was not written by `kubectl etp fix` (%w): look at it, and remove it if it is of no use to you", UndoAnnotation, err)
	}
	return list, nil
}

// annotation is the value that holds these records, nil for none.
func annotation(list []Record) (any, error) {
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // nil is the value of an annotation that is not there
	}
	text, err := compact(list)
	return string(text), err
}
