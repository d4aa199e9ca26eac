package render

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// evil are an escape sequence, C1, DEL, a carriage return, turned text and characters that are not drawn.
const evil = "\x1b[2J\u009b31m\x7f\r\u202egnp\u2066\u200d\u200b\U000e0041"

// tainted is a deep copy of v with evil in every string, keys of maps among them. What has fields of its own that
// cannot be set (addresses, times) stays.
func tainted(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(v.String() + evil)
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(tainted(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(tainted(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for key, value := range v.Seq2() {
				out.SetMapIndex(tainted(key), tainted(value))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(tainted(v.Field(i)))
			}
		}
	default:
	}
	return out
}

func taint[T any](v T) T { return tainted(reflect.ValueOf(&v).Elem()).Interface().(T) }

var ownColour = regexp.MustCompile(`\x1b\[[0-9;]+m`)

// TestNothingReachesTheTerminal puts evil into every string of every thing that is shown.
func TestNothingReachesTheTerminal(t *testing.T) {
	shown := 0
	check := func(t *testing.T, what string, colour bool, text []byte) {
		t.Helper()
		if colour {
			text = ownColour.ReplaceAll(text, nil)
		}
		if strings.Contains(string(text), `\x1b[2J`) {
			shown++
		}
		for l := range strings.SplitSeq(string(text), "\n") {
			if clean := printable.Line(l); clean != l {
				t.Errorf("%s: %q", what, l)
				return
			}
		}
	}
	for _, style := range []struct {
		name   string
		colour bool
		*Style
	}{
		{"plain", false, plainStyle(Terminal{})},
		{"terminal", false, plainStyle(wide100)},
		{"narrow", false, NewStyle(ColorNever, true, Terminal{Interactive: true, Columns: 44})},
		{"colours", true, NewStyle(ColorAlways, false, wide100)},
	} {
		t.Run(style.name, func(t *testing.T) {
			for _, wide := range []bool{false, true} {
				o := Options{Style: style.Style, Wide: wide, Namespaces: true, Closes: func(g cluster.Gap) string { return "rule for " + g.Resource + "\n" + g.Name }}
				list := NewList(o)
				for _, r := range []*report.Report{ipvsLocal(), chinese(), mixed(), asked(), unread(), hostile()} {
					bad := taint(*r)
					// A reason in this field takes the place of the map.
					bad.Unsupported = ""
					check(t, "screen", style.colour, Screen(&bad, o))
					list.Add(&bad)
					bad.Unsupported = "it is " + evil
					check(t, "screen without a map", style.colour, Screen(&bad, o))
					bad.Nodes = nil
					check(t, "menu of Services", style.colour, []byte(strings.Join(Attention([]report.Report{bad}, o), "\n")))
				}
				check(t, "list", style.colour, list.Bytes())
				preview := toCluster()
				preview.Before.Unsupported, preview.After.Unsupported = "", ""
				bad := taint(*preview)
				bad.Before.Unsupported, bad.After.Unsupported = "", ""
				check(t, "preview", style.colour, PreviewScreen(&bad, o))
				check(t, "patch", style.colour, PatchScreen(bad.Changes, o))
				check(t, "outcome", style.colour, Outcome(bad.Before, bad.After, o))
				check(t, "menu of modes", style.colour, []byte(strings.Join(Offers(taint([]remedy.Offer{{Mode: "local", Gain: "keeps", Fixes: []string{"ETP002"}}}), o), "\n")))
				check(t, "hosts", style.colour, []byte(Hosts(&remedy.HostNeeded{Why: evil, Suggested: []string{evil}}, o)))
				check(t, "changes", style.colour, Changed([]string{evil, "web" + evil}, o))
				check(t, "page", style.colour, PageText(taint(Page{
					Name: "n", Title: "t", Facts: []Fact{{"a", "b"}}, Paragraphs: []string{"p"}, Entries: []Entries{{"h", []Fact{{"a", "b"}}}},
				}), style.Style))
			}
		})
	}
	if shown < 50 {
		t.Errorf("what is dangerous was to be seen %d times: the test does not reach what it should", shown)
	}
}
