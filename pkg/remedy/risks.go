package remedy

import "slices"

// Risks are the words that --accept-risk takes, in order: those of the preconditions here and of the checks of pkg/provider.
func Risks() []string {
	risks := []string{
		BreaksInside, LosesClientIP, WillBeReverted, "backends-were-skipped", "below-disruption-budget", "breaks-outside-clients", "bypassed-by-node-cache", "downtime",
		"drops-connections", "host-network-backends", "interrupts-rollout", "ip-mode-ignored", "loses-address", "network-may-not-support", "no-effect", "no-endpoint", "no-proxy-header", "over-quota", "pod-network-unknown", "policy-may-be-refused",
		"probe-may-fail", "rollout-may-stall", "terway-not-ready", "terway-unknown", "unconfirmed-in-place",
	}
	slices.Sort(risks)
	return risks
}
