package anonymize

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
)

// marker is a word that nobody has, in pieces that no other text here has either.
const marker = "qzx7"

// spot is one string of a manifest, a value or a name in a map, and how it is changed.
type spot struct {
	at  string
	set func(func(string) string)
}

// spotsOf finds the strings of a decoded manifest, those of YAML and JSON within strings among them.
func spotsOf(value any, at string, put func(any)) []spot {
	var out []spot
	switch value := value.(type) {
	case string:
		out = append(out, spot{at, func(change func(string) string) { put(change(value)) }})
		var inner any
		if strings.ContainsAny(value, "\n{[") && yaml.Unmarshal([]byte(value), &inner) == nil {
			if _, isText := inner.(string); !isText {
				out = append(out, spotsOf(inner, at+"!", func(v any) {
					inner = v
				})...)
				for i := range out {
					if change := out[i].set; strings.HasPrefix(out[i].at, at+"!") {
						out[i].set = func(f func(string) string) {
							change(f)
							text, _ := json.Marshal(inner)
							put(string(text))
						}
					}
				}
			}
		}
	case []any:
		for i := range value {
			out = append(out, spotsOf(value[i], at+"[]", func(v any) { value[i] = v })...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			out = append(out, spotsOf(value[key], at+"."+key, func(v any) { value[key] = v })...)
			out = append(out, spot{at + ".(" + key + ")", func(change func(string) string) {
				value[change(key)] = value[key]
				delete(value, key)
			}})
		}
	}
	return out
}

func decodedFile(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(collecttest.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	var items []any
	for _, document := range regexp.MustCompile(`(?m)^---.*$`).Split(string(text), -1) {
		var value any
		if err := yaml.Unmarshal([]byte(document), &value); err != nil {
			t.Fatal(err)
		}
		if list, ok := value.(map[string]any); ok {
			if inner, isList := list["items"].([]any); isList {
				items = append(items, inner...)
			} else {
				items = append(items, list)
			}
		}
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
}

// TestNothingLeaks writes a marker into every string of manifests, one after the other, and looks for it in the anonymous dump.
func TestNothingLeaks(t *testing.T) {
	// What the samples of detection have beside these is more of the same.
	for _, name := range []string{"collect/anonymize/testdata/words.yaml", "detect/testdata/antrea.yaml"} {
		t.Run(name, func(t *testing.T) {
			seen, kept := map[string]bool{}, 0
			whole, err := json.Marshal(decodedFile(t, name))
			if err != nil {
				t.Fatal(err)
			}
			decoded := func() (value map[string]any) {
				if err := json.Unmarshal(whole, &value); err != nil {
					t.Fatal(err)
				}
				return value
			}
			for i, spot := range spotsOf(decoded(), "", func(any) {}) {
				if seen[spot.at] {
					continue
				}
				seen[spot.at] = true
				if testing.Short() && len(seen)%4 > 0 {
					continue // One place of four; CI changes all.
				}
				for turn, change := range []func(string) string{
					func(s string) string { return s + "-" + marker + ".1" }, func(s string) string { return marker + "," + s + "=" + marker }, func(s string) string { return s + "/" + marker },
				} {
					if (i+turn)%3 == 0 {
						continue
					}
					value := decoded()
					spotsOf(value, "", func(any) {})[i].set(change)
					text, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					read, err := file.Read(t.Context(), file.Input{Paths: []string{"-"}, Stdin: strings.NewReader(string(text))})
					if err != nil {
						continue
					}
					if strings.Contains(collecttest.Dumped(t, read), marker) {
						kept++
					}
					if out := collecttest.Dumped(t, Objects(read)); strings.Contains(out, marker) {
						line := regexp.MustCompile(`.*` + marker + `.*`).FindString(out)
						t.Errorf("what stands at %s is in the dump: %s", spot.at, line)
					}
				}
			}
			if kept < 20 && !testing.Short() || kept < 5 {
				t.Errorf("only %d changes were in a dump that is not anonymous", kept)
			}
		})
	}
}

// TestNoNameIsLeft: every name of somebody's own in the sample has one of three words in it.
func TestNoNameIsLeft(t *testing.T) {
	read := collecttest.Offline(t, "collect/anonymize/testdata/words.yaml")
	words := regexp.MustCompile(`(?i).*(quokka|zircon|marmot|ledger|secret|rack|payments).*`)
	if n := len(words.FindAllString(collecttest.Dumped(t, read), -1)); n < 80 {
		t.Errorf("only %d lines of the dump that is not anonymous have one of the words", n)
	}
	for _, line := range words.FindAllString(collecttest.Dumped(t, Objects(read)), -1) {
		t.Errorf("left in the dump: %s", line)
	}
}

// TestNoAddressIsLeft: no address and no range is itself afterwards, or another one that was read, unless everybody has it.
func TestNoAddressIsLeft(t *testing.T) {
	everybodys := func(p netip.Prefix) bool {
		return p.Addr().IsLoopback() || slices.ContainsFunc(allowedRanges[:], func(text string) bool {
			kept := netip.MustParsePrefix(text)
			return p.Bits() <= kept.Bits() && p.Contains(kept.Addr())
		})
	}
	of := func(text string) map[netip.Addr]bool {
		out := map[netip.Addr]bool{}
		for _, token := range regexp.MustCompile(`[0-9a-fA-F.:]+(/\d+)?`).FindAllString(text, -1) {
			p, err := netip.ParsePrefix(token)
			if address, isAddress := cluster.ParseAddress(strings.TrimRight(token, ".:")); isAddress {
				p, err = netip.PrefixFrom(address, address.BitLen()), nil
			}
			if err == nil && !everybodys(p.Masked()) {
				out[p.Addr()] = true
			}
		}
		return out
	}
	for _, name := range append(collecttest.Samples(t), "collect/anonymize/testdata/words.yaml", "../examples/ack-ipvs-local.yaml") {
		read := collecttest.Offline(t, name)
		before, after := of(collecttest.Dumped(t, read)), of(collecttest.Dumped(t, Objects(read)))
		for address := range after {
			if before[address] {
				t.Errorf("%s: %s is still there", name, address)
			}
		}
		if len(after) < len(before)*9/10 {
			t.Errorf("%s: %d addresses become %d", name, len(before), len(after))
		}
	}
}

// TestAddressesKeepTheirOrderAndRanges: every address becomes another, but a range keeps what lies in it, and all keep their order and the kind of their network.
func TestAddressesKeepTheirOrderAndRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		octet := rapid.SampledFrom([]byte{0, 1, 2, 10, 42, 96, 100, 127, 128, 192, 203, 255})
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			if rapid.Bool().Draw(t, "six") {
				var bytes [16]byte
				for i := range bytes {
					bytes[i] = octet.Draw(t, "byte")
				}
				bytes[0] = rapid.SampledFrom([]byte{0xfd, 0x20, 0xfe}).Draw(t, "first")
				return netip.PrefixFrom(netip.AddrFrom16(bytes), rapid.IntRange(8, 128).Draw(t, "bits")).Masked()
			}
			bytes := [4]byte{octet.Draw(t, "a"), octet.Draw(t, "b"), octet.Draw(t, "c"), octet.Draw(t, "d")}
			return netip.PrefixFrom(netip.AddrFrom4(bytes), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		})
		all := rapid.SliceOfNDistinct(prefix, 1, 12, func(p netip.Prefix) netip.Prefix { return p }).Draw(t, "prefixes")
		a := newAnonymizer()
		for _, p := range all {
			a.addressOrRange(p.String())
		}
		a.settle()
		become := func(p netip.Prefix) netip.Prefix {
			text, _ := a.addressOrRange(p.String())
			return netip.MustParsePrefix(text)
		}
		for _, p := range all {
			x := become(p)
			if x.Bits() != p.Bits() || x.Addr().Is4() != p.Addr().Is4() || x.Addr().IsPrivate() != p.Addr().IsPrivate() || x.Addr().IsLoopback() != p.Addr().IsLoopback() {
				t.Fatalf("%s becomes %s", p, x)
			}
			if p.IsSingleIP() && x == p && !slices.Contains(allowedRanges[:], p.String()) {
				t.Fatalf("%s is left as it is", p)
			}
			for _, q := range all {
				y := become(q)
				if p.Overlaps(q) != x.Overlaps(y) || !p.Overlaps(q) && p.Addr().Compare(q.Addr()) != x.Addr().Compare(y.Addr()) {
					t.Fatalf("%s and %s become %s and %s", p, q, x, y)
				}
			}
			for _, text := range allowedRanges {
				if kept := netip.MustParsePrefix(text); kept.Bits() <= p.Bits() && kept.Contains(p.Addr()) != kept.Contains(x.Addr()) {
					t.Fatalf("%s becomes %s: one of them lies in %s", p, x, kept)
				}
			}
		}
	})
}
