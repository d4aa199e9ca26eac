package file

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
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

// typeOf is the type of an object.
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
