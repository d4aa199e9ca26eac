package detect_test

import (
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// read is what a file, or a text where in is not nil, says of a cluster.
func read(t *testing.T, name string, in *strings.Reader, override *cluster.Override) *cluster.Snapshot {
	t.Helper()
	input := file.Input{Paths: []string{name}, Open: func(name string) (fs.File, error) { return os.Open(name) }}
	if in != nil {
		input.Paths, input.Stdin = []string{"-"}, in
	}
	read, err := file.Read(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	s, err := read.Snapshot(objects.Query{Dataplane: override})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// detections are clusters by what runs in them, each a file of testdata, with the data plane of most of their nodes. pkg/collect reads the same files from an API server.
func detections() []detection {
	return []detection{
		{
			"eks", cluster.KubeProxy, cluster.IPTables, "v1.29.3-minimal-eksbuild.2", cluster.Observed, "configmap kube-system/kube-proxy-config", cluster.NoDetection, cluster.No,
			nil,
		},
		{
			"ack-terway", cluster.KubeProxy, cluster.IPVS, "v1.30.1-aliyun.1", cluster.Observed, "configmap kube-system/kube-proxy-worker", cluster.ClusterCIDR, cluster.No,
			func(t *testing.T, s *cluster.Snapshot) {
				if c := s.Dataplane.Cilium; c == nil || c.ReplacesKubeProxy || c.InClusterLoadBalance != cluster.Yes {
					t.Errorf("Cilium inside Terway: %+v", c)
				}
				own := map[string]cluster.DataplaneName{}
				for _, n := range s.Nodes {
					if n.Dataplane != nil {
						own[n.Name] = n.Dataplane.Name
					}
				}
				want := map[string]cluster.DataplaneName{"cn-c": cluster.Cilium, "win": cluster.Windows, "virtual-kubelet-h": cluster.UnknownDataplane}
				if len(own) != len(want) {
					t.Errorf("nodes of their own kind: %v", own)
				}
				for name, is := range want {
					if own[name] != is {
						t.Errorf("%s: %s, want %s", name, own[name], is)
					}
				}
			},
		},
		{
			"k3s", cluster.KubeProxy, cluster.IPTables, "v1.31.2+k3s1", cluster.Inferred, "node annotation k3s.io/node-args", cluster.ClusterCIDR, cluster.Yes,
			func(t *testing.T, s *cluster.Snapshot) {
				server := s.Nodes[s.NodeIndex("server")].Dataplane
				if server == nil || server.Mode != cluster.IPVS {
					t.Errorf("the server runs %+v", server)
				}
				if s.Dataplane.VersionConfidence != cluster.Inferred {
					t.Errorf("a kubelet's version is %s", s.Dataplane.VersionConfidence)
				}
			},
		},
		{
			"cilium", cluster.Cilium, "", "v1.19.1", cluster.Observed, "configmap kube-system/cilium-config", cluster.UnknownDetection, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if c := s.Dataplane.Cilium; c == nil || !c.ReplacesKubeProxy || c.Mode != "dsr" || !c.DropsWithoutBackend || !c.HostSocketsOnly || c.Version.String() != "v1.19.1" {
					t.Errorf("settings: %+v", c)
				}
			},
		},
		{
			"cilium-beside", cluster.KubeProxy, cluster.NFTables, "v1.32.0", cluster.Observed, "daemonset kube-system/kube-proxy", cluster.ClusterCIDR, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if c := s.Dataplane.Cilium; c == nil || c.ReplacesKubeProxy || c.Version.String() != "v1.19.1" {
					t.Errorf("Cilium beside kube-proxy: %+v", c)
				}
				if k := s.Dataplane.KubeProxy; !k.PrimaryOnly || len(k.NodePortAddresses) != 1 || len(k.ClusterCIDRs) != 1 {
					t.Errorf("settings: %+v", k)
				}
			},
		},
		{
			"cilium-own-namespace", cluster.KubeProxy, cluster.IPTables, "v1.31.4", cluster.Observed, "daemonset kube-system/kube-proxy", cluster.ClusterCIDR, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				// A ConfigMap that an earlier Cilium left in kube-system says the opposite.
				if c := s.Dataplane.Cilium; c == nil || c.ReplacesKubeProxy || c.Version.String() != "v1.19.3" {
					t.Errorf("Cilium beside kube-proxy: %+v", c)
				}
			},
		},
		{
			"cilium-other-name", cluster.Cilium, "", "v1.18.2", cluster.Observed, "configmap cilium/cilium-config", cluster.UnknownDetection, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if c := s.Dataplane.Cilium; c == nil || !c.ReplacesKubeProxy || c.Mode != "hybrid" {
					t.Errorf("settings: %+v", c)
				}
			},
		},
		{
			"cilium-unread", cluster.UnknownDataplane, "", "", cluster.UnknownConfidence,
			"daemonset kube-system/cilium runs Cilium, but configmap kube-system/cilium-config, which says whether it replaces kube-proxy, was not read",
			cluster.UnknownDetection, cluster.Undetermined, nil,
		},
		{
			"rke2-cilium", cluster.KubeProxy, cluster.IPTables, "v1.31.4-rke2r1-build20241212", cluster.Observed, "kube-proxy's static pods", cluster.ClusterCIDR, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if c := s.Dataplane.Cilium; c == nil || c.ReplacesKubeProxy || c.Version.String() != "v1.16.4" {
					t.Errorf("Cilium beside kube-proxy: %+v", c)
				}
			},
		},
		{
			"microk8s", cluster.KubeProxy, cluster.IPTables, "v1.31.3", cluster.Inferred, "node label microk8s.io/cluster, with the default arguments of MicroK8s", cluster.ClusterCIDR,
			cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if ranges := s.Dataplane.KubeProxy.ClusterCIDRs; len(ranges) != 1 || ranges[0].String() != "10.1.0.0/16" {
					t.Errorf("pods: %v", ranges)
				}
			},
		},
		{
			// A pod is outside of the default range: the arguments have been changed, and who counts as a pod is not known.
			"microk8s-other-range", cluster.KubeProxy, cluster.IPTables, "v1.31.3", cluster.Inferred, "node label microk8s.io/cluster, with the default arguments of MicroK8s",
			cluster.UnknownDetection, cluster.Undetermined, nil,
		},
		{"microk8s-cilium", cluster.Cilium, "", "v1.15.2", cluster.Observed, "configmap kube-system/cilium-config", cluster.UnknownDetection, cluster.Undetermined, nil},
		{
			"microk8s-kube-ovn", cluster.UnknownDataplane, "", "", cluster.UnknownConfidence,
			"daemonset kube-system/kube-ovn-cni handles pods' connections to Services beside kube-proxy; how the two share the work is not known",
			cluster.UnknownDetection, cluster.Undetermined, nil,
		},
		{
			"eks-auto", cluster.KubeProxy, "", "v1.32.1-eks-5d632ec", cluster.Inferred,
			"node label eks.amazonaws.com/compute-type=auto: AWS runs kube-proxy on the node and does not show its mode", cluster.UnknownDetection, cluster.Undetermined, nil,
		},
		{
			// The DaemonSet keeps away from the nodes of Auto Mode by affinity.
			"eks-auto-mixed", cluster.KubeProxy, cluster.IPTables, "v1.32.0-minimal-eksbuild.2", cluster.Observed, "configmap kube-system/kube-proxy-config", cluster.NoDetection,
			cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				for i := range s.Nodes {
					n := &s.Nodes[i]
					if auto := n.Labels["eks.amazonaws.com/compute-type"] == "auto"; auto != (n.Dataplane != nil) || auto && n.Dataplane.Mode != "" {
						t.Errorf("%s: %+v", n.Name, n.Dataplane)
					}
				}
			},
		},
		{
			"openshift-sdn", cluster.KubeProxy, cluster.IPTables, "v1.27.8+4fab27b", cluster.Inferred, "configmap openshift-sdn/sdn-config", cluster.ClusterCIDR, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if ranges := s.Dataplane.KubeProxy.ClusterCIDRs; len(ranges) != 1 || ranges[0].String() != "10.128.0.0/14" {
					t.Errorf("pods: %v", ranges)
				}
			},
		},
		{
			"tigera-ebpf", cluster.CalicoEBPF, "", "v3.29.1", cluster.Inferred, "installation default", cluster.UnknownDetection, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if s.Dataplane.Calico == nil || !s.Dataplane.Calico.DSR {
					t.Errorf("settings: %+v", s.Dataplane.Calico)
				}
			},
		},
		{
			"tigera-under-way", cluster.UnknownDataplane, "", "", cluster.UnknownConfidence,
			"installation default turns Calico's eBPF data plane on, but felixconfiguration default turns it off", cluster.UnknownDetection, cluster.Undetermined, nil,
		},
		{"tigera-iptables", cluster.KubeProxy, cluster.IPTables, "v1.30.2", cluster.Observed, "daemonset kube-system/kube-proxy", cluster.NoDetection, cluster.Undetermined, nil},
		{
			"tigera-environment", cluster.CalicoEBPF, "", "v3.20.1", cluster.Observed, "FELIX_BPFENABLED of daemonset calico-system/calico-node", cluster.UnknownDetection,
			cluster.Undetermined, nil,
		},
		{
			"gke-dpv2", cluster.Cilium, "", "", cluster.Inferred, "daemonset kube-system/anetd", cluster.UnknownDetection, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				const why = "daemonset kube-system/anetd runs Google's own build of Cilium, which is not known to match any release"
				if s.Dataplane.VersionSource != why || s.Dataplane.Cilium.Version.Known() {
					t.Errorf("version: %+v", s.Dataplane)
				}
			},
		},
		{"gke", cluster.KubeProxy, cluster.IPTables, "v1.27.3-gke.100", cluster.Inferred, "kube-proxy's static pods", cluster.ClusterCIDR, cluster.Undetermined, nil},
		{
			"calico-ebpf", cluster.CalicoEBPF, "", "v3.29.1", cluster.Observed, "felixconfiguration default", cluster.UnknownDetection, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if s.Dataplane.Calico == nil || !s.Dataplane.Calico.DSR {
					t.Errorf("settings: %+v", s.Dataplane.Calico)
				}
			},
		},
		{
			"antrea", cluster.Antrea, "", "v2.2.0", cluster.Observed, "configmap kube-system/antrea-config", cluster.UnknownDetection, cluster.Undetermined,
			func(t *testing.T, s *cluster.Snapshot) {
				if a := s.Dataplane.Antrea; a == nil || !a.DSR || !a.NoLoadBalancerIPs {
					t.Errorf("settings: %+v", a)
				}
			},
		},
		{
			"kube-router", cluster.KubeRouter, "", "v2.4.0", cluster.Observed, "daemonset kube-system/kube-router", cluster.UnknownDetection, cluster.No,
			func(t *testing.T, s *cluster.Snapshot) {
				want := &cluster.KubeRouterSettings{
					MasqueradeAll: true, ExternalIPRanges: cluster.ParsePrefixes("192.0.2.0/24"),
					LoadBalancerRanges: cluster.ParsePrefixes("203.0.113.0/24", "2001:db8::/64", "198.51.100.0/24"),
				}
				if diff := cmp.Diff(want, s.Dataplane.KubeRouter, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
					t.Errorf("settings (-want +got):\n%s", diff)
				}
			},
		},
		{"ovn", cluster.OVNKubernetes, "", "", cluster.Observed, "daemonset ovn-kubernetes/ovnkube-node", cluster.UnknownDetection, cluster.Undetermined, nil},
		{
			"unknown", cluster.UnknownDataplane, "", "", cluster.UnknownConfidence, "no DaemonSet belongs to a known data plane, and no pod in kube-system is labelled as kube-proxy",
			cluster.UnknownDetection, cluster.Undetermined, nil,
		},
	}
}

