package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// minPause is the shortest time between two screens.
const minPause = time.Second / 5

// follow shows a screen, and a new one whenever it has changed, until ctx ends or the cluster cannot be watched any longer. On a terminal the new screen replaces the
// old one; elsewhere the changes are printed as lines, followed by the screen. It also shows when the watch is interrupted. ask adds what the nodes themselves answer to
// a snapshot; it may be nil.
func (o *statusOptions) follow(ctx context.Context, first *cluster.Snapshot, changes <-chan collect.Change, ask func(*cluster.Snapshot) error) error {
	before := o.keep(first)
	v := &view{statusOptions: o}
	if err := v.show(before, nil, nil); err != nil {
		return err
	}
	var latest *cluster.Snapshot
	var stale *collect.Stale
	var pause <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return asFailure(ctx.Err())
		case c, open := <-changes:
			switch {
			case !open:
				return asFailure(cmp.Or(ctx.Err(), errors.New("watch: the cluster sends no more changes")))
			case c.Err != nil:
				return reading(c.Err)
			}
			// The screen is current again only with the next snapshot.
			if stale = c.Stale; stale != nil {
				if err := v.mark(stale); err != nil {
					return err
				}
			}
			if c.Snapshot != nil {
				latest = c.Snapshot
			}
		case <-pause:
			pause = nil
		}
		if latest == nil || pause != nil {
			continue
		}
		if ask != nil {
			if err := ask(latest); err != nil {
				return reading(err)
			}
		}
		now := o.keep(latest)
		if err := v.show(now, report.Changes(before, now), stale); err != nil {
			return err
		}
		before, latest, pause = now, nil, o.env.After(minPause)
	}
}

// view is what follow has shown so far.
type view struct {
	*statusOptions
	screen []byte
	said   []string
	stale  *collect.Stale
}

// show shows reports, what has changed, and whether they are out of date. A screen that looks the same is not shown twice.
func (v *view) show(now []report.Report, changes []string, stale *collect.Stale) error {
	v.statusOptions.screen.Style = v.style()
	screen := v.statusOptions.show(pointers(now))
	again := v.stale != nil && stale == nil
	v.stale = stale
	same := bytes.Equal(screen, v.screen) && len(changes) == 0
	if same && !again {
		return nil
	}
	v.screen = screen
	if !same {
		v.said = v.timed(changes...)
	}
	if v.interactive() {
		return v.redraw()
	}
	var out []byte
	if again {
		out = render.Changed(v.timed("updated again"), v.statusOptions.screen)
	}
	if !same {
		out = slices.Concat(out, render.Changed(v.said, v.statusOptions.screen), screen)
	}
	return v.write(out)
}

// mark the screen as out of date.
func (v *view) mark(stale *collect.Stale) error {
	first := v.stale == nil
	v.stale = stale
	switch {
	case v.interactive():
		return v.redraw()
	case first:
		return v.write(render.Changed(v.timed(v.outdated()), v.statusOptions.screen))
	default:
		return nil // One line is enough; one for each attempt would hide it.
	}
}

// timed puts the time before sentences.
func (v *view) timed(sentences ...string) []string {
	var list []string
	for _, s := range sentences {
		list = append(list, v.env.Now().Format(time.TimeOnly)+" "+s)
	}
	return list
}

func (v *view) interactive() bool {
	_, is := v.env.Columns(v.streams.Out)
	return is
}

func (v *view) redraw() error {
	v.statusOptions.screen.Style = v.style()
	return v.write(render.Redraw(v.screen, v.said, v.outdated(), v.statusOptions.screen))
}

// outdated is since when the screen has not been updated, and why; "" if it is current.
func (v *view) outdated() string {
	if v.stale == nil {
		return ""
	}
	now, layout := v.env.Now(), time.TimeOnly
	since := v.stale.Since.In(now.Location())
	if since.YearDay() != now.YearDay() {
		layout = time.DateTime
	}
	return "not updated since " + since.Format(layout) + " (" + v.stale.Reason + "), retrying"
}

// keep returns the reports of a snapshot. Those of a list, of which there may be hundreds, go without what a list does not show.
func (o *statusOptions) keep(s *cluster.Snapshot) []report.Report {
	var all []report.Report
	for r := range o.reports(s) {
		if o.listing {
			for i := range r.Nodes {
				r.Nodes[i].Paths = nil
			}
		}
		all = append(all, *r)
	}
	return all
}

func pointers(reports []report.Report) iter.Seq[*report.Report] {
	return func(yield func(*report.Report) bool) {
		for i := range reports {
			if !yield(&reports[i]) {
				return
			}
		}
	}
}
