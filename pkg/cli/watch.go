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
// the place of the one before; elsewhere the changes are printed as lines, then the screen. Ask completes a snapshot with what the nodes themselves say; it may be
// nil.
func (o *statusOptions) follow(ctx context.Context, first *cluster.Snapshot, changes <-chan collect.Change, ask func(*cluster.Snapshot) error) error {
	_, interactive := o.env.Columns(o.streams.Out)
	var shown []byte
	show := func(now []report.Report, said []string) error {
		o.screen.Style = o.style()
		screen := o.show(pointers(now))
		if bytes.Equal(screen, shown) && len(said) == 0 {
			return nil
		}
		shown = screen
		if interactive {
			return o.write(render.Redraw(screen, said, o.screen))
		}
		return o.write(slices.Concat(render.Changed(said, o.screen), screen))
	}
	before := o.keep(first)
	if err := show(before, nil); err != nil {
		return err
	}
	var latest *cluster.Snapshot
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
			latest = c.Snapshot
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
		if err := show(now, report.Changes(before, now)); err != nil {
			return err
		}
		before, latest, pause = now, nil, o.env.After(oftenest)
	}
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
