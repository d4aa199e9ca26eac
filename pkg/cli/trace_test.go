package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const traceExample = "../../examples/ack-ipvs-local.yaml"

// tracedServices is a cluster with pods of every kind, behind a load balancer that publishes a name, and Services that
// have no address.
const tracedServices = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec:
    type: LoadBalancer
    selector: {app: web}
    clusterIPs: [10.96.0.9, "fd00:96::9"]
    ports: [{name: http, port: 80, nodePort: 30080}, {name: dns, port: 53, protocol: UDP, nodePort: 30053}]
  status: {loadBalancer: {ingress: [{ip: 203.0.113.7}, {ip: "2001:db8::7"}]}}
- {apiVersion: v1, kind: Service, metadata: {name: waits, namespace: shop}, spec: {type: LoadBalancer, clusterIP: 10.96.0.10, ports: [{port: 80}]}}
- {apiVersion: v1, kind: Service, metadata: {name: inner, namespace: shop}, spec: {type: ClusterIP, clusterIP: 10.96.0.11, ports: [{port: 80}]}}
- {apiVersion: v1, kind: Service, metadata: {name: away, namespace: shop}, spec: {type: ExternalName, externalName: a.example}}
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: mall}, spec: {type: NodePort, clusterIP: 10.96.0.12, ports: [{port: 80, nodePort: 30090}]}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  addressType: IPv4
  metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
  endpoints: [{addresses: [10.244.1.5], nodeName: node-a, conditions: {ready: true}, targetRef: {kind: Pod, namespace: shop, name: web-0}}]
  ports: [{name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}]
- apiVersion: v1
  kind: Node
  metadata: {name: node-a}
  spec: {podCIDRs: [10.244.1.0/24]}
  status: {addresses: [{type: InternalIP, address: 10.0.0.1}], conditions: [{type: Ready, status: "True"}], nodeInfo: {kubeletVersion: v1.36.3}}
- apiVersion: v1
  kind: Node
  metadata: {name: node-b}
  status: {addresses: [{type: InternalIP, address: 10.0.0.2}], conditions: [{type: Ready, status: "True"}], nodeInfo: {kubeletVersion: v1.36.3}}
