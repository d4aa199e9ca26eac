package clustertest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// attribute is one key of a line: it reads a field of a value and writes it, so parser and printer cannot drift apart.
type attribute struct {
	key string
	get func() string
	set func(string) error
}

// absent is what get says of a field of settings that are not there at all.
const absent = "\x00"

func text[T ~string](key string, p *T) attribute {
	return attribute{key, func() string {
		if *p == "" {
			return ""
		}
		return quote(string(*p))
	}, func(v string) error {
		s, err := unquote(v)
		*p = T(s)
		return err
	}}
}

// word takes one of a closed list of words.
func word[T ~string](key string, p *T, allowed ...T) attribute {
	a := text(key, p)
	a.set = func(v string) error {
		if !slices.Contains(allowed, T(v)) {
			return fmt.Errorf("%q is none of %q", v, allowed)
		}
		*p = T(v)
		return nil
	}
	return a
}

func boolean(key string, p *bool) attribute {
	return attribute{key, func() string { return strconv.FormatBool(*p) }, func(v string) (err error) {
		*p, err = strconv.ParseBool(v)
		return err
	}}
}

// moment is a time as the API server writes it.
func moment(key string, p *time.Time) attribute {
	return attribute{key, func() string {
		if p.IsZero() {
			return ""
		}
		return p.Format(time.RFC3339)
	}, func(v string) error {
		if v == "" {
			*p = time.Time{}
			return nil
		}
		parsed, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return err
		}
		*p = parsed.UTC()
		// In UTC, the year may have five digits, or a sign.
		if again, err := time.Parse(time.RFC3339, p.Format(time.RFC3339)); err != nil || !again.Equal(*p) {
			return fmt.Errorf("%q is not in whole seconds between the years 0 and 9999", v)
		}
		return nil
	}}
}

func number(key string, p *uint16) attribute {
	return attribute{key, func() string { return strconv.Itoa(int(*p)) }, func(v string) error {
		n, err := strconv.ParseUint(v, 10, 16)
		*p = uint16(n)
		return err
	}}
}

var tristates = []string{"unknown", "no", "yes"}

func tristate(key string, p *cluster.Tristate) attribute {
	return attribute{key, func() string { return tristates[*p] }, func(v string) error {
		i := slices.Index(tristates, v)
		if i < 0 {
			return fmt.Errorf("%q is none of %q", v, tristates)
		}
		*p = cluster.Tristate(i)
		return nil
	}}
}

func version(key string, p *cluster.Version) attribute {
	return attribute{key, func() string {
		if !p.Known() {
			return ""
		}
		return quote(p.Text)
	}, func(v string) error {
		v, err := unquote(v)
		if err != nil {
			return err
		}
		if v == "" {
			*p = cluster.Version{}
			return nil
		}
		parsed, ok := cluster.ParseVersion(v)
		if !ok {
			return fmt.Errorf("%q is no version", v)
		}
		*p = parsed
		return nil
	}}
}

func list[T any](key string, p *[]T, read func(string) (T, error), write func(T) string) attribute {
	return attribute{key, func() string {
		texts := make([]string, len(*p))
		for i, v := range *p {
			texts[i] = write(v)
		}
		return strings.Join(texts, ",")
	}, func(v string) error {
		*p = nil
		for _, s := range split(v, ',') {
			x, err := read(s)
			if err != nil {
				return err
			}
			*p = append(*p, x)
		}
		return nil
	}}
}

// address is one that may be missing.
func address(key string, p *netip.Addr) attribute {
	return attribute{key, func() string {
		if !p.IsValid() {
			return ""
		}
		return printAddress(*p)
	}, func(v string) (err error) {
		*p, err = readAddress(v)
		return err
	}}
}

func addresses(key string, p *[]netip.Addr) attribute {
	return list(key, p, readAddress, printAddress)
}

// readAddress and printAddress: the zone of an IPv6 address may be any text.
func readAddress(s string) (netip.Addr, error) {
	s, err := unquote(s)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(s)
}

func printAddress(a netip.Addr) string { return quote(a.String()) }

