package anonymize

import (
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// pairs are labels, annotations or a selector.
func (a *anonymizer) pairs(in map[string]string) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for key, value := range in {
		out[a.labelKey(key)] = a.valueOf(key, value)
	}
	return out
}

// valueOf is what becomes of a value of a label or an annotation.
func (a *anonymizer) valueOf(key, value string) string {
	switch key {
	case corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion:
		return a.name("zone", value)
	case corev1.LabelHostname, "metadata.name":
		return a.name("node", value)
	case discoveryv1.LabelServiceName:
		return a.name("service", value)
	case objects.GatewayNameLabel:
		return a.name("gateway", value)
	case "k3s.io/node-args":
		return a.k3s(value)
	case objects.UndoAnnotation:
		return a.records(value)
	}
	return a.value(value)
}

// requirement is one condition of an affinity: its values are those of the label that it names, or names of nodes.
func (a *anonymizer) requirement(at string, r *corev1.NodeSelectorRequirement) {
	key := r.Key
	if !strings.HasSuffix(at, ".matchFields") {
		r.Key = a.labelKey(key)
	}
	for i, value := range r.Values {
		r.Values[i] = a.valueOf(key, value)
	}
	r.Operator = corev1.NodeSelectorOperator(a.value(string(r.Operator)))
}

// plainNumber is no number of an account.
var plainNumber = regexp.MustCompile(`^[0-9]{1,5}$`)

// separators are what a value of several words has between them.
var separators = regexp.MustCompile(`[,;=!()\s]+`)

// value replaces a text, word by word where it has several, but for words that are allowed, numbers, times, addresses and ranges.
func (a *anonymizer) value(text string) string {
	if word, ok := a.word(text); ok {
		return word
	}
	if strings.ContainsAny(text, "\n{}[]\"'") {
		return a.name("value", text)
	}
	var out strings.Builder
	from := 0
	each := func(part string) {
		switch word, ok := a.word(part); {
		case part == "":
		case ok:
			out.WriteString(word)
		default:
			out.WriteString(a.anchor(part))
		}
	}
	for _, at := range separators.FindAllStringIndex(text, -1) {
		each(text[from:at[0]])
		out.WriteString(text[at[0]:at[1]])
		from = at[1]
	}
	each(text[from:])
	return out.String()
}

func (a *anonymizer) word(text string) (string, bool) {
	if allowedWords[strings.ToLower(text)] || allowedKeys[text] || plainNumber.MatchString(text) {
		return text, true
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text, true
	}
	return a.addressOrRange(text)
}

// anchor replaces a word of a text: by the replacement of a name where the word is one.
func (a *anonymizer) anchor(text string) string {
	value := a.name("value", text)
	for _, kind := range a.anchored {
		if to := a.names[kind][text]; a.settled && to != "" {
			return to
		}
	}
	return value
}

// ranges are addresses, ranges and keywords with commas between them.
func (a *anonymizer) ranges(text string) string {
	parts := strings.Split(text, ",")
	for i, part := range parts {
		parts[i] = a.value(strings.TrimSpace(part))
	}
	return strings.Join(parts, ",")
}

// gates are feature gates as a flag has them: A=true,B=false.
func (a *anonymizer) gates(text string) string {
	var out []string
	for gate := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(gate, "=")
		out = append(out, a.either(strings.TrimSpace(name), allowedGates, "gate")+"="+a.value(strings.TrimSpace(value)))
	}
	return strings.Join(out, ",")
}
