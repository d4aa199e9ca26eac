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

// oftenest is the shortest time between two screens.
const oftenest = time.Second / 5

// follow shows a screen, and another one whenever what it shows has changed, until ctx ends or the cluster cannot be watched any more. On a terminal a screen takes
// the place of the one before; elsewhere the changes are printed as lines, then the screen. Where changes cannot be seen for a while, it says so. Ask completes a
// snapshot with what the nodes themselves say; it may be nil.
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
			return failed(ctx.Err())
		case c, open := <-changes:
			switch {
			case !open:
				return failed(cmp.Or(ctx.Err(), errors.New("watch: the cluster sends no more changes")))
			case c.Err != nil:
				return reading(c.Err)
			}
			// What is shown is up to date again no sooner than the new snapshot is.
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
		before, latest, pause = now, nil, o.env.After(oftenest)
	}
}

// view is what follow has shown.
type view struct {
	*statusOptions
	screen []byte
	said   []string
	stale  *collect.Stale
}

// show reports, what of them has changed, and whether they are out of date. What looks the same is not shown twice.
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
		return nil // A line for each attempt would only bury the first.
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

// outdated says since when the screen is not updated, and why; "" where it is up to date.
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

// keep all reports of a snapshot, without what a list does not show: of a list, there may be hundreds.
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
