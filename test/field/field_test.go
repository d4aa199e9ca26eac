// Package field_test knows clusters of public reports, and what is right about them: one .txtar a report.
//
// A file starts with a comment: what was reported in plain words, then a line "# Source: " with the address of the report or the document, and a line "# Releases: "
// with the versions that matter. Its two sections are:
//
//	cluster.yaml  the manifests that decide, as small as they can be
//	right         what is right, written by hand from the report and its sources, never from what the program prints
//
// A line of right is a command or a statement; # starts a comment. The command
//
//	status svc/NAME -n NAMESPACE     what is typed; the statements below it are about its report
//
// comes first. In statements, NODES is a list of names or patterns with commas (* is every node), FROM is Node, Pod or External, or a list of them, TO is the kind of
// address, with the port where one is meant (LoadBalancerIP:443), and WANT is the right word, or several with | between them:
//
//	service NAMESPACE/NAME           the report is about this Service (where the command names a Gateway or an Ingress)
//	provider NAME                    the load balancer's name
//	dataplane NAME [MODE [VERSION]]  what answers for Services on the nodes
//	backends WANT                    what the load balancer sends to: Nodes, Pods or Mixed
//	announcer WANT                   the node that announces the address
//	outside WANT                     the outcome of connections from outside, over all backends
//	receives NODES WANT              whether the load balancer sends to these nodes: Yes, No or Unknown
//	share NODES NUMBER               the part of the connections that each of these nodes gets; - is left out, because it is not known
//	podshare NODES NUMBER            the part that each of its pods gets
//	path NODES FROM TO WANT          the outcome of such connections
//	client NODES FROM TO WANT        which client IP the endpoint sees
//	finding CODES WANT               one of these findings (| between them) is there, with one of these results
//	no CODES                         none of these findings is there with the result Fail
//	text "PART"                      the screen contains this
//	without "PART"                   the screen does not contain this
//
// A statement may begin with
//
//	after MODE                       it is about the report that a plan of `fix --mode=MODE` expects
//	later                            the right answer needs a rule or a measurement that is not there yet: Unknown is accepted too, or nothing said of it.
//	                                 A certain answer must be the right one, and what an Unknown path says is possible must include it
//
// Whatever else a report says: an Unknown has a reason.
package field_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kubectl-etp/kubectl-etp/pkg/cli"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/report/v1alpha1"
)

func TestReports(t *testing.T) {
	for _, file := range files(t) {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) {
			c, err := readCase(file)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t)
		})
	}
}

func TestEveryFileIsRun(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); ext != ".go" && ext != ".txtar" || entry.IsDir() {
			t.Errorf("%s is not a case that runs: cases are *.txtar in this folder", entry.Name())
		}
	}
}

func files(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("*.txtar")
	if err != nil || len(list) == 0 {
		t.Fatal("no *.txtar here", err)
	}
	return list
}

// fieldCase is one file.
type fieldCase struct {
	manifests  []byte
	statements []statement
}

func readCase(file string) (*fieldCase, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	return parseCase(file, archive)
}

func parseCase(file string, archive *txtar.Archive) (*fieldCase, error) {
	comment := string(archive.Comment)
	for line := range strings.SplitSeq(strings.TrimSuffix(comment, "\n"), "\n") {
		if !strings.HasPrefix(line, "#") {
			return nil, fmt.Errorf("%s: a line before the sections is no comment: %q", file, line)
		}
	}
	for _, wanted := range []string{"\n# Source: ", "\n# Releases: "} {
		if !strings.Contains(comment, wanted) {
			return nil, fmt.Errorf("%s: the comment has no line that starts with %q", file, strings.TrimSpace(wanted))
		}
	}
	if len(archive.Files) != 2 || archive.Files[0].Name != "cluster.yaml" || archive.Files[1].Name != "right" {
		return nil, fmt.Errorf("%s: its sections are not cluster.yaml and right", file)
	}
	c := &fieldCase{manifests: archive.Files[0].Data}
	// The numbers of lines are those of the file; each section has a line with its name above it.
	above := bytes.Count(archive.Comment, []byte("\n")) + 1 + bytes.Count(c.manifests, []byte("\n")) + 1
	var err error
	c.statements, err = parseRight(file, above, string(archive.Files[1].Data))
	return c, err
}

// check runs the commands of the case, and holds the statements against what they print.
func (c *fieldCase) check(t *testing.T) {
	var command []string
	printed := map[string]*view{}
	for i := range c.statements {
		s := &c.statements[i]
		if s.verb == "status" {
			command = s.args
			clear(printed)
		}
		if printed[s.after] == nil {
			v, err := c.view(t, command, s.after)
			if err != nil {
				t.Fatalf("%s: status %s: %v", s.where, strings.Join(command, " "), err)
			}
			printed[s.after] = v
		}
		for _, problem := range s.problems(printed[s.after]) {
			t.Errorf("%s: %s: %s", s.where, s.line, problem)
		}
	}
}

// view is the report as it is, or as the plan of a mode expects it.
func (c *fieldCase) view(t *testing.T, command []string, mode string) (*view, error) {
	t.Helper()
	if mode != "" {
		printed, err := c.expected(t, command, mode)
		if err != nil {
			return nil, err
		}
		return readView(printed, "")
	}
	printed, err := c.run(t, append([]string{"status", "-f", "-", "--show-passed", "-o", "json"}, command...))
	if err != nil {
		return nil, err
	}
	screen, err := c.run(t, append([]string{"status", "-f", "-"}, command...))
	if err != nil {
		return nil, err
	}
	return readView(printed, string(screen))
}

// run is what a command prints that reads the manifests from standard input.
func (c *fieldCase) run(t *testing.T, words []string) ([]byte, error) {
	t.Helper()
	streams, environment := cli.System()
	var out, failure bytes.Buffer
	streams.In, streams.Out, streams.Err = bytes.NewReader(c.manifests), &out, &failure
	environment.Getenv = func(name string) string { return map[string]string{"LC_ALL": "C.UTF-8"}[name] }
	environment.Columns = func(io.Writer) (int, bool) { return 0, false }
	if code := cli.Main(t.Context(), words, streams, environment); code != 0 {
		return nil, fmt.Errorf("exit code %d: %s", code, failure.String())
	}
	return out.Bytes(), nil
}

// expected is the report that a plan expects where nothing stands around the Service.
func (c *fieldCase) expected(t *testing.T, command []string, mode string) ([]byte, error) {
	t.Helper()
	objects, err := collect.Offline(t.Context(), collect.Input{
		Paths: []string{"-"}, Stdin: bytes.NewReader(c.manifests), Open: func(string) (fs.File, error) { return nil, fs.ErrNotExist },
	})
	if err != nil {
		return nil, err
	}
	query := collect.Query{Args: command}
	if len(command) == 3 && command[1] == "-n" {
		query.Args, query.Namespace = command[:1], command[2]
	}
	snapshot, err := objects.Snapshot(query)
	if err != nil {
		return nil, err
	}
	reports := report.Diagnose(snapshot)
	if len(reports) != 1 {
		return nil, fmt.Errorf("%d Services are meant", len(reports))
	}
	facts := &remedy.Facts{
		Snapshot: snapshot, Service: reports[0].Service, Provider: reports[0].Provider, Findings: reports[0].Findings, Surroundings: &cluster.Surroundings{},
	}
	plan, err := remedy.Make(remedy.Mode(mode), facts, remedy.Options{})
	if err != nil {
		return nil, err
	}
	after := report.Diagnose(plan.Simulate(snapshot))
	return json.Marshal(v1alpha1.Of(&after[0]))
}
