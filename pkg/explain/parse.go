package explain

import (
	"fmt"
	"strings"
)

// parse reads pages in this form, one after the other:
//
//	== name
//	title: one line
//	also: alias, another alias
//	rules: IPVS
//	see: name, name
//	source: where the facts were read
//
//	A paragraph, wrapped as the author likes.
//
//	  A drawing or a table: its lines are indented and stay as they are.
//
// The fields end with the first empty line. also, rules, see and source may be repeated and may be left out.
func parse(text string) ([]Page, error) {
	var pages []Page
	for part := range strings.SplitSeq("\n"+text, "\n== ") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		head, body, _ := strings.Cut(part, "\n\n")
		page, err := parseHead(head)
		if err != nil {
			return nil, err
		}
		page.Body = paragraphs(body)
		pages = append(pages, page)
	}
	return pages, nil
}

func parseHead(head string) (Page, error) {
	name, fields, _ := strings.Cut(strings.TrimSpace(head), "\n")
	p := Page{Name: name}
	for line := range strings.Lines(fields) {
		field, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		list := strings.Split(value, ", ")
		switch {
		case ok && field == "title":
			p.Title = value
		case ok && field == "also":
			p.Aliases = append(p.Aliases, list...)
		case ok && field == "rules":
			p.families = append(p.families, list...)
		case ok && field == "see":
			p.See = append(p.See, list...)
		case ok && field == "source":
			p.Sources = append(p.Sources, value)
		default:
			return Page{}, fmt.Errorf("page %s: %q is no field", name, strings.TrimSpace(line))
		}
	}
	if p.Title == "" {
		return Page{}, fmt.Errorf("page %s has no title", name)
	}
	return p, nil
}

// paragraphs are divided by empty lines. Text becomes one line, a drawing keeps its lines.
func paragraphs(body string) []string {
	var out []string
	for part := range strings.SplitSeq(body, "\n\n") {
		part = strings.Trim(part, "\n")
		switch {
		case part == "":
		case strings.HasPrefix(part, " "):
			out = append(out, part)
		default:
			out = append(out, strings.Join(strings.Fields(part), " "))
		}
	}
	return out
}
