package cluster

import (
	"strings"
	"testing"
)

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

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{
		"v1.20.15":             {Major: 1, Minor: 20, Patch: 15},
		"1.20":                 {Major: 1, Minor: 20},
		"v1.31.2+k3s1\n":       {Major: 1, Minor: 31, Patch: 2},
		"v1.28.3-eks-4f4795d":  {Major: 1, Minor: 28, Patch: 3, Pre: "eks-4f4795d"},
		"v1.37.0-rc.1+abcdef0": {Major: 1, Minor: 37, Pre: "rc.1"},
	} {
		want.Text = strings.TrimSpace(text)
		if got, ok := ParseVersion(text); !ok || got != want || !got.Known() {
			t.Errorf("%q: got %+v, %t, want %+v", text, got, ok, want)
		}
	}
	// A file with a version often ends with a line break.
	if got, ok := ParseVersion(" v1.31.2\n"); !ok || got != (Version{Major: 1, Minor: 31, Patch: 2, Text: "v1.31.2"}) {
		t.Errorf("with white space: got %+v, %t", got, ok)
	}
	for _, text := range []string{"", "v1", "1.2.3.4", "latest", "1.x", "v-1.2", "1.70000", "sha256:1.2"} {
		if got, ok := ParseVersion(text); ok || got.Known() {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

// Releases are ordered by their numbers alone: a vendor's build and a pre-release count as the release that they are
// named after.
func TestVersionOrder(t *testing.T) {
	ordered := []string{"v0.9.12", "v1.9.0", "v1.20.0", "v1.20.15", "v1.21", "v2.0.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			x, _ := ParseVersion(a)
			y, _ := ParseVersion(b)
			if x.Less(y) != (i < j) || x.Before(y.Major, y.Minor, y.Patch) != (i < j) || (x.Compare(y) < 0) != (i < j) || (x.Compare(y) == 0) != (i == j) {
				t.Errorf("%s and %s: less %t, compare %d", a, b, x.Less(y), x.Compare(y))
			}
		}
	}
	plain, _ := ParseVersion("v1.20.6")
	for _, text := range []string{"v1.20.6-tke.27", "v1.20.6-rc.1", "1.20.6+k3s1"} {
		if v, _ := ParseVersion(text); v.Compare(plain) != 0 {
			t.Errorf("%s is another release than %s", text, plain)
		}
	}
}

func TestVersionSuffix(t *testing.T) {
	for text, want := range map[string]string{"v1.20.6-tke.27": "-tke.27", "v1.31.2+k3s1": "+k3s1", "v1.31.2-rc.1+x": "-rc.1+x", "v1.31.2": "", "": ""} {
		v, _ := ParseVersion(text)
		if got := v.Suffix(); got != want {
			t.Errorf("%q has the suffix %q, want %q", text, got, want)
		}
	}
}
