package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

// completer is the name of the program that kubectl runs to complete "kubectl etp"; kubectl searches the PATH for it
// (kubernetes/kubectl pkg/cmd/plugin/plugin_completion.go).
const completer = "kubectl_complete-etp"

// completerMark is in every completer that this program writes. A file without it is not overwritten.
const completerMark = `kubectl runs this to complete "kubectl etp".`

// completerText returns the file name and the text of the completer.
func completerText(windows bool) (name, text string) {
	if windows {
		return completer + ".cmd", "@rem " + completerMark + "\r\n@kubectl-etp.exe __complete %*\r\n"
	}
	return completer, "#!/bin/sh\n# " + completerMark + "\nexec kubectl-etp __complete \"$@\"\n"
}

func newCompletion(a *app) *cobra.Command {
	install, dir := false, ""
	c := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell | --install",
		Short: "Print a completion script, or set up completion for kubectl",
		Long: `Print a completion script for the command kubectl-etp in a shell, or set up completion of "kubectl etp".

To complete "kubectl etp", kubectl v1.26 and later run a program named kubectl_complete-etp on the PATH.
--install writes this program, a script of a few lines, into the directory of kubectl-etp or the one given
by --dir. It does not overwrite a file that another program has written.

Names of Services, nodes and namespaces are read from the cluster. If it does not answer within 300 ms,
the shell shows no names. For a distant cluster, set KUBECTL_ETP_COMPLETION_TIMEOUT, for example to 2s.`,
		Example: `  # Set up completion of kubectl etp in every shell that completes kubectl
  kubectl etp completion --install

  # Set up completion of kubectl-etp in the current bash session
  source <(kubectl etp completion bash)`,
		Args: func(c *cobra.Command, args []string) error {
			if install {
				return cobra.NoArgs(c, args)
			}
			return cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)(c, args)
		},
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case install:
				return a.installCompleter(c.Context(), dir)
			case dir != "":
				return misuse("add --install, or leave out --dir", "--dir is only used with --install")
			}
			return a.printCompletion(c.Root(), args[0])
		},
	}
	c.Flags().BoolVar(&install, "install", false, "Write the program that kubectl runs to complete kubectl etp, and print its path")
	c.Flags().StringVar(&dir, "dir", "", "Directory on the PATH to install into (default: the directory of kubectl-etp)")
	return c
}

func (a *app) printCompletion(root *cobra.Command, shell string) error {
	var b bytes.Buffer
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&b, true)
	case "zsh":
		err = root.GenZshCompletion(&b)
	case "fish":
		err = root.GenFishCompletion(&b, true)
	case "powershell":
		err = root.GenPowerShellCompletionWithDesc(&b)
	}
	if err != nil {
		return asFailure(err)
	}
	return a.write(b.Bytes())
}

// installCompleter writes the completer. It prints the path, and what is still missing for completion to work.
func (a *app) installCompleter(ctx context.Context, dir string) error {
	if dir == "" {
		plugin, err := a.env.LookPath("kubectl-etp")
		if err != nil {
			return &ExitError{Code: exitFailed, Err: errors.New("installing completion: kubectl-etp is not on the PATH"), Next: "add it to the PATH first, or give a directory with --dir"}
		}
		dir = filepath.Dir(plugin)
	}
	base, text := completerText(a.env.Windows)
	name := filepath.Join(dir, base)
	did, err := a.place(name, text)
	if err != nil {
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("installing completion: %w", err), Next: "give another directory on the PATH with --dir"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", did, name)
	if found, err := a.env.LookPath(completer); err != nil {
		fmt.Fprintf(&b, "kubectl cannot find it yet: add %s to the PATH\n", dir)
	} else if filepath.Clean(found) != filepath.Clean(name) {
		fmt.Fprintf(&b, "kubectl uses another file, which comes first on the PATH: %s\n", found)
	}
	switch version, err := a.kubectlVersion(ctx); {
	case err != nil:
		b.WriteString("cannot tell the version of kubectl on the PATH; completion of plugins needs v1.26 or later: check with kubectl version --client\n")
	case version.Before(1, 26, 0):
		fmt.Fprintf(&b, "kubectl on the PATH is %s; completion of plugins needs v1.26 or later: update kubectl, or use the script that "+
			"kubectl etp completion prints, which completes kubectl-etp\n", version)
	}
	b.WriteString("it works in every shell that completes kubectl: see kubectl completion --help\n")
	return a.write([]byte(render.Escape(b.String())))
}

// place writes the file, or replaces an earlier one that this program wrote, and returns what it did.
func (a *app) place(name, text string) (did string, err error) {
	file, err := a.env.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "wrote", a.env.WriteProgram(name, []byte(text), false)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s already exists and is not a regular file", name)
	}
	// A completer is a few lines long: a longer file is not one.
	there, err := io.ReadAll(io.LimitReader(file, 4096))
	switch {
	case err != nil:
		return "", err
	case string(there) == text && (a.env.Windows || info.Mode()&0o111 != 0):
		return "already there:", nil
	case !bytes.Contains(there, []byte(completerMark)):
		return "", fmt.Errorf("%s already exists and was not written by this program", name)
	}
	return "replaced", a.env.WriteProgram(name, []byte(text), true)
}

// kubectlVersion is the version of the kubectl on the PATH.
func (a *app) kubectlVersion(ctx context.Context) (cluster.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := a.env.Output(ctx, "kubectl", "version", "--client")
	if err != nil {
		return cluster.Version{}, err
	}
	// Client Version: v1.36.3; before v1.28 also Client Version: version.Info{…, GitVersion:"v1.25.3", …}.
	_, text, _ := strings.Cut(string(out), "Client Version: ")
	if _, long, is := strings.Cut(text, `GitVersion:"`); is {
		text = long
	}
	if end := strings.IndexAny(text, "\"\r\n"); end >= 0 {
		text = text[:end]
	}
	version, ok := cluster.ParseVersion(text)
	if !ok {
		return cluster.Version{}, errors.New("kubectl version does not print a version")
	}
	return version, nil
}
