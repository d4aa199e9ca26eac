//go:build unix

// Package kubelet knows what the rest of a cluster sees of kubelets: pods that are bound to a node get an address and become ready, and pods that are to go are gone.
// Nothing is run.
package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Never is an annotation of pods that never become ready.
const Never = "kubelet.test/never-ready"

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// Play plays the kubelets of all nodes until stop is called.
func Play(config *rest.Config) (stop func(), err error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &kubelets{client: client, addresses: map[types.UID]int{}}
	var playing sync.WaitGroup
	playing.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			k.round(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() { cancel(); playing.Wait() }, nil
}

type kubelets struct {
	client    dynamic.Interface
	addresses map[types.UID]int
}

// round looks at every pod once. What fails is done in the next round.
func (k *kubelets) round(ctx context.Context) {
	list, err := k.client.Resource(pods).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for i := range list.Items {
		pod := &list.Items[i]
		node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName")
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		switch {
		case pod.GetDeletionTimestamp() != nil:
			now := int64(0)
			err = k.client.Resource(pods).Namespace(pod.GetNamespace()).Delete(ctx, pod.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &now})
		case node != "" && phase == "Pending" && pod.GetAnnotations()[Never] == "":
			err = k.ready(ctx, pod)
		default:
			continue
		}
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			return
		}
	}
}

func (k *kubelets) ready(ctx context.Context, pod *unstructured.Unstructured) error {
	n, known := k.addresses[pod.GetUID()]
	if !known {
		n = len(k.addresses) + 1
		k.addresses[pod.GetUID()] = n
	}
	address := fmt.Sprintf("10.240.%d.%d", n/250, 1+n%250)
	now := time.Now().UTC().Format(time.RFC3339)
	condition := func(kind string) map[string]any {
		return map[string]any{"type": kind, "status": "True", "lastTransitionTime": now}
	}
	status := map[string]any{"status": map[string]any{
		"phase": "Running", "podIP": address, "podIPs": []any{map[string]any{"ip": address}}, "startTime": now,
		"conditions": []any{condition("Initialized"), condition("ContainersReady"), condition("Ready"), condition("PodScheduled")},
	}}
	patch, err := json.Marshal(status)
	if err != nil {
		return err
	}
	_, err = k.client.Resource(pods).Namespace(pod.GetNamespace()).Patch(ctx, pod.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "kubelet"}, "status")
	return err
}
