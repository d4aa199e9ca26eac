package anonymize

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// name is another name for one of a kind, the same for the same; "" stays "".
func (a *anonymizer) name(kind, name string) string {
	if name == "" {
		return ""
	}
	if a.settled {
		return a.names[kind][name]
	}
	if a.names[kind] == nil {
		a.names[kind] = map[string]string{}
	}
	a.names[kind][name] = ""
	return name
}

// settle gives every name of a kind a number in the order of the names, so that what is sorted by name stays so, and every address another.
func (a *anonymizer) settle() {
	for kind, names := range a.names {
		digits := max(5, len(fmt.Sprint(len(names))))
		for i, name := range slices.Sorted(maps.Keys(names)) {
			names[name] = fmt.Sprintf("%s-%0*d", kind, digits, i+1)
		}
	}
	a.settleAddresses()
	a.settled = true
}

// number is that of a name alone.
func (a *anonymizer) number(kind, name string) string {
	return strings.TrimPrefix(a.name(kind, name), kind+"-")
}

// either keeps a text that the list has.
func (a *anonymizer) either(text string, allowed map[string]bool, kind string) string {
	if text == "" || allowed[text] {
		return text
	}
	return a.name(kind, text)
}

func (a *anonymizer) namespace(text string) string {
	return a.either(text, allowedNamespaces, "namespace")
}

func (a *anonymizer) class(text string) string {
	domain, name, qualified := strings.Cut(text, "/")
	if !qualified || allowedClasses[text] {
		return a.either(text, allowedClasses, "class")
	}
	return a.name("domain", domain) + "/" + a.name("class", name)
}

func (a *anonymizer) segment(text string) string { return a.either(text, allowedSegments, "part") }

func (a *anonymizer) labelKey(text string) string {
	if allowedKeys[text] || azurePort.MatchString(text) {
		return text
	}
	return a.beginning(text, allowedKeyPrefixes, "key")
}

func (a *anonymizer) environment(text string) string {
	return a.either(text, allowedEnvironment, "variable")
}

func (a *anonymizer) networkInterface(text string) string {
	return a.either(text, allowedInterfaces, "interface")
}

// component is the name of something that makes up a cluster: of a DaemonSet, a ConfigMap, a container, an image. One that begins with a name that is allowed keeps
// that part: detection depends on it.
func (a *anonymizer) component(text string) string {
	return a.beginning(text, allowedComponents, "component")
}

func (a *anonymizer) finalizer(text string) string {
	if allowedFinalizers[text] {
		return text
	}
	return a.beginning(text, allowedFinalizerPrefixes, "finalizer")
}

// beginning keeps of a text the longest beginning that is allowed.
func (a *anonymizer) beginning(text string, allowed map[string]bool, kind string) string {
	if allowed[text] {
		return text
	}
	longest := ""
	for known := range allowed {
		if strings.HasPrefix(text, known) && len(known) > len(longest) {
			longest = known
		}
	}
	if longest == "" || strings.HasSuffix(longest, "/") {
		return longest + a.name(kind, text)
	}
	return strings.TrimSuffix(longest, "-") + "-" + a.number(kind, text)
}

func (a *anonymizer) path(text string) string {
	parts := strings.Split(text, "/")
	for i, part := range parts {
		if part != "." && part != ".." {
			parts[i] = a.segment(part)
		}
	}
	return strings.Join(parts, "/")
}

// host keeps what identifies the provider: the last two parts of a cloud's domain, and its parts that name a kind of load balancer.
func (a *anonymizer) host(host string) string {
	if to, ok := a.addressOrRange(host); ok {
		return to
	}
	var kept strings.Builder
	kept.WriteString(a.name("host", host))
	for _, domain := range allowedDomains {
		if !strings.HasSuffix(host, "."+domain) {
			continue
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(host, "."+domain), ".") {
			switch part {
			case "elb", "nlb", "slb", "clb", "alb", "lb", "cloudapp":
				kept.WriteString("." + part)
			}
		}
		return kept.String() + "." + domain
	}
	return kept.String() + ".example.com"
}

// version keeps the numbers of a release, and its suffix where that is a vendor's, who gives it to all of its customers.
func (a *anonymizer) version(text string) string {
	if _, ok := cluster.ParseVersion(text); !ok {
		return a.either(text, map[string]bool{"latest": true, "master": true, "main": true}, "version")
	}
	at := strings.IndexAny(text, "+-")
	if at < 0 || vendorSuffixes.MatchString(text[at:]) {
		return text
	}
	return text[:at+1] + a.name("suffix", text[at+1:])
}

// image is name and tag, without the registry that it comes from.
func (a *anonymizer) image(text string) string {
	out := a.component(detect.ImageName(text))
	if tag := detect.ImageTag(text); tag != "" {
		out += ":" + a.version(tag)
	}
	return out
}

// nodeAddress is an address, or a name by which the node goes.
func (a *anonymizer) nodeAddress(text string) string {
	if to, ok := a.addressOrRange(text); ok {
		return to
	}
	return a.name("node", text)
}

// providerID keeps the form by which a provider is recognised: its scheme, and the words that are part of the form.
func (a *anonymizer) providerID(id string) string {
	scheme, rest, hasScheme := strings.Cut(id, "://")
	if !hasScheme {
		scheme, rest = "", id
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		if allowedIDParts[segment] {
			continue
		}
		parts := strings.Split(segment, ".")
		for j, part := range parts {
			switch {
			case allowedIDParts[part]:
			case strings.HasPrefix(part, "bm-"):
				parts[j] = "bm-" + a.name("part", part)
			case strings.HasPrefix(part, "i-"):
				parts[j] = "i-" + a.name("instance", part)
			case j+1 < len(parts) && strings.HasPrefix(parts[j+1], "i-"):
				// Alibaba Cloud's form, region.instance, is recognised by the region.
				parts[j] = "xx-" + a.name("region", part)
			default:
				parts[j] = a.name("part", part)
			}
		}
		segments[i] = strings.Join(parts, ".")
	}
	out := strings.Join(segments, "/")
	if hasScheme {
		out = a.either(scheme, allowedSchemes, "scheme") + "://" + out
	}
	return out
}

// hostnameOverride is the name of a node, in lower case as kube-proxy takes it, or a variable with each node's own name.
func (a *anonymizer) hostnameOverride(text string) string {
	if strings.ContainsAny(text, "${") {
		return "$(NODE_NAME)"
	}
	return a.name("node", strings.ToLower(strings.TrimSpace(text)))
}
