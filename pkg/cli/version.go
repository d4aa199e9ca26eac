package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// release is the version that .goreleaser.yaml stamps an archive's binary with, and "" in any other build.
var release string

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    "Print the version of this program and of the Kubernetes libraries in it. No cluster is asked.",
		Example: "  kubectl etp version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
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
			var b strings.Builder
			fmt.Fprintf(&b, "Client Version: %s\nKubernetes Libraries: %s\nGo: %s %s/%s\n", version, libraries, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return a.write([]byte(b.String()))
		},
	}
}
