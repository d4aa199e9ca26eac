package remedy

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Given is the plan of changes that somebody else has made up, such as the inverse of a fix, with what it takes to simulate them and to wait for what follows them.
// Of other objects only a change of the Corefile is simulated.
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
