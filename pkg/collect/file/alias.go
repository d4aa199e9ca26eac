package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds that keep a file harmless whose aliases expand to aliases ("billion laughs"): in bytes of one document.
const (
	// maxAnchored is how much the anchors may hold that later items of a list may use.
	maxAnchored = 1 << 20
	// maxAliased is how much all aliases may add.
	maxAliased = 16 << 20
)

// anchors are those of the items of a list that have been read, written out as JSON: the items are parsed one by one, and YAML lets each of them use the anchors of
// those before it.
type anchors struct {
	values map[string]json.RawMessage
	// aliased is what the aliases of the document have added so far.
	aliased int64
	// exceeded is true once a bound is.
	exceeded bool
}

// anchorMark and aliasMark find what may be an anchor or an alias; it may also be part of a text.
var (
	anchorMark = regexp.MustCompile(`(?m)(?:^|[\s\[{,])&[0-9A-Za-z_-]`)
	aliasMark  = regexp.MustCompile(`(?m)(?:^|[\s\[{,])\*([0-9A-Za-z_-]+)`)
)

// toJSON converts a part of a document, an item or all but the items, that starts on a line of its file.
func (a *anchors) toJSON(text []byte, line int) ([]byte, error) {
	defines, uses := anchorMark.Match(text), aliasMark.FindAllSubmatch(text, -1)
	if !defines && len(uses) == 0 {
		return toJSON(text, line)
	}
	// The part becomes the last entry of a sequence that starts with the anchors it uses.
	var whole bytes.Buffer
	above := 0
	seen := map[string]bool{}
	for _, use := range uses {
		name := string(use[1])
		if value, ok := a.values[name]; ok && !seen[name] {
			seen[name] = true
			fmt.Fprintf(&whole, "- &%s %s\n", name, value)
			above++
		}
	}
	if a.aliased += int64(whole.Len()); a.aliased > maxAliased {
		return nil, a.tooMuch(line, "aliases up to here expand to", maxAliased)
	}
	whole.WriteString("-\n")
	for part := range bytes.Lines(text) {
		whole.WriteByte(' ')
		whole.Write(part)
	}
	whole.WriteByte('\n')
	first := line - above - 1
	var root yaml.Node
	if err := yaml.Unmarshal(whole.Bytes(), &root); err != nil {
		// The other parser says where the error is. Where it finds none, the size of the aliases is not known, and the text is refused.
		if _, where := entry(whole.Bytes(), first, above); where != nil {
			return nil, where
		}
		return nil, &lineError{line, "malformed YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if len(root.Content) != 1 || len(root.Content[0].Content) != above+1 {
		return nil, &lineError{line, "malformed YAML: a part of the document ends before its lines do"}
	}
	part := root.Content[0].Content[above]
	if a.aliased += added(part, map[*yaml.Node]int64{}); a.aliased > maxAliased {
		return nil, a.tooMuch(line, "aliases up to here expand to", maxAliased)
	}
	// What an anchor holds is written out for each anchor around it, too.
	if held(part, map[*yaml.Node]int64{}) > maxAnchored {
		return nil, a.tooMuch(line, "anchors up to here hold", maxAnchored)
	}
	names := defined(part, nil)
	for _, name := range names {
		fmt.Fprintf(&whole, "- *%s\n", name)
	}
	if err := a.keep(whole.Bytes(), names, above+1, line, first); err != nil {
		return nil, err
	}
	return entry(whole.Bytes(), first, above)
}

// keep notes the values of anchors, which are the entries of a sequence from one on.
func (a *anchors) keep(sequence []byte, names []string, from, line, first int) error {
	if len(names) == 0 {
		return nil
	}
	text, err := toJSON(sequence, first)
	if err != nil {
		return err
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil || len(entries) != from+len(names) {
		return &lineError{line, "the anchors of an item cannot be resolved"}
	}
	if a.values == nil {
		a.values = map[string]json.RawMessage{}
	}
	for i, name := range names {
		a.values[name] = entries[from+i]
	}
	size := 0
	for _, value := range a.values {
		size += len(value)
	}
	if size > maxAnchored {
		return a.tooMuch(line, "anchors up to here hold", maxAnchored)
	}
	return nil
}

func (a *anchors) tooMuch(line int, what string, bound int) error {
	a.exceeded = true
	return &lineError{line, fmt.Sprintf("the YAML %s more than %d MiB, which is refused; write the values out instead of using aliases", what, bound>>20)}
}

// entry is one entry of a sequence as JSON.
func entry(sequence []byte, first, at int) ([]byte, error) {
	text, err := toJSON(sequence, first)
	if where, ok := errors.AsType[*lineError](err); ok {
		// Nothing is wrong with the entries above it.
		where.line = max(where.line, first+at+1)
	}
	if err != nil {
		return nil, err
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil || len(entries) <= at {
		return nil, &lineError{first + at + 1, "malformed YAML: a part of the document ends before its lines do"}
	}
	return entries[at], nil
}

// added is how many bytes the aliases below a node expand to. known has the sizes of nodes that were measured before.
func added(n *yaml.Node, known map[*yaml.Node]int64) int64 {
	if n.Kind == yaml.AliasNode {
		return size(n.Alias, known)
	}
	var sum int64
	for _, child := range n.Content {
		sum = min(sum+added(child, known), maxAliased+1)
	}
	return sum
}

// size is how many bytes a node has with all aliases written out, and no more than is too much. An anchor that contains itself counts once: the conversion refuses it.
func size(n *yaml.Node, known map[*yaml.Node]int64) int64 {
	if n.Kind == yaml.AliasNode {
		return size(n.Alias, known)
	}
	if sum, ok := known[n]; ok {
		return sum
	}
	known[n] = 0
	sum := int64(len(n.Value)) + 4
	for _, child := range n.Content {
		sum = min(sum+size(child, known), maxAliased+1)
	}
	known[n] = sum
	return sum
}

// held is how many bytes the anchors below a node hold, and no more than is too much. What lies within several of them counts for each.
func held(n *yaml.Node, known map[*yaml.Node]int64) int64 {
	if n.Kind == yaml.AliasNode {
		return 0
	}
	var sum int64
	if n.Anchor != "" {
		sum = size(n, known)
	}
	for _, child := range n.Content {
		sum = min(sum+held(child, known), maxAliased+1)
	}
	return sum
}

// defined are the names of the anchors below a node, each once.
func defined(n *yaml.Node, names []string) []string {
	if n.Kind == yaml.AliasNode {
		return names
	}
	if n.Anchor != "" && !slices.Contains(names, n.Anchor) {
		names = append(names, n.Anchor)
	}
	for _, child := range n.Content {
		names = defined(child, names)
	}
	return names
}
