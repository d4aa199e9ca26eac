package collect

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Override is a data plane that the user names.
type Override = cluster.Override

const overrideForm = "NAME[/MODE][@VERSION], as in kube-proxy/ipvs@v1.20.15, kube-proxy/iptables or cilium@1.19"

// DataplaneWords are the names that ParseDataplane reads, without a version: those of kube-proxy with each mode.
func DataplaneWords() []string {
	words := []string{string(cluster.KubeProxy)}
	for _, mode := range []cluster.ProxyMode{cluster.IPTables, cluster.IPVS, cluster.NFTables} {
		words = append(words, string(cluster.KubeProxy)+"/"+string(mode))
	}
	for _, name := range []cluster.DataplaneName{cluster.Cilium, cluster.CalicoEBPF, cluster.Antrea, cluster.OVNKubernetes, cluster.KubeRouter, cluster.Windows} {
		words = append(words, string(name))
	}
	return words
}

// ParseDataplane reads NAME[/MODE][@VERSION]. Its errors are UsageErrors.
func ParseDataplane(s string) (*Override, error) {
	fail := func(format string, args ...any) (*Override, error) {
		return nil, &UsageError{fmt.Sprintf("--dataplane %q: %s; write %s", s, fmt.Sprintf(format, args...), overrideForm)}
	}
	rest, version, hasVersion := strings.Cut(strings.TrimSpace(s), "@")
	name, mode, hasMode := strings.Cut(rest, "/")
	var out Override
	switch cluster.DataplaneName(name) {
	case cluster.KubeProxy, cluster.Cilium, cluster.CalicoEBPF, cluster.Antrea, cluster.OVNKubernetes, cluster.KubeRouter, cluster.Windows:
		out.Name = cluster.DataplaneName(name)
	case "":
		return fail("no data plane is named")
	default:
		return fail("no data plane %q is known (kube-proxy, cilium, calico-ebpf, antrea, ovn-kubernetes, kube-router, windows)", name)
	}
	if hasMode {
		switch {
		case out.Name != cluster.KubeProxy:
			return fail("%s has no modes", name)
		case mode == string(cluster.IPTables), mode == string(cluster.IPVS), mode == string(cluster.NFTables):
			out.Mode = cluster.ProxyMode(mode)
		default:
			return fail("no mode %q of kube-proxy is known (iptables, ipvs, nftables)", mode)
		}
	}
	if hasVersion {
		parsed, ok := cluster.ParseVersion(version)
		if !ok {
			return fail("%q is not a version", version)
		}
		out.Version = parsed
	}
	return &out, nil
}
