package remedy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/coredns/caddy/caddyfile"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// corefile is a Corefile as CoreDNS reads it. The lexer is CoreDNS's own. Its parser is not used, because it follows import directives into files of the local machine.
// The text is kept, so that comments and layout stay.
type corefile struct {
	text    string
	servers []server
}

// server is one server block: the zones it answers for, and its directives.
type server struct {
	zones []string
	// opened is the line of its opening brace.
	opened     int
	directives []directive
}

type directive struct {
	name string
	args []string
	// block are the words within its braces; nil if it has none.
	block []string
	line  int
}

func parseCorefile(text string) (*corefile, error) {
	c := &corefile{text: text}
	d := caddyfile.NewDispenser("Corefile", strings.NewReader(text))
	for d.Next() {
		if d.Val() == "import" {
			d.RemainingArgs()
			continue
		}
		var s server
		for line := d.Line(); d.Val() != "{"; {
			word := d.Val()
			for zone := range strings.SplitSeq(word, ",") {
				if zone != "" {
					s.zones = append(s.zones, zone)
				}
			}
			if !d.Next() {
				return nil, d.EOFErr()
			}
			if d.Line() != line && !strings.HasSuffix(word, ",") {
				return nil, fmt.Errorf("line %d: a server block without braces is not supported", line)
			}
			line = d.Line()
		}
		s.opened = d.Line()
		closed := false
		for d.Next() {
			if closed = d.Val() == "}"; closed {
				break
			}
			one := directive{name: d.Val(), line: d.Line(), args: d.RemainingArgs()}
			if d.NextArg() {
				one.block = []string{}
				for depth := 1; depth > 0; {
					if !d.Next() {
						return nil, d.EOFErr()
					}
					switch d.Val() {
					case "{":
						depth++
					case "}":
						depth--
					}
					if depth > 0 {
						one.block = append(one.block, d.Val())
					}
				}
			}
			s.directives = append(s.directives, one)
		}
		if !closed {
			return nil, d.EOFErr()
		}
		c.servers = append(c.servers, s)
	}
	if len(c.servers) == 0 {
		return nil, errors.New("it has no server block")
	}
	return c, nil
}

// covers is the number of labels of the longest zone of a server block that a host name belongs to; -1 if it belongs to none.
func (s *server) covers(host string) int {
	best := -1
	for _, zone := range s.zones {
		if _, name, found := strings.Cut(zone, "://"); found {
			zone = name
		}
		if i := strings.LastIndex(zone, ":"); i >= 0 {
			zone = zone[:i]
		}
		zone = strings.ToLower(strings.Trim(zone, "."))
		switch {
		case zone == "":
			best = max(best, 0)
		case host == zone, strings.HasSuffix(host, "."+zone):
			best = max(best, strings.Count(zone, ".")+1)
		}
	}
	return best
}

// domain is the cluster domain of the server block's kubernetes directive; "" if there is none, or if the directive takes it from the zones.
func (s *server) domain() string {
	for _, d := range s.directives {
		if d.name != "kubernetes" {
			continue
		}
		for _, zone := range d.args {
			if name := strings.TrimSuffix(strings.ToLower(zone), "."); name != "" && !strings.HasSuffix(name, ".arpa") && !strings.Contains(name, "/") {
				return name
			}
		}
	}
	return ""
}

func (s *server) has(name string) bool {
	return slices.ContainsFunc(s.directives, func(d directive) bool { return d.name == name })
}

// serverOf is the server block that answers a name: the one with the longest zone, the first of those. nil if there is none.
func (c *corefile) serverOf(host string) *server {
	var best *server
	for i := range c.servers {
		if s := &c.servers[i]; s.covers(host) >= 0 && (best == nil || s.covers(host) > best.covers(host)) {
			best = s
		}
	}
	return best
}

