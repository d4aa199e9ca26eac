//go:build unix

package release_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

// pinned is an action at a commit, which nobody can move, with the version that it is for the reader.
var pinned = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (?:\./\S+|[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)

func TestWorkflows(t *testing.T) {
	root := filepath.Join("..", "..")
	names, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	// Without the programs that it would look for on the PATH, actionlint says the same on every machine.
	must(t, root, nil, tool(t, "actionlint"), "-shellcheck=", "-pyflakes=")
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: .*$`)
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range uses.FindAll(content, -1) {
			if !pinned.Match(line) {
				t.Errorf("%s does not pin its action to a commit: %s", name, line)
			}
		}
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Permissions map[string]string
				Timeout     int `json:"timeout-minutes"`
				Uses        string
			}
		}
		if err := yaml.Unmarshal(content, &workflow); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
			t.Errorf("%s starts with the permissions %v, want to read contents and no more; a job says what else it needs", name, workflow.Permissions)
		}
		for job, j := range workflow.Jobs {
			if j.Uses == "" && j.Timeout == 0 {
				t.Errorf("%s: the job %s may run for six hours", name, job)
			}
			if len(j.Permissions) > 0 && job != "publish" {
				t.Errorf("%s: the job %s takes permissions; only publish needs some", name, job)
			}
		}
	}
}
