package file

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// readYAML reads YAML documents. The first line starts with prefix and is line number first.
//
// The items of a block-style list are split at their dashes, without parsing: YAML demands that everything inside an item be indented further than its
// dash, so a dash at that very column can only be the next item.
func readYAML(in *bufio.Reader, first int, prefix string, wanted func(kind string) bool, each func(rawObject) error) error {
	document := yamlDocument{wanted: wanted, each: each}
	document.reset(first)
	for number := first; ; number++ {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if prefix != "" {
			line, prefix = prefix+line, ""
		}
		if line != "" {
			if err := document.add(line, number); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return document.end()
		}
	}
}

// yamlDocument gathers one document, line by line: its head (everything but items) and the current item.
type yamlDocument struct {
	wanted func(kind string) bool
	each   func(rawObject) error

	line    int
	head    bytes.Buffer
	untyped []rawObject
	anchors anchors

	item     bytes.Buffer
	itemLine int
	state    itemState
	indent   int
	// pending are blank lines and comments after `items:`, before it is known whether a block list follows.
	pending bytes.Buffer
}

type itemState uint8

const (
	outsideItems itemState = iota
	afterItemsKey
	insideItems
)

func (d *yamlDocument) reset(line int) {
	d.line, d.state = line, outsideItems
	d.head.Reset()
	d.item.Reset()
	d.pending.Reset()
	d.untyped = nil
	d.anchors = anchors{}
}

func (d *yamlDocument) add(line string, number int) error {
	text := strings.TrimRight(line, "\r\n")
	if after, ok := strings.CutPrefix(text, "---"); ok && (after == "" || after[0] == ' ' || after[0] == '\t') {
		if err := d.end(); err != nil {
			return err
		}
		d.reset(number + 1)
		if rest := strings.TrimSpace(after); rest != "" && rest[0] != '#' {
			d.line = number
			d.head.WriteString("   " + after + "\n")
		}
		return nil
	}
	if text == "..." {
		err := d.end()
		d.reset(number + 1)
		return err
	}
	blank := isBlank(text)
	if d.state == afterItemsKey && !blank {
		indent := len(text) - len(strings.TrimLeft(text, " "))
		if isDash(text[indent:]) {
			d.state, d.indent = insideItems, indent
			d.head.WriteString("items: []\n")
			d.pending.Reset()
			if anchorMark.Match(d.head.Bytes()) {
				// Items may use the anchors above them.
				if _, err := d.anchors.toJSON(d.head.Bytes(), d.line); err != nil {
					return err
				}
			}
		} else {
			d.state = outsideItems
			d.head.WriteString("items:\n")
			d.head.Write(d.pending.Bytes())
			d.pending.Reset()
		}
	}
	switch d.state {
	case afterItemsKey:
		d.pending.WriteString(line)
	case insideItems:
		indent := len(text) - len(strings.TrimLeft(text, " "))
		switch {
		case blank, indent > d.indent:
			d.item.WriteString(line)
			return nil
		case indent == d.indent && isDash(text[indent:]):
			if err := d.endItem(); err != nil {
				return err
			}
			d.itemLine = number
			d.item.WriteString(strings.Repeat(" ", indent+1) + line[indent+1:])
			return nil
		}
		if err := d.endItem(); err != nil {
			return err
		}
		d.state = outsideItems
		d.head.WriteString(line)
	default:
		if before, _, _ := strings.Cut(text, " #"); strings.TrimRight(before, " ") == "items:" {
			d.state = afterItemsKey
			return nil
		}
		if d.head.Len() == 0 && (blank || strings.HasPrefix(text, "%")) {
			return nil
		}
		if d.head.Len() == 0 {
			d.line = number
		}
		d.head.WriteString(line)
	}
	return nil
}

func isBlank(text string) bool {
	trimmed := strings.TrimLeft(text, " \t")
	return trimmed == "" || trimmed[0] == '#'
}

