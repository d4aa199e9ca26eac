package remedy

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Given is a plan of given changes, such as the inverse of a fix, which can be simulated and waited for. Changes of the Service and of the Corefile are simulated, others
// are not.
func Given(mode Mode, f *Facts, changes []Change) *Plan {
	p := &Plan{Mode: mode, Service: f.Surroundings.Service, Changes: changes}
	for _, c := range changes {
		switch c.Object.Kind {
		case "Service":
			p.effects = append(p.effects, onService(c.Fields))
			p.Signs = f.Provider.Signs()
		case "ConfigMap":
			for _, field := range c.Fields {
				if text, ok := field.Now.(string); ok && slices.Equal(field.Path, corefilePath()) {
					p.effects = append(p.effects, func(s *cluster.Snapshot, _ *cluster.Service) { s.Corefile = text })
				}
			}
		}
	}
	return p
}
