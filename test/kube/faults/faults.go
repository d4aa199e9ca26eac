//go:build unix

// Package faults knows how a proxy in front of a real API server counts what a client asks and lets chosen requests go wrong.
package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
)

// Proxy ends the client's TLS connection with a certificate of the server's authority and passes requests on as they are. It speaks HTTP/1.1 and HTTP/2.
type Proxy struct {
	// URL is https://127.0.0.1:PORT, for apiserver.Context.
	URL string

	server   *http.Server
	served   chan struct{} // closed when the server has ended
	stop     context.CancelFunc
	received atomic.Int64
	sent     atomic.Int64

	mu       sync.Mutex
	rules    []rule
	requests []*Request
	clients  map[net.Conn]struct{}
}

// Request is one request that reached the proxy, in the order of arrival.
type Request struct {
	Method string
	Path   string // without the query
	Query  url.Values
	// Accept and UserAgent are the headers of these names.
	Accept, UserAgent string
	// Status is what the client was sent, 0 where it was sent nothing (yet).
	Status int
	// Encoding is the Content-Encoding of the answer.
	Encoding string
	// Bytes is the size of the answer's body as sent, compressed where the client asked for it.
	Bytes int64
	// Done is true once nothing more will be sent.
	Done bool
}

func (r Request) String() string {
	line := r.Method + " " + r.Path
	if len(r.Query) > 0 {
		line += "?" + r.Query.Encode()
	}
	return line
}

// Fault answers a request in place of the API server, or passes it on to next and spoils the answer.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

type rule struct {
	pattern *regexp.Regexp
	fault   Fault
}

// Start runs a proxy in front of a server until the test ends.
func Start(t testing.TB, server *apiserver.Server) *Proxy {
	t.Helper()
	p, err := New(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// New runs a proxy in front of a server until Stop.
func New(server *apiserver.Server) (*Proxy, error) {
	certificate, key, err := server.Authority().Issue()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(server.URL)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.Authority().Certificate)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a proxy in front of the API server: %w", err)
	}

	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{URL: "https://" + listener.Addr().String(), served: make(chan struct{}), stop: stop, clients: map[net.Conn]struct{}{}}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // What the client gets is what the API server sent it.
		MaxIdleConnsPerHost: 32,
	}
	upstream := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // A watch must not wait for a buffer to fill.
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, _ error) {
			panic(http.ErrAbortHandler) // No answer of ours may be mistaken for one of the API server.
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	p.server = &http.Server{
		Handler:     p.handler(upstream),
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{pair}},
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connection{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			p.mu.Lock()
			defer p.mu.Unlock()
			switch state {
			case http.StateNew:
				p.clients[c] = struct{}{}
			case http.StateClosed, http.StateHijacked:
				delete(p.clients, c)
			case http.StateActive, http.StateIdle:
			}
		},
		ErrorLog: log.New(io.Discard, "", 0), // Clients that go away are the point of many tests.
	}
	go func() {
		defer close(p.served)
		defer transport.CloseIdleConnections()
		// It always ends with an error, that of Stop.
		_ = p.server.ServeTLS(&countingListener{listener, p}, "", "")
	}()
	return p, nil
}

// Stop closes all connections. It may be called more than once.
func (p *Proxy) Stop() {
	p.stop()
	_ = p.server.Close()
	<-p.served
}

// Disconnect closes the connections of all clients, and so ends every request and every watch on them.
func (p *Proxy) Disconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.clients {
		_ = c.Close()
	}
}

// On lets requests go wrong whose "METHOD /path?query" (the query encoded, keys in order) matches a regular expression; the first rule that matches holds.
// The rule is taken back by calling remove.
func (p *Proxy) On(pattern string, fault Fault) (remove func()) {
	added := rule{regexp.MustCompile(pattern), fault}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, added)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.rules = slices.DeleteFunc(p.rules, func(r rule) bool { return r.pattern == added.pattern })
	}
}

// Reset forgets all faults and all that was counted.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.requests = nil, nil
	p.received.Store(0)
	p.sent.Store(0)
}

// Requests returns what has been asked so far, in the order of arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := make([]Request, len(p.requests))
	for i, r := range p.requests {
		requests[i] = *r
	}
	return requests
}

