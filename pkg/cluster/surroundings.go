package cluster

// Object names one object of the API, as it was when it was read.
type Object struct {
	APIVersion, Kind, Namespace, Name string
	// ResourceVersion is the one that was read: a change is guarded by it.
	ResourceVersion string
}

// Surroundings is what stands around one Service, decides over it or depends on it. It is read only where something is about to be changed.
type Surroundings struct {
	Service Object
	// Gaps lists what could not be read here. A fact that a gap covers is unknown, not absent.
	Gaps []Gap
}
