package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// lineIndex records where lines begin in what is read through it, to turn an offset into a line number.
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
			err = errors.New("the JSON ends in the middle of an object")
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
			return &lineError{here(), fmt.Sprintf("malformed JSON: expected an object, found %v", token)}
		}
		start := here()
		// rest are the members except items. An item without a kind of its own is kept until the kind of the list is known.
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
			return &lineError{line, fmt.Sprintf("kind %q has items without a kind of their own", own.Kind)}
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
