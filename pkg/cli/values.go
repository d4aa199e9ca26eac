package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

// choice is a flag whose value is one of a few words.
type choice[T ~string] struct {
	value *T
	words []T
}

func (c choice[T]) String() string {
	if c.value == nil {
		return ""
	}
	return string(*c.value)
}

func (c choice[T]) Set(s string) error {
	if !slices.Contains(c.words, T(s)) {
		return fmt.Errorf("must be one of %s", c.list(", "))
	}
	*c.value = T(s)
	return nil
}

func (c choice[T]) completions() []string { return strings.Split(c.list(" "), " ") }

// Type is what --help shows in place of the value.
func (c choice[T]) Type() string { return c.list("|") }

func (c choice[T]) list(separator string) string {
	words := make([]string, len(c.words))
	for i, w := range c.words {
		words[i] = string(w)
	}
	return strings.Join(words, separator)
}

const (
	filesUsage     = "Read manifests or a dump from this file or directory, or from standard input (-), instead of a cluster; may be repeated"
	fromUsage      = "Where the connection starts: `pod/NAME`, node/NAME, or an IP address"
	asciiUsage     = "Print ASCII only; this is the default if the locale is not UTF-8"
	allUsage       = "List every node, even where many are alike"
	colorUsage     = "Use colors; auto uses them on a terminal, unless NO_COLOR is set or TERM is dumb"
	dataplaneUsage = "Override the detected data plane: NAME[/MODE][@VERSION], for example kube-proxy/ipvs@v1.22.17"
)

func colorFlag(v *render.ColorMode) choice[render.ColorMode] {
	return choice[render.ColorMode]{v, []render.ColorMode{render.ColorAuto, render.ColorAlways, render.ColorNever}}
}

// threshold is the value of --fail-on.
type threshold string

const (
	onError   threshold = "error"
	onWarning threshold = "warning"
	onInfo    threshold = "info"
	onNever   threshold = "never"
)

func failOnFlag(v *threshold) choice[threshold] {
	return choice[threshold]{v, []threshold{onError, onWarning, onInfo, onNever}}
}

// reaches is true if a severity is at or above the threshold.
func (t threshold) reaches(s finding.Severity) bool {
	switch t {
	case onError:
		return s >= finding.Error
	case onWarning:
		return s >= finding.Warning
	case onInfo:
		return true
	case onNever:
	}
	return false
}

// format is the value of -o: the screen, wide, json, yaml, name, or jsonpath with its template.
type format struct {
	name     string
	template string
}

func (f *format) String() string {
	if f.template != "" {
		return f.name + "=" + f.template
	}
	return f.name
}

func (f *format) Set(s string) error {
	name, template, templated := strings.Cut(s, "=")
	switch {
	case name == "jsonpath" && template != "":
		if _, err := parseJSONPath(template); err != nil {
			return err
		}
	case !templated && slices.Contains([]string{"wide", "json", "yaml", "name"}, name):
	case name == "jsonpath":
		return fmt.Errorf("it needs a template, for example -o jsonpath='{.findings[*].code}'")
	default:
		return fmt.Errorf("must be one of wide, json, yaml, name, jsonpath=TEMPLATE")
	}
	f.name, f.template = name, template
	return nil
}

func (*format) completions() []string { return []string{"wide", "json", "yaml", "name", "jsonpath="} }

func (*format) Type() string { return "wide|json|yaml|name|jsonpath=TEMPLATE" }

func modeFlag(v *remedy.Mode) choice[remedy.Mode] {
	var words []remedy.Mode
	for _, m := range remedy.Modes() {
		words = append(words, m.Mode)
	}
	return choice[remedy.Mode]{v, words}
}

func dryRunFlag(v *fix.DryRun) choice[fix.DryRun] {
	return choice[fix.DryRun]{v, []fix.DryRun{fix.DryRunNone, fix.DryRunClient, fix.DryRunServer}}
}

// patchFormat is the value of -o where a patch is printed.
type patchFormat string

const (
	patchYAML patchFormat = "yaml"
	patchJSON patchFormat = "json"
)

func patchFormatFlag(v *patchFormat) choice[patchFormat] {
	return choice[patchFormat]{v, []patchFormat{patchYAML, patchJSON}}
}
