package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// level is the value of --for: what the role allows.
type level string

const (
	forStatus level = "status"
	forWatch  level = "watch"
	forLive   level = "live"
	forFix    level = "fix"
)

// levels lists every level, the one with the fewest rights first.
func levels() []level { return []level{forStatus, forWatch, forLive, forFix} }

// rights of a level. Every level has those of the first one.
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

// command names the commands that the level is for.
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
	return "kubectl etp status, trace and dump"
}

func newRBAC(a *app) *cobra.Command {
	to := forStatus
	c := &cobra.Command{
		Use:   "rbac",
		Short: "Print the minimal ClusterRole for a command",
		Long: `Print the minimal ClusterRole for a command, with the purpose of each rule. This command does not
contact a cluster.

Without one of these rules, kubectl etp status shows what could not be read, and everything else.
kubectl etp fix changes nothing that the API server forbids, and shows its answer.

The role has to be bound to a user, as in the example.`,
		Example: `  # Print the role for status
  kubectl etp rbac

  # Allow jane to use status --live
  kubectl etp rbac --for live | kubectl apply -f -
  kubectl create clusterrolebinding etp --clusterrole kubectl-etp-live --user jane`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := ignoredFlags(c); err != nil {
				return err
			}
			return a.write([]byte(clusterRole(to)))
		},
	}
	c.Flags().Var(choice[level]{&to, levels()}, "for", "Print the role for this use")
	return c
}

// ignoredFlags is an error if a flag was given that looks as if it changed the role: rbac --user jane would look as if
// it bound the role to jane, and -n as if it printed a Role. Flags that only choose a cluster are accepted without
// effect, because aliases of kubectl often set them.
func ignoredFlags(c *cobra.Command) error {
	ignored := ""
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "user", "as", "as-group", "as-uid", "as-user-extra", "namespace":
			if f.Changed {
				ignored = f.Name
			}
		}
	})
	switch ignored {
	case "":
		return nil
	case "namespace":
		return misuse("leave it out", "--%s has no effect: the command prints a ClusterRole, which is in no namespace", ignored)
	}
	return misuse("bind it: kubectl create clusterrolebinding etp --clusterrole kubectl-etp-status --user NAME",
		"--%s has no effect: the role that is printed names no user", ignored)
}

// clusterRole is a manifest. Each rule is one line, below the line that says what it is for.
func clusterRole(l level) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What %s may request.
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
