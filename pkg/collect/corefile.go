package collect

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

const corefileKey = "Corefile"

// corefile reads the configuration of CoreDNS, by which public names may be answered inside the cluster. It matters for what is advised, and for no diagnosis: that it
// cannot be read is no gap, and a dump leaves it out, since plugins may be given credentials there.
func (r *reading) corefile() error {
	var found corev1.ConfigMap
	r.count()
	if err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", detect.KubeSystem, "configmaps", corednsConfig), parameters: fromCache()}, &found); err != nil {
		if r.ctx.Err() == context.Canceled {
			return context.Canceled
		}
		return nil
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.keepCorefile(&found)
	return nil
}

// keepCorefile keeps the Corefile of a ConfigMap that is CoreDNS's.
func (o *Objects) keepCorefile(c *corev1.ConfigMap) {
	if c.Name == corednsConfig && c.Namespace == detect.KubeSystem {
		o.Corefile = c.Data[corefileKey]
	}
}
