package anonymize

import (
	"encoding/json"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// fixModes are the modes of `kubectl etp fix`.
var fixModes = set([]string{"cluster", "local", "eni", "anti-affinity", "spread", "hostname", "dns"})

// records keeps the mode and the time of each recorded fix, and drops the former values and the name of the Service. Any other text becomes a placeholder.
func (a *anonymizer) records(annotation string) string {
	var list []objects.RecordedFix
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
