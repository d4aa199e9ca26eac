package surroundings

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// pods reads the pods that the selector selects, then their owners and the policies that select them.
func (w *walk) pods() error {
	if len(w.out.Selector) == 0 {
		return nil
	}
	var found []labels.Set
	owners := map[cluster.Object]bool{}
	parameters := url.Values{"labelSelector": {labels.SelectorFromSet(w.out.Selector).String()}}
	err := w.list(cluster.ResourcePods, "/api/v1", w.service.Namespace, parameters, func(r api.Request) (*api.Page, error) {
		var page corev1.PodList
		if err := w.client.Into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return api.NewPage(&page.ListMeta, func() error {
			for i := range page.Items {
				p := &page.Items[i]
				if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
					continue
				}
				to := cluster.Pod{
					Namespace: p.Namespace, Name: p.Name, Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork,
					Annotations: p.Annotations, Owner: controllerOf(&p.ObjectMeta),
				}
				for _, gate := range p.Spec.ReadinessGates {
					to.ReadinessGates = append(to.ReadinessGates, string(gate.ConditionType))
				}
				if to.Owner != nil {
					owners[*to.Owner] = true
				}
				found = append(found, p.Labels)
				add(w, &w.out.Pods, to)
			}
			return nil
		}), nil
	})
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() error { return w.budgets(found) })
	group.Go(func() error { return w.policies(found) })
	if w.cilium {
		group.Go(func() error { return w.ciliumPolicies(found) })
	}
	group.Go(func() error { return w.workloads(owners) })
	return group.Wait()
}

func (w *walk) budgets(pods []labels.Set) error {
	read := func(path string) error {
		return api.Pages(nil, func(v url.Values) (*api.Page, error) {
			// The fields are those that v1 and v1beta1 have in common.
			var page struct {
				Metadata metav1.ListMeta `json:"metadata"`
				Items    []struct {
					Metadata metav1.ObjectMeta `json:"metadata"`
					Spec     struct {
						Selector *metav1.LabelSelector `json:"selector"`
					} `json:"spec"`
					Status struct {
						DisruptionsAllowed int `json:"disruptionsAllowed"`
					} `json:"status"`
				} `json:"items"`
			}
			r := api.Request{Path: api.Path(path, w.service.Namespace, "poddisruptionbudgets", ""), Accept: api.JSON, Parameters: v}
			if err := w.client.JSON(w.ctx, r, &page); err != nil {
				return nil, err
			}
			return api.NewPage(&page.Metadata, func() error {
				for i := range page.Items {
					item := &page.Items[i]
					if selects(item.Spec.Selector, pods) {
						add(w, &w.out.Budgets, cluster.Budget{Namespace: item.Metadata.Namespace, Name: item.Metadata.Name, Allowed: item.Status.DisruptionsAllowed})
					}
				}
				return nil
			}), nil
		})
	}
	err := read("/apis/policy/v1")
	// Before v1.21 there is v1beta1 alone.
	if apierrors.IsNotFound(err) {
		err = read("/apis/policy/v1beta1")
	}
	if err != nil {
		return w.gap(cluster.ResourcePodDisruptionBudgets, "list", w.service.Namespace, "", err)
	}
	return nil
}

// selects says whether a selector selects one of the pods; nil selects none.
func selects(selector *metav1.LabelSelector, pods []labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && slices.ContainsFunc(pods, func(pod labels.Set) bool { return parsed.Matches(pod) })
}

func (w *walk) policies(pods []labels.Set) error {
	return w.list(cluster.ResourceNetworkPolicies, "/apis/networking.k8s.io/v1", w.service.Namespace, nil, func(r api.Request) (*api.Page, error) {
		var page networkingv1.NetworkPolicyList
		if err := w.client.Into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return api.NewPage(&page.ListMeta, func() error {
			for i := range page.Items {
				from := &page.Items[i]
				to := cluster.NetworkPolicy{Kind: "NetworkPolicy", Namespace: from.Namespace, Name: from.Name}
				for _, rule := range from.Spec.Ingress {
					for _, peer := range rule.From {
						if peer.IPBlock != nil {
							to.Blocks = append(to.Blocks, cluster.ParsePrefixes(peer.IPBlock.CIDR)...)
						}
					}
				}
				if len(to.Blocks) > 0 && selects(&from.Spec.PodSelector, pods) {
					add(w, &w.out.Policies, to)
				}
			}
			return nil
		}), nil
	})
}

