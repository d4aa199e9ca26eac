package announcer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// The router speaks BGP by gobgpd, which sets no routes in the kernel without FRR's zebra; the lab sets them as gobgpd
// has them.
const (
	gobgpVersion = "v4.8.0"
	routerASN    = 64512
	nodesASN     = 64513
)

func routerPrograms() []kube.Target {
	return []kube.Target{{Name: "gobgpd", Version: gobgpVersion}, {Name: "gobgp", Version: gobgpVersion}}
}

// startRouter starts gobgpd on the router, and waits until it answers.
func startRouter(ctx context.Context, l *lab) error {
	daemon, err := kube.Binary("gobgpd", gobgpVersion)
	if err != nil {
		return err
	}
	var config strings.Builder
	fmt.Fprintf(&config, "[global.config]\nas = %d\nrouter-id = %q\n", routerASN, cluster.RouterIP)
	for n := 1; n <= scenario.Nodes; n++ {
		fmt.Fprintf(&config, "[[neighbors]]\n[neighbors.config]\nneighbor-address = %q\npeer-as = %d\n[neighbors.transport.config]\npassive-mode = true\n", scenario.NodeIP(n)[0], nodesASN)
	}
	path := filepath.Join(l.dir, "gobgpd.toml")
	if err := os.WriteFile(path, []byte(config.String()), 0o644); err != nil {
		return fmt.Errorf("writing the router's configuration: %w", err)
	}
	if err := l.launch(l.Network.LB, "gobgpd", daemon, nil, "--config-file", path, "--log-plain"); err != nil {
		return err
	}
	return wait(ctx, "the router to serve BGP", func() (bool, error) {
		_, err := gobgp(l, "neighbor")
		return err == nil, l.ended()
	})
}

// established is the state of a session that is up (api.PeerState_SESSION_STATE_ESTABLISHED).
const established = 6

// routerOfRoutes describes the router in recordings.
const routerOfRoutes = "has the routes that nodes announce to gobgpd, and spreads connections over those to one address; what has no route it drops"

// sessions are the nodes with which the router's BGP session is up.
func sessions(l *lab) (map[string]bool, error) {
	text, err := gobgp(l, "neighbor", "-j")
	if err != nil {
		return nil, err
	}
	var peers []struct {
		State struct {
			NeighborAddress string `json:"neighbor_address"`
			SessionState    int    `json:"session_state"`
		} `json:"state"`
	}
	if err := json.Unmarshal([]byte(text), &peers); err != nil {
		return nil, fmt.Errorf("reading the router's sessions: %w", err)
	}
	out := map[string]bool{}
	for _, p := range peers {
		out[nodeAt(p.State.NeighborAddress)] = p.State.SessionState == established
	}
	return out, nil
}

func gobgp(l *lab, args ...string) (string, error) {
	binary, err := kube.Binary("gobgp", gobgpVersion)
	if err != nil {
		return "", err
	}
	return l.Network.LB.Run("", append([]string{binary}, args...)...)
}

// routes are the nodes that announce a route to each address. It sets the routes that the router then has.
func routes(l *lab, addresses []netip.Addr) (map[netip.Addr][]string, error) {
	text, err := gobgp(l, "global", "rib", "-j")
	if err != nil {
		return nil, err
	}
	var rib map[string][]struct {
		Attrs []struct {
			Nexthop string `json:"nexthop"`
		} `json:"attrs"`
	}
	if err := json.Unmarshal([]byte(text), &rib); err != nil {
		return nil, fmt.Errorf("reading the router's routes: %w", err)
	}
	out := map[netip.Addr][]string{}
	for _, a := range addresses {
		route := netip.PrefixFrom(a, a.BitLen()).String()
		command := []string{"ip", "route", "replace", route}
		for _, path := range rib[route] {
			for _, attribute := range path.Attrs {
				if attribute.Nexthop == "" {
					continue
				}
				name := nodeAt(attribute.Nexthop)
				if name == "" {
					return nil, fmt.Errorf("the route to %s has next hop %s, which is no node", a, attribute.Nexthop)
				}
				out[a] = append(out[a], name)
				command = append(command, "nexthop", "via", attribute.Nexthop)
			}
		}
		sort.Strings(out[a])
		if len(out[a]) == 0 {
			command = []string{"ip", "route", "replace", "blackhole", route}
		}
		if _, err := l.Network.LB.Run("", command...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// nodeAt is the node that has an address; "" where there is none.
func nodeAt(address string) string {
	for n := 1; n <= scenario.Nodes; n++ {
		if scenario.NodeIP(n)[0] == address {
			return fmt.Sprintf("n%d", n)
		}
	}
	return ""
}
