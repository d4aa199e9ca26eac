package finding

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// fromPod is the command that connects from a new pod on a node.
func fromPod(node, namespace, address string) string {
	return fmt.Sprintf(`kubectl run etp-test -n %s --rm -it --restart=Never --image=busybox --overrides='{"apiVersion":"v1","spec":{"nodeName":"%s"}}' -- wget -T 3 -O- %s`,
		namespace, node, url(address))
}

// fromHost is the command that connects from the host network of a node.
func fromHost(node, address string) string {
	return fmt.Sprintf("kubectl debug node/%s -it --image=busybox -- wget -T 3 -O- %s", node, url(address))
}

// fromOutside is the command that connects from a machine outside the cluster.
func fromOutside(address string) string { return "curl -v -m 3 " + url(address) }

// url is quoted where a shell would expand it: the brackets of an IPv6 address are a pattern.
func url(address string) string {
	if strings.Contains(address, "[") {
		return "'http://" + address + "'"
	}
	return "http://" + address
}

// plain says whether a name means itself in a shell. Nothing else is put into a command: files may hold any text.
func plain(name string) bool {
	return name != "" && name[0] != '-' && strings.IndexFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
	}) < 0
}

// confirm is the command that repeats the connection of a hit, "" where there is none: wget and curl speak TCP.
func (f *Facts) confirm(from dataplane.From, h hit) string {
	if h.path.Protocol != cluster.TCP || !plain(h.row.Node.Name) || !plain(f.Service.Namespace) || h.path.Hostname != "" && !plain(h.path.Hostname) {
		return ""
	}
	address := net.JoinHostPort(host(h.path), strconv.Itoa(int(h.path.Port)))
	switch {
	case from == dataplane.Pod && !f.hostFailsAlike(h):
		return fromPod(h.row.Node.Name, f.Service.Namespace, address)
	case from == dataplane.External:
		return fromOutside(address)
	}
	return fromHost(h.row.Node.Name, address)
}

// confirmAtNode is the command that connects to a node's own address, "" where the node has none or there is no port.
func confirmAtNode(node *cluster.Node, port uint16, path string) string {
	if len(node.InternalIPs) == 0 || port == 0 {
		return ""
	}
	return fromOutside(netip.AddrPortFrom(node.InternalIPs[0], port).String() + path)
}

// object is the command that shows an object, "" where its name is not one that a shell takes as it is.
func object(verb, kind, namespace, name string) string {
	if !plain(namespace) || !plain(name) {
		return ""
	}
	return fmt.Sprintf("kubectl %s %s %s -n %s", verb, kind, name, namespace)
}

// confirmSlices is the command that shows the Service's EndpointSlices.
func (f *Facts) confirmSlices() string {
	if !plain(f.Service.Namespace) || !plain(f.Service.Name) {
		return ""
	}
	return fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s -o yaml", f.Service.Namespace, f.Service.Name)
}