func prefixes(key string, p *[]netip.Prefix) attribute {
	return list(key, p, netip.ParsePrefix, netip.Prefix.String)
}

func texts(key string, p *[]string) attribute { return list(key, p, unquote, quote) }

// pairs are name=value, ordered by name.
func pairs[V any](key string, p *map[string]V, read func(string) (V, error), write func(V) string) attribute {
	return attribute{key, func() string {
		var out []string
		for k, v := range *p {
			out = append(out, quote(k)+"="+write(v))
		}
		slices.Sort(out)
		return strings.Join(out, ",")
	}, func(v string) error {
		*p = nil
		for _, s := range split(v, ',') {
			parts := split(s, '=')
			if len(parts) != 2 {
				return fmt.Errorf("%q is not NAME=VALUE", s)
			}
			name, err := unquote(parts[0])
			if err != nil {
				return err
			}
			value, err := read(parts[1])
			if err != nil {
				return err
			}
			if *p == nil {
				*p = map[string]V{}
			}
			(*p)[name] = value
		}
		return nil
	}}
}

func textPairs(key string, p *map[string]string) attribute { return pairs(key, p, unquote, quote) }

// within are the attributes of settings that may be missing. The first key says that they are there, and any key makes them.
func within[T any](p **T, of func(*T) []attribute) []attribute {
	list := of(new(T))
	for i := range list {
		list[i].get = func() string {
			switch {
			case *p != nil:
				return of(*p)[i].get()
			case i == 0:
				return absent
			default:
				return of(new(T))[i].get()
			}
		}
		list[i].set = func(v string) error {
			if *p == nil {
				*p = new(T)
			}
			return of(*p)[i].set(v)
		}
	}
	return list
}

// assign writes the key=value words of a line; a bare key means true.
func assign(words []string, to []attribute) error {
	seen := map[string]bool{}
	for _, w := range words {
		key, value, valued := strings.Cut(w, "=")
		i := slices.IndexFunc(to, func(a attribute) bool { return a.key == key })
		if i < 0 {
			keys := make([]string, len(to))
			for i := range to {
				keys[i] = to[i].key
			}
			return fmt.Errorf("unknown key %q; known are %s", key, strings.Join(keys, ", "))
		}
		if seen[key] {
			return fmt.Errorf("key %s is there twice", key)
		}
		seen[key] = true
		if !valued {
			value = "true"
		}
		if err := to[i].set(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// differing are the words that make plain into what is.
func differing(is, plain []attribute) string {
	var out strings.Builder
	for i, a := range is {
		switch value := a.get(); {
		case value == plain[i].get():
		case value == "true":
			out.WriteString(" " + a.key)
		default:
			out.WriteString(" " + a.key + "=" + value)
		}
	}
	return out.String()
}

// quote leaves a plain word as it is, and puts any other in double quotes as Go does.
func quote(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("-./_+:@()[]", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
	if plain && s != "" {
		return s
	}
	return strconv.Quote(s)
}

// quotePart is quote for a part of a word that has separators; nothing stays nothing.
func quotePart(s, separators string) string {
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, separators) {
		return strconv.Quote(s)
	}
	return quote(s)
}

func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	return strconv.Unquote(s)
}

// split cuts at all separators outside double quotes; nothing is nil, and pieces keep their quotes.
func split(s string, separator byte) []string {
	if s == "" {
		return nil
	}
	var pieces []string
	for more := true; more; {
		var piece string
		piece, s, more = cut(s, separator)
		pieces = append(pieces, piece)
	}
	return pieces
}

// cut is strings.Cut at a separator outside double quotes.
func cut(s string, separator byte) (before, after string, found bool) {
	i, _ := outside(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// outside returns the index of the first separator that is not in double quotes, -1 without one. Where there is none, closed
// says whether every double quote is closed.
func outside(s string, separator byte) (index int, closed bool) {
	quoted, escaped := false, false
	for i := range len(s) {
		switch {
		case escaped:
			escaped = false
		case quoted && s[i] == '\\':
			escaped = true
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			return i, true
		}
	}
	return -1, !quoted
}
