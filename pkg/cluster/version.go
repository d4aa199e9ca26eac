package cluster

import (
	"cmp"
	"strconv"
	"strings"
)

// Version is a release of Kubernetes or of a data plane. The zero Version is not known.
type Version struct {
	Major, Minor, Patch int
	// Pre is what follows a hyphen (alpha.1, gke.100), without build metadata.
	Pre string
	// Text is as it was read.
	Text string
}

// ParseVersion reads v1.20.15, 1.20, v1.31.2+k3s1 or v1.28.3-eks-4f4795d, also as an image tag, and is false where s
// starts with no version.
func ParseVersion(s string) (Version, bool) {
	text := strings.TrimSpace(s)
	core := strings.TrimPrefix(text, "v")
	core, _, _ = strings.Cut(core, "+")
	core, pre, _ := strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return Version{}, false
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return Version{}, false
		}
		numbers[i] = int(n)
	}
	return Version{Major: numbers[0], Minor: numbers[1], Patch: numbers[2], Pre: pre, Text: text}, true
}

// Known is false for the zero Version.
func (v Version) Known() bool { return v.Text != "" }

// Before says whether v is an older release than major.minor.patch. Vendors' suffixes and pre-releases count as the
// release they are named after.
func (v Version) Before(major, minor, patch int) bool {
	if v.Major != major {
		return v.Major < major
	}
	if v.Minor != minor {
		return v.Minor < minor
	}
	return v.Patch < patch
}

// Less says whether v is an older release than w, as Before does.
func (v Version) Less(w Version) bool { return v.Before(w.Major, w.Minor, w.Patch) }

// Compare is negative where v is an older release than w, positive where it is a newer one, and 0 where their numbers
// are equal.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// String is the text as read, "" where not known.
func (v Version) String() string { return v.Text }

// Vendor is who built a release of Kubernetes, as far as the suffix of its version says.
type Vendor string

const (
	// Upstream builds have no suffix, or that of a pre-release.
	Upstream Vendor = "upstream"
	// UnknownVendor has a suffix that is none of those below.
	UnknownVendor Vendor = ""
	Tencent       Vendor = "Tencent TKE"
)

// vendors are known by how the suffix of their versions starts, as their nodes and release notes show them. Image tags
// have - in place of +.
var vendors = []struct {
	suffix string
	vendor Vendor
}{
	{"-aliyun.", "Alibaba ACK"},
	{"-eks-", "Amazon EKS"},
	{"-eksbuild.", "Amazon EKS"},
	{"-minimal-eksbuild.", "Amazon EKS"},
	{"-gke.", "Google GKE"},
	{"-tke.", Tencent},
	{"-r0-", "Huawei CCE"},
	{"-vke.", "Volcengine VKE"},
	{"+IKS", "IBM Cloud"},
	{"+k3s", "k3s"},
	{"-k3s", "k3s"},
	{"+rke2r", "RKE2"},
	{"-rke2r", "RKE2"},
	{"-rancher", "Rancher RKE"},
	{"+k0s", "k0s"},
	{"+vmware.", "VMware"},
	{"-vmware", "VMware"},
	{"-mirantis-", "Mirantis"},
	{"-alpha.", Upstream},
	{"-beta.", Upstream},
	{"-rc.", Upstream},
}

// Suffix is what follows the numbers of a version: -tke.27, +k3s1; "" for none.
func (v Version) Suffix() string {
	if i := strings.IndexAny(v.Text, "-+"); i >= 0 {
		return v.Text[i:]
	}
	return ""
}

// Vendor is known for suffixes that are listed; UnknownVendor for another suffix, and for a version that is not known.
func (v Version) Vendor() Vendor {
	suffix := v.Suffix()
	if suffix == "" && v.Known() {
		return Upstream
	}
	for _, one := range vendors {
		if strings.HasPrefix(suffix, one.suffix) {
			return one.vendor
		}
	}
	return UnknownVendor
}
