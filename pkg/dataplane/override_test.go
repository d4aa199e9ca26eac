package dataplane_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

func TestOverridesAreRead(t *testing.T) {
	for _, text := range dataplane.Overrides() {
		if _, err := dataplane.ParseOverride(text + "@v1.20.0"); err != nil {
			t.Error(err)
		}
	}
	if !slices.Contains(dataplane.Overrides(), "kube-proxy/ipvs") {
		t.Errorf("kube-proxy/ipvs is missing in %v", dataplane.Overrides())
	}
}

func TestParseOverride(t *testing.T) {
	for text, want := range map[string]cluster.Override{
		"kube-proxy/ipvs@v1.20.15": {Name: cluster.KubeProxy, Mode: cluster.IPVS, Version: cluster.Version{Major: 1, Minor: 20, Patch: 15, Text: "v1.20.15"}},
		"kube-proxy":               {Name: cluster.KubeProxy},
		"cilium@1.19":              {Name: cluster.Cilium, Version: cluster.Version{Major: 1, Minor: 19, Text: "1.19"}},
		"ovn-kubernetes":           {Name: cluster.OVNKubernetes},
	} {
		if got, err := dataplane.ParseOverride(text); err != nil || *got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                     `unknown data plane "", use one of: kube-proxy, cilium, calico-ebpf, antrea, ovn-kubernetes, kube-router, windows; the form is NAME`,
		"iptables":             `unknown data plane "iptables", use one of:`,
		"unknown":              `unknown data plane "unknown", use one of:`,
		"kube-proxy/userspace": `unknown mode "userspace" of kube-proxy, use one of: iptables, ipvs, nftables; the form is NAME`,
		"kube-proxy/":          `unknown mode "" of kube-proxy`,
		"cilium/dsr":           "cilium has no modes",
		"kube-proxy@new":       `"new" is not a version`,
	} {
		if got, err := dataplane.ParseOverride(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %+v, %v, want an error that starts %q", text, got, err, want)
		}
	}
}
