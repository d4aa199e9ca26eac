package anonymize

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// engine are the packages in which facts are read, and files of theirs that read none.
var engine = map[string][]string{
	"cluster": nil, "detect": nil, "dataplane": {"measured.go"}, "finding": nil, "provider": nil, "report": nil,
	"collect/objects": {"objects.go", "query.go", "names.go", "words.go"},
}

// compared are the strings of a package that something is compared with: operands of == and !=, cases, names in maps, and what the functions of package strings that
// compare look for. Constants of the package count for their value.
func compared(t *testing.T, dir string, leaveOut []string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(collecttest.Path(dir), "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", dir, names, err)
	}
	constants, files := map[string]ast.Expr{}, map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, value := range spec.Values {
					if i < len(spec.Names) {
						constants[spec.Names[i].Name] = value
					}
				}
			}
			return true
		})
		if !slices.Contains(leaveOut, filepath.Base(name)) {
			files[name] = file
		}
	}
	var value func(ast.Expr, int) (string, bool)
	value = func(e ast.Expr, deep int) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(e.Value)
			return text, e.Kind == token.STRING && err == nil
		case *ast.Ident:
			if inner, ok := constants[e.Name]; ok && deep < 5 {
				return value(inner, deep+1)
			}
		case *ast.BinaryExpr:
			left, ok := value(e.X, deep+1)
			right, also := value(e.Y, deep+1)
			return left + right, e.Op == token.ADD && ok && also
		}
		return "", false
	}
	out := map[string]string{}
	for name, file := range files {
		note := func(e ast.Expr) {
			if text, ok := value(e, 0); ok && text != "" {
				out[text] = name
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					note(n.X)
					note(n.Y)
				}
			case *ast.CaseClause:
				for _, e := range n.List {
					note(e)
				}
			case *ast.IndexExpr:
				note(n.Index)
			case *ast.CallExpr:
				switch called := n.Fun.(type) {
				case *ast.SelectorExpr:
					if slices.Contains([]string{
						"HasPrefix", "HasSuffix", "Contains", "EqualFold", "CutPrefix", "CutSuffix", "TrimPrefix", "annotated", "finalizer", "fromNodes", "gate",
						"NestedBool", "NestedString",
					}, called.Sel.Name) {
						for _, e := range n.Args {
							note(e)
						}
					}
				case *ast.Ident:
					if called.Name == "alibabaSetting" && len(n.Args) == 2 {
						if text, ok := value(n.Args[1], 0); ok {
							out["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-"+text] = name
						}
					}
					if called.Name == "annotation" || called.Name == "annotated" {
						for _, e := range n.Args {
							note(e)
						}
					}
				}
			case *ast.BasicLit:
				// Whatever looks like the key of an annotation or a label is one, wherever it stands; so does a beginning of such keys.
				if text, err := strconv.Unquote(n.Value); err == nil && qualified.MatchString(text) {
					out[text] = name
				}
			}
			return true
		})
	}
	return out
}

