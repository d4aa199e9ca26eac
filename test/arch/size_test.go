package arch_test

import (
	"bytes"
	"path"
	"regexp"
	"strings"
	"testing"
)

const (
	// roomLimit is in lines of a package of pkg/collect, fileLimit in those of a file that gives no reason; tests are not counted.
	roomLimit = 1500
	fileLimit = 500
)

// lengthReason is a comment of a file that is long on purpose. A reason has several words.
var lengthReason = regexp.MustCompile(`(?m)^// Over 500 lines: (\S+ ){4}`)

// byGenerator is how a file begins that nobody writes by hand.
var byGenerator = regexp.MustCompile(`^// Code generated .* DO NOT EDIT\.\n`)

// TestSizes: a package of pkg/collect that grows beyond roomLimit is several, and a file of pkg beyond fileLimit says why it is one.
func TestSizes(t *testing.T) {
	rooms := map[string]int{}
	for name, source := range sources(t) {
		if !strings.HasPrefix(name, "pkg/") || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		lines := bytes.Count(source, []byte("\n"))
		if dir := path.Dir(name); dir == "pkg/collect" || strings.HasPrefix(dir, "pkg/collect/") {
			rooms[dir] += lines
		}
		switch reason := lengthReason.Match(source); {
		case byGenerator.Match(source):
		case lines > fileLimit && !reason:
			t.Errorf("%s has %d lines: split it, or say why it is one file in a comment that begins with \"Over %d lines: \"", name, lines, fileLimit)
		case lines <= fileLimit && reason:
			t.Errorf("%s has %d lines, and a reason for more than %d: remove the comment", name, lines, fileLimit)
		}
	}
	if len(rooms) < 5 {
		t.Errorf("pkg/collect has only the packages %v", rooms)
	}
	for dir, lines := range rooms {
		if lines > roomLimit {
			t.Errorf("%s has %d lines, more than %d: split the package", dir, lines, roomLimit)
		}
	}
}
