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

// completer is the program that kubectl looks for on the PATH where it completes "kubectl etp" (kubernetes/kubectl pkg/cmd/plugin/plugin_completion.go).
const completer = "kubectl_complete-etp"

// completerMark is in every completer of ours. What does not have it is somebody else's, and stays.
const completerMark = `kubectl runs this to complete "kubectl etp".`

// completerText is the completer's file name and text.
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

kubectl v1.26 and later complete "kubectl etp" where they find a program named kubectl_complete-etp
on the PATH. With --install it is written beside kubectl-etp, or into the folder of --dir. It is three
lines long, and nothing that somebody else has put there is overwritten.

A shell is answered within 300 ms, or with nothing. The variable KUBECTL_ETP_COMPLETION_TIMEOUT gives a
cluster that is far away longer, as in 2s.`,
		Example: `  # Complete kubectl etp, in every shell in which kubectl is completed
  kubectl etp completion --install

  # Complete kubectl-etp in bash, for this session
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
				return misuse("add --install, or leave out --dir", "--dir names a folder for --install")
			}
			return a.printCompletion(c.Root(), args[0])
		},
	}
	c.Flags().BoolVar(&install, "install", false, "Write the program that kubectl completes kubectl etp with, and say where")
	c.Flags().StringVar(&dir, "dir", "", "Install into this folder on the PATH; the default is the one where kubectl-etp is found")
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

// installCompleter writes the completer, says where, and what else completion needs.
func (a *app) installCompleter(ctx context.Context, dir string) error {
	if dir == "" {
		plugin, err := a.env.LookPath("kubectl-etp")
		if err != nil {
			return &ExitError{Code: exitFailed, Err: errors.New("installing completion: kubectl-etp is not on the PATH"), Next: "put it there first, or name a folder by --dir"}
		}
		dir = filepath.Dir(plugin)
	}
	base, text := completerText(a.env.Windows)
	name := filepath.Join(dir, base)
	did, err := a.place(name, text)
	if err != nil {
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("installing completion: %w", err), Next: "name another folder on the PATH by --dir"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", did, name)
	if found, err := a.env.LookPath(completer); err != nil {
		fmt.Fprintf(&b, "kubectl does not find it yet: put %s on the PATH\n", dir)
	} else if filepath.Clean(found) != filepath.Clean(name) {
		fmt.Fprintf(&b, "kubectl finds %s first\n", found)
	}
	switch version, err := a.kubectlVersion(ctx); {
	case err != nil:
		b.WriteString("kubectl completes plugins since v1.26; which one is on the PATH could not be found out: see kubectl version --client\n")
	case version.Before(1, 26, 0):
		fmt.Fprintf(&b, "kubectl on the PATH is %s, and completes plugins only from v1.26 on: update it, or complete kubectl-etp itself with the script that "+
			"kubectl etp completion prints for a shell\n", version)
	}
	b.WriteString("it works in every shell in which kubectl is completed: see kubectl completion --help\n")
	return a.write([]byte(render.Escape(b.String())))
}

// place writes a program of ours where there is none, or an earlier one of ours, and says what it did.
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
		return "", fmt.Errorf("%s is there already, and is no file", name)
	}
	// Ours is a few lines; what is much longer is not.
	there, err := io.ReadAll(io.LimitReader(file, 4096))
	switch {
	case err != nil:
		return "", err
	case string(there) == text && (a.env.Windows || info.Mode()&0o111 != 0):
		return "already there:", nil
	case !bytes.Contains(there, []byte(completerMark)):
		return "", fmt.Errorf("%s is there already, and was not written by this program", name)
	}
	return "replaced", a.env.WriteProgram(name, []byte(text), true)
}

// kubectlVersion asks the kubectl on the PATH.
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
		return cluster.Version{}, errors.New("it does not say which version it is")
	}
	return version, nil
}
