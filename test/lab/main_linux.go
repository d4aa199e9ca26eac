// Command lab makes clusters out of network namespaces, with a real control plane and a real data plane on every node, sends real connections to every address
// of many Services, and holds what happened against the recordings in test/truth.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "agent" {
		if err := agent.Serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "agent of %s: %v\n", os.Args[2], err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(context.Background(), os.Args[1:]))
}