- {apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop}, spec: {nodeName: node-b, containers: []}, status: {phase: Running, podIPs: [{ip: 10.244.2.9}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: client, namespace: mall}, spec: {nodeName: node-a, containers: []}, status: {phase: Running, podIP: 10.244.1.9}}
- {apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: shop}, spec: {nodeName: node-b, hostNetwork: true, containers: []}, status: {phase: Running, podIPs: [{ip: 10.0.0.2}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: waiting, namespace: shop}, spec: {containers: []}, status: {phase: Pending}}
- {apiVersion: v1, kind: Pod, metadata: {name: job, namespace: shop}, spec: {nodeName: node-a, containers: []}, status: {phase: Succeeded, podIPs: [{ip: 10.244.1.8}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: six, namespace: shop}, spec: {nodeName: node-b, containers: []}, status: {phase: Running, podIPs: [{ip: "fd00:10::9"}]}}
`

func traced(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, []byte(tracedServices), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What is said of a trace that cannot be made, and what to type instead.
func TestTraceErrors(t *testing.T) {
	file := traced(t)
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"svc/web", "-n", "shop"}, exitUsage, []string{"--from is missing", "add --from pod/NAME"}},
		{[]string{"svc/web", "-n", "shop", "--from", "client"}, exitUsage, []string{"--from pod/client or --from node/client"}},
		{[]string{"svc/web", "-n", "shop", "--from", "deploy/web"}, exitUsage, []string{"pod/NAME, node/NAME or an IP address"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/"}, exitUsage, []string{"the name is missing"}},
		{[]string{"svc/web", "-n", "shop", "--from", "127.0.0.1"}, exitUsage, []string{"no connection comes from this address"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/nonesuch"}, exitFailed, []string{"finding pod nonesuch: the files do not contain it"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/waiting"}, exitFailed, []string{"finding pod shop/waiting: it is on no node yet"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/job"}, exitFailed, []string{"it has ended"}},
		{[]string{"svc/web", "-n", "shop", "--from", "node/node-c"}, exitFailed, []string{"there is no such node", "--from node/node-"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/client", "--to", "[2001:db8::7]:80"}, exitUsage, []string{"no IPv6 address", "choose an IPv4 address: --to 203.0.113.7:80"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/six", "--to", "203.0.113.7"}, exitUsage, []string{"no IPv4 address", "--to [2001:db8::7]:80"}},
		{[]string{"svc/web", "-n", "shop", "--from", "2001:db8::99", "--to", "203.0.113.7:80"}, exitUsage, []string{"no IPv4 address"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/client", "--to", "203.0.113.8"}, exitUsage, []string{"no address of service shop/web", "it has 203.0.113.7:80"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/client", "--to", "203.0.113.7:81"}, exitUsage, []string{"no such port", "203.0.113.7:53"}},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/client", "--to", "10.244.1.5:8080"}, exitUsage, []string{"is an endpoint of the Service"}},
		{[]string{"svc/waits", "-n", "shop", "--from", "pod/client"}, exitFailed, []string{"no load balancer address yet", "--to 10.96.0.10:80"}},
		{[]string{"svc/away", "-n", "shop", "--from", "pod/client"}, exitFailed, []string{"ExternalName"}},
		{[]string{"--from", "192.0.2.1"}, exitUsage, []string{"a route has one target", "mall/web"}},
		{[]string{"svc/web", "-n", "shop", "--from", "192.0.2.1", "-o", "svg"}, exitUsage, []string{"must be one of json, yaml, mermaid, dot"}},
	} {
		w := &world{}
		code := w.main(t, append([]string{"trace", "-f", file}, c.args...)...)
		missing := slices.DeleteFunc(slices.Clone(c.says), func(part string) bool { return strings.Contains(w.err.String(), part) })
		if code != c.code || len(missing) > 0 || w.out.Len() > 0 {
			t.Errorf("%v: exit code %d, %q, without %q", c.args, code, w.err.String(), missing)
		}
	}
}

// Which client and which target are taken.
func TestTraceTakes(t *testing.T) {
	file := traced(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"svc/web", "-n", "shop", "--from", "pod/client"}, "Pod shop/client node-b 10.244.2.9 LoadBalancerIP 203.0.113.7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "po/mall/client"}, "Pod mall/client node-a 10.244.1.9 LoadBalancerIP 203.0.113.7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/web-0"}, "Pod shop/web-0 node-a 10.244.1.5 LoadBalancerIP 203.0.113.7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/agent"}, "Node shop/agent node-b  LoadBalancerIP 203.0.113.7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "pod/six"}, "Pod shop/six node-b fd00:10::9 LoadBalancerIP 2001:db8::7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "10.0.0.2"}, "Node  node-b  LoadBalancerIP 203.0.113.7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "10.244.1.77"}, "Pod  node-a 10.244.1.77 LoadBalancerIP 203.0.113.7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "2001:db8::99"}, "External   2001:db8::99 LoadBalancerIP 2001:db8::7 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "node/node-a", "--to", ":dns"}, "Node  node-a  LoadBalancerIP 203.0.113.7 53 UDP"},
		{[]string{"svc/web", "-n", "shop", "--from", "node/node-a", "--to", "10.96.0.9"}, "Node  node-a  ClusterIP 10.96.0.9 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "node/node-a", "--to", "fd00:96::9"}, "Node  node-a  ClusterIP fd00:96::9 80 TCP"},
		{[]string{"svc/web", "-n", "shop", "--from", "node/node-a", "--to", "10.0.0.2:30053/udp"}, "Node  node-a  NodePort 10.0.0.2 30053 UDP"},
		{[]string{"svc/web", "-n", "mall", "--from", "pod/client"}, "Pod mall/client node-a 10.244.1.9 NodePort 10.0.0.1 30090 TCP"},
		{[]string{"svc/web", "-n", "mall", "--from", "192.0.2.1"}, "External   192.0.2.1 NodePort 10.0.0.1 30090 TCP"},
		{[]string{"svc/inner", "-n", "shop", "--from", "pod/client"}, "Pod shop/client node-b 10.244.2.9 ClusterIP 10.96.0.11 80 TCP"},
	} {
		w := &world{}
		code := w.main(t, append([]string{"trace", "-f", file, "-o", "json"}, c.args...)...)
		got := ""
		if code == 0 {
			got = fields(t, w.out.Bytes())
		}
		if code != 0 || got != c.want {
			t.Errorf("%v: exit code %d, %q, want %q; %s", c.args, code, got, c.want, w.err.String())
		}
	}
}

// fields are those of a trace that say which client and which target it is about.
func fields(t *testing.T, text []byte) string {
	t.Helper()
	var got struct {
		From struct{ From, Pod, Node, Address string }
		To   struct {
			To, Address, Protocol string
			Port                  int
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %s %s %s %s %d %s", got.From.From, got.From.Pod, got.From.Node, got.From.Address, got.To.To, got.To.Address, got.To.Port, got.To.Protocol)
}

func TestCompleteFromAndTo(t *testing.T) {
	file := traced(t)
	for _, c := range []struct {
		args, want []string
	}{
		{[]string{"trace", "svc/web", "-n", "shop", "--from", ""}, []string{"pod/", "node/", "198.51.100.7"}},
		{[]string{"trace", "svc/web", "-n", "shop", "--from", "n"}, []string{"node/"}},
		{[]string{"trace", "svc/web", "-n", "shop", "--from", "pod/"}, []string{"pod/agent", "pod/client", "pod/job", "pod/six", "pod/waiting"}},
		{[]string{"trace", "svc/web", "-n", "mall", "--from", "po/c"}, []string{"po/client"}},
		{[]string{"trace", "svc/web", "-n", "shop", "--from", "node/"}, []string{"node/node-a", "node/node-b"}},
		{[]string{"status", "svc/web", "-n", "shop", "--from", ""}, []string{"pod/", "node/"}},
		{[]string{"trace", "svc/web", "-n", "shop", "--to", "203"}, []string{"203.0.113.7:80", "203.0.113.7:53"}},
		{[]string{"trace", "svc/inner", "-n", "shop", "--to", ""}, []string{"10.96.0.11:80"}},
		{[]string{"trace", "-n", "shop", "--to", ""}, nil},
	} {
		args := append([]string{c.args[0], "-f", file}, c.args[1:]...)
		if got := completions(t, &world{}, args...); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", args, got, c.want)
		}
	}
}

// The screen at several widths, and the drawings.
func TestTraceScreens(t *testing.T) {
	for _, c := range []struct {
		name    string
		columns int
		args    []string
	}{
		{"trace-outside-80", 80, []string{"--from", "198.51.100.7"}},
		{"trace-outside-48-ascii", 48, []string{"--from", "198.51.100.7", "--ascii"}},
		{"trace-node-piped", 0, []string{"--from", "node/cn-hangzhou.10.0.1.13"}},
		{"trace-pod-color-80", 80, []string{"--from", "10.0.64.44", "--color", "always"}},
		{"trace.mermaid", 0, []string{"--from", "198.51.100.7", "-o", "mermaid"}},
		{"trace.dot", 0, []string{"--from", "198.51.100.7", "-o", "dot"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{env: map[string]string{"LANG": "C.UTF-8", "TERM": "xterm"}}
			e := w.environment()
			e.Columns = func(io.Writer) (int, bool) { return c.columns, c.columns > 0 }
			args := append([]string{"trace", "svc/nginx-ingress-lb", "-n", "kube-system", "-f", traceExample}, c.args...)
			if !slices.Contains(args, "--color") {
				args = append(args, "--color=never")
			}
			if code := Main(t.Context(), args, w.streams(), e); code != 0 {
				t.Fatalf("exit code %d: %s", code, w.err.String())
			}
			matchesFile(t, c.name+".txt", w.out.Bytes())
		})
	}
}

var (
	mermaidLine = regexp.MustCompile(`^(flowchart TD|  h\d+\["([A-Za-z0-9 .,:/()%?-]|<br/>|#\d+;)*"\]|  h\d+ (-->|-\.->|-\.-x)(\|"([A-Za-z0-9 .,:/()%?-]|#\d+;)*"\|)? h\d+|  classDef \w+ stroke:#[0-9a-f]{6},stroke-width:2px|  class h[0-9,h]* \w+)$`)
	dotLine     = regexp.MustCompile(`^(digraph trace \{|\}|  (node|edge) \[[^\]]*\];|  h\d+ \[label="([^"\\\n]|\\["\\n])*"(, color="#[0-9a-f]{6}")?\];|  h\d+ -> h\d+ \[label="([^"\\\n]|\\["\\n])*"(, style=dashed(, arrowhead=none)?)?\];)$`)
)

// Names that mean something to Mermaid or Graphviz stay names.
func TestDrawingsStayDrawings(t *testing.T) {
	text, err := os.ReadFile(traceExample)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"];end`, "a\\N\"b", "`md`", "x<script>", "&lt;", "a|b", "]-->h9", "#quot;", "%%{init}%%", "中文节点"} {
		hostile := strings.ReplaceAll(string(text), "cn-hangzhou.10.0.1.12", fmt.Sprintf("%q", name))
		file := filepath.Join(t.TempDir(), "cluster.yaml")
		if err := os.WriteFile(file, []byte(hostile), 0o600); err != nil {
			t.Fatal(err)
		}
		for output, line := range map[string]*regexp.Regexp{"mermaid": mermaidLine, "dot": dotLine} {
			w := &world{}
			if code := w.main(t, "trace", "-f", file, "--from", "198.51.100.7", "-o", output); code != 0 {
				t.Fatalf("%s: exit code %d: %s", name, code, w.err.String())
			}
			for l := range strings.Lines(w.out.String()) {
				if !line.MatchString(strings.TrimSuffix(l, "\n")) {
					t.Errorf("%s, %s: %q", name, output, l)
				}
			}
		}
	}
}
