// Command kubectl-etp is the kubectl plugin: kubectl etp.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-etp/kubectl-etp/pkg/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	streams, environment := cli.System()
	return cli.Main(ctx, os.Args[1:], streams, environment)
}
