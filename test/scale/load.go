//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
)

const (
	serviceName = "web"
	// imagesPerNode is what the kubelet reports at most (--node-status-max-images), and what nodes of some age have.
	imagesPerNode = 50
	// perSlice is the endpointslice controller's limit.
	perSlice = 100
	// loaders is how many requests write at a time: enough to keep an API server busy.
	loaders = 32
)

// load makes the cluster: nodes with everything that a kubelet reports, kube-proxy's configuration, and a Service.
func load(ctx context.Context, server *apiserver.Server, n size) error {
	if err := server.Apply(ctx, []byte(dataplane)); err != nil {
		return err
	}
	config := server.Config(apiserver.Admin)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(loaders)
	for i := range n.nodes {
		work.Go(func() error {
			_, err := client.CoreV1().Nodes().Create(ctx, node(i), metav1.CreateOptions{})
			return err
		})
	}
	for i := 0; i < n.endpoints; i += perSlice {
		work.Go(func() error {
			_, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Create(ctx, slice(i, min(i+perSlice, n.endpoints), n), metav1.CreateOptions{})
			return err
		})
	}
	return work.Wait()
}

func nodeName(i int) string {
	return fmt.Sprintf("ip-10-%d-%d-%d.eu-central-1.compute.internal", 64+i>>16, i>>8&255, i&255)
}

func zone(i int) string { return "eu-central-1" + string(rune('a'+i%3)) }

// node is one as a managed node group has it.
func node(i int) *corev1.Node {
	name, zone := nodeName(i), zone(i)
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, LastHeartbeatTime: now, LastTransitionTime: now, Reason: reason, Message: message}
	}
	amounts := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU:              resource.MustParse(cpu),
			corev1.ResourceMemory:           resource.MustParse(memory),
			corev1.ResourceEphemeralStorage: resource.MustParse("104845292Ki"),
			corev1.ResourcePods:             resource.MustParse("58"),
			"hugepages-1Gi":                 resource.MustParse("0"),
			"hugepages-2Mi":                 resource.MustParse("0"),
		}
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				"beta.kubernetes.io/arch":                       "amd64",
				"beta.kubernetes.io/instance-type":              "m6i.2xlarge",
				"beta.kubernetes.io/os":                         "linux",
				"eks.amazonaws.com/capacityType":                "ON_DEMAND",
				"eks.amazonaws.com/nodegroup":                   fmt.Sprintf("general-%d", i%12),
				"eks.amazonaws.com/nodegroup-image":             "ami-" + digest("ami", i%12)[:17],
				"eks.amazonaws.com/sourceLaunchTemplateId":      "lt-" + digest("lt", i%12)[:17],
				"failure-domain.beta.kubernetes.io/region":      "eu-central-1",
				"failure-domain.beta.kubernetes.io/zone":        zone,
				"k8s.io/cloud-provider-aws":                     digest("cluster", 0)[:32],
				"kubernetes.io/arch":                            "amd64",
				"kubernetes.io/hostname":                        name,
				"kubernetes.io/os":                              "linux",
				"node.kubernetes.io/instance-type":              "m6i.2xlarge",
				"topology.ebs.csi.aws.com/zone":                 zone,
				"topology.kubernetes.io/region":                 "eu-central-1",
				"topology.kubernetes.io/zone":                   zone,
				"eks.amazonaws.com/sourceLaunchTemplateVersion": "7",
			},
			Annotations: map[string]string{
				"alpha.kubernetes.io/provided-node-ip":                   address(i),
				"csi.volume.kubernetes.io/nodeid":                        fmt.Sprintf(`{"ebs.csi.aws.com":"i-%s","efs.csi.aws.com":"i-%s"}`, digest("i", i)[:17], digest("i", i)[:17]),
				"node.alpha.kubernetes.io/ttl":                           "300",
				"volumes.kubernetes.io/controller-managed-attach-detach": "true",
			},
		},
		Spec: corev1.NodeSpec{ProviderID: "aws:///" + zone + "/i-" + digest("i", i)[:17]},
		Status: corev1.NodeStatus{
			Capacity:    amounts("8", "32115712Ki"),
			Allocatable: amounts("7910m", "31098880Ki"),
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
				condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"),
			},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: address(i)},
				{Type: corev1.NodeHostName, Address: name},
				{Type: corev1.NodeInternalDNS, Address: name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: digest("machine", i)[:32], SystemUUID: digest("system", i)[:32], BootID: digest("boot", i)[:32],
				KernelVersion: "6.1.141-155.222.amzn2023.x86_64", OSImage: "Amazon Linux 2023.7.20250623", ContainerRuntimeVersion: "containerd://1.7.27",
				KubeletVersion: "v1.33.1-eks-7308294", OperatingSystem: "linux", Architecture: "amd64",
				KubeProxyVersion: "v1.33.1-eks-7308294", //nolint:staticcheck // Deprecated, and many clusters have it still.
			},
			Images: images(i),
		},
	}
}

