package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// normal is a value in the types that decoding JSON gives. Plans use Go's types, and objects are read as JSON.
func normal(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	err = json.Unmarshal(raw, &out)
	return out, err
}

// at is the value at a path, nil where it is absent.
func at(object map[string]any, path []string) any {
	var value any = object
	for _, name := range path {
		parent, _ := value.(map[string]any)
		value = parent[name]
	}
	return value
}

// depth is the number of names of a path, from the left, that have a value.
func depth(object map[string]any, path []string) int {
	for n := range path {
		if at(object, path[:n+1]) == nil {
			return n
		}
	}
	return len(path)
}

// put sets the value at a path, and creates the maps above it that are absent.
func put(object map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := object[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[name] = next
		}
		object = next
	}
	object[path[len(path)-1]] = value
}

// remove deletes the value at a path, and the maps above it that are empty then, but none whose path has keep names or
// fewer. It returns the path that was deleted.
func remove(object map[string]any, path []string, keep int) []string {
	for n := len(path); ; n-- {
		parent, ok := at(object, path[:n-1]).(map[string]any)
		if !ok {
			return path[:n]
		}
		delete(parent, path[n-1])
		if len(parent) > 0 || n-1 <= keep || n-1 == 0 {
			return path[:n]
		}
	}
}

func clone(object map[string]any) map[string]any {
	out := make(map[string]any, len(object))
	for key, value := range object {
		if inner, ok := value.(map[string]any); ok {
			value = clone(inner)
		}
		out[key] = value
	}
	return out
}

// mergePatch is the JSON merge patch (RFC 7386) that gives an object the new values of fields and changes nothing else.
// A merge patch merges maps key by key, so keys that a new value lacks are null in it.
func mergePatch(object map[string]any, fields []remedy.Field) map[string]any {
	patch := map[string]any{}
	for _, f := range fields {
		if was := at(object, f.Path); !reflect.DeepEqual(was, f.Now) {
			put(patch, f.Path, delta(was, f.Now))
		}
	}
	return patch
}

func delta(was, now any) any {
	before, merged := was.(map[string]any)
	after, merges := now.(map[string]any)
	if !merged || !merges {
		return now
	}
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[key]; !stays {
			out[key] = nil
		}
	}
	for key, value := range after {
		if !reflect.DeepEqual(before[key], value) {
			out[key] = delta(before[key], value)
		}
	}
	return out
}

// compact is a value as one line of JSON in printable ASCII, which a terminal shows as it is and a shell takes between
// single quotes (see quote).
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	line := bytes.TrimRight(b.Bytes(), "\n")
	var out bytes.Buffer
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		switch {
		case r >= ' ' && r <= '~':
			out.WriteByte(byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		line = line[size:]
	}
	return out.Bytes(), nil
}

// quote makes a text one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
