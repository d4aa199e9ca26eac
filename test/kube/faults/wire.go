//go:build unix

package faults

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// connection is the context key of the client's *tls.Conn.
type connection struct{}

// countingListener counts the bytes of all connections together, and each connection those it was sent.
type countingListener struct {
	net.Listener
	proxy *Proxy
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: c, proxy: l.proxy}, nil
}

type countingConn struct {
	net.Conn
	proxy *Proxy
	sent  atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.proxy.received.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.proxy.sent.Add(int64(n))
	c.sent.Add(int64(n))
	return n, err
}

// clientOf returns the raw connection that a request came on.
func clientOf(ctx context.Context) *countingConn {
	return ctx.Value(connection{}).(*tls.Conn).NetConn().(*countingConn)
}

// countingWriter records what a request is answered.
type countingWriter struct {
	http.ResponseWriter
	proxy   *Proxy
	request *Request
}

func (w *countingWriter) WriteHeader(code int) {
	w.proxy.mu.Lock()
	w.request.Status = code
	w.request.Encoding = w.Header().Get("Content-Encoding")
	w.proxy.mu.Unlock()
	w.ResponseWriter.WriteHeader(code)
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.proxy.mu.Lock()
	w.request.Bytes += int64(n)
	w.proxy.mu.Unlock()
	return n, err
}

// Unwrap lets http.ResponseController reach the connection: for flushing and for upgrades.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// cuttingWriter ends the client's connection when that many bytes of the body are written.
type cuttingWriter struct {
	http.ResponseWriter
	client *countingConn
	start  int64 // what the client had been sent before this answer
	limit  int
	sent   int
}

func (w *cuttingWriter) Write(b []byte) (int, error) {
	if w.sent+len(b) < w.limit {
		n, err := w.ResponseWriter.Write(b)
		w.sent += n
		return n, err
	}
	n, err := w.ResponseWriter.Write(b[:w.limit-w.sent])
	w.sent += n
	if err == nil {
		w.cut()
	}
	panic(http.ErrAbortHandler)
}

// cut closes the connection after what was written has left: HTTP/2 writes frames behind the handler's back.
func (w *cuttingWriter) cut() {
	if http.NewResponseController(w.ResponseWriter).Flush() == nil {
		for deadline := time.Now().Add(time.Second); w.client.sent.Load() < w.start+int64(w.sent) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	// Without TLS's own goodbye: a cut is not an end.
	_ = w.client.Close()
}

func (w *cuttingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