func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", 64+i>>16, i>>8&255, i&255) }

// images are some of those that a cluster's workloads have, so that nodes resemble each other as far as real ones do and no further.
func images(i int) []corev1.ContainerImage {
	const inCluster = 400
	list := make([]corev1.ContainerImage, imagesPerNode)
	for j := range list {
		// 131 has no divisor in common with inCluster: no image twice on a node.
		k := (i*7 + j*131) % inCluster
		repository := fmt.Sprintf("602401143452.dkr.ecr.eu-central-1.amazonaws.com/team-%02d/service-%03d", k%20, k)
		list[j] = corev1.ContainerImage{
			Names:     []string{repository + "@sha256:" + digest("image", k), fmt.Sprintf("%s:v%d.%d.%d-%s", repository, k%4, k%30, k%9, digest("commit", k)[:8])},
			SizeBytes: int64(20_000_000 + k*1_234_567),
		}
	}
	return list
}

// digest is 64 hexadecimal digits that are always the same for the same arguments.
func digest(what string, i int) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", what, i)))
}

// slice has the endpoints from begin to end, each on a node of its own, the nodes spread over the whole cluster.
func slice(begin, end int, n size) *discoveryv1.EndpointSlice {
	yes, protocol, port, name := true, corev1.ProtocolTCP, int32(8080), "http"
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:   fmt.Sprintf("%s-%05d", serviceName, begin),
			Labels: map[string]string{discoveryv1.LabelServiceName: serviceName, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Protocol: &protocol, Port: &port}},
	}
	for i := begin; i < end; i++ {
		at := i * n.nodes / n.endpoints
		node, zone := nodeName(at), zone(at)
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{fmt.Sprintf("100.64.%d.%d", i>>8, i&255)},
			Conditions: discoveryv1.EndpointConditions{Ready: &yes, Serving: &yes},
			NodeName:   &node,
			Zone:       &zone,
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: metav1.NamespaceDefault, Name: fmt.Sprintf("%s-%s-%s", serviceName, digest("set", 0)[:10], digest("pod", i)[:5])},
		})
	}
	return s
}

const dataplane = `
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-proxy-config, namespace: kube-system}
data:
  config: |
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: iptables
    clusterCIDR: 100.64.0.0/16
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy, namespace: kube-system, labels: {k8s-app: kube-proxy}}
spec:
  selector: {matchLabels: {k8s-app: kube-proxy}}
  template:
    metadata: {labels: {k8s-app: kube-proxy}}
    spec:
      hostNetwork: true
      containers:
      - name: kube-proxy
        image: registry.example/kube-proxy:v1.33.1
        command: [kube-proxy, --config=/var/lib/kube-proxy-config/config]
        volumeMounts: [{name: config, mountPath: /var/lib/kube-proxy-config}]
      volumes: [{name: config, configMap: {name: kube-proxy-config}}]
---
apiVersion: v1
kind: Service
metadata:
  name: ` + serviceName + `
  annotations: {service.beta.kubernetes.io/aws-load-balancer-type: nlb}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
status: {loadBalancer: {ingress: [{hostname: web-0123456789.elb.eu-central-1.amazonaws.com}]}}
`

// statusRows checks that status printed a row for every node, as many of them with a backend as there are endpoints.
func statusRows(n size) func([]byte) error {
	return func(stdout []byte) error {
		rows, ready := 0, 0
		for line := range bytes.Lines(stdout) {
			if !bytes.HasPrefix(line, []byte("ip-10-")) {
				continue
			}
			rows++
			if bytes.Contains(line, []byte("1 ready")) {
				ready++
			}
		}
		if rows != n.nodes || ready != n.endpoints {
			return fmt.Errorf("%d rows, %d of them with a ready endpoint; want %d and %d", rows, ready, n.nodes, n.endpoints)
		}
		return nil
	}
}

// nodeRows checks that kubectl printed a row for every node.
func nodeRows(n size) func([]byte) error {
	return func(stdout []byte) error {
		if rows := bytes.Count(stdout, []byte("ip-10-")); rows != n.nodes {
			return fmt.Errorf("%d rows, want %d", rows, n.nodes)
		}
		return nil
	}
}
