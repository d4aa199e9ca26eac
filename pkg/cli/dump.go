package cli

import (
	"bytes"
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// dumpOptions are the options that follow from the flags of dump.
type dumpOptions struct {
	*app
	query     collect.Query
	files     []string
	anonymize bool
}

func newDump(a *app, run func(context.Context, *dumpOptions) error) *cobra.Command {
	f, anonymize := &queryFlags{}, false
	c := &cobra.Command{
		Use:   "dump [svc/NAME...]",
		Short: "Write what status reads to one file",
		Long: `Write what kubectl etp status reads as one YAML file: to look at it later or on another machine with
kubectl etp status -f, or for a bug report.

With --anonymize, names, addresses, labels, annotations and all other text are replaced, each by the
same replacement everywhere, except for what the diagnosis depends on. The diagnosis stays the same.`,
		Example: `  # Write a file for a bug report
  kubectl etp dump svc/web -n shop --anonymize > dump.yaml

  # Show it
  kubectl etp status -f dump.yaml`,
		ValidArgsFunction: completeServices(a, f),
		RunE: func(c *cobra.Command, args []string) error {
			return run(c.Context(), &dumpOptions{app: a, query: f.query(a, args), files: f.files, anonymize: anonymize})
		},
	}
	f.add(c.Flags())
	c.Flags().BoolVar(&anonymize, "anonymize", false, "Replace names, addresses, labels, annotations and all other text that the diagnosis does not depend on")
	return c
}

func (o *dumpOptions) run(ctx context.Context) error {
	objects, err := o.read(ctx)
	if err != nil {
		return err
	}
	if o.anonymize {
		objects = collect.Anonymize(objects)
	}
	var b bytes.Buffer
	if err := collect.Dump(&b, objects); err != nil {
		return asFailure(err)
	}
	return o.write(b.Bytes())
}

func (o *dumpOptions) read(ctx context.Context) (*collect.Objects, error) {
	if len(o.files) > 0 {
		return o.offline(ctx, o.files)
	}
	client, err := collect.NewClient(o.config)
	if err != nil {
		return nil, readingOrFiles(err)
	}
	objects, err := client.Read(ctx, o.query)
	return objects, reading(err)
}
