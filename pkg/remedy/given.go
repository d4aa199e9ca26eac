package remedy

// Given is the plan of changes that somebody else has made up, such as the inverse of a fix, with what it takes to simulate them and to wait for what follows them.
// Changes of objects other than the Service are not simulated.
func Given(mode Mode, f *Facts, changes []Change) *Plan {
	p := &Plan{Mode: mode, Service: f.Surroundings.Service, Changes: changes}
	for _, c := range changes {
		if c.Object.Kind == "Service" {
			p.effects = append(p.effects, onService(c.Fields))
			p.Signs = f.Provider.Signs()
		}
	}
	return p
}
