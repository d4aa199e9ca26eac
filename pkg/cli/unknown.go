package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/explain"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

// commandElsewhere is a command of this program, and the commands of kubectl and of similar tools that do the same.
type commandElsewhere struct {
	command string
	names   []string
}

func elsewhere() (list []commandElsewhere) {
	for _, e := range []struct{ command, names string }{
		{"status", "check diagnose diag analyze analyse doctor debug get describe show map inspect verify validate lint report test view"},
		{"trace", "route path hop hops traceroute tracert probe dial connect curl ping"},
		{"status -A", "list ls scan all"},
		{"status --watch", "watch monitor follow"},
		{"fix", "repair remedy apply patch edit set heal cure solve switch change remediate resolve migrate"},
		{"undo", "revert rollback restore reset back unfix rollout"},
		{"explain", "why doc docs man info wiki faq what learn topic"},
		{"dump", "export snapshot collect bundle save must-gather sosreport"},
		{"rbac", "role roles clusterrole permissions auth can-i"},
		{"completion", "complete autocomplete completions"},
	} {
		list = append(list, commandElsewhere{e.command, strings.Fields(e.names)})
	}
	return list
}

// sameHere is the command that does what the command of another tool does.
func sameHere(name string) (command string, ok bool) {
	for _, e := range elsewhere() {
		if slices.Contains(e.names, strings.ToLower(name)) {
			return e.command, true
		}
	}
	return "", false
}

// unknownCommand is the error for a command line that begins with none of the commands. It suggests the command line that was probably meant.
func unknownCommand(root *cobra.Command, args []string) error {
	name, rest := args[0], args[1:]
	unknown := func(next string) error {
		return misuse(next, "unknown command %q for %q", name, root.CommandPath())
	}
	meant := func(words ...string) error {
		return unknown("did you mean: " + strings.Join(append([]string{root.CommandPath()}, words...), " "))
	}
	if isTarget(name) {
		return meant(append([]string{"status"}, args...)...)
	}
	same := func(command string) error {
		if strings.HasPrefix(command, "status -A") && len(rest) > 0 {
			command = "status"
		}
		return meant(append([]string{command}, rest...)...)
	}
	if command, ok := sameHere(name); ok {
		return same(command)
	}
	if slices.ContainsFunc(remedy.Modes(), func(d remedy.Description) bool { return string(d.Mode) == name }) {
		if len(rest) == 0 {
			rest = []string{"svc/NAME"}
		}
		return meant(append(append([]string{"fix"}, rest...), "--mode="+name)...)
	}
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if near := suggest.Close(name, names); len(near) > 0 {
		return meant(append([]string{near[0]}, rest...)...)
	}
	if _, ok := explain.Find(strings.Join(args, " ")); ok {
		return meant(append([]string{"explain"}, args...)...)
	}
	var others []string
	for _, e := range elsewhere() {
		others = append(others, e.names...)
	}
	if near := suggest.Mistyped(name, others); len(near) > 0 {
		command, _ := sameHere(near[0])
		return same(command)
	}
	return unknown("see '" + root.CommandPath() + " --help'")
}

// isTarget is true for what names a Service, an Ingress or a Gateway: svc/web, or the kind alone.
func isTarget(word string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(word), "/")
	return slices.Contains(serviceKinds(), kind) || slices.Contains(ingressKinds(), kind) || slices.Contains(gatewayKinds(), kind)
}

// The names of the kinds that a target may have, as pkg/collect reads them.
func serviceKinds() []string { return []string{"svc", "service", "services"} }
func ingressKinds() []string { return []string{"ing", "ingress", "ingresses"} }
func gatewayKinds() []string { return []string{"gtw", "gateway", "gateways"} }

// newHelp is the command help. Cobra's own ends well and without a suggestion for a command that does not exist.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show help for a command",
		Long:  "Show help for a command. kubectl etp explain explains findings, modes and words on the screen.",
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var out []cobra.Completion
			for _, sub := range c.Root().Commands() {
				if len(args) == 0 && sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), typed) {
					out = append(out, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			if len(args) == 0 {
				return root.Help()
			}
			for _, sub := range root.Commands() {
				if sub.Name() == args[0] && sub.Name() != c.Name() {
					return sub.Help()
				}
			}
			if _, ok := explain.Find(strings.Join(args, " ")); ok {
				return misuse(fmt.Sprintf("did you mean: %s explain %s", root.CommandPath(), strings.Join(args, " ")), "no command %q to show help for", args[0])
			}
			return unknownCommand(root, args)
		},
	}
}
