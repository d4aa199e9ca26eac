package collect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Where data planes keep their settings.
const (
	kubeSystem = "kube-system"
	// calicoSystem is where Tigera's operator puts Calico (pkg/common in tigera/operator).
	calicoSystem = "calico-system"

	ciliumConfig = "cilium-config"

	terwayConfig    = "eni-config"
	terwayConfKey   = "10-terway.conf"
	terwayDatapath  = "eniip_virtual_type"
	terwayInCluster = "in_cluster_loadbalance"

	antreaConfigPrefix = "antrea-config"
	antreaConfKey      = "antrea-agent.conf"

	felixBPFEnv = "FELIX_BPFENABLED"

	sdnConfig    = "sdn-config"
	sdnConfigKey = "kube-proxy-config.yaml"

	noKubeProxyLabel = "k8s.aliyun.com/no-kube-proxy"
)

const (
	ciliumReplacement   = "kube-proxy-replacement"
	ciliumMode          = "bpf-lb-mode"
	ciliumNoBackend     = "service-no-backend-response"
	ciliumHostSockets   = "bpf-lb-sock-hostns-only"
	ciliumNodePort      = "enable-node-port"
	ciliumInClusterLoad = "enable-in-cluster-loadbalance"

	ciliumModeAnnotation  = "bpf-lb-mode-annotation"
	ciliumRoutable        = "enable-no-service-endpoints-routable"
	ciliumSockets         = "bpf-lb-sock"
	ciliumEnvoyConfig     = "enable-envoy-config"
	ciliumIngress         = "enable-ingress-controller"
	ciliumGateway         = "enable-gateway-api"
	ciliumSCTP            = "enable-sctp"
	ciliumBPFMasquerade   = "enable-bpf-masquerade"
	ciliumMasquerade      = "enable-ipv4-masquerade"
	ciliumEndpointRoutes  = "enable-endpoint-routes"
	ciliumTopology        = "enable-service-topology"
	ciliumOpenExternalIPs = "disable-external-ip-mitigation"
)

var ciliumKeys = [...]string{
	ciliumReplacement, ciliumMode, ciliumNoBackend, ciliumHostSockets, ciliumNodePort, ciliumInClusterLoad, ciliumModeAnnotation, ciliumRoutable, ciliumSockets,
	ciliumEnvoyConfig, ciliumIngress, ciliumGateway, ciliumSCTP, ciliumBPFMasquerade, ciliumMasquerade, ciliumEndpointRoutes, ciliumTopology, ciliumOpenExternalIPs,
}

// role says what a DaemonSet tells of the data plane.
type role uint8

const (
	noRole role = iota
	kubeProxyRole
	ciliumRole
	anetdRole
	calicoRole
	antreaRole
	kubeRouterRole
	ovnRole
	sdnRole
	kubeOVNRole
	terwayRole
	awsRole
	flannelRole
	kindnetRole
)

func dataplaneRole(d *appsv1.DaemonSet) role {
	if d.Spec.Template.Spec.NodeSelector[corev1.LabelOSStable] == "windows" {
		return noRole
	}
	switch d.Name {
	case "cilium":
		return ciliumRole
	case "anetd":
		return anetdRole
	case "calico-node":
		return calicoRole
	case "antrea-agent":
		return antreaRole
	case "kube-router":
		return kubeRouterRole
	case "ovnkube-node":
		return ovnRole
	case "kube-ovn-cni":
		return kubeOVNRole
	case "terway", "terway-eniip", "terway-eni":
		return terwayRole
	case "aws-node":
		return awsRole
	case "kindnet":
		return kindnetRole
	}
	switch {
	case strings.HasPrefix(d.Name, "kube-flannel"):
		return flannelRole
	case d.Name == "sdn" && mountsConfigMap(&d.Spec.Template.Spec, sdnConfig):
		return sdnRole
	case hasContainer(&d.Spec.Template.Spec, "cilium-agent"):
		return ciliumRole
	}
	if runsKubeProxy(d.Spec.Template.Spec.Containers) {
		return kubeProxyRole
	}
	return noRole
}

func hasContainer(spec *corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == name })
}

func mountsConfigMap(spec *corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == name })
}

// scheduled is false for a DaemonSet whose controller has seen it and found no node for it. A manifest without status counts as scheduled.
func scheduled(d *appsv1.DaemonSet) bool {
	return d.Status.ObservedGeneration == 0 || d.Status.DesiredNumberScheduled > 0
}

