package collect

import (
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

func TestParseDataplane(t *testing.T) {
	for text, want := range map[string]Override{
		"kube-proxy/ipvs@v1.20.15": {Name: cluster.KubeProxy, Mode: cluster.IPVS},
		"kube-proxy":               {Name: cluster.KubeProxy},
		"cilium@1.19":              {Name: cluster.Cilium},
		"ovn-kubernetes":           {Name: cluster.OVNKubernetes},
	} {
		_, version, _ := strings.Cut(text, "@")
		got, err := ParseDataplane(text)
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != want.Name || got.Mode != want.Mode || got.Version.Text != version {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for _, bad := range []string{"", "iptables", "kube-proxy/userspace", "cilium/dsr", "kube-proxy@new", "kube-proxy/"} {
		if override, err := ParseDataplane(bad); err == nil {
			t.Errorf("%q is taken as %+v", bad, override)
		}
	}
}