func isDash(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// kindLine finds the kind of an item in kubectl's own form: `kind: Node`, two columns right of the dash.
var kindLine = regexp.MustCompile(`(?m)^( *)kind: ([A-Za-z]+)\r?$`)

func (d *yamlDocument) endItem() error {
	defer d.item.Reset()
	if d.item.Len() == 0 {
		return nil
	}
	item := d.item.Bytes()
	anchored := anchorMark.Match(item)
	for _, found := range kindLine.FindAllSubmatch(item, -1) {
		if len(found[1]) != d.indent+2 || d.wanted(string(found[2])) {
			continue
		}
		if anchored {
			// Later items may use what it has. Where it cannot be parsed, it has nothing to use.
			if _, err := d.anchors.toJSON(item, d.itemLine); err != nil && d.anchors.exceeded {
				return err
			}
		}
		return nil
	}
	if !anchored {
		item = withoutBulk(item, d.indent)
	}
	text, err := d.anchors.toJSON(item, d.itemLine)
	if err != nil {
		return err
	}
	object := rawObject{text, d.itemLine}
	var own typeOf
	if err := json.Unmarshal(text, &own); err != nil {
		return &lineError{d.itemLine, "an item of a list is not an object"}
	}
	if own.Kind == "" {
		d.untyped = append(d.untyped, object)
		return nil
	}
	return d.each(object)
}

// withoutBulk blanks out the two parts of kubectl's output that are most of a large file and of no use here: a node's status.images and any metadata.managedFields,
// both four columns right of the item's dash. The lines stay, so that line numbers in errors are right.
func withoutBulk(item []byte, dash int) []byte {
	if !bytes.Contains(item, []byte("images:")) && !bytes.Contains(item, []byte("managedFields:")) {
		return item
	}
	out := make([]byte, 0, len(item))
	section, dropping := "", false
	for line := range bytes.Lines(item) {
		text := strings.TrimRight(string(line), "\r\n")
		content := strings.TrimLeft(text, " ")
		indent := len(text) - len(content)
		if dropping && (content == "" || indent > dash+4 || indent == dash+4 && isDash(content)) {
			out = append(out, '\n')
			continue
		}
		dropping = false
		switch {
		case content != "" && indent == dash+2:
			section = content
		case indent == dash+4 && (section == "status:" && content == "images:" || section == "metadata:" && content == "managedFields:"):
			dropping = true
			out = append(out, '\n')
			continue
		}
		out = append(out, line...)
	}
	return out
}

func (d *yamlDocument) end() error {
	if err := d.endItem(); err != nil {
		return err
	}
	if d.state == afterItemsKey {
		d.head.WriteString("items:\n")
	}
	if d.head.Len() == 0 {
		return nil
	}
	text, err := d.anchors.toJSON(d.head.Bytes(), d.line)
	if err != nil {
		return err
	}
	if string(text) == "null" {
		return nil
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return &lineError{d.line, "a document is not a Kubernetes object"}
	}
	// A list in flow style, or one with its items inline.
	var items []json.RawMessage
	if err := json.Unmarshal(members["items"], &items); err == nil {
		for _, item := range items {
			var own typeOf
			if err := json.Unmarshal(item, &own); err != nil {
				return &lineError{d.line, "an item of a list is not an object"}
			}
			if own.Kind == "" {
				d.untyped = append(d.untyped, rawObject{item, d.line})
			} else if err := d.each(rawObject{item, d.line}); err != nil {
				return err
			}
		}
		delete(members, "items")
	}
	return finish(members, d.untyped, d.line, d.each)
}

var yamlLine = regexp.MustCompile(`^(?:error converting YAML to JSON: )?yaml: line (\d+): (.*)$`)

// toJSON converts one YAML document that starts on a line of its file.
func toJSON(text []byte, line int) ([]byte, error) {
	out, err := yaml.YAMLToJSON(text)
	if err == nil {
		return out, nil
	}
	message := err.Error()
	if found := yamlLine.FindStringSubmatch(message); found != nil {
		if within, err := strconv.Atoi(found[1]); err == nil {
			// The library counts lines from 1 in the scanner's errors and from 0 in the parser's.
			if strings.HasPrefix(found[2], "did not find expected") {
				within = min(within+1, bytes.Count(bytes.TrimRight(text, "\n"), []byte("\n"))+1)
			}
			return nil, &lineError{line + within - 1, "malformed YAML: " + found[2]}
		}
	}
	return nil, &lineError{line, "malformed YAML: " + strings.TrimPrefix(strings.TrimPrefix(message, "error converting YAML to JSON: "), "yaml: ")}
}
