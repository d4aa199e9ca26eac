package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/record"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

const (
	// dialSocket is where a program that is held asks for connections.
	dialSocket = workDir + "/dial"
	// programEnv tells a program that is held where this program is, to be run with the command dial.
	programEnv = "KUBECTL_ETP_LAB"
)

// question asks what connections to a Service meet; answer is what they met.
type question struct {
	Service string
	Kind    string // of address; "" for all
}

type answer struct {
	Probes []recordings.Probe
	Error  string
}

// hold runs a program beside a cluster, and dials for it when it asks.
func hold(ctx context.Context, k *cluster.Cluster, slow bool, program []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", dialSocket)
	if err != nil {
		return fmt.Errorf("waiting to be asked for connections: %w", err)
	}
	defer l.Close()
	go func() {
		// One after another: they would count as each other's.
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reply(ctx, k, slow, c)
		}
	}()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.Control.Kubeconfig, programEnv+"="+self)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func reply(ctx context.Context, k *cluster.Cluster, slow bool, c net.Conn) {
	defer c.Close()
	var q question
	var a answer
	err := json.NewDecoder(c).Decode(&q)
	if err == nil {
		a.Probes, err = record.Ask(ctx, k, q.Service, q.Kind, slow)
	}
	if err != nil {
		a.Error = err.Error()
	}
	// Whoever asked and went away wants no answer.
	_ = json.NewEncoder(c).Encode(a)
}

// dial is the command for programs that are held: SERVICE[/KIND]. It prints what every source met at every address.
func dial(ctx context.Context, o options, args []string) error {
	if len(args) != 1 {
		return errors.New("dial needs one SERVICE, or SERVICE/KIND with a kind of address such as " + recordings.TargetLoadBalancerIP)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", dialSocket)
	if err != nil {
		return fmt.Errorf("asking the lab for connections, which only a program run by its command hold can: %w", err)
	}
	defer c.Close()
	var q question
	q.Service, q.Kind, _ = strings.Cut(args[0], "/")
	if err := json.NewEncoder(c).Encode(q); err != nil {
		return fmt.Errorf("asking the lab for connections: %w", err)
	}
	var a answer
	if err := json.NewDecoder(c).Decode(&a); err != nil {
		return fmt.Errorf("hearing from the lab: %w", err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(a.Probes)
	}
	for _, p := range a.Probes {
		fmt.Printf("%s %s %s:%d/%s\n", p.Service, p.Target.Kind, p.Target.Address, p.Target.Port, p.Target.Protocol)
		for _, r := range p.Results {
			fmt.Printf("  %-16s %s\n", r.From, r)
		}
	}
	return nil
}
