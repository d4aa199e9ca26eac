package field_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// view is the part of a report that the statements are about, read from the JSON as any reader of it would.
type view struct {
	Kind    string `json:"kind"`
	Service struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"service"`
	Dataplane struct {
		Name    string `json:"name"`
		Mode    string `json:"mode"`
		Version string `json:"version"`
	} `json:"dataplane"`
	Provider struct {
		Name      string `json:"name"`
		Backends  string `json:"backends"`
		Announcer string `json:"announcer"`
	} `json:"provider"`
	Outside struct {
		Outcome string `json:"outcome"`
	} `json:"outside"`
	Unsupported string     `json:"unsupported"`
	Nodes       []viewNode `json:"nodes"`
	Findings    []struct {
		Code    string `json:"code"`
		Result  string `json:"result"`
		Message string `json:"message"`
	} `json:"findings"`

	screen string
}

type viewNode struct {
	Name         string `json:"name"`
	LoadBalancer struct {
		Receives string   `json:"receives"`
		Reason   string   `json:"reason"`
		Share    *float64 `json:"share"`
		PodShare *float64 `json:"podShare"`
	} `json:"loadBalancer"`
	Paths []viewPath `json:"paths"`
}

type viewPath struct {
	From     string   `json:"from"`
	To       string   `json:"to"`
	Address  string   `json:"address"`
	Port     int      `json:"port"`
	Outcome  string   `json:"outcome"`
	ClientIP string   `json:"clientIP"`
	Rule     string   `json:"rule"`
	Could    []string `json:"could"`
}

// readView reads a report and refuses one in which an Unknown has no reason.
func readView(printed []byte, screen string) (*view, error) {
	v := &view{screen: screen}
	if err := json.Unmarshal(printed, v); err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	if v.Kind != "ServiceReport" && v.Kind != "" {
		return nil, fmt.Errorf("the command prints a %s; it must mean one Service", v.Kind)
	}
	if v.Unsupported != "" {
		return nil, errors.New("there is no map of the Service: " + v.Unsupported)
	}
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.LoadBalancer.Receives != "Yes" && n.LoadBalancer.Reason == "" {
			return nil, fmt.Errorf("receives of node %s is %s without a reason", n.Name, n.LoadBalancer.Receives)
		}
		for j := range n.Paths {
			if p := &n.Paths[j]; p.Outcome == unknown && (p.Rule == "" || len(p.Could) == 0) {
				return nil, fmt.Errorf("path %s %s %s is Unknown without a rule, or without what is possible", n.Name, p.From, p.To)
			}
		}
	}
	return v, nil
}

const unknown = "Unknown"

// statement is one line of right.
type statement struct {
	where, line string
	later       bool
	after       string
	verb        string
	args        []string
	// right are the words of WANT.
	right []string
}

// verbs are the statements: how many words follow, whether the last of them is WANT, and what is wrong with a report.
var verbs = map[string]struct {
	least, most int
	want        bool
	check       func(*statement, *view) []string
}{
	"status":    {least: 1, most: 3, check: func(*statement, *view) []string { return nil }},
	"service":   {least: 1, most: 1, want: true, check: func(s *statement, v *view) []string { return s.judge(v.Service.Namespace + "/" + v.Service.Name) }},
	"provider":  {least: 1, most: 1, want: true, check: func(s *statement, v *view) []string { return s.judge(said(v.Provider.Name)) }},
	"backends":  {least: 1, most: 1, want: true, check: func(s *statement, v *view) []string { return s.judge(said(v.Provider.Backends)) }},
	"announcer": {least: 1, most: 1, want: true, check: func(s *statement, v *view) []string { return s.judge(said(v.Provider.Announcer)) }},
	"outside":   {least: 1, most: 1, want: true, check: func(s *statement, v *view) []string { return s.judge(said(v.Outside.Outcome)) }},
	"dataplane": {least: 1, most: 3, check: (*statement).dataplane},
	"receives":  {least: 2, most: 2, want: true, check: (*statement).receives},
	"share": {least: 2, most: 2, check: func(s *statement, v *view) []string {
		return s.share(v, func(n *viewNode) *float64 { return n.LoadBalancer.Share })
	}},
	"podshare": {least: 2, most: 2, check: func(s *statement, v *view) []string {
		return s.share(v, func(n *viewNode) *float64 { return n.LoadBalancer.PodShare })
	}},
	"path":    {least: 4, most: 4, want: true, check: (*statement).path},
	"client":  {least: 4, most: 4, want: true, check: (*statement).client},
	"finding": {least: 2, most: 2, want: true, check: (*statement).finding},
	"no":      {least: 1, most: 1, check: (*statement).no},
	"text":    {least: 1, most: 1, check: (*statement).text},
	"without": {least: 1, most: 1, check: (*statement).without},
}

// words are what WANT may say, for the statements whose words are those of the report.
var words = map[string][]string{
	"backends": {"Nodes", "Pods", "Mixed", unknown},
	"outside":  {"Reachable", "Partial", "Refused", "TimedOut", "Unreachable", unknown},
	"receives": {"Yes", "No", unknown},
	"path":     {"Reachable", "Partial", "Refused", "TimedOut", "Unreachable", "ViaLoadBalancer", unknown},
	"client":   {"Preserved", "Rewritten", "Mixed", unknown},
	"finding":  {"Fail", "Pass", unknown},
}

// said is what is said of something: nothing is Unknown.
func said(word string) string {
	if word == "" || word == "unknown" {
		return unknown
	}
	return word
}

// parseRight reads the statements of a file whose section starts below so many lines.
func parseRight(file string, above int, text string) ([]statement, error) {
	var list []statement
	holds := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		where := fmt.Sprintf("%s:%d", file, above+1+i)
		s, err := parseStatement(line)
		if err == nil && len(list) == 0 && s.verb != "status" {
			err = errors.New("no status line is above it")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", where, line, err)
		}
		s.where = where
		holds = holds || s.verb == "path" || s.verb == "receives" || s.verb == "finding"
		list = append(list, s)
	}
	if !holds {
		return nil, fmt.Errorf("%s: no statement is about a path, a finding, or what a node receives", file)
	}
	return list, nil
}

func parseStatement(line string) (s statement, err error) {
	s.line = line
	fields := strings.Fields(line)
	for more := true; more; {
		switch {
		case len(fields) > 1 && fields[0] == "later" && !s.later:
			s.later, fields = true, fields[1:]
		case len(fields) > 2 && fields[0] == "after" && s.after == "":
			s.after, fields = fields[1], fields[2:]
		default:
			more = false
		}
	}
	s.verb, s.args = fields[0], fields[1:]
	if s.onScreen() {
		part, err := strconv.Unquote(strings.TrimSpace(strings.TrimPrefix(line, s.verb)))
		if err != nil {
			return s, fmt.Errorf(`it is not %s "PART"`, s.verb)
		}
		s.args = []string{part}
	}
	verb, known := verbs[s.verb]
	switch {
	case !known:
		return s, fmt.Errorf("there is no statement %s", s.verb)
	case len(s.args) < verb.least || len(s.args) > verb.most:
		return s, fmt.Errorf("%s has %d words after it, not %d to %d", s.verb, len(s.args), verb.least, verb.most)
	case s.later && (s.verb == "no" || s.onScreen() || s.verb == "status" || s.verb == "service"), s.after != "" && (s.onScreen() || s.verb == "status"):
		return s, fmt.Errorf("%s holds now, or not at all", s.verb)
	}
	if verb.want {
		s.right = strings.Split(s.args[len(s.args)-1], "|")
	}
	return s, s.misspelt()
}

// onScreen says whether the statement is about the screen.
func (s *statement) onScreen() bool { return s.verb == "text" || s.verb == "without" }

// misspelt is an error where a word is none of those that a report may say: such a line would never hold, or always.
func (s *statement) misspelt() error {
	for _, word := range s.right {
		if allowed := words[s.verb]; allowed != nil && !slices.Contains(allowed, word) {
			return fmt.Errorf("%s is none of %s", word, strings.Join(allowed, ", "))
		}
	}
	switch s.verb {
	case "share", "podshare":
		if _, err := strconv.ParseFloat(s.args[1], 64); err != nil && s.args[1] != "-" {
			return fmt.Errorf("%s is no number", s.args[1])
		}
	case "finding", "no":
		for code := range strings.SplitSeq(s.args[0], "|") {
			if number, isCode := strings.CutPrefix(code, "ETP"); !isCode || len(number) != 3 {
				return fmt.Errorf("%s is no code", code)
			}
		}
	case "path", "client":
		for from := range strings.SplitSeq(s.args[1], ",") {
			if !slices.Contains([]string{"Node", "Pod", "External"}, from) {
				return fmt.Errorf("%s is none of Node, Pod and External", from)
			}
		}
		to, _, _ := strings.Cut(s.args[2], ":")
		if !slices.Contains([]string{"LoadBalancerIP", "LoadBalancerHostname", "ExternalIP", "NodePort", "ClusterIP"}, to) {
			return fmt.Errorf("%s is no kind of address", to)
		}
	}
	return nil
}

// problems are what the statement says against a report.
func (s *statement) problems(v *view) []string { return verbs[s.verb].check(s, v) }

// accepts says whether a word is right, or is no more than Unknown where that will do.
func (s *statement) accepts(got string) bool {
	return slices.Contains(s.right, got) || s.later && got == unknown
}

func (s *statement) judge(got string) []string {
	if s.accepts(got) {
		return nil
	}
	return []string{"got " + got}
}

func (s *statement) dataplane(v *view) (problems []string) {
	for i, got := range []string{said(v.Dataplane.Name), v.Dataplane.Mode, v.Dataplane.Version} {
		if i < len(s.args) && got != s.args[i] && (!s.later || got != "" && got != unknown) {
			problems = append(problems, fmt.Sprintf("got %q", got))
		}
	}
	return problems
}

// nodes are those that a list of patterns names; each of them names one.
func (s *statement) nodes(v *view) (list []*viewNode, problems []string) {
	for pattern := range strings.SplitSeq(s.args[0], ",") {
		found := false
		for i := range v.Nodes {
			matches, err := path.Match(pattern, v.Nodes[i].Name)
			if err != nil {
				return nil, []string{err.Error()}
			}
			if matches {
				found = true
				list = append(list, &v.Nodes[i])
			}
		}
		if !found {
			problems = append(problems, "there is no node "+pattern)
		}
	}
	return list, problems
}

// perNode are problems, each with the nodes that have it.
type perNode map[string][]string

func (p perNode) add(problem, node string) {
	if !slices.Contains(p[problem], node) {
		p[problem] = append(p[problem], node)
	}
}

func (p perNode) problems() (list []string) {
	for _, problem := range slices.Sorted(maps.Keys(p)) {
		const most = 6
		nodes := p[problem]
		text := strings.Join(nodes[:min(most, len(nodes))], ", ")
		if more := len(nodes) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		list = append(list, problem+" on "+text)
	}
	return list
}

func (s *statement) receives(v *view) []string {
	nodes, problems := s.nodes(v)
	on := perNode{}
	for _, n := range nodes {
		if got := n.LoadBalancer.Receives; !s.accepts(got) {
			on.add(strings.TrimSpace("got "+got+" "+n.LoadBalancer.Reason), n.Name)
		}
	}
	return append(problems, on.problems()...)
}

// share holds numbers to a percent. A node that receives nothing has the share 0, or none.
func (s *statement) share(v *view, of func(*viewNode) *float64) []string {
	nodes, problems := s.nodes(v)
	want, _ := strconv.ParseFloat(s.args[1], 64)
	on := perNode{}
	for _, n := range nodes {
		got := of(n)
		switch {
		case got == nil && (s.later || s.args[1] == "-"):
		case got == nil:
			on.add("got none", n.Name)
		case s.args[1] == "-" && n.LoadBalancer.Receives == "No" && *got == 0:
		case s.args[1] == "-", math.Abs(*got-want) > 0.01:
			on.add(fmt.Sprintf("got %.3f", *got), n.Name)
		}
	}
	return append(problems, on.problems()...)
}

// paths calls see for each path that the statement means; every node has one from each place.
func (s *statement) paths(v *view, see func(*viewNode, *viewPath) string) []string {
	nodes, problems := s.nodes(v)
	to, port, hasPort := strings.Cut(s.args[2], ":")
	on := perNode{}
	for _, n := range nodes {
		for from := range strings.SplitSeq(s.args[1], ",") {
			found := false
			for i := range n.Paths {
				p := &n.Paths[i]
				if p.From != from || p.To != to || hasPort && strconv.Itoa(p.Port) != port {
					continue
				}
				found = true
				if problem := see(n, p); problem != "" {
					on.add(fmt.Sprintf("%s by %s from %s to port %d", problem, p.Rule, p.From, p.Port), n.Name)
				}
			}
			if !found {
				on.add(fmt.Sprintf("there is no path from %s to %s", from, s.args[2]), n.Name)
			}
		}
	}
	return append(problems, on.problems()...)
}

func (s *statement) path(v *view) []string {
	return s.paths(v, func(_ *viewNode, p *viewPath) string {
		certain := slices.DeleteFunc(slices.Clone(s.right), func(word string) bool { return word == unknown })
		switch {
		case !s.accepts(p.Outcome):
			return "got " + p.Outcome
		case p.Outcome == unknown && len(certain) > 0 && !slices.ContainsFunc(certain, func(word string) bool { return slices.Contains(p.Could, word) }):
			return "got Unknown, which could be " + strings.Join(p.Could, " or ")
		default:
			return ""
		}
	})
}

// client holds which client IP the endpoint sees. Where nothing is said to be reached, no client IP is right.
func (s *statement) client(v *view) []string {
	return s.paths(v, func(_ *viewNode, p *viewPath) string {
		if s.accepts(p.ClientIP) || s.later && p.Outcome == unknown {
			return ""
		}
		return fmt.Sprintf("got %q", p.ClientIP)
	})
}

// finding wants one of the findings; where it may come later, that none of them passed.
func (s *statement) finding(v *view) []string {
	got := []string{}
	for _, f := range v.Findings {
		if !slices.Contains(strings.Split(s.args[0], "|"), f.Code) {
			continue
		}
		if slices.Contains(s.right, f.Result) {
			return nil
		}
		if !s.later || f.Result == "Pass" || f.Result == "Fail" {
			got = append(got, f.Code+" "+f.Result)
		}
	}
	switch {
	case len(got) > 0:
		return []string{"got " + strings.Join(got, ", ")}
	case s.later:
		return nil
	default:
		return []string{"it is not there"}
	}
}

func (s *statement) no(v *view) (problems []string) {
	for _, f := range v.Findings {
		if f.Result == "Fail" && slices.Contains(strings.Split(s.args[0], "|"), f.Code) {
			problems = append(problems, "got "+f.Code+": "+f.Message)
		}
	}
	return problems
}

func (s *statement) text(v *view) []string {
	if strings.Contains(v.screen, s.args[0]) {
		return nil
	}
	return []string{"the screen is\n" + v.screen}
}

func (s *statement) without(v *view) []string {
	if !strings.Contains(v.screen, s.args[0]) {
		return nil
	}
	return []string{"the screen is\n" + v.screen}
}
