package watch

import (
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
)

// session is the credentials that all watches share.
type session struct {
	client *api.Client

	lock sync.Mutex
	// renewed counts how often the credentials were read again; accepted: the server has taken the latest ones.
	renewed  int
	accepted bool
}

// send sends with the client's credentials. Where the server rejects them, they are read again and the request is sent once more. fatal means that the new ones are rejected
// too, and says what to do.
func (s *session) send(ask func(*rest.RESTClient) error) (err, fatal error) {
	for {
		s.lock.Lock()
		generation := s.renewed
		client := s.client.REST()
		s.lock.Unlock()
		err := ask(client)
		if again, fatal := s.judge(generation, err); fatal != nil || !again {
			return err, fatal
		}
	}
}

// judge records whether the server accepted the credentials of a request, and says whether to send it again with new ones.
func (s *session) judge(generation int, err error) (again bool, fatal error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	switch {
	case !apierrors.IsUnauthorized(err):
		if generation == s.renewed && (err == nil || apierrors.IsForbidden(err)) {
			s.accepted = true
		}
		return false, nil
	case generation < s.renewed:
		return true, nil // Another request has renewed them already.
	case s.renewed > 0 && !s.accepted:
		return false, s.client.Explain(err, "", "", "")
	}
	if renewal := s.client.Renew(); renewal != nil {
		return false, fmt.Errorf("%w; reading the kubeconfig again failed: %w", s.client.Explain(err, "", "", ""), renewal)
	}
	s.renewed++
	s.accepted = false
	return true, nil
}

const (
	// grace is how long a watch may be interrupted before it is reported: the server ends each of them every few minutes.
	grace = 2 * time.Second
	// proof is how long a stream without an event must last to count as a connection: some requests that fail give one that ends at once.
	proof = time.Second / 2
)

// link is the connection over which the changes of one resource come.
type link struct {
	resource string
	notify   func()
	now      func() time.Time

	lock sync.Mutex
	// watched: the server has let the resource be watched once.
	watched bool
	// received is when the server last sent anything of the resource.
	received time.Time
	// stream is the number of the stream of events that is read, counted from 1.
	stream int
	// down is when changes stopped being seen, the zero Time where they are; err is why, nil where a stream just ended.
	down   time.Time
	err    error
	closed bool
}

// link makes the link of a resource, which is up to date: it was just read.
func (w *watching) link(resource string) *link {
	l := &link{resource: resource, notify: w.notify, now: w.now, received: w.now()}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.links = append(w.links, l)
	return l
}

// answered records that a request succeeded.
func (l *link) answered(verb string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if verb == "list" {
		l.received = l.now()
	} else {
		l.watched = true
	}
}

func (l *link) wasWatched() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.watched
}

// close takes the link out: its resource is not watched any more.
func (l *link) close() {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.closed = true
}

// lost records that changes are not seen. err is why, nil where that is not known.
func (l *link) lost(err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.down.IsZero() {
		l.down, l.err = l.now(), nil
		time.AfterFunc(grace, l.notify)
	}
	if err != nil {
		l.err = err
		l.notify()
	}
}

// receive records that a stream is alive.
func (l *link) receive(stream int) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.stream != stream {
		return
	}
	l.received = l.now()
	if !l.down.IsZero() {
		l.down, l.err = time.Time{}, nil
		l.notify()
	}
}

// watch forwards events, and records when they arrive and end.
func (l *link) watch(events watch.Interface) watch.Interface {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.stream++
	s := &stream{Interface: events, events: make(chan watch.Event), stopped: make(chan struct{})}
	go l.pass(s, l.stream)
	return s
}

// pass forwards events until there are no more.
func (l *link) pass(s *stream, number int) {
	// The end is recorded before the receiver sees it and opens the next stream.
	defer close(s.events)
	var why error
	defer func() { l.lost(why) }()
	alive := time.AfterFunc(proof, func() { l.receive(number) })
	defer l.end()
	defer alive.Stop()
	for event := range s.Interface.ResultChan() {
		if event.Type == watch.Error {
			why = apierrors.FromObject(event.Object)
		} else {
			l.receive(number)
		}
		select {
		case s.events <- event:
		case <-s.stopped:
			return
		}
	}
}

// end makes later reports about the stream void.
func (l *link) end() {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.stream++
}

// stream is a watch whose events go through a link.
type stream struct {
	watch.Interface
	events  chan watch.Event
	stopped chan struct{}
	once    sync.Once
}

func (s *stream) ResultChan() <-chan watch.Event { return s.events }

func (s *stream) Stop() {
	s.once.Do(func() { close(s.stopped) })
	s.Interface.Stop()
}

// stale says since when changes are not seen, and why; nil where they are.
func (w *watching) stale() *Stale {
	w.lock.Lock()
	defer w.lock.Unlock()
	var first *link
	stale := &Stale{}
	all := true
	for _, l := range w.links {
		l.lock.Lock()
		switch {
		case l.closed:
		case l.down.IsZero() || w.now().Sub(l.down) < grace:
			all = false
		default:
			if first == nil || l.received.Before(stale.Since) {
				stale.Since = l.received
			}
			if first == nil {
				first = l
				stale.Reason = "the connection to the server was lost"
				if l.err != nil {
					stale.Reason = api.Message(l.err)
				}
			}
		}
		l.lock.Unlock()
	}
	if first == nil {
		return nil
	}
	if !all {
		plural, _, _ := strings.Cut(first.resource, ".")
		stale.Reason = plural + ": " + stale.Reason
	}
	return stale
}
