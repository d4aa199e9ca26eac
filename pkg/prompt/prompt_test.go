package prompt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var menu = []Option{{"eni", "eni      keeps the client IP"}, {"cluster", "cluster  loses the client IP"}}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     int
		err      error
	}{
		{"a number", "2\n", 1, nil},
		{"a word", "eni\n", 0, nil},
		{"with space around it", "  2 \r\n", 1, nil},
		{"without a line break", "1", 0, nil},
		{"after nonsense", "0\n3\n-1\nhuh\n2\n", 1, nil},
		{"nothing", "\n", 0, ErrDeclined},
		{"q", "q\n", 0, ErrDeclined},
		{"the end", "", 0, ErrNoAnswer},
		{"the end after nonsense", "7\n", 0, ErrNoAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			got, err := New(strings.NewReader(c.in), &out).Select(t.Context(), "How?", menu)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %d, %v, want %d, %v", got, err, c.want, c.err)
			}
			if want := "How?\n  1  eni      keeps the client IP\n  2  cluster  loses the client IP\nEnter a number from 1 to 2, or press Enter to cancel: "; !strings.HasPrefix(out.String(), want) {
				t.Errorf("it shows\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		in  string
		err error
	}{
		{"y\n", nil},
		{"YES\n", nil},
		{"sure\ny\n", nil},
		{"n\n", ErrDeclined},
		{"no\n", ErrDeclined},
		{"\n", ErrDeclined},
		{"", ErrNoAnswer},
		{"yess", ErrNoAnswer},
	} {
		var out bytes.Buffer
		if err := New(strings.NewReader(c.in), &out).Confirm(t.Context(), "Make this change?"); !errors.Is(err, c.err) {
			t.Errorf("%q is %v, want %v", c.in, err, c.err)
		}
		if !strings.HasPrefix(out.String(), "Make this change? [y/N] ") {
			t.Errorf("it asks %q", out.String())
		}
	}
}

func TestInput(t *testing.T) {
	check := func(s string) error {
		if !strings.Contains(s, ".") {
			return errors.New("a name has a dot")
		}
		return nil
	}
	var out bytes.Buffer
	got, err := New(strings.NewReader("web\nweb.example\n"), &out).Input(t.Context(), "Name:", check)
	if got != "web.example" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if diff := cmp.Diff("Name: a name has a dot\nName: ", out.String()); diff != "" {
		t.Error(diff)
	}
	if _, err := New(strings.NewReader("\n"), io.Discard).Input(t.Context(), "Name:", check); !errors.Is(err, ErrDeclined) {
		t.Errorf("an empty line is %v", err)
	}
	if _, err := New(strings.NewReader("web"), io.Discard).Input(t.Context(), "Name:", check); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("the end is %v", err)
	}
}

// Input that arrives at once answers several questions.
func TestSeveralQuestions(t *testing.T) {
	p := New(strings.NewReader("2\ny\nx.example\n"), io.Discard)
	if i, err := p.Select(t.Context(), "", menu); i != 1 || err != nil {
		t.Errorf("the menu got %d, %v", i, err)
	}
	if err := p.Confirm(t.Context(), ""); err != nil {
		t.Errorf("the question got %v", err)
	}
	if name, err := p.Input(t.Context(), "", func(string) error { return nil }); name != "x.example" || err != nil {
		t.Errorf("the name is %q, %v", name, err)
	}
}

// A pipe that stays open and sends nothing is awaited until the context ends. That is neither a no nor the end of the
// input.
func TestInterrupted(t *testing.T) {
	in, say := io.Pipe()
	defer say.Close()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	ended := make(chan error)
	go func() { ended <- New(in, &notifying{asked}).Confirm(ctx, "Make this change?") }()
	<-asked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || errors.Is(err, ErrDeclined) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("it ends with %v", err)
	}
}

type notifying struct{ asked chan struct{} }

func (n *notifying) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("?")) {
		close(n.asked)
	}
	return len(p), nil
}

// A question that cannot be written is not answered.
func TestBrokenWriter(t *testing.T) {
	broken, in := io.Pipe()
	broken.Close()
	if err := New(strings.NewReader("y\n"), in).Confirm(t.Context(), "Make this change?"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("it ends with %v", err)
	}
}
