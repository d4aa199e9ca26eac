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

// readmeCommand matches a command of the README that runs a package of the clone.
var readmeCommand = regexp.MustCompile(`(?m)^\$ (go run \./(?:cmd/kubectl-etp|test/all)\b.*)$`)

// fresh runs both commands of the README in a new clone, with an empty HOME and empty caches. Of the second it runs the short form, the step unit; CI runs all of it
// in a new clone anyway.
func fresh(ctx context.Context, m *machine) error {
	dir, err := os.MkdirTemp("", "kubectl-etp-fresh-")
	if err != nil {
		return err
	}
	// Files in the module cache are read-only, and so are its folders.
	defer func() {
		// What cannot be removed is left to the system, which empties its folder for temporary files.
		_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, _ error) error {
			if d != nil && d.IsDir() {
				_ = os.Chmod(name, 0o755)
			}
			return nil
		})
		os.RemoveAll(dir)
	}()
	env := []string{"HOME=" + filepath.Join(dir, "home")}
	// Keep what is needed to find go, git and the module proxy.
	for _, name := range []string{"PATH", "GOPROXY", "GOSUMDB", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "home"), 0o755); err != nil {
		return err
	}
	// The repository may belong to another user.
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
		return fmt.Errorf("the README has %d commands for a new clone, want 2: the program and the tests", len(commands))
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