var qualified = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+/[A-Za-z0-9._-]*$`)

// notRead are strings that the code compares with, and that no manifest has: words of its own, of separators and of sentences. Each of the others is a fact.
var notRead = regexp.MustCompile(`^(--?|[^A-Za-z0-9]+|ETP[0-9]+)$`)

// notFacts are words of this program, names that it gives to load balancers, what it reads only where something is about to be changed, and what is taken apart by
// a function of its own.
var notFacts = []string{
	"v", "0", "ali", "Pods", "--dataplane", "configmap kube-system/", "--kube-proxy-arg", "--kube-proxy-arg=", detect.TerwayDatapath, "sigs.k8s.io/yaml",
	"NotKnown", "SendsToPods", "NoLoadBalancer", "Mixed", "Nodes", "Preserved", "Rewritten", "ProxyProtocol", "yaml: ", "unidling+",
	"load_balancing.cross_zone.enabled=true", "load_balancing.cross_zone.enabled=", "preserve_client_ip.enabled=true", "preserve_client_ip.enabled=false",
	"proxy_protocol_v2.enabled=true", "service.beta.kubernetes.io/port_", "_health-probe", "_no_probe_rule", "hcloud://bm-",
	"alibaba", "aws", "azure", "baidu", "digitalocean", "exoscale", "gke", "hetzner", "huawei", "ibm", "k3s", "kind", "kube-vip", "linode", "metallb", "oci", "openstack",
	"scaleway", "tencent", "volcengine", "vultr",
	"tke-service-controller-config", "GlobalRouteDirectAccess", "SkipSyncBackends", "can not find eniid", "IPT", "NFT", "CIL", "SVC", "SVC-", "RKE2",
	"ByEndpoints", "Equal", "OneNode", "cilium-l2announce-", "/kube-vip:", "BeingRemoved", "HealthCheckFails", "ExcludedByLabel", "HealthCheckNotServed",
}

func allowedAnywhere(text string) bool {
	for _, list := range []map[string]bool{
		allowedKeys, allowedClasses, allowedFinalizers, allowedFinalizerPrefixes, allowedNamespaces, allowedComponents, allowedSegments, allowedEnvironment, allowedInterfaces,
		allowedGates, allowedFields, allowedResources, allowedIDParts, allowedKeyPrefixes,
	} {
		if list[text] {
			return true
		}
		for known := range list {
			// A beginning that is read is as good as what begins with it, and so is a part with a sign at its edge.
			if len(text) > 3 && strings.HasPrefix(known, text) {
				return true
			}
		}
	}
	_, isFlag := allowedFlags[text]
	return isFlag || allowedWords[strings.ToLower(text)] || allowedSchemes[strings.TrimSuffix(text, "://")] || vendorSuffixes.MatchString(text) ||
		vendorSuffixes.MatchString(text+"1") || slices.Contains(allowedDomains, text)
}

// TestAllowed: what the code compares facts with is in an allow-list, for else an anonymous dump would lose it.
func TestAllowed(t *testing.T) {
	found := 0
	for dir, leaveOut := range engine {
		for text, file := range compared(t, dir, leaveOut) {
			found++
			switch {
			case notRead.MatchString(text) || slices.Contains(notFacts, text) || allowedAnywhere(text):
			case strings.HasSuffix(text, "/0"):
				// All addresses stay all addresses.
			case isAddress(text):
				if !slices.Contains(allowedRanges[:], text) {
					t.Errorf("%s reads the address %q, which allowedRanges does not have", file, text)
				}
			default:
				t.Errorf("%s compares with %q, which no list of allowed.go has: an anonymous dump loses it, unless it is a word of this program (notFacts)", file, text)
			}
		}
	}
	if found < 150 {
		t.Errorf("only %d strings are compared with: the test does not see what it should", found)
	}
}

func isAddress(text string) bool {
	_, ok := cluster.ParseAddress(text)
	_, err := netip.ParsePrefix(text)
	return ok || err == nil
}

// TestVersionsKeepTheirVendor holds the two lists of vendors' suffixes together: an anonymous dump says as much of a build as the cluster.
func TestVersionsKeepTheirVendor(t *testing.T) {
	for _, text := range []string{
		"v1.28.3-aliyun.1", "v1.30.4-eks-a5565ad", "v1.28.1-eksbuild.1", "v1.28.1-minimal-eksbuild.1", "v1.29.5-gke.1091002", "v1.22.5-tke.27", "v1.28.3-r0-28.0.18",
		"v1.26.10-vke.17", "v1.28.7+IKS", "v1.28.2+k3s1", "v1.28.2-k3s1", "v1.28.3+rke2r1", "v1.28.3-rke2r1-build20231101", "v1.24.17-rancher1-1", "v1.28.2+k0s", "v1.28.3+vmware.1",
		"v1.28.3-vmware.2-fips", "v1.27.7-mirantis-1", "v1.30.0-alpha.1", "v1.30.0-beta.2", "v1.30.0-rc.0",
	} {
		a := newAnonymizer()
		a.version(text)
		a.settle()
		was, _ := cluster.ParseVersion(text)
		now, _ := cluster.ParseVersion(a.version(text))
		if was.Vendor() == cluster.UnknownVendor || was.Vendor() != now.Vendor() {
			t.Errorf("%s (%q) becomes %s (%q)", was, was.Vendor(), now, now.Vendor())
		}
	}
}
