package scenario

import "slices"

// kubeRouterClusters are the clusters whose data plane is kube-router. v2.1.0 is the only release that can be had as a module. It needs ip_vs, and the emulated kernel
// takes long with each Service, so there are few.
func kubeRouterClusters() []Cluster {
	tried := []string{
		"local-some", "cluster-some", "local-one", "cluster-one", "local-none", "cluster-none", "local-leaving-alone", "cluster-leaving-alone", "local-unready",
		"local-external-ip", "cluster-external-ip", "cluster-internal-local", "cluster-ranges-pods", "local-host",
	}
	few := slices.DeleteFunc(Services(), func(s Service) bool { return !slices.Contains(tried, s.Name) })
	return []Cluster{{Mode: KubeRouter, Version: "v2.1.0", IPv4: true, Own: few}}
}