// detector decides which data plane runs where, from what was read.
type detector struct {
	objects *Objects
	sets    map[role][]*appsv1.DaemonSet
	terway  *cluster.CiliumSettings
	proxies []kubeProxy
}

// kubeProxy is one kube-proxy of which the command line was read, and the nodes it runs on.
type kubeProxy struct {
	runs      func(*corev1.Node) bool
	dataplane cluster.Dataplane
}

func newDetector(o *Objects) *detector {
	d := &detector{objects: o, sets: map[role][]*appsv1.DaemonSet{}}
	for i := range o.DaemonSets {
		set := &o.DaemonSets[i]
		if role := dataplaneRole(set); role != noRole && scheduled(set) {
			d.sets[role] = append(d.sets[role], set)
		}
	}
	for _, sets := range d.sets {
		slices.SortFunc(sets, func(a, b *appsv1.DaemonSet) int { return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	}
	d.terway = d.readTerway()
	d.proxies = d.readKubeProxies()
	return d
}

func (d *detector) configMap(namespace, name string) *corev1.ConfigMap {
	for i := range d.objects.ConfigMaps {
		if c := &d.objects.ConfigMaps[i]; c.Name == name && c.Namespace == namespace {
			return c
		}
	}
	return nil
}

func (d *detector) has(r role) bool { return len(d.sets[r]) > 0 }

// unread says whether a resource could not be read.
func (d *detector) unread(resource string) bool {
	return slices.ContainsFunc(d.objects.Gaps, func(g cluster.Gap) bool { return g.Resource == resource && g.Reason != cluster.NotFound })
}

// knowsDaemonSets is true where every DaemonSet of the cluster was asked for and read, so that one that is not here does not exist.
func (d *detector) knowsDaemonSets() bool { return d.objects.asked && !d.unread(daemonSetsResource) }

// readKubeProxies reads the kube-proxies of DaemonSets and static pods, and what they are configured with.
func (d *detector) readKubeProxies() []kubeProxy {
	var out []kubeProxy
	for _, set := range d.sets[kubeProxyRole] {
		spec := &set.Spec.Template.Spec
		out = append(out, kubeProxy{
			runs:      func(n *corev1.Node) bool { return runsOn(spec, n) },
			dataplane: d.readKubeProxy(fmt.Sprintf("daemonset %s/%s", set.Namespace, set.Name), set.Namespace, spec),
		})
	}
	for _, set := range d.sets[sdnRole] {
		if dataplane, serves := d.openShiftSDN(set); serves {
			out = append(out, kubeProxy{
				runs:      func(n *corev1.Node) bool { return runsOn(&set.Spec.Template.Spec, n) },
				dataplane: dataplane,
			})
		}
	}
	if len(out) > 0 {
		return out
	}
	pods := slices.Clone(d.objects.Pods)
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	for i := range pods {
		pod := &pods[i]
		out = append(out, kubeProxy{
			runs:      func(n *corev1.Node) bool { return n.Name == pod.Spec.NodeName },
			dataplane: d.readKubeProxy("static pods of kube-proxy", pod.Namespace, &pod.Spec),
		})
	}
	return out
}

// readKubeProxy reads one kube-proxy's settings. A configuration file wins over flags, except over --hostname-override (Options.Complete in
// cmd/kube-proxy/app/options.go, v1.20 to v1.37).
func (d *detector) readKubeProxy(source, namespace string, spec *corev1.PodSpec) cluster.Dataplane {
	container := kubeProxyContainer(spec.Containers)
	out := cluster.Dataplane{Name: cluster.KubeProxy, Source: source, Confidence: cluster.Observed, Version: imageVersion(container.Image)}
	if out.Version.Known() {
		out.VersionSource, out.VersionConfidence = "image of "+source, cluster.Observed
	}
	given := flags(words(container))
	configuration := fromFlags(given)
	if name, key, hasConfig := configSource(container, spec.Volumes); hasConfig {
		configuration = nil
		if found := d.configMap(namespace, name); name != "" && found != nil {
			read, err := parseKubeProxyConfiguration(found.Data[key])
			if err == nil && found.Data[key] != "" {
				configuration = read
				out.Source = fmt.Sprintf("configmap %s/%s", namespace, name)
				if override := given["hostname-override"]; override != "" {
					configuration.HostnameOverride = override
				}
			}
		}
	}
	d.settle(&out, configuration)
	return out
}

// settle fills mode and settings. Without a configuration all that is known is that kube-proxy runs.
func (d *detector) settle(out *cluster.Dataplane, configuration *kubeProxyConfiguration) {
	if configuration == nil {
		out.Confidence = cluster.Inferred
		return
	}
	mode, named := configuration.mode(out.Version)
	out.Mode = mode
	if !named {
		out.Confidence = cluster.Inferred
	}
	out.KubeProxy = configuration.settings()
}

// leftBehind are the names under which installers keep kube-proxy's configuration: kubeadm, kind and k0s; EKS; Alibaba Cloud.
var leftBehind = [...]string{"kube-proxy", "kube-proxy-config", "kube-proxy-worker"}

// fromConfigMap reads kube-proxy's configuration where the DaemonSet that would mount it was not read.
func (d *detector) fromConfigMap() (cluster.Dataplane, bool) {
	for _, name := range leftBehind {
		for i := range d.objects.ConfigMaps {
			found := &d.objects.ConfigMaps[i]
			if found.Name != name {
				continue
			}
			for _, key := range []string{"config.conf", "config"} {
				if !isKubeProxyConfiguration(found.Data[key]) {
					continue
				}
				configuration, err := parseKubeProxyConfiguration(found.Data[key])
				if err != nil {
					continue
				}
				out := cluster.Dataplane{Name: cluster.KubeProxy, Confidence: cluster.Observed, Source: fmt.Sprintf("configmap %s/%s", found.Namespace, name)}
				d.settle(&out, configuration)
				return out, true
			}
		}
	}
	return cluster.Dataplane{}, false
}

// linux is the data plane of a Linux node.
func (d *detector) linux(n *corev1.Node) cluster.Dataplane {
	out := d.decide(n)
	if d.has(anetdRole) {
		return out
	}
	out.PodMasquerade = d.podMasquerade(n)
	return out
}

func (d *detector) decide(n *corev1.Node) cluster.Dataplane {
	if n.Labels[noKubeProxyLabel] == "true" {
		settings := cluster.CiliumSettings{ReplacesKubeProxy: true}
		if d.terway != nil {
			settings.InClusterLoadBalance = d.terway.InClusterLoadBalance
		}
		return cluster.Dataplane{Name: cluster.Cilium, Source: "node label " + noKubeProxyLabel, Confidence: cluster.Inferred, Cilium: &settings}
	}
	if found, ok := d.cilium(); ok {
		return found
	}
	if found, ok := d.calico(); ok {
		return found
	}
	if found, ok := d.antrea(); ok {
		return found
	}
	if found, ok := d.kubeRouter(); ok {
		return found
	}
	if d.has(kubeOVNRole) {
		set := d.sets[kubeOVNRole][0]
		return unknownDataplane("daemonset %s/%s serves Services of pods beside kube-proxy, and how the two share them is not known here", set.Namespace, set.Name)
	}
	if d.has(ovnRole) && len(d.proxies) == 0 {
		set := d.sets[ovnRole][0]
		return cluster.Dataplane{Name: cluster.OVNKubernetes, Confidence: cluster.Observed, Source: fmt.Sprintf("daemonset %s/%s", set.Namespace, set.Name)}
	}
	out := d.kubeProxy(n)
	if out.Name == cluster.KubeProxy {
		out.Cilium, out.Antrea = d.beside(), d.antreaBeside()
		// Calico's eBPF data plane leaves kube-proxy running beside it: without its settings, kube-proxy is only likely.
		if d.unread(felixResource) || d.unread(installationsResource) || d.unread(daemonSetsResource) {
			out.Confidence = weaker(out.Confidence, cluster.Inferred)
		}
	}
	return out
}

func weaker(a, b cluster.Confidence) cluster.Confidence {
	order := []cluster.Confidence{cluster.Observed, cluster.Inferred, cluster.Assumed, cluster.UnknownConfidence}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

func unknownDataplane(format string, args ...any) cluster.Dataplane {
	return cluster.Dataplane{Name: cluster.UnknownDataplane, Confidence: cluster.UnknownConfidence, Source: fmt.Sprintf(format, args...)}
}

func (d *detector) kubeProxy(n *corev1.Node) cluster.Dataplane {
	if n.Name == "" && len(d.proxies) > 0 {
		// No Node could be read: where there is one kube-proxy, it is everybody's.
		for i := range d.proxies {
			if !reflect.DeepEqual(d.proxies[i].dataplane, d.proxies[0].dataplane) {
				return unknownDataplane("several kube-proxies are configured, and the Nodes could not be read")
			}
		}
		return d.proxies[0].dataplane
	}
	for i := range d.proxies {
		if d.proxies[i].runs(n) {
			return d.proxies[i].dataplane
		}
	}
	if found, ok := d.distribution(n); ok {
		return found
	}
	if len(d.proxies) > 0 {
		return unknownDataplane("no kube-proxy that was read runs on the node")
	}
	if found, ok := d.openShift(); ok {
		return found
	}
	found, hasConfig := d.fromConfigMap()
	if hasConfig && !d.knowsDaemonSets() {
		return found
	}
	// Classic GKE runs kube-proxy as static pods, with the mode left to its default; Dataplane V2 would show the DaemonSet anetd.
	if strings.Contains(n.Status.NodeInfo.KubeletVersion, "-gke.") && d.knowsDaemonSets() {
		return cluster.Dataplane{
			Name: cluster.KubeProxy, Mode: cluster.IPTables, Confidence: cluster.Assumed,
			Source: "GKE without the DaemonSet anetd; its static pods of kube-proxy were not read",
		}
	}
	return unknownDataplane("%s", d.whyUnknown())
}

// whyUnknown is what was read, and what was not, where nothing of it says how Services are served.
func (d *detector) whyUnknown() string {
	// Who may not list the DaemonSets of all namespaces is let into kube-system, or has a second gap.
	narrow := true
	for _, gap := range d.objects.Gaps {
		if gap.Resource == daemonSetsResource && (gap.Namespace == kubeSystem || gap.Reason != cluster.Forbidden) {
			narrow = false
		}
	}
	switch {
	case !d.objects.asked:
		return "no DaemonSet and no ConfigMap of a data plane is among what was read"
	case d.unread(daemonSetsResource) && !narrow:
		return "the DaemonSets could not be listed"
	case d.unread(daemonSetsResource):
		return "no DaemonSet of " + kubeSystem + " is of a data plane that is known here, and those of other namespaces could not be listed"
	case d.unread(podsResource):
		return "no DaemonSet is of a data plane that is known here, and the pods of " + kubeSystem + " could not be listed"
	}
	return "no DaemonSet is of a data plane that is known here, and no pod of " + kubeSystem + " is labelled as kube-proxy"
}

// k3s reads how a k3s node was started: kube-proxy is part of the k3s process, which starts it in iptables mode unless told otherwise
// (pkg/daemons/agent in k3s).
func (d *detector) k3s(n *corev1.Node) cluster.Dataplane {
	args, ok := k3sArgs(n)
	if !ok {
		return cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables, Source: "k3s's default", Confidence: cluster.Assumed}
	}
	server := d.k3sServer()
	if _, disabled := server["disable-kube-proxy"]; disabled {
		return unknownDataplane("k3s runs with --disable-kube-proxy")
	}
	given := map[string]string{}
	for i, arg := range args {
		value, ok := strings.CutPrefix(arg, "--kube-proxy-arg=")
		if !ok && arg == "--kube-proxy-arg" && i+1 < len(args) {
			value, ok = args[i+1], true
		}
		if ok {
			name, value, _ := strings.Cut(strings.TrimPrefix(value, "--"), "=")
			given[name] = value
		}
	}
	if given["proxy-mode"] == "" {
		given["proxy-mode"] = string(cluster.IPTables)
	}
	out := cluster.Dataplane{Name: cluster.KubeProxy, Confidence: cluster.Inferred, Source: "node annotation " + nodeArgs}
	if given["config"] != "" {
		return out
	}
	if given["cluster-cidr"] == "" {
		given["cluster-cidr"] = server["cluster-cidr"]
	}
	knowsCIDR := given["cluster-cidr"] != ""
	if !knowsCIDR {
		// The default is the server's: an agent's arguments do not show it, the nodes' pod CIDRs do.
		given["cluster-cidr"] = "10.42.0.0/16"
		for i := range d.objects.Nodes {
			for _, pods := range podCIDRs(&d.objects.Nodes[i]) {
				if pods.Addr().Is4() {
					knowsCIDR = prefixes([]string{given["cluster-cidr"]})[0].Contains(pods.Addr())
				}
			}
		}
	}
	configuration := fromFlags(given)
	d.settle(&out, configuration)
	if !knowsCIDR && out.KubeProxy.PodDetection == cluster.ClusterCIDR {
		out.KubeProxy.PodDetection, out.KubeProxy.ClusterCIDRs = cluster.UnknownDetection, nil
	}
	out.Confidence = cluster.Inferred
	return out
}

func k3sArgs(n *corev1.Node) ([]string, bool) {
	text, ok := n.Annotations[nodeArgs]
	if !ok {
		return nil, false
	}
	var args []string
	return args, json.Unmarshal([]byte(text), &args) == nil
}

// k3sServer are the flags of a k3s server; nil where none was read.
func (d *detector) k3sServer() map[string]string {
	for i := range d.objects.Nodes {
		if args, ok := k3sArgs(&d.objects.Nodes[i]); ok && len(args) > 0 && args[0] == "server" {
			return flags(args)
		}
	}
	return nil
}

// cilium is Cilium in place of kube-proxy, or the two of them at odds.
func (d *detector) cilium() (cluster.Dataplane, bool) {
	source, settings, replacement := d.readCilium()
	out := cluster.Dataplane{Name: cluster.Cilium, Source: source, Confidence: cluster.Observed, Cilium: settings}
	switch {
	case settings == nil && d.has(anetdRole):
		set := d.sets[anetdRole][0]
		out.Source, out.Confidence = fmt.Sprintf("daemonset %s/%s", set.Namespace, set.Name), cluster.Inferred
		out.Cilium = &cluster.CiliumSettings{ReplacesKubeProxy: true}
		d.googleBuild(&out)
		return out, true
	case settings == nil && d.has(ciliumRole):
		set := d.sets[ciliumRole][0]
		return unknownDataplane("daemonset %s/%s runs Cilium, and whether it replaces kube-proxy is in configmap %s/%s, which was not read",
			set.Namespace, set.Name, set.Namespace, ciliumConfig), true
	case settings == nil:
		return cluster.Dataplane{}, false
	case d.knowsDaemonSets() && !d.has(ciliumRole) && !d.has(anetdRole):
		// A ConfigMap of a Cilium that is gone.
		return cluster.Dataplane{}, false
	}
	d.googleBuild(&out)
	if d.has(ciliumRole) {
		out.Version = imageVersion(agentImage(d.sets[ciliumRole][0], "cilium"))
		if out.Version.Known() {
			settings.Version = out.Version
			out.VersionSource, out.VersionConfidence = fmt.Sprintf("image of daemonset %s/%s", d.sets[ciliumRole][0].Namespace, d.sets[ciliumRole][0].Name), cluster.Observed
		}
	}
	switch {
	case settings.ReplacesKubeProxy || d.has(anetdRole):
		settings.ReplacesKubeProxy = true
		if len(d.proxies) > 0 {
			out.Confidence = cluster.Inferred
		}
		return out, true
	case replacement == "probe":
		return unknownDataplane("%s has %s=probe: it depends on each node's kernel", source, ciliumReplacement), true
	case replacement == "nodeport":
		return unknownDataplane("%s has %s=true without %s: Cilium and kube-proxy share the work", source, ciliumNodePort, ciliumReplacement), true
	}
	return cluster.Dataplane{}, false
}

// beside is Cilium next to kube-proxy; nil where there is none.
func (d *detector) beside() *cluster.CiliumSettings {
	if d.terway != nil {
		return d.terway
	}
	if d.knowsDaemonSets() && !d.has(ciliumRole) {
		return nil
	}
	_, settings, _ := d.readCilium()
	if settings != nil && d.has(ciliumRole) {
		settings.Version = imageVersion(agentImage(d.sets[ciliumRole][0], "cilium"))
	}
	if settings == nil && d.has(ciliumRole) {
		// What Cilium does beside kube-proxy depends on its settings, and they were not read.
		return &cluster.CiliumSettings{Version: imageVersion(agentImage(d.sets[ciliumRole][0], "cilium"))}
	}
	return settings
}

// agentImage is the image of the container that is the agent: the one of that name, else the first.
func agentImage(set *appsv1.DaemonSet, prefix string) string {
	containers := set.Spec.Template.Spec.Containers
	for i := range containers {
		if strings.HasPrefix(containers[i].Name, prefix) || imageName(containers[i].Image) == prefix {
			return containers[i].Image
		}
	}
	if len(containers) > 0 {
		return containers[0].Image
	}
	return ""
}

// isCiliumConfig says whether a ConfigMap is the one that the Cilium agents read, which is in their own namespace (install/kubernetes/cilium in Cilium): one
// in another namespace is of a Cilium that has moved, or is gone.
func (d *detector) isCiliumConfig(c *corev1.ConfigMap) bool {
	if c.Name != ciliumConfig {
		return false
	}
	for _, r := range []role{ciliumRole, anetdRole} {
		if d.has(r) {
			return c.Namespace == d.sets[r][0].Namespace
		}
	}
	return true
}

// readCilium reads cilium-config. replacement is the setting where it is neither yes nor no: "probe", or "nodeport" for a Cilium that serves node ports
// without replacing kube-proxy.
func (d *detector) readCilium() (source string, settings *cluster.CiliumSettings, replacement string) {
	for i := range d.objects.ConfigMaps {
		found := &d.objects.ConfigMaps[i]
		if !d.isCiliumConfig(found) {
			continue
		}
		settings = ciliumSettings(found.Data)
		if value, ok := found.Data[ciliumInClusterLoad]; ok {
			settings.InClusterLoadBalance = cluster.Is(isTrue(value))
		}
		switch value := found.Data[ciliumReplacement]; {
		case value == "true", value == "strict":
			settings.ReplacesKubeProxy = true
		case value == "probe":
			replacement = "probe"
		case isTrue(found.Data[ciliumNodePort]):
			replacement = "nodeport"
		}
		return fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name), settings, replacement
	}
	return "", nil, ""
}

// readTerway is the Cilium inside Terway, for the datapaths that have one (policy.go and common.go of cmd/terway-cli); nil otherwise.
func (d *detector) readTerway() *cluster.CiliumSettings {
	found := d.configMap(kubeSystem, terwayConfig)
	if found == nil || d.knowsDaemonSets() && !d.has(terwayRole) {
		return nil
	}
	var configuration map[string]any
	if json.Unmarshal([]byte(found.Data[terwayConfKey]), &configuration) != nil {
		return nil
	}
	kind, _ := configuration[terwayDatapath].(string)
	switch strings.ToLower(kind) {
	case "datapathv2", "ipvlan":
		return &cluster.CiliumSettings{InClusterLoadBalance: cluster.Is(found.Data[terwayInCluster] == "true")}
	}
	return nil
}

// calico is Calico's eBPF data plane. The environment of calico-node wins over FelixConfiguration (the order of Felix's configuration sources). The operator's
// Installation says what is wanted. The operator puts that into the environment (before v1.28 of tigera/operator: pkg/render/node.go) or, once the new pods are
// out, into FelixConfiguration (since v1.28: setBPFUpdatesOnFelixConfiguration in pkg/controller/installation/core_controller.go).
func (d *detector) calico() (cluster.Dataplane, bool) {
	out := cluster.Dataplane{Name: cluster.CalicoEBPF, Confidence: cluster.Observed}
	var enabled, said bool
	if felix := d.other("FelixConfiguration", "default"); felix != nil {
		// A malformed setting is none.
		enabled, said, _ = unstructured.NestedBool(felix.Object, "spec", "bpfEnabled")
		mode, _, _ := unstructured.NestedString(felix.Object, "spec", "bpfExternalServiceMode")
		out.Calico = &cluster.CalicoSettings{DSR: strings.EqualFold(mode, "DSR"), ConnectTime: connectTime(felix)}
		out.Source = "felixconfiguration default"
	}
	for _, set := range d.sets[calicoRole] {
		for _, container := range set.Spec.Template.Spec.Containers {
			for _, env := range container.Env {
				if env.Name == felixBPFEnv && env.Value != "" {
					enabled, said = isTrue(env.Value), true
					out.Source = fmt.Sprintf("%s of daemonset %s/%s", felixBPFEnv, set.Namespace, set.Name)
				}
			}
		}
	}
	switch wanted := d.operatorWantsBPF(); {
	case wanted && said && !enabled:
		return unknownDataplane("installation default asks for Calico's eBPF data plane, and %s turns it off", out.Source), true
	case wanted && !said:
		out.Source, out.Confidence = "installation default", cluster.Inferred
	case !enabled:
		return cluster.Dataplane{}, false
	}
	if d.has(calicoRole) {
		set := d.sets[calicoRole][0]
		out.Version = imageVersion(agentImage(set, "calico-node"))
		if out.Version.Known() {
			out.VersionSource, out.VersionConfidence = fmt.Sprintf("image of daemonset %s/%s", set.Namespace, set.Name), cluster.Observed
		}
	}
	return out, true
}

// operatorWantsBPF is spec.calicoNetwork.linuxDataplane of the Installation (BPFEnabled in api/v1/installation_types.go of tigera/operator). Without calico-node
// nothing puts it into effect.
func (d *detector) operatorWantsBPF() bool {
	installation := d.other("Installation", "default")
	if installation == nil || d.knowsDaemonSets() && !d.has(calicoRole) {
		return false
	}
	// A malformed setting is none.
	plane, _, _ := unstructured.NestedString(installation.Object, "spec", "calicoNetwork", "linuxDataplane")
	return plane == "BPF"
}

// other is an object of a kind that is not part of Kubernetes, and has no namespace; nil where it was not read.
func (d *detector) other(kind, name string) *unstructured.Unstructured {
	for i := range d.objects.Others {
		if o := &d.objects.Others[i]; o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	return nil
}

// antrea is Antrea where it has taken everything over from kube-proxy (antreaProxy.proxyAll).
func (d *detector) antrea() (cluster.Dataplane, bool) {
	source, settings, serves := d.readAntrea()
	switch {
	case d.knowsDaemonSets() && !d.has(antreaRole):
		return cluster.Dataplane{}, false
	case source == "" && d.has(antreaRole):
		return unknownDataplane("daemonset %s/%s runs, and its antrea-agent.conf was not read", d.sets[antreaRole][0].Namespace, d.sets[antreaRole][0].Name), true
	case serves != antreaServesAll:
		return cluster.Dataplane{}, false
	}
	out := cluster.Dataplane{Name: cluster.Antrea, Confidence: cluster.Observed, Source: source, Antrea: settings}
	if len(d.proxies) > 0 {
		out.Confidence = cluster.Inferred
		settings.BesideKubeProxy = true
	}
	if d.has(antreaRole) {
		set := d.sets[antreaRole][0]
		out.Version = imageVersion(agentImage(set, "antrea-agent"))
		if out.Version.Known() {
			out.VersionSource, out.VersionConfidence = fmt.Sprintf("image of daemonset %s/%s", set.Namespace, set.Name), cluster.Observed
		}
	}
	return out, true
}

// kubeRouter is kube-router where it serves Services: it does unless told not to.
func (d *detector) kubeRouter() (cluster.Dataplane, bool) {
	for _, set := range d.sets[kubeRouterRole] {
		for i := range set.Spec.Template.Spec.Containers {
			container := &set.Spec.Template.Spec.Containers[i]
			if imageName(container.Image) != "kube-router" && container.Name != "kube-router" {
				continue
			}
			if value, ok := flags(words(container))["run-service-proxy"]; ok && !isTrue(value) {
				return cluster.Dataplane{}, false
			}
			source := fmt.Sprintf("daemonset %s/%s", set.Namespace, set.Name)
			if len(d.proxies) > 0 {
				return unknownDataplane("%s serves Services, and kube-proxy runs beside it", source), true
			}
			out := cluster.Dataplane{
				Name: cluster.KubeRouter, Confidence: cluster.Observed, Source: source, Version: imageVersion(container.Image),
				KubeRouter: kubeRouterSettings(flags(words(container))),
			}
			if out.Version.Known() {
				out.VersionSource, out.VersionConfidence = "image of "+source, cluster.Observed
			}
			return out, true
		}
	}
	return cluster.Dataplane{}, false
}

// podMasquerade is known for few CNIs: kindnet masquerades whatever leaves the pods' networks, and so does flannel with --ip-masq, nodes' addresses included;
// Terway and the VPC CNI of AWS leave pods their addresses within the VPC.
func (d *detector) podMasquerade(n *corev1.Node) cluster.Tristate {
	switch {
	case d.has(kindnetRole):
		return cluster.Yes
	case d.has(terwayRole), d.has(awsRole):
		return cluster.No
	case d.has(flannelRole):
		for _, set := range d.sets[flannelRole] {
			for i := range set.Spec.Template.Spec.Containers {
				if value, ok := flags(words(&set.Spec.Template.Spec.Containers[i]))["ip-masq"]; ok {
					return cluster.Is(isTrue(value))
				}
			}
		}
	case strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s"):
		// k3s's own flannel masquerades; another CNI takes its place only with --flannel-backend=none on the servers.
		if server := d.k3sServer(); server != nil && server["flannel-backend"] != "none" {
			return cluster.Yes
		}
	}
	return cluster.Undetermined
}

// perNode settles which data plane each node runs: the one of most nodes becomes the cluster's, and the others carry their own. Equal ones are shared.
// nodes and facts are parallel.
func (d *detector) perNode(nodes []*corev1.Node, facts []cluster.Node, override *Override) cluster.Dataplane {
	// What decides is the same for most nodes of a cluster.
	type deciding struct {
		proxy                         int
		virtual, windows, noKubeProxy bool
		kubelet, args                 string
		microK8s, compute             string
	}
	type group struct {
		dataplane *cluster.Dataplane
		members   int
	}
	known := map[deciding]int{}
	var groups []group
	of := make([]int, len(facts))
	for i, n := range nodes {
		key := deciding{
			proxy:       slices.IndexFunc(d.proxies, func(p kubeProxy) bool { return p.runs(n) }),
			virtual:     isVirtualKubelet(n),
			windows:     nodeOS(n) == "windows",
			noKubeProxy: n.Labels[noKubeProxyLabel] == "true",
			kubelet:     n.Status.NodeInfo.KubeletVersion,
			args:        n.Annotations[nodeArgs],
			microK8s:    n.Labels[microK8sLabel],
			compute:     n.Labels[eksComputeLabel],
		}
		at, ok := known[key]
		if !ok {
			one := d.ofNode(n, override)
			at = slices.IndexFunc(groups, func(g group) bool { return reflect.DeepEqual(*g.dataplane, one) })
			if at < 0 {
				at = len(groups)
				groups = append(groups, group{dataplane: &one})
			}
			known[key] = at
		}
		groups[at].members++
		of[i] = at
	}
	if len(groups) == 0 {
		return d.ofNode(&corev1.Node{}, override)
	}
	largest := 0
	for i := range groups {
		if groups[i].members > groups[largest].members {
			largest = i
		}
	}
	for i := range facts {
		if of[i] != largest {
			facts[i].Dataplane = groups[of[i]].dataplane
		}
	}
	return *groups[largest].dataplane
}

func (d *detector) ofNode(n *corev1.Node, override *Override) cluster.Dataplane {
	var out cluster.Dataplane
	switch {
	case isVirtualKubelet(n):
		return unknownDataplane("the node is a virtual-kubelet")
	case nodeOS(n) == "windows":
		out = cluster.Dataplane{Name: cluster.Windows, Source: "node label " + corev1.LabelOSStable, Confidence: cluster.Inferred}
		if override != nil && override.Name == cluster.Windows {
			override.apply(&out)
		}
	default:
		out = d.linux(n)
		if override != nil {
			override.apply(&out)
		}
	}
	if out.Version.Known() || out.Name != cluster.KubeProxy && out.Name != cluster.Windows {
		return out
	}
	if version, ok := cluster.ParseVersion(n.Status.NodeInfo.KubeletVersion); ok {
		out.Version, out.VersionSource, out.VersionConfidence = version, "the node's kubelet", cluster.Inferred
	}
	return out
}

// apply puts what the user says in the place of what was detected, and keeps the settings of a data plane that is the same.
func (o *Override) apply(d *cluster.Dataplane) {
	const source = "--dataplane"
	if d.Name != o.Name {
		*d = cluster.Dataplane{Name: o.Name, PodMasquerade: d.PodMasquerade}
		if o.Name == cluster.Cilium {
			d.Cilium = &cluster.CiliumSettings{ReplacesKubeProxy: true, Mode: "snat"}
		}
	}
	d.Source, d.Confidence = source, cluster.Observed
	if o.Mode != "" {
		d.Mode = o.Mode
	}
	if o.Version.Known() {
		d.Version, d.VersionSource, d.VersionConfidence = o.Version, source, cluster.Observed
		if d.Name == cluster.Cilium && d.Cilium != nil {
			settings := *d.Cilium
			settings.Version = o.Version
			d.Cilium = &settings
		}
	}
}
