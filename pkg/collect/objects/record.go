package objects

import (
	"encoding/json"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// UndoAnnotation holds the fixes of an object that `kubectl etp fix` made and `kubectl etp undo` has not undone, the newest last. Package apply writes and reads all of
// it; a diagnosis uses only what RecordedFix keeps.
const UndoAnnotation = "kubectl-etp.github.io/undo"

// RecordedFix is the part of a record that a diagnosis uses. An anonymised dump keeps only mode and time of it.
type RecordedFix struct {
	Mode string    `json:"mode"`
	Time time.Time `json:"time"`
}

// lastFix is the newest fix that the annotation of a Service records, nil where it records none or was not written by this program.
func lastFix(annotation string) *cluster.Fix {
	var list []RecordedFix
	if annotation == "" || json.Unmarshal([]byte(annotation), &list) != nil || len(list) == 0 {
		return nil
	}
	newest := list[len(list)-1]
	return &cluster.Fix{Mode: newest.Mode, Time: newest.Time}
}
