// Package cured knows whether connections that fail in a running cluster succeed after `kubectl etp fix`, and fail again after `kubectl etp undo`.
package cured

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/record"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// service has policy Local, and endpoints on some nodes only.
const service = "local-some"

// Differences lets binary cure the Service for real and take the cure back, and returns a line for everything that is not as it should be: some processes and some
// pods cannot use the load balancer address before, all of them can after the fix, and the same ones cannot after its undoing. Afterwards the cluster is what it was.
func Differences(ctx context.Context, c *cluster.Cluster, binary string, slow bool) ([]string, error) {
	before, err := inside(ctx, c, slow)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, kind := range []string{"node/", "pod/"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(before)), func(from string) bool {
			return strings.HasPrefix(from, kind) && before[from] != recordings.Reachable
		}) {
			lines = append(lines, fmt.Sprintf("fix: nothing to cure: no %s fails to reach %s", strings.TrimSuffix(kind, "/"), service))
		}
	}
	if err := run(ctx, c, binary, "fix", "svc/"+service, "--mode=cluster", "--yes", "--timeout=5s"); err != nil {
		return nil, err
	}
	cured, err := inside(ctx, c, slow)
	if err != nil {
		return nil, err
	}
	for _, from := range slices.Sorted(maps.Keys(cured)) {
		if cured[from] != recordings.Reachable {
			lines = append(lines, fmt.Sprintf("fix: %s meets %s after fix --mode=cluster, and met %s before", from, cured[from], before[from]))
		}
	}
	if err := run(ctx, c, binary, "undo", "svc/"+service, "--yes", "--timeout=5s"); err != nil {
		return nil, err
	}
	after, err := inside(ctx, c, slow)
	if err != nil {
		return nil, err
	}
	for _, from := range slices.Sorted(maps.Keys(before)) {
		if after[from] != before[from] {
			lines = append(lines, fmt.Sprintf("undo: %s meets %s, and met %s before the fix", from, after[from], before[from]))
		}
	}
	return lines, nil
}

// inside is what processes on nodes and pods meet at the load balancer address, by source.
func inside(ctx context.Context, c *cluster.Cluster, slow bool) (map[string]recordings.Outcome, error) {
	probes, err := record.Ask(ctx, c, service, recordings.TargetLoadBalancerIP, slow)
	if err != nil {
		return nil, err
	}
	met := map[string]recordings.Outcome{}
	for _, r := range probes[0].Results {
		if strings.HasPrefix(r.From, "node/") || strings.HasPrefix(r.From, "pod/") {
			met[r.From] = r.Outcome
		}
	}
	return met, nil
}

func run(ctx context.Context, c *cluster.Cluster, binary string, args ...string) error {
	cmd := exec.CommandContext(ctx, binary, append(args, "-n", scenario.Namespace)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Control.Kubeconfig)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running kubectl etp %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
