package v1alpha1

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

// Printed is what can be published: a *ServiceReport or a *ServiceReportList.
type Printed interface {
	*ServiceReport | *ServiceReportList
}

// JSON of a report, indented, with a line break at its end. Text stays as it is: < and & are no danger outside HTML.
func JSON[T Printed](v T) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode report as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// YAML of a report, with the fields ordered by name.
func YAML[T Printed](v T) ([]byte, error) {
	out, err := yaml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode report as YAML: %w", err)
	}
	return out, nil
}
