package cli

import (
	"bytes"
	"context"
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
// the place of the one before; elsewhere the changes are printed as lines, then the screen.
func (o *statusOptions) follow(ctx context.Context, client *collect.Client, first *collect.Objects, s *cluster.Snapshot) error {
	changes, err := client.Watch(ctx, o.query, first)
	if err != nil {
		return o.reading(err)
	}
	before := o.reports(s)
	_, interactive := o.env.Columns(o.streams.Out)
	var shown []byte
	show := func(now []report.Report, said []string) error {
		screen := o.show(now)
		if bytes.Equal(screen, shown) && len(said) == 0 {
			return nil
		}
		shown = screen
		if interactive {
			return o.write(render.Redraw(screen, said, o.screen))
		}
		return o.write(slices.Concat(render.Changed(said, o.screen), screen))
	}
	if err := show(before, nil); err != nil {
		return err
	}
	var latest *cluster.Snapshot
	var pause <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return failed(ctx.Err(), "")
		case c, open := <-changes:
			switch {
			case !open:
				return failed(ctx.Err(), "")
			case c.Err != nil:
				return o.reading(c.Err)
			}
			latest = c.Snapshot
		case <-pause:
			pause = nil
		}
		if latest == nil || pause != nil {
			continue
		}
		if o.live {
			if err := o.ask(ctx, client, latest); err != nil {
				return o.reading(err)
			}
		}
		now := o.reports(latest)
		latest = nil
		if err := show(now, report.Changes(before, now)); err != nil {
			return err
		}
		before, pause = now, o.env.After(oftenest)
	}
}
