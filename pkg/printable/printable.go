// Package printable decides which characters may be written to a terminal, and writes the others as escapes.
package printable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Is says whether a terminal shows r as one visible character, or as a plain space. It is false for control characters
// (C0, DEL, C1), line and paragraph separators, characters that change the direction of text, spaces other than U+0020,
// and characters that are not drawn at all (zero width, fillers, variation selectors): each of them could move the
// cursor, or make two different names look the same.
func Is(r rune) bool {
	return unicode.IsPrint(r) && (r < utf8.RuneSelf || !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}

// Line is text with an escape for each character that is not printable, line breaks among them: \n, \x1b, \u202e, and
// \xff for a byte that is not UTF-8. A text that was escaped already stays as it is.
func Line(text string) string { return escape(text, Is) }

// Text is Line for text of several lines: its line breaks stay.
func Text(text string) string { return escape(text, func(r rune) bool { return r == '\n' || Is(r) }) }

// ASCII is Line where only ASCII may be written.
func ASCII(text string) string {
	return escape(text, func(r rune) bool { return r < utf8.RuneSelf && Is(r) })
}

func escape(text string, keep func(rune) bool) string {
	harmless := true
	for i := 0; i < len(text) && harmless; i++ {
		harmless = text[i] >= ' ' && text[i] <= '~'
	}
	if harmless {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x`)
			b.WriteString(strconv.FormatUint(uint64(text[0])+0x100, 16)[1:])
		case keep(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// JSON is a JSON text with the same values, in which characters of strings that are not printable are escaped. encoding/json
// escapes C0 and two separators only.
func JSON(text []byte) []byte {
	return replace(text, func(r rune) string {
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

// YAML writes a value as sigs.k8s.io/yaml does, by its JSON form. A value with text that is not printable is written in
// flow style, which is JSON but for its longer escapes: there every string is quoted, and only quoted strings have
// escapes.
func YAML(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if !unprintable(text) {
		if out, err := yaml.JSONToYAML(text); err != nil || !unprintable(out) {
			return out, err
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return replace(b.Bytes(), func(r rune) string {
		if r > 0xffff {
			return fmt.Sprintf(`\U%08x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}), nil
}

func unprintable(text []byte) bool {
	return bytes.ContainsFunc(text, func(r rune) bool { return r != '\n' && !Is(r) })
}

// replace writes an escape for each character of a text that is not printable. Outside of its strings a text of JSON
// has none but line breaks.
func replace(text []byte, escaped func(rune) string) []byte {
	if !unprintable(text) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		if r == '\n' || Is(r) {
			out = utf8.AppendRune(out, r)
		} else {
			out = append(out, escaped(r)...)
		}
	}
	return out
}
