package remedy

import "slices"

// Risks are the words that --accept-risk takes, in order: those of the preconditions here and of the checks of pkg/provider.
func Risks() []string {
	risks := []string{
		BreaksInside, LosesClientIP, WillBeReverted, "backends-were-skipped", "below-disruption-budget", "breaks-outside-clients", "bypassed-by-node-cache", "downtime",
		"drops-connections", "interrupts-rollout", "ip-mode-ignored", "loses-address", "no-effect", "no-endpoint", "no-proxy-header", "over-quota", "pod-network-unknown",
		"probe-may-fail", "rollout-may-stall", "terway-not-ready", "terway-unknown",
	}
	slices.Sort(risks)
	return risks
}
