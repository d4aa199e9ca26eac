package collect

import (
	"encoding/json"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// UndoAnnotation holds the fixes of an object that `kubectl etp fix` made and `kubectl etp undo` has not undone, the newest last. Package apply writes and reads all of
// it; a diagnosis uses only what recorded keeps.
const UndoAnnotation = "kubectl-etp.github.io/undo"

// recorded is the part of a record that a diagnosis uses. Mode and time are all that an anonymised dump keeps of it.
type recorded struct {
	Mode string    `json:"mode"`
	Time time.Time `json:"time"`
}

// lastFix is the newest fix that the annotation of a Service records, nil where it records none or was not written by this program.
func lastFix(annotation string) *cluster.Fix {
	var list []recorded
	if annotation == "" || json.Unmarshal([]byte(annotation), &list) != nil || len(list) == 0 {
		return nil
	}
	newest := list[len(list)-1]
	return &cluster.Fix{Mode: newest.Mode, Time: newest.Time}
}

// fixModes are the modes of `kubectl etp fix`.
var fixModes = set([]string{"cluster", "local", "eni", "anti-affinity", "spread", "hostname", "dns"})

// records keeps the mode and the time of each recorded fix, and drops the former values and the name of the Service. Any other text becomes a placeholder.
func (a *anonymizer) records(annotation string) string {
	var list []recorded
	if json.Unmarshal([]byte(annotation), &list) != nil {
		return a.value(annotation)
	}
	for i := range list {
		list[i].Mode = a.either(list[i].Mode, fixModes, "value")
	}
	text, err := json.Marshal(list)
	if err != nil {
		return a.value(annotation)
	}
	return string(text)
}
