// Command generate writes the man pages into docs/man, the folder in which go generate runs it.
package main

import (
	"fmt"
	"os"

	"github.com/kubectl-etp/kubectl-etp/docs/man"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	pages, err := man.Pages()
	if err != nil {
		return err
	}
	for name, page := range pages {
		if err := os.WriteFile(name, page, 0o644); err != nil {
			return fmt.Errorf("writing a man page: %w", err)
		}
	}
	return nil
}
