package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// awsVPC is the VPC CNI of AWS. Pods keep their addresses within the VPC.
var awsVPC = program{
	name:      "aws-vpc-cni",
	recognise: named("aws-node"),
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		return cluster.No, f.has("aws-vpc-cni")
	},
}

// eksComputeLabel is auto on the nodes of EKS Auto Mode (docs.aws.amazon.com/eks/latest/userguide/automode.html).
const eksComputeLabel = "eks.amazonaws.com/compute-type"

// eksAutoMode is the kube-proxy that AWS runs on the nodes of EKS Auto Mode, as neither a DaemonSet nor a pod
// (docs.aws.amazon.com/eks/latest/userguide/managing-kube-proxy.html). Its mode and settings are not published.
var eksAutoMode = program{
	name:   "eks-auto-mode",
	planes: []cluster.DataplaneName{cluster.KubeProxy},
	labels: []string{eksComputeLabel},
	plane: func(_ *detector, n *corev1.Node) (cluster.Dataplane, bool) {
		return cluster.Dataplane{
			Name: cluster.KubeProxy, Confidence: cluster.Inferred,
			Source: "node label " + eksComputeLabel + "=auto: AWS runs kube-proxy on the node and does not show its mode",
		}, n.Labels[eksComputeLabel] == "auto"
	},
}
