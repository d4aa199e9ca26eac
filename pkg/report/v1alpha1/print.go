package v1alpha1

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// Printed is what can be published: a *ServiceReport, a *ServiceReportList or a *Trace.
type Printed interface {
	*ServiceReport | *ServiceReportList | *Trace
}

// JSON of a report, indented, with a line break at its end. < and & stay as they are: they are no danger outside HTML.
func JSON[T Printed](v T) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode report as JSON: %w", err)
	}
	return printable.JSON(b.Bytes()), nil
}

// YAML of a report, with the fields ordered by name.
func YAML[T Printed](v T) ([]byte, error) {
	out, err := printable.YAML(v)
	if err != nil {
		return nil, fmt.Errorf("encode report as YAML: %w", err)
	}
	return out, nil
}
