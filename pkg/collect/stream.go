package collect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// rawObject is one object of a file as JSON, and the line on which it starts.
type rawObject struct {
	json []byte
	line int
}

// lineError is a malformed place in a file.
type lineError struct {
	line    int
	message string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

// typeOf is what an object says of itself.
type typeOf struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// readObjects calls each for every object of a stream of YAML or JSON documents, with the items of lists one by one. A list is never held in memory as a whole:
// `kubectl get nodes -o yaml` of a large cluster is one document of many megabytes. Items of kinds that wanted refuses may be skipped unparsed.
func readObjects(r io.Reader, wanted func(kind string) bool, each func(rawObject) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = in.Discard(3)
	}
	lines := 0
	for {
		b, err := in.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch b {
		case '\n':
			lines++
			continue
		case '\r', '\t':
			continue
		case ' ':
			// Leading blanks matter to YAML and not to JSON: what they lead decides.
			if next, err := in.Peek(1); err == nil && next[0] != ' ' && next[0] != '{' && next[0] != '\n' && next[0] != '\r' {
				return readYAML(in, lines+1, " ", wanted, each)
			}
			continue
		case '{':
			return readJSON(io.MultiReader(strings.NewReader("{"), in), lines, each)
		default:
			if err := in.UnreadByte(); err != nil {
				return err
			}
			return readYAML(in, lines+1, "", wanted, each)
		}
	}
}

// lineIndex remembers where the lines of what passes through it begin, so that an offset can be told as a line.
type lineIndex struct {
	r      io.Reader
	offset int64
	starts []int64
}

func (l *lineIndex) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			l.starts = append(l.starts, l.offset+int64(i)+1)
		}
	}
	l.offset += int64(n)
	return n, err
}

// line counts from 0.
func (l *lineIndex) line(offset int64) int {
	low, high := 0, len(l.starts)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if l.starts[middle] <= offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// readJSON reads JSON objects one after another. Lines before them are skipped lines.
func readJSON(r io.Reader, skipped int, each func(rawObject) error) error {
	index := &lineIndex{r: r}
	decoder := json.NewDecoder(index)
	here := func() int { return skipped + index.line(decoder.InputOffset()) + 1 }
	malformed := func(err error) error {
		var line int
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax):
			// Offset is one past the byte that is wrong; where the input ends too soon, it is the end.
			line = skipped + index.line(max(0, syntax.Offset-1)) + 1
		case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
			line = skipped + len(index.starts) + 1
			err = errors.New("the JSON ends before its object does")
		default:
			return err
		}
		return &lineError{line, "malformed JSON: " + err.Error()}
	}
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return malformed(err)
		}
		if token != json.Delim('{') {
			return &lineError{here(), fmt.Sprintf("malformed JSON: an object is expected, and %v is there", token)}
		}
		start := here()
		// The members of a list but its items; an item without a kind of its own is held until the list's is known.
		rest := map[string]json.RawMessage{}
		var untyped []rawObject
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return malformed(err)
			}
			name, _ := key.(string)
			if name != "items" {
				var value json.RawMessage
				if err := decoder.Decode(&value); err != nil {
					return malformed(err)
				}
				rest[name] = value
				continue
			}
			open, err := decoder.Token()
			if err != nil {
				return malformed(err)
			}
			if open != json.Delim('[') {
				if open == nil {
					continue
				}
				return &lineError{here(), "items is not a list"}
			}
			for decoder.More() {
				line := here()
				var value json.RawMessage
				if err := decoder.Decode(&value); err != nil {
					return malformed(err)
				}
				item := rawObject{value, line}
				var own typeOf
				if json.Unmarshal(value, &own) == nil && own.Kind != "" {
					if err := each(item); err != nil {
						return err
					}
				} else {
					untyped = append(untyped, item)
				}
			}
			if _, err := decoder.Token(); err != nil {
				return malformed(err)
			}
		}
		if _, err := decoder.Token(); err != nil {
			return malformed(err)
		}
		if err := finish(rest, untyped, start, each); err != nil {
			return err
		}
	}
}

// finish hands over an object of which the items have been taken out, or gives those of its items that have no kind the one of their list.
func finish(members map[string]json.RawMessage, untyped []rawObject, line int, each func(rawObject) error) error {
	var own typeOf
	_ = json.Unmarshal(members["kind"], &own.Kind)
	_ = json.Unmarshal(members["apiVersion"], &own.APIVersion)
	itemKind, isList := strings.CutSuffix(own.Kind, "List")
	if !isList {
		if len(untyped) > 0 {
			return &lineError{line, fmt.Sprintf("kind %q has items, and they do not say what they are", own.Kind)}
		}
		text, err := json.Marshal(members)
		if err != nil {
			return &lineError{line, err.Error()}
		}
		return each(rawObject{text, line})
	}
	for _, item := range untyped {
		if itemKind == "" {
			return &lineError{item.line, "an item of a List has no kind"}
		}
		fields := map[string]json.RawMessage{}
		if err := json.Unmarshal(item.json, &fields); err != nil {
			return &lineError{item.line, "an item of a " + own.Kind + " is not an object"}
		}
		fields["kind"], _ = json.Marshal(itemKind)
		fields["apiVersion"], _ = json.Marshal(own.APIVersion)
		text, err := json.Marshal(fields)
		if err != nil {
			return &lineError{item.line, err.Error()}
		}
		if err := each(rawObject{text, item.line}); err != nil {
			return err
		}
	}
	return nil
}

// readYAML reads YAML documents. The first line starts with prefix and is line number first.
//
// The items of a block-style list are told apart by their dashes, without parsing: YAML demands that everything inside an item be indented further than its
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
// both four columns right of the item's dash. The lines stay, so that errors are told where they are.
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
