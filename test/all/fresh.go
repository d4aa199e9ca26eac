package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// readmeCommand is a line of the README that runs something of a clone.
var readmeCommand = regexp.MustCompile(`(?m)^\$ (go run \./(?:cmd/kubectl-etp|test/all)\b.*)$`)

// fresh runs both commands of the README as somebody does who has git and Go, and nothing of this repository yet. All of the second would contain this step; what
// it runs is the part that needs nothing but Go, and CI runs the whole of it in a new clone anyway.
func fresh(ctx context.Context, m *machine) error {
	dir, err := os.MkdirTemp("", "kubectl-etp-fresh-")
	if err != nil {
		return err
	}
	// The module cache is written without the permission to remove what is in it.
	defer func() {
		// What cannot be removed stays in the folder for temporary files, which is the system's to empty.
		_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, _ error) error {
			if d != nil && d.IsDir() {
				_ = os.Chmod(name, 0o755)
			}
			return nil
		})
		os.RemoveAll(dir)
	}()
	env := []string{"HOME=" + filepath.Join(dir, "home")}
	// And what finds go, git and the module registry.
	for _, name := range []string{"PATH", "GOPROXY", "GOSUMDB", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "home"), 0o755); err != nil {
		return err
	}
	// The repository may belong to somebody else than the user who runs this.
	clone := m.command(ctx, "", nil, "git", "-c", "safe.directory=*", "clone", "-q", "--no-local", m.root, filepath.Join(dir, "clone"))
	if err := clone.Run(); err != nil {
		return fmt.Errorf("git clone: %w", err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "clone", "README.md"))
	if err != nil {
		return err
	}
	commands := readmeCommand.FindAllStringSubmatch(string(readme), -1)
	if len(commands) != 2 {
		return fmt.Errorf("the README has %d commands for a new clone, want that of the program and that of the tests", len(commands))
	}
	var failed []error
	for _, command := range commands {
		words := strings.Fields(command[1])
		if words[2] == "./test/all" {
			words = append(words, "unit")
		}
		fmt.Printf("$ %s (in a new clone)\n", strings.Join(words, " "))
		cmd := m.command(ctx, "", nil, words[0], words[1:]...)
		cmd.Dir, cmd.Env = filepath.Join(dir, "clone"), env
		if err := cmd.Run(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", strings.Join(words, " "), err))
		}
	}
	return errors.Join(failed...)
}
