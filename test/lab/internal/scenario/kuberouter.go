package scenario

import "slices"

// kubeRouterClusters are the clusters with kube-router, in the one release that can be built.
func kubeRouterClusters() []Cluster {
	return []Cluster{
		{Mode: KubeRouter, Version: "v2.1.0", IPv4: true, Own: kubeRouterServices()},
		{
			Mode: KubeRouter, Version: "v2.1.0", IPv4: true, Own: kubeRouterServices(), Variant: "no-router",
			Changed: "another program routes between nodes, and the CNI masquerades pods", Settings: map[string]any{"run-router": "false"},
		},
	}
}

// kubeRouterServices are those that show what a setting changes, and those that kube-router serves in its own way: endpoints that terminate, and one address of a node.
func kubeRouterServices() []Service {
	more := []string{
		"local-leaving", "cluster-leaving", "local-leaving-alone", "cluster-leaving-alone", "local-unready", "local-mixed", "local-affinity", "cluster-udp", "cluster-hostname",
		"local-external-ip-none",
	}
	return slices.DeleteFunc(Services(), func(s Service) bool { return s.Breadth < Core && !slices.Contains(more, s.Name) })
}
