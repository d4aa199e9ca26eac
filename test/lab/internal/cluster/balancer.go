package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// balance lets the load balancer check the health of the nodes until it finds the same twice, and then send accordingly.
func (c *Cluster) balance(ctx context.Context) error {
	last := ""
	err := Wait(ctx, "the health of the nodes to stop changing", func() (bool, error) {
		if err := c.checkHealth(); err != nil {
			return false, err
		}
		now := fmt.Sprint(c.Healthy)
		same := now == last
		last = now
		if !same {
			time.Sleep(300 * time.Millisecond)
		}
		return same, nil
	})
	if err != nil {
		return err
	}
	_, err = c.Network.LB.Run(c.balancing(), "nft", "-f", "-")
	return err
}

// checkHealth asks as clouds do: the Service's healthCheckNodePort under Local, kube-proxy's own health otherwise.
func (c *Cluster) checkHealth() error {
	type check struct{ node, port, family int }
	answers := map[check]bool{}
	for _, s := range c.Services {
		if !c.balances(s) {
			continue
		}
		port := 10256
		if s.Object.Spec.HealthCheckNodePort != 0 {
			port = int(s.Object.Spec.HealthCheckNodePort)
		}
		healthy := []string{}
		for n := 1; n <= scenario.Nodes; n++ {
			k := check{n, port, 0}
			if port != 10256 && s.Object.Spec.IPFamilies[0] == corev1.IPv6Protocol {
				k.family = 1
			}
			ok, known := answers[k]
			if !known {
				r, err := c.Network.LB.Get("http://" + net.JoinHostPort(scenario.NodeIP(n)[k.family], strconv.Itoa(port)) + "/healthz")
				ok = err == nil && r.Status == 200
				answers[k] = ok
			}
			if ok {
				healthy = append(healthy, nodeName(n))
			}
		}
		c.Healthy[s.Name] = healthy
	}
	return nil
}

// balances says whether the load balancer serves a Service: one without nodePorts leaves it nothing to send to.
func (c *Cluster) balances(s *Service) bool {
	return len(s.Addresses) > 0 && s.Object.Spec.Ports[0].NodePort != 0
}

// balancing is the load balancer's rules.
func (c *Cluster) balancing() string {
	var pre, forward, post [2]strings.Builder
	for _, s := range c.Services {
		for _, vip := range s.Addresses {
			f, ip := 0, "ip"
			if strings.Contains(vip, ":") {
				f, ip = 1, "ip6"
			}
			fmt.Fprintf(&forward[f], "%s daddr %s drop\n", ip, vip)
			if !c.balances(s) || len(c.Healthy[s.Name]) == 0 {
				continue
			}
			var nodes []string
			for i, name := range c.Healthy[s.Name] {
				n := slices.IndexFunc(c.Network.Nodes, func(a *agent.Agent) bool { return a.Name == name })
				nodes = append(nodes, fmt.Sprintf("%d : %s", i, scenario.NodeIP(n + 1)[f]))
			}
			for _, port := range s.Object.Spec.Ports {
				protocol := strings.ToLower(string(port.Protocol))
				fmt.Fprintf(&pre[f], "%s daddr %s %s dport %d dnat to numgen inc mod %d map { %s }:%d\n",
					ip, vip, protocol, port.Port, len(nodes), strings.Join(nodes, ", "), port.NodePort)
				if s.ReplacesClient {
					fmt.Fprintf(&post[f], "ct original %s daddr %s meta l4proto %s ct original proto-dst %d snat to %s\n",
						ip, vip, protocol, port.Port, []string{LoadBalancerIP, LoadBalancerIPv6}[f])
				}
			}
		}
	}
	var out strings.Builder
	for f, ip := range []string{"ip", "ip6"} {
		inside := []string{"172.30.0.0/24, 10.244.0.0/16", "fd00:30::/64, fd00:244::/56"}[f]
		self := []string{LoadBalancerIP, LoadBalancerIPv6}[f]
		fmt.Fprintf(&out, `table %[1]s lb
delete table %[1]s lb
table %[1]s lb {
chain pre { type nat hook prerouting priority dstnat;
%[2]s}
chain forward { type filter hook forward priority filter;
%[3]s}
chain post { type nat hook postrouting priority srcnat;
ct status dnat %[1]s saddr { %[4]s } snat to %[5]s
%[6]s}
}
`, ip, pre[f].String(), forward[f].String(), inside, self, post[f].String())
	}
	return out.String()
}

// Proxied says whether nodes let a load balancer entry's packets pass to the load balancer itself, as far as the API says.
func Proxied(in corev1.LoadBalancerIngress) bool {
	return in.IP == "" || in.IPMode != nil && *in.IPMode == corev1.LoadBalancerIPModeProxy
}
