package cluster

// Override is the data plane that the user names in place of the detected one. Mode is "" except for kube-proxy; the
// zero Version keeps the version that was read.
type Override struct {
	Name    DataplaneName
	Mode    ProxyMode
	Version Version
}