type detection struct {
	file       string
	name       cluster.DataplaneName
	mode       cluster.ProxyMode
	version    string
	certain    cluster.Confidence
	source     string
	detection  cluster.PodDetection
	masquerade cluster.Tristate
	check      func(*testing.T, *cluster.Snapshot)
}

func TestDataplanes(t *testing.T) {
	tested := map[string]bool{}
	for _, test := range detections() {
		tested["testdata/"+test.file+".yaml"] = true
		t.Run(test.file, func(t *testing.T) {
			s := read(t, "testdata/"+test.file+".yaml", nil, nil)
			d := s.Dataplane
			if d.Name != test.name || d.Mode != test.mode || d.Version.String() != test.version || d.Confidence != test.certain || d.Source != test.source ||
				d.PodDetection() != test.detection || d.PodMasquerade != test.masquerade {
				t.Errorf("data plane: %+v, detection %s", d, d.PodDetection())
			}
			if test.check != nil {
				test.check(t, s)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, name := range files {
		if !tested[name] {
			t.Errorf("%s is in no test", name)
		}
	}
}

// An override replaces what is detected, but not on nodes of another operating system. The settings stay where the data plane is the same.
func TestOverride(t *testing.T) {
	version := func(text string) cluster.Version {
		v, ok := cluster.ParseVersion(text)
		if !ok {
			t.Fatal(text)
		}
		return v
	}
	for _, test := range []struct {
		override      cluster.Override
		version       string
		mode          cluster.ProxyMode
		keepsSettings bool
	}{
		{cluster.Override{Name: cluster.KubeProxy, Mode: cluster.IPVS, Version: version("v1.20.15")}, "v1.20.15", cluster.IPVS, true},
		{cluster.Override{Name: cluster.KubeProxy}, "v1.29.3-minimal-eksbuild.2", cluster.IPTables, true},
		{cluster.Override{Name: cluster.Cilium, Version: version("1.19")}, "1.19", "", false},
		{cluster.Override{Name: cluster.OVNKubernetes}, "", "", false},
	} {
		d := read(t, "testdata/eks.yaml", nil, &test.override).Dataplane
		if d.Name != test.override.Name || d.Mode != test.mode || d.Version.String() != test.version || d.Source != "--dataplane" || d.Confidence != cluster.Observed ||
			(d.KubeProxy != nil) != test.keepsSettings {
			t.Errorf("%+v: %+v", test.override, d)
		}
	}
	for name, want := range map[cluster.DataplaneName]map[string]cluster.DataplaneName{
		cluster.Cilium:  {"cn-a": cluster.Cilium, "win": cluster.Windows, "virtual-kubelet-h": cluster.UnknownDataplane},
		cluster.Windows: {"cn-a": cluster.Windows, "win": cluster.Windows, "virtual-kubelet-h": cluster.UnknownDataplane},
	} {
		s := read(t, "testdata/ack-terway.yaml", nil, &cluster.Override{Name: name})
		for node, is := range want {
			if got := s.DataplaneOf(&s.Nodes[s.NodeIndex(node)]); got.Name != is {
				t.Errorf("--dataplane %s: %s runs %s, want %s", name, node, got.Name, is)
			}
		}
	}
}

// What a configuration leaves out has the default that kube-proxy gives it; what it says overrides flags, except for the host name.
func TestKubeProxySettings(t *testing.T) {
	const head = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy, namespace: kube-system}
spec:
  template:
    spec:
      containers:
      - name: kube-proxy
        image: registry.k8s.io/kube-proxy@sha256:0123
        command: [kube-proxy, --config=/etc/kp/here.conf, --proxy-mode=ipvs, --cluster-cidr=10.9.0.0/16, --hostname-override=Fixed]
        volumeMounts: [{name: c, mountPath: /etc/kp}, {name: d, mountPath: /etc}]
      volumes:
      - {name: c, configMap: {name: mine, items: [{key: there, path: here.conf}]}}
      - {name: d, configMap: {name: other}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mine, namespace: kube-system}
data:
  there: |
    kind: KubeProxyConfiguration
    detectLocalMode: BridgeInterface
    detectLocal: {bridgeInterface: cbr0}
    nftables: {masqueradeAll: true}
    iptables: {localhostNodePorts: false}
    featureGates: {SomeGate: true}
    hostnameOverride: fromfile
---
apiVersion: v1
kind: Node
metadata: {name: a}
status: {nodeInfo: {kubeletVersion: v1.33.1}}
`
	d := read(t, "", strings.NewReader(head), nil).Dataplane
	k := d.KubeProxy
	if d.Mode != cluster.IPTables || d.Confidence != cluster.Inferred || d.Version.String() != "v1.33.1" || d.VersionConfidence != cluster.Inferred {
		t.Errorf("data plane: %+v", d)
	}
	if k == nil || k.PodDetection != cluster.BridgeInterface || k.BridgeInterface != "cbr0" || len(k.ClusterCIDRs) != 0 || k.MasqueradeAll || !k.NoLocalhostNodePorts ||
		k.HostnameOverride != "fixed" || !k.FeatureGates["SomeGate"] {
		t.Errorf("settings: %+v", k)
	}
	if k.BindAddress.IsValid() || k.BindAddressUnknown {
		t.Errorf("bind address that is not set: %v, unknown %t", k.BindAddress, k.BindAddressUnknown)
	}
}

// A bind address that is unspecified is the default, in each family, and a variable has a value that is not read. A
// configuration file overrides the flag.
func TestBindAddress(t *testing.T) {
	const manifest = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy, namespace: kube-system}
spec:
  template:
    spec:
      containers:
      - name: kube-proxy
        image: registry.k8s.io/kube-proxy:v1.24.17
        command: [kube-proxy, FLAGS]
        volumeMounts: [{name: c, mountPath: /etc/kp}]
      volumes: [{name: c, configMap: {name: kp}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kp, namespace: kube-system}
data:
  c.conf: |
    kind: KubeProxyConfiguration
    mode: ipvs
    FIELD
`
	for _, c := range []struct {
		flags, field, want string
		unknown            bool
	}{
		{"--proxy-mode=ipvs", "", "invalid IP", false},
		{"--bind-address=0.0.0.0", "", "invalid IP", false},
		{`"--bind-address=::"`, "", "invalid IP", false},
		{"--bind-address=172.30.0.11", "", "172.30.0.11", false},
		{"--bind-address=$(NODE_IP)", "", "invalid IP", true},
		{"--config=/etc/kp/c.conf", "bindAddress: 0.0.0.0", "invalid IP", false},
		{"--config=/etc/kp/c.conf, --bind-address=172.30.0.11", "bindAddress: fd00:30::11", "fd00:30::11", false},
		{"--config=/etc/kp/c.conf, --bind-address=172.30.0.11", "clusterCIDR: 10.244.0.0/16", "invalid IP", false},
	} {
		text := strings.NewReplacer("FLAGS", c.flags, "FIELD", c.field).Replace(manifest)
		k := read(t, "", strings.NewReader(text), nil).Dataplane.KubeProxy
		if k == nil || k.BindAddress.String() != c.want || k.BindAddressUnknown != c.unknown {
			t.Errorf("%s %s: %+v", c.flags, c.field, k)
		}
	}
}
