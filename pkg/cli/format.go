package cli

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/report/v1alpha1"
)

// format prints reports in the format of -o.
func (o *statusOptions) format(reports iter.Seq[*report.Report]) ([]byte, error) {
	switch o.output.name {
	case "json":
		out, err := o.json(reports)
		return out, asFailure(err)
	case "yaml":
		single, list := o.publish(reports)
		if single != nil {
			out, err := v1alpha1.YAML(single)
			return out, asFailure(err)
		}
		out, err := v1alpha1.YAML(list)
		return out, asFailure(err)
	case "jsonpath":
		return o.jsonpath(reports)
	case "name":
		var b strings.Builder
		for r := range reports {
			b.WriteString("service/" + printable.Line(r.Service.Name) + "\n")
		}
		return []byte(b.String()), nil
	}
	return o.show(reports), nil
}

// show is the screen: a list if no Service was selected by name, else one Service after the other.
func (o *statusOptions) show(reports iter.Seq[*report.Report]) []byte {
	if o.listing {
		list := render.NewList(o.screen)
		for r := range reports {
			list.Add(r)
		}
		return list.Bytes()
	}
	var screens [][]byte
	for r := range reports {
		screens = append(screens, render.Screen(r, o.screen))
	}
	return bytes.Join(screens, []byte("\n"))
}

// publish returns one report if one Service was selected, else a list.
func (o *statusOptions) publish(reports iter.Seq[*report.Report]) (*v1alpha1.ServiceReport, *v1alpha1.ServiceReportList) {
	list := v1alpha1.List(reports)
	if len(list.Items) == 1 && !o.listing {
		return &list.Items[0], nil
	}
	return nil, list
}

func (o *statusOptions) json(reports iter.Seq[*report.Report]) ([]byte, error) {
	single, list := o.publish(reports)
	if single != nil {
		return v1alpha1.JSON(single)
	}
	return v1alpha1.JSON(list)
}

// jsonpath fills in the template with the published report.
func (o *statusOptions) jsonpath(reports iter.Seq[*report.Report]) ([]byte, error) {
	path, err := parseJSONPath(o.output.template)
	if err != nil {
		return nil, asFailure(err)
	}
	data, err := o.json(reports)
	if err != nil {
		return nil, asFailure(err)
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, asFailure(err)
	}
	var b bytes.Buffer
	// The values are escaped, and not the result: the template may have line breaks of its own.
	if err := path.Execute(&b, escaped(value)); err != nil {
		return nil, misuse("see the fields with -o json", "-o jsonpath=%s: %w", o.output.template, err)
	}
	return b.Bytes(), nil
}

// escaped is a decoded JSON value with its strings and names printable.
func escaped(value any) any {
	switch value := value.(type) {
	case string:
		return printable.Text(value)
	case []any:
		for i := range value {
			value[i] = escaped(value[i])
		}
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[printable.Text(name)] = escaped(inner)
		}
		return out
	}
	return value
}

// parseJSONPath reads .a.b as {.a.b}, like kubectl.
func parseJSONPath(template string) (*jsonpath.JSONPath, error) {
	if !strings.Contains(template, "{") {
		template = "{." + strings.TrimPrefix(template, ".") + "}"
	}
	path := jsonpath.New("-o").AllowMissingKeys(true)
	return path, path.Parse(template)
}
