package cli

import (
	"bytes"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for a shell",
		Long: `Print a completion script for the command kubectl-etp in a shell.

kubectl itself completes "kubectl etp" where it finds an executable of the name
kubectl_complete-etp on the PATH. It is one line:
  kubectl etp __complete "$@"`,
		Example: `  # Bash, for this session
  source <(kubectl etp completion bash)`,
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			var b bytes.Buffer
			var err error
			switch args[0] {
			case "bash":
				err = c.Root().GenBashCompletionV2(&b, true)
			case "zsh":
				err = c.Root().GenZshCompletion(&b)
			case "fish":
				err = c.Root().GenFishCompletion(&b, true)
			case "powershell":
				err = c.Root().GenPowerShellCompletionWithDesc(&b)
			}
			if err != nil {
				return failed(err)
			}
			return a.write(b.Bytes())
		},
	}
}