// ciliumPolicies reads CiliumNetworkPolicies. A selector that cannot be judged here counts as one that selects the pods.
func (w *walk) ciliumPolicies(pods []labels.Set) error {
	type rule struct {
		EndpointSelector metav1.LabelSelector `json:"endpointSelector"`
		Ingress          []struct {
			FromCIDR    []string `json:"fromCIDR"`
			FromCIDRSet []struct {
				CIDR string `json:"cidr"`
			} `json:"fromCIDRSet"`
		} `json:"ingress"`
	}
	var page struct {
		Items []struct {
			Metadata metav1.ObjectMeta `json:"metadata"`
			Spec     *rule             `json:"spec"`
			Specs    []rule            `json:"specs"`
		} `json:"items"`
	}
	r := api.Request{Path: api.Path("/apis/cilium.io/v2", w.service.Namespace, "ciliumnetworkpolicies", ""), Accept: api.JSON, Parameters: api.FromCache()}
	err := w.client.JSON(w.ctx, r, &page)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return w.gap(cluster.ResourceCiliumPolicies, "list", w.service.Namespace, "", err)
	}
	for i := range page.Items {
		from := &page.Items[i]
		to := cluster.NetworkPolicy{Kind: "CiliumNetworkPolicy", Namespace: from.Metadata.Namespace, Name: from.Metadata.Name}
		rules := from.Specs
		if from.Spec != nil {
			rules = append(rules, *from.Spec)
		}
		for _, one := range rules {
			// Cilium's keys carry the source of a label: k8s:app, any:app.
			plain := metav1.LabelSelector{MatchLabels: map[string]string{}}
			for key, value := range one.EndpointSelector.MatchLabels {
				_, name, found := strings.Cut(key, ":")
				if !found {
					name = key
				}
				if !strings.HasPrefix(name, "io.kubernetes.") && !strings.HasPrefix(name, "io.cilium.") {
					plain.MatchLabels[name] = value
				}
			}
			if !selects(&plain, pods) {
				continue
			}
			for _, ingress := range one.Ingress {
				to.Blocks = append(to.Blocks, cluster.ParsePrefixes(ingress.FromCIDR...)...)
				for _, set := range ingress.FromCIDRSet {
					to.Blocks = append(to.Blocks, cluster.ParsePrefixes(set.CIDR)...)
				}
			}
		}
		if len(to.Blocks) > 0 {
			add(w, &w.out.Policies, to)
		}
	}
	return nil
}

func (w *walk) daemonSets() error {
	return w.list(cluster.ResourceDaemonSets, "/apis/apps/v1", detect.KubeSystem, nil, func(r api.Request) (*api.Page, error) {
		var page appsv1.DaemonSetList
		if err := w.client.Into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return api.NewPage(&page.ListMeta, func() error {
			for i := range page.Items {
				d := &page.Items[i]
				to := cluster.DaemonSet{Namespace: d.Namespace, Name: d.Name, Wanted: int(d.Status.DesiredNumberScheduled), Ready: int(d.Status.NumberReady)}
				if detect.IsTerway(d) && d.Spec.Selector != nil {
					if err := w.podsOn(&to, d.Spec.Selector); err != nil {
						return err
					}
				}
				add(w, &w.out.DaemonSets, to)
			}
			return nil
		}), nil
	})
}

// MaxSingleNodes is for how many nodes a DaemonSet's pods are listed node by node; for more nodes it is cheaper to list all pods.
const MaxSingleNodes = 8

// podsOn reads on which nodes a DaemonSet has pods, as far as the ready endpoints are concerned. It is an error only where the whole reading has been given up.
func (w *walk) podsOn(d *cluster.DaemonSet, selector *metav1.LabelSelector) error {
	nodes := map[string]bool{}
	for i := range w.service.Endpoints {
		if e := &w.service.Endpoints[i]; e.Ready && e.Node != "" {
			nodes[e.Node] = true
		}
	}
	each := slices.Sorted(maps.Keys(nodes))
	if len(each) > MaxSingleNodes {
		each = []string{""}
	}
	on := map[string]bool{}
	var lock sync.Mutex
	var group errgroup.Group
	for _, node := range each {
		group.Go(func() error {
			parameters := url.Values{"labelSelector": {metav1.FormatLabelSelector(selector)}}
			if node != "" {
				parameters.Set("fieldSelector", "spec.nodeName="+node)
			}
			return api.FirstPages(parameters, func(v url.Values) (*api.Page, error) {
				var page corev1.PodList
				if err := w.client.Into(w.ctx, api.Request{Path: api.Path("/api/v1", d.Namespace, "pods", ""), Parameters: v}, &page); err != nil {
					return nil, err
				}
				return api.NewPage(&page.ListMeta, func() error {
					lock.Lock()
					defer lock.Unlock()
					for i := range page.Items {
						p := &page.Items[i]
						if p.DeletionTimestamp != nil {
							continue
						}
						on[p.Spec.NodeName] = on[p.Spec.NodeName] || slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
							return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
						})
					}
					return nil
				}), nil
			})
		})
	}
	err := group.Wait()
	switch {
	case errors.Is(w.ctx.Err(), context.Canceled):
		return context.Canceled
	case err != nil:
		gap := api.NewGap(cluster.ResourcePods, "list", d.Namespace, "", err)
		d.Gap = &gap
	default:
		d.On = on
	}
	return nil
}
