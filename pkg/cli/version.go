package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version that .goreleaser.yaml sets in the binary of an archive, "" in any other build.
var release string

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of kubectl etp",
		Long:    "Print the version of kubectl etp and of the Kubernetes libraries in it. This command does not contact a cluster.",
		Example: "  kubectl etp version",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.write([]byte(versionText())) },
	}
}

func versionText() string {
	version, libraries := "(unknown)", "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, m := range info.Deps {
			if m.Path == "k8s.io/client-go" {
				libraries = m.Version
			}
		}
	}
	if release != "" {
		version = release
	}
	return fmt.Sprintf("Client Version: %s\nKubernetes Libraries: %s\nGo: %s %s/%s\n", version, libraries, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
