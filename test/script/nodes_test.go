//go:build unix

package script_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"strconv"
)

// nodeAddress is the InternalIP of the nth node of testdata/cluster.yaml.
func nodeAddress(n int) string { return "10.0.1." + strconv.Itoa(11+n) }

// healthChecks are the ready endpoints that each node counts as its own, by health check node port. The last node does not answer at all.
//
// For kube-system/nginx-ingress-lb they are what the EndpointSlices say; for shop/drift the third node counts an endpoint that the slices put on the first.
var healthChecks = map[string]struct {
	namespace, name string
	local           []int
}{
	"32000": {"kube-system", "nginx-ingress-lb", []int{2, 1, 0}},
	"32100": {"shop", "drift", []int{0, 0, 1}},
}

// startNodes gives this process the nodes' addresses and answers there as kube-proxy does: its health checks, and :10249/proxyMode. It is called in a network
// namespace that nobody else uses.
func startNodes() (stop func(), err error) {
	if err := ip("link", "set", "lo", "up"); err != nil {
		return nil, err
	}
	var servers []*http.Server
	stop = func() {
		for _, server := range servers {
			_ = server.Close()
		}
	}
	serve := func(address string, handler http.HandlerFunc) error {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
		servers = append(servers, server)
		// It ends with an error always, that of stop.
		go func() { _ = server.Serve(listener) }()
		return nil
	}
	for n := range 3 {
		if err := ip("address", "add", nodeAddress(n)+"/32", "dev", "lo"); err != nil {
			stop()
			return nil, err
		}
		err := serve(net.JoinHostPort(nodeAddress(n), "10249"), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/proxyMode" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, "ipvs")
		})
		if err != nil {
			stop()
			return nil, err
		}
		for port, check := range healthChecks {
			err := serve(net.JoinHostPort(nodeAddress(n), port), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if check.local[n] == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_ = json.NewEncoder(w).Encode(map[string]any{
					"service":             map[string]string{"namespace": check.namespace, "name": check.name},
					"localEndpoints":      check.local[n],
					"serviceProxyHealthy": true,
				})
			})
			if err != nil {
				stop()
				return nil, err
			}
		}
	}
	// The last node is there and nobody listens: a refusal, at once.
	if err := ip("address", "add", nodeAddress(3)+"/32", "dev", "lo"); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}