// Wire returns how many bytes clients have sent to and received from the proxy's sockets: TLS, headers and bodies.
func (p *Proxy) Wire() (sent, received int64) {
	// What the proxy reads the clients have sent.
	return p.received.Load(), p.sent.Load()
}

func (p *Proxy) handler(upstream http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := &Request{
			Method:    r.Method,
			Path:      r.URL.Path,
			Query:     r.URL.Query(),
			Accept:    r.Header.Get("Accept"),
			UserAgent: r.UserAgent(),
		}
		line := request.String()
		p.mu.Lock()
		p.requests = append(p.requests, request)
		var fault Fault
		for _, rule := range p.rules {
			if rule.pattern.MatchString(line) {
				fault = rule.fault
				break
			}
		}
		p.mu.Unlock()

		defer func() {
			p.mu.Lock()
			request.Done = true
			p.mu.Unlock()
		}()
		// The API server refuses without reading the body. Read here, a client need not wait for what becomes of the rest.
		if body, err := io.ReadAll(r.Body); err == nil && len(body) > 0 {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		counted := &countingWriter{ResponseWriter: w, proxy: p, request: request}
		if fault != nil {
			fault(counted, r, upstream)
			return
		}
		upstream.ServeHTTP(counted, r)
	})
}

// Status answers as the API server does when it refuses: 401 Unauthorized, 403 Forbidden, 404 NotFound, 410 Expired, 500 InternalError and so on.
func Status(code int, message string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, code, message) }
}

// TooManyRequests answers 429 and asks the client to come back after some seconds.
func TooManyRequests(seconds int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		refuse(w, http.StatusTooManyRequests, "too many requests, please try again later")
	}
}

// reason is the word of metav1.StatusReason for a code that the API server refuses with, or "".
func reason(code int) string {
	switch code {
	case http.StatusUnauthorized:
		return "Unauthorized"
	case http.StatusForbidden:
		return "Forbidden"
	case http.StatusNotFound:
		return "NotFound"
	case http.StatusGone:
		return "Expired"
	case http.StatusTooManyRequests:
		return "TooManyRequests"
	case http.StatusInternalServerError:
		return "InternalError"
	case http.StatusServiceUnavailable:
		return "ServiceUnavailable"
	}
	return ""
}

func refuse(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A client that has gone away needs no answer.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{},
		"status": "Failure", "message": message, "reason": reason(code), "code": code,
	})
}

// Hang sends nothing until the client gives up.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// Delay passes the request on after a time.
func Delay(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(d):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// Cut closes the client's TCP connection, and so every request on it, once it has been sent that many bytes of the answer's body.
func Cut(after int) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		client := clientOf(r.Context())
		cutting := &cuttingWriter{ResponseWriter: w, client: client, start: client.sent.Load(), limit: after}
		next.ServeHTTP(cutting, r)
		// The whole answer was shorter.
		cutting.cut()
		panic(http.ErrAbortHandler)
	}
}

// After holds a request back until another one, whose "METHOD /path?query" matches, has been answered, and lets it go wrong then. Requests share connections: what
// goes wrong with one that is cut depends on what else is under way.
func (p *Proxy) After(pattern string, fault Fault) Fault {
	other := regexp.MustCompile(pattern)
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for !slices.ContainsFunc(p.Requests(), func(r Request) bool { return r.Done && other.MatchString(r.String()) }) {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		}
		fault(w, r, next)
	}
}

// Times lets only the first n requests go wrong and passes on the others.
func Times(n int, fault Fault) Fault {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if seen.Add(1) > int64(n) {
			next.ServeHTTP(w, r)
			return
		}
		fault(w, r, next)
	}
}

// Drop closes the client's TCP connection without passing the request on.
func Drop() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_ = clientOf(r.Context()).Close()
		panic(http.ErrAbortHandler)
	}
}

// Notify calls a function once the request has arrived, and passes it on.
func Notify(call func()) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		call()
		next.ServeHTTP(w, r)
	}
}

// Once lets requests go wrong from the moment on at which another one that matches has arrived.
func (p *Proxy) Once(pattern string, fault Fault) Fault {
	other := regexp.MustCompile(pattern)
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if slices.ContainsFunc(p.Requests(), func(r Request) bool { return other.MatchString(r.String()) }) {
			fault(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}
