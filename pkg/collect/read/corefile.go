package read

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// corefile reads the configuration of CoreDNS, by which public names may be answered inside the cluster. It matters for what is advised, and for no diagnosis: that it
// cannot be read is no gap, and a dump leaves it out, since plugins may be given credentials there.
func (r *reading) corefile() error {
	var found corev1.ConfigMap
	r.count()
	if err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", detect.KubeSystem, "configmaps", objects.CoreDNSConfig), Parameters: api.FromCache()}, &found); err != nil {
		if r.ctx.Err() == context.Canceled {
			return context.Canceled
		}
		return nil
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.KeepCorefile(&found)
	return nil
}
