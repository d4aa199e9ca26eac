package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// level is the value of --for: what somebody is to be allowed to do.
type level string

const (
	forStatus level = "status"
	forWatch  level = "watch"
	forLive   level = "live"
	forFix    level = "fix"
)

// levels lists every level, least first.
func levels() []level { return []level{forStatus, forWatch, forLive, forFix} }

// rights of a level. Each level but the first is that one and something more.
func (l level) rights() []collect.Right {
	switch l {
	case forWatch:
		return slices.Concat(collect.Rights(), collect.WatchRights())
	case forLive:
		return slices.Concat(collect.Rights(), collect.LiveRights())
	case forFix:
		return slices.Concat(collect.Rights(), collect.FixRights(), apply.Rights())
	case forStatus:
	}
	return collect.Rights()
}

// grant is the command that prints the role.
func (l level) grant() string {
	if l == forStatus {
		return "kubectl etp rbac"
	}
	return "kubectl etp rbac --for " + string(l)
}

// command is what the level is for.
func (l level) command() string {
	switch l {
	case forWatch:
		return "kubectl etp status --watch"
	case forLive:
		return "kubectl etp status --live"
	case forFix:
		return "kubectl etp fix and undo"
	case forStatus:
	}
	return "kubectl etp status and dump"
}

func newRBAC(a *app) *cobra.Command {
	to := forStatus
	c := &cobra.Command{
		Use:   "rbac",
		Short: "Print the least ClusterRole that a command needs",
		Long: `Print the least ClusterRole that a command needs, each rule with what it is for. No cluster is asked.

Whoever lacks one of these rules is shown what could not be read for it, and everything else. What may
not be changed is not changed, and the server's refusal is shown.`,
		Example: `  # What status reads
  kubectl etp rbac

  # Let somebody see what the nodes themselves say, too
  kubectl etp rbac --for live | kubectl apply -f -
  kubectl create clusterrolebinding etp --clusterrole kubectl-etp-live --user jane`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return a.write([]byte(clusterRole(to))) },
	}
	c.Flags().Var(choice[level]{&to, levels()}, "for", "Print the role for this")
	return c
}

// clusterRole is a manifest. Each rule is one line, and stands below the line that says why.
func clusterRole(l level) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What %s may ask for.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kubectl-etp-%s
rules:
`, l.command(), l)
	for _, right := range l.rights() {
		fmt.Fprintf(&b, "# %s\n- %s\n", right.For, right)
	}
	return b.String()
}
