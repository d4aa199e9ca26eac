package record

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// held is a connection kept open while its Service changes.
type held struct {
	recordings.Flip
	service *cluster.Service
	agent   *agent.Agent
	dial    agent.Dial
}

// Flip opens connections to the Services that are to be changed, gives each the other externalTrafficPolicy, and sees what became of the connections. Only
// those that could be opened are in the answer. It must be the last thing done to a cluster: the Services stay changed.
// On a slow machine it gives new connections more time.
func Flip(ctx context.Context, c *cluster.Cluster, slow bool, progress func(string)) ([]recordings.Flip, error) {
	var open []*held
	changes := map[string]string{}
	for _, s := range c.Services {
		if !s.FlipToOther {
			continue
		}
		change, err := opposite(s)
		if err != nil {
			return nil, err
		}
		changes[s.Name] = change
		for _, h := range connections(c, s) {
			h.Change = change
			if h.agent.Open(h.dial) == nil {
				open = append(open, h)
			}
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	for _, s := range c.Services {
		change := changes[s.Name]
		if change == "" {
			continue
		}
		changed, err := c.Control.Client.CoreV1().Services(scenario.Namespace).Patch(ctx, s.Name, types.MergePatchType, []byte(change), metav1.PatchOptions{})
		if err != nil {
			return nil, fmt.Errorf("changing the policy of service %s: %w", s.Name, err)
		}
		s.Object = changed
	}
	if err := c.Settle(ctx); err != nil {
		return nil, err
	}
	for _, h := range open {
		alive, err := h.agent.Alive(h.dial.Address)
		if err != nil {
			return nil, err
		}
		h.Survived = alive
	}
	anew := make([]*cell, len(open))
	for i, h := range open {
		e := effortFor(c.Scenario).against(h.service.Endpoints)
		anew[i] = &cell{service: h.service, from: h.From, agent: h.agent, dial: h.dial, endpoints: h.service.Endpoints, effort: e, tries: e.balanced}
	}
	if err := measure(anew, effortFor(c.Scenario), pacesFor(slow), progress); err != nil {
		return nil, err
	}
	out := make([]recordings.Flip, len(open))
	for i, h := range open {
		h.After = anew[i].result()
		out[i] = h.Flip
	}
	return out, nil
}

// opposite is the patch that gives a Service the other policy.
func opposite(s *cluster.Service) (string, error) {
	spec := map[string]any{"externalTrafficPolicy": corev1.ServiceExternalTrafficPolicyCluster}
	if s.Policy == corev1.ServiceExternalTrafficPolicyCluster {
		// Named, so that every recording has the same one.
		spec = map[string]any{"externalTrafficPolicy": corev1.ServiceExternalTrafficPolicyLocal, "healthCheckNodePort": s.Object.Spec.Ports[0].NodePort + 1000}
	}
	data, err := json.Marshal(map[string]any{"spec": spec})
	return string(data), err
}

// connections are those to keep open to a Service.
func connections(c *cluster.Cluster, s *cluster.Service) []*held {
	var out []*held
	port := s.Object.Spec.Ports[0]
	add := func(from string, a *agent.Agent, local string, t recordings.Target) {
		t.Protocol = string(port.Protocol)
		out = append(out, &held{
			Flip:    recordings.Flip{Service: scenario.Namespace + "/" + s.Name, Target: t, From: from},
			service: s, agent: a, dial: agent.Dial{Network: "tcp", Address: net.JoinHostPort(t.Address, strconv.Itoa(t.Port)), Local: local},
		})
	}
	vip := recordings.Target{Kind: recordings.TargetLoadBalancerIP, Address: s.Addresses[0], Port: int(port.Port)}
	for i, n := range c.Network.Nodes {
		add("node/"+n.Name, n, "", vip)
		pod := fmt.Sprintf("client-%d", i+1)
		add("pod/"+pod, c.Network.Pods[pod], "", vip)
		for j, m := range c.Network.Nodes {
			np := recordings.Target{Kind: recordings.TargetNodePort, Address: scenario.NodeIP(j + 1)[0], Node: m.Name, Port: int(port.NodePort)}
			add("node/"+n.Name, n, "", np)
			if i == 0 {
				add("external", c.Network.Fabric, cluster.FabricIP(0)[0], np)
			}
		}
	}
	add("external", c.Network.Client, "", vip)
	return out
}