// exact is the name that a rewrite directive matches and the one that it rewrites it to; false unless it rewrites exactly one name.
func (d *directive) exact() (from, to string, ok bool) {
	if d.name != "rewrite" || d.block != nil {
		return "", "", false
	}
	args := d.args
	if len(args) > 0 && (args[0] == "stop" || args[0] == "continue") {
		args = args[1:]
	}
	if len(args) == 0 || args[0] != "name" {
		return "", "", false
	}
	args = args[1:]
	switch {
	case len(args) == 2:
	case len(args) > 2 && args[0] == "exact":
		args = args[1:]
	default:
		return "", "", false
	}
	return dnsName(args[0]), dnsName(args[1]), true
}

// AnsweredInside are the public names that a Corefile rewrites to a Service, sorted: the cluster's DNS answers them with the cluster IP. A rewrite counts if its server block
// has the kubernetes directive and no rewrite of the same name comes before it. A Corefile that cannot be parsed has none.
func AnsweredInside(text string, svc *cluster.Service) (names []string) {
	if text == "" {
		return nil
	}
	file, err := parseCorefile(text)
	if err != nil {
		return nil
	}
	for i := range file.servers {
		s := &file.servers[i]
		if s.domain() == "" {
			continue
		}
		to := dnsName(fmt.Sprintf("%s.%s.svc.%s", svc.Name, svc.Namespace, s.domain()))
		seen := map[string]bool{}
		for j := range s.directives {
			from, leads, ok := s.directives[j].exact()
			if ok && !seen[from] && leads == to && file.serverOf(from) == s && !slices.Contains(names, from) {
				names = append(names, from)
			}
			seen[from] = seen[from] || ok
		}
	}
	slices.Sort(names)
	return names
}

// dnsName is a name in the form used to compare: lower case, without the final dot.
func dnsName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// marked is the part of a Corefile between the two comments that this tool writes for a Service.
func (c *corefile) marked(service string) (marked, error) {
	return find(c.text, "# BEGIN kubectl-etp "+service, "# END kubectl-etp "+service)
}

// rewrite inserts marked lines into a server block that rewrite each of hosts to one name, and replaces the lines that are marked already. They come first in the block,
// because CoreDNS applies the first rewrite that matches. Nothing else of the text changes; the result is parsed again to check that.
func (c *corefile) rewrite(s *server, m marked, hosts []string, to string) (string, error) {
	lines := strings.Split(c.text, "\n")
	indent := "    "
	if len(s.directives) > 0 {
		first := lines[s.directives[0].line-1]
		indent = first[:len(first)-len(strings.TrimLeft(first, " \t"))]
	}
	block := []string{indent + m.begin}
	want := make([]directive, 0, len(hosts)+len(s.directives))
	for _, host := range hosts {
		one := directive{name: "rewrite", args: []string{"name", "exact", host, to}}
		want = append(want, one)
		block = append(block, indent+one.name+" "+strings.Join(one.args, " "))
	}
	block = append(block, indent+m.end)
	at, cut := s.opened, 0
	if m.from != 0 {
		at, cut = m.from-1, m.to-m.from+1
	}
	text := strings.Join(slices.Concat(lines[:at], block, lines[at+cut:]), "\n")
	for _, d := range s.directives {
		if d.line < m.from || d.line > m.to {
			want = append(want, d)
		}
	}
	written, err := parseCorefile(text)
	if err != nil {
		return "", err
	}
	for i := range c.servers {
		was, is := &c.servers[i], &server{}
		if i < len(written.servers) {
			is = &written.servers[i]
		}
		directives := was.directives
		if was == s {
			directives = want
		}
		if len(written.servers) != len(c.servers) || !slices.Equal(was.zones, is.zones) || !sameWords(directives, is.directives) {
			return "", errors.New("its layout does not allow lines to be inserted")
		}
	}
	return text, nil
}

// sameWords compares directives without their line numbers and their order.
func sameWords(a, b []directive) bool {
	plain := func(list []directive) []string {
		out := make([]string, len(list))
		for i, d := range list {
			out[i] = fmt.Sprintf("%q %q %q", d.name, d.args, d.block)
		}
		slices.Sort(out)
		return out
	}
	return reflect.DeepEqual(plain(a), plain(b))
}
