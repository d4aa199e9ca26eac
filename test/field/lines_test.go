package field_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// small is a report with something certain, something that is not known, and shares.
const small = `{
	"kind": "ServiceReport", "service": {"namespace": "shop", "name": "web"},
	"dataplane": {"name": "kube-proxy", "mode": "ipvs", "version": ""},
	"provider": {"name": "aws", "backends": "Unknown"},
	"nodes": [
		{"name": "a-1", "loadBalancer": {"receives": "Yes", "share": 0.75}, "paths": [
			{"from": "Pod", "to": "LoadBalancerIP", "port": 80, "outcome": "Reachable", "clientIP": "Preserved", "rule": "X-01"},
			{"from": "Pod", "to": "LoadBalancerIP", "port": 443, "outcome": "Refused", "rule": "X-02"}]},
		{"name": "a-2", "loadBalancer": {"receives": "Unknown", "reason": "NotKnown"}, "paths": [
			{"from": "Pod", "to": "LoadBalancerIP", "port": 80, "outcome": "Unknown", "clientIP": "Unknown", "rule": "X-03", "could": ["Refused", "TimedOut"]}]},
		{"name": "b", "loadBalancer": {"receives": "No", "reason": "NoLocalEndpoint", "share": 0}, "paths": []}],
	"findings": [
		{"code": "ETP002", "result": "Fail"}, {"code": "ETP003", "result": "Unknown"}, {"code": "ETP007", "result": "Pass"}, {"code": "ETP048", "result": "NotChecked"}]
}`

func TestStatements(t *testing.T) {
	v, err := readView([]byte(small), "shop/web works\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, lines := range []struct {
		hold bool
		text string
	}{
		{true, `
			service shop/web
			provider aws
			provider aws|gke
			later backends Pods
			backends Unknown
			outside Unknown
			later outside Refused
			later announcer a-1
			dataplane kube-proxy ipvs
			later dataplane kube-proxy ipvs v1.31.0
			receives a-1 Yes
			receives a-2 Unknown
			receives a-* Yes|Unknown
			later receives a-* Yes
			receives a-1,b Yes|No
			share a-1 0.75
			later share a-* 0.75
			share a-2,b -
			path a-1 Pod LoadBalancerIP:80 Reachable
			path a-1 Pod LoadBalancerIP Reachable|Refused
			path a-2 Pod LoadBalancerIP Unknown
			later path a-2 Pod LoadBalancerIP TimedOut
			client a-1 Pod LoadBalancerIP:80 Preserved
			later client a-2 Pod LoadBalancerIP Preserved
			finding ETP002 Fail
			finding ETP003 Fail|Unknown
			finding ETP001|ETP003 Unknown
			later finding ETP003 Fail
			later finding ETP005 Fail
			later finding ETP048 Fail
			no ETP003|ETP007
			text "web works"
			without "web fails"`},
		{false, `
			service shop/other
			provider gke
			later provider gke
			backends Pods
			outside Refused
			announcer a-1
			dataplane cilium
			later dataplane kube-proxy iptables
			dataplane kube-proxy ipvs v1.31.0
			receives a-1 Unknown
			later receives a-1 No
			receives a-2 Yes
			receives c Yes
			share a-1 0.5
			later share a-1 0.5
			share a-1 -
			share a-2 0.25
			path a-1 Pod LoadBalancerIP Reachable
			later path a-1 Pod LoadBalancerIP:80 TimedOut
			path a-2 Pod LoadBalancerIP TimedOut
			later path a-2 Pod LoadBalancerIP Reachable
			path a-2 Pod LoadBalancerIP Reachable|Unknown
			path a-1 Pod LoadBalancerIP:8080 Reachable
			path a-1 Node LoadBalancerIP Reachable
			path b Pod LoadBalancerIP Refused
			client a-1 Pod LoadBalancerIP:80 Rewritten
			later client a-1 Pod LoadBalancerIP Preserved
			finding ETP001 Fail
			finding ETP002 Unknown
			later finding ETP002 Unknown
			later finding ETP007 Fail
			no ETP001|ETP002
			text "web fails"
			without "works"`},
	} {
		for line := range strings.Lines(strings.TrimSpace(lines.text)) {
			s, err := parseStatement(strings.TrimSpace(line))
			if err != nil {
				t.Errorf("%s: %v", s.line, err)
				continue
			}
			if problems := s.problems(v); (len(problems) == 0) != lines.hold {
				t.Errorf("%s: holds is %t, with %q", s.line, !lines.hold, problems)
			}
		}
	}
}

func TestAnswersNeedReasons(t *testing.T) {
	for _, part := range []string{`"reason": "NotKnown"`, `"reason": "NoLocalEndpoint", `, `, "rule": "X-03"`, `, "could": ["Refused", "TimedOut"]`} {
		without := strings.Replace(small, part, "", 1)
		if _, err := readView([]byte(strings.Replace(without, ", }", "}", 1)), ""); err == nil || strings.Contains(err.Error(), "reading") {
			t.Errorf("a report without %s is taken: %v", part, err)
		}
	}
}

func TestMalformedCasesAreNoticed(t *testing.T) {
	const whole = "# About\n# Source: here\n# Releases: v1\n-- cluster.yaml --\nkind: List\n-- right --\nstatus svc/web\nreceives * Yes\n"
	if _, err := parseCase("x", txtar.Parse([]byte(whole))); err != nil {
		t.Errorf("a whole file is refused: %v", err)
	}
	for _, change := range [][2]string{
		{"# Source: here\n", ""},
		{"# Releases: v1\n", ""},
		{"# About\n", "About\n"},
		{"-- cluster.yaml --\nkind: List\n", ""},
		{"-- right --", "-- rigth --"},
		{"status svc/web\n", ""},
		{"receives * Yes\n", ""},
		{"receives * Yes", "no ETP002"},
		{"receives * Yes", "receive * Yes"},
		{"receives * Yes", "receives * yes"},
		{"receives * Yes", "receives Yes"},
		{"receives * Yes", "path * Pods LoadBalancerIP Reachable"},
		{"receives * Yes", "path * Pod LoadBalancer Reachable"},
		{"receives * Yes", "path * Pod LoadBalancerIP Works"},
		{"receives * Yes", "finding ETP2 Fail"},
		{"receives * Yes", "receives * Yes\nshare * half"},
		{"receives * Yes", "receives * Yes\nlater no ETP002"},
		{"receives * Yes", "receives * Yes\nlater"},
		{"receives * Yes", "receives * Yes\ntext web"},
		{"receives * Yes", "receives * Yes\nafter cluster text \"web\""},
	} {
		if _, err := parseCase("x", txtar.Parse([]byte(strings.Replace(whole, change[0], change[1], 1)))); err == nil {
			t.Errorf("a file with %q in place of %q is taken", change[1], change[0])
		}
	}
}
