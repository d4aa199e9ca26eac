package apply

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// UndoAnnotation holds the records of all fixes of an object that have not been taken back, the last one at the end. A record is written by the patch that makes its
// change, so that there is never one without the other.
const UndoAnnotation = collect.UndoAnnotation

var recordPath = []string{"metadata", "annotations", UndoAnnotation}

// Record is what one fix did to one object.
type Record struct {
	Mode string `json:"mode"`
	// Service is the one that was to be cured, as namespace/name.
	Service string    `json:"service"`
	Time    time.Time `json:"time"`
	// Fields are what the object had and got.
	Fields []Recorded `json:"fields"`
	// Objects are all that the fix changed, in that order, where this is not the only one. Their records have the same time.
	Objects []string `json:"objects,omitempty"`
}

// Recorded is one field of a Record. nil, which is null, is a field that is not there.
type Recorded struct {
	Path []string `json:"path"`
	Was  any      `json:"was"`
	// Now is the value as the server keeps it.
	Now any `json:"now"`
	// There is how many names of the path the object had before, from the left: what the change made above the field goes with it.
	There int `json:"there"`
	// Follows: the server changes it by itself.
	Follows bool `json:"follows,omitempty"`
	// Part stands for Was and Now where the fix was about some lines of a text: the rest may change meanwhile, and is left alone.
	Part *RecordedPart `json:"part,omitempty"`
}

// RecordedPart is a remedy.Part in a Record.
type RecordedPart struct {
	Begin string `json:"begin"`
	End   string `json:"end"`
	Was   string `json:"was"`
	Now   string `json:"now"`
}

func (r *Record) same(o *Record) bool {
	return r.Mode == o.Mode && r.Service == o.Service && r.Time.Equal(o.Time)
}

// records reads those of an object, nil where it has none. What this program did not write is an error: it must not be lost.
func records(object map[string]any) ([]Record, error) {
	text, ok := at(object, recordPath).(string)
	if !ok {
		return nil, nil
	}
	var list []Record
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("annotation %s is not what `kubectl etp fix` writes (%w): look at it, and remove it if it means nothing to you", UndoAnnotation, err)
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
