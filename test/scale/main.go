//go:build unix

// Command scale knows what status costs in a cluster of 5,000 real-sized nodes, beside what kubectl costs there, and fails where a bar is missed.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// The bars. Times are ratios to kubectl's, measured in the same run: a slow machine is slow for both.
const (
	statusTime    = 0.5         // of kubectl get nodes
	coldStart     = 0.7         // kubectl-etp version, of kubectl version --client
	bytesReceived = 3_000_000   // by status, on the wire
	resident      = 100_000_000 // bytes, the peak of status
)

func main() {
	nodes := flag.Int("nodes", 5000, "how many nodes the cluster has")
	endpoints := flag.Int("endpoints", 500, "how many endpoints the Service has, each on a node of its own")
	repeat := flag.Int("repeat", 11, "how often each command is timed")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./test/scale [flags]\n\nTimes kubectl-etp beside kubectl against a real API server, and ends with 1 where a bar is missed.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *endpoints > *nodes || *endpoints < 1 || *repeat < 1 {
		fmt.Fprintln(os.Stderr, "scale: at least one endpoint and one repetition, and no more endpoints than nodes")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	met, err := run(ctx, size{*nodes, *endpoints}, *repeat)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	if !met {
		os.Exit(1)
	}
}

// size is that of the cluster.
type size struct{ nodes, endpoints int }

// run says whether all bars were met.
func run(ctx context.Context, n size, repeat int) (met bool, err error) {
	kubectl, err := kube.Binary("kubectl", kube.Version)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "kubectl-etp-scale-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	plugin := filepath.Join(dir, "kubectl-etp")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", plugin, "./cmd/kubectl-etp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return false, fmt.Errorf("building kubectl-etp (run this in the repository's root): %w\n%s", err, out)
	}

	server, err := apiserver.Launch(ctx)
	if err != nil {
		return false, err
	}
	defer server.Stop()
	begin := time.Now()
	if err := load(ctx, server, n); err != nil {
		return false, fmt.Errorf("loading the cluster: %w", err)
	}
	fmt.Printf("%d nodes and a Service with %d endpoints loaded in %v\n", n.nodes, n.endpoints, time.Since(begin).Round(100*time.Millisecond))
	proxy, err := faults.New(server)
	if err != nil {
		return false, err
	}
	defer proxy.Stop()
	kubeconfig, err := server.WriteKubeconfig(filepath.Join(dir, "kubeconfig"),
		apiserver.Context{Name: "direct", User: apiserver.Admin},
		apiserver.Context{Name: "counted", User: apiserver.Admin, Server: proxy.URL})
	if err != nil {
		return false, err
	}

	// Timed without the proxy, counted with it: it would slow down most who reads most.
	env := append(os.Environ(), "HOME="+dir, "KUBECONFIG="+kubeconfig, "LC_ALL=C.UTF-8")
	status := command{env, plugin, []string{"status", "svc/" + serviceName}, statusRows(n)}
	getNodes := command{env, kubectl, []string{"get", "nodes"}, nodeRows(n)}
	version := command{env, plugin, []string{"version"}, nil}
	kubectlVersion := command{env, kubectl, []string{"version", "--client"}, nil}

	counted := func(c command) (received int64, requests int, err error) {
		c.args = append(slices.Clip(c.args), "--context=counted")
		for range 2 { // The first run fills kubectl's discovery cache, which serves for hours.
			proxy.Reset()
			if _, err := c.run(ctx); err != nil {
				return 0, 0, err
			}
		}
		_, received = proxy.Wire()
		return received, len(proxy.Requests()), nil
	}
	kubectlBytes, kubectlRequests, err := counted(getNodes)
	if err != nil {
		return false, err
	}
	statusBytes, statusRequests, err := counted(status)
	if err != nil {
		return false, err
	}
	if statusRequests == 0 || kubectlRequests == 0 {
		return false, errors.New("a command sent nothing through the proxy: what it received was not counted")
	}

	if _, err := compare(ctx, 1, status, getNodes); err != nil { // The same for the server itself.
		return false, err
	}
	work, err := compare(ctx, repeat, status, getNodes)
	if err != nil {
		return false, err
	}
	start, err := compare(ctx, repeat, version, kubectlVersion)
	if err != nil {
		return false, err
	}

	fmt.Printf("medians of %d interleaved runs\n", repeat)
	fmt.Printf("  kubectl-etp status   %8v  %10d bytes in %2d requests  %4d MB resident at most\n", work[0].median().Round(time.Millisecond), statusBytes, statusRequests, work[0].resident/1e6)
	fmt.Printf("  kubectl get nodes    %8v  %10d bytes in %2d requests  %4d MB resident at most\n", work[1].median().Round(time.Millisecond), kubectlBytes, kubectlRequests, work[1].resident/1e6)
	fmt.Printf("  kubectl-etp version  %8v\n", start[0].median().Round(100*time.Microsecond))
	fmt.Printf("  kubectl version      %8v\n", start[1].median().Round(100*time.Microsecond))

	met = true
	for _, b := range []bar{
		{"time of status / kubectl get nodes", ratio(work[0], work[1]), statusTime},
		{"bytes received by status", float64(statusBytes), bytesReceived},
		{"bytes resident in status", float64(work[0].resident), resident},
		{"cold start / kubectl's", ratio(start[0], start[1]), coldStart},
	} {
		fmt.Println(b)
		met = met && b.met()
	}
	return met, nil
}

// bar is something measured and the most that it may be.
type bar struct {
	name     string
	measured float64
	most     float64
}

func (b bar) met() bool { return b.measured <= b.most }

func (b bar) String() string {
	verdict := "met   "
	if !b.met() {
		verdict = "MISSED"
	}
	format := "%s  %-36s %10.2f  (at most %.1f)"
	if b.most > 10 {
		format = "%s  %-36s %10.0f  (at most %.0f)"
	}
	return fmt.Sprintf(format, verdict, b.name, b.measured, b.most)
}

// command is something to time. Its output must satisfy check, which may be nil: a command that fails fast is not fast.
type command struct {
	env   []string
	path  string
	args  []string
	check func(stdout []byte) error
}

// cost is what one run took.
type cost struct {
	time     time.Duration
	resident int64 // bytes
}

func (c command) run(ctx context.Context) (cost, error) {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	kube.EndWithParent(cmd)
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	name := filepath.Base(c.path)
	if err != nil {
		return cost{}, fmt.Errorf("%s %v: %w\n%s", name, c.args, err, stderr.Bytes())
	}
	if c.check != nil {
		if err := c.check(stdout.Bytes()); err != nil {
			return cost{}, fmt.Errorf("%s %v did not do its job: %w", name, c.args, err)
		}
	}
	return cost{took, peak(cmd.ProcessState)}, nil
}
