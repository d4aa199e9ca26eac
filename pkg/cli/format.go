package cli

import (
	"bytes"
	"encoding/json"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/report/v1alpha1"
)

// format prints reports in the form that -o asks for.
func (o *statusOptions) format(reports []report.Report) ([]byte, error) {
	switch o.output.name {
	case "json":
		out, err := o.json(reports)
		return out, failed(err, "")
	case "yaml":
		if o.single(reports) {
			out, err := v1alpha1.YAML(v1alpha1.Of(&reports[0]))
			return out, failed(err, "")
		}
		out, err := v1alpha1.YAML(v1alpha1.List(reports))
		return out, failed(err, "")
	case "jsonpath":
		return o.jsonpath(reports)
	case "name":
		var b strings.Builder
		for i := range reports {
			b.WriteString("service/" + render.Escape(reports[i].Service.Name) + "\n")
		}
		return []byte(b.String()), nil
	}
	return o.show(reports), nil
}

// show is the screen: a list where none was asked for by name, else one Service after the other.
func (o *statusOptions) show(reports []report.Report) []byte {
	if o.listing {
		return render.List(reports, o.screen)
	}
	screens := make([][]byte, len(reports))
	for i := range reports {
		screens[i] = render.Screen(&reports[i], o.screen)
	}
	return bytes.Join(screens, []byte("\n"))
}

// single says whether the reports are published as one.
func (o *statusOptions) single(reports []report.Report) bool { return len(reports) == 1 && !o.listing }

func (o *statusOptions) json(reports []report.Report) ([]byte, error) {
	if o.single(reports) {
		return v1alpha1.JSON(v1alpha1.Of(&reports[0]))
	}
	return v1alpha1.JSON(v1alpha1.List(reports))
}

// jsonpath fills in the template with the published report.
func (o *statusOptions) jsonpath(reports []report.Report) ([]byte, error) {
	template := o.output.template
	if !strings.Contains(template, "{") {
		// kubectl takes .a.b for {.a.b}, too.
		template = "{." + strings.TrimPrefix(template, ".") + "}"
	}
	path := jsonpath.New("-o").AllowMissingKeys(true)
	if err := path.Parse(template); err != nil {
		return nil, misuse("", "-o jsonpath=%s: %w", o.output.template, err)
	}
	data, err := o.json(reports)
	if err != nil {
		return nil, failed(err, "")
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, failed(err, "")
	}
	var b bytes.Buffer
	if err := path.Execute(&b, value); err != nil {
		return nil, misuse("-o json shows what there is", "-o jsonpath=%s: %w", o.output.template, err)
	}
	return b.Bytes(), nil
}
