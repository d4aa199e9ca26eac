package cluster

import "testing"

func TestVendor(t *testing.T) {
	for text, want := range map[string]Vendor{
		"v1.20.6-tke.27":             "Tencent TKE",
		"v1.34.8-gke.1104000":        "Google GKE",
		"v1.28.3-eks-4f4795d":        "Amazon EKS",
		"v1.29.0-minimal-eksbuild.2": "Amazon EKS",
		"v1.26.3-aliyun.1":           "Alibaba ACK",
		"v1.31.2+k3s1":               "k3s",
		"v1.31.2+rke2r1":             "RKE2",
		"v1.28.4+vmware.1":           "VMware",
		"v1.36.3":                    Upstream,
		"v1.37.0-rc.1":               Upstream,
		"v1.30.0-acme.3":             UnknownVendor,
		"v1.30.0-tkestack":           UnknownVendor,
		"v1.25.4+77bec7a":            UnknownVendor,
		"":                           UnknownVendor,
	} {
		v, _ := ParseVersion(text)
		if got := v.Vendor(); got != want {
			t.Errorf("%q is built by %q, want %q", text, got, want)
		}
	}
}
