// Package file reads manifests and dumps from files, directories and standard input, and writes dumps.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// Input says where manifests and dumps come from.
type Input struct {
	// Paths are files, directories (read as kubectl does: *.yaml, *.yml and *.json, not their subdirectories), or "-" for Stdin.
	Paths []string
	// Open opens a file or a directory.
	Open  func(name string) (fs.File, error)
	Stdin io.Reader
}

// Read reads manifests and dumps. Objects of other kinds are ignored, and so are fields that this program does not know. The same object twice is read once;
// two versions of it are an error, since either may be the current one. So is an enum value that its field does not accept, except in a dump.
func Read(ctx context.Context, in Input) (*objects.Objects, error) {
	if len(in.Paths) == 0 {
		return nil, &objects.UsageError{Message: "-f needs a file, a directory, or - for standard input"}
	}
	into := loader{objects: &objects.Objects{}, seen: map[objects.Key]seenObject{}}
	for _, name := range in.Paths {
		if err := into.path(ctx, in, name); err != nil {
			return nil, err
		}
	}
	if into.count == 0 {
		return nil, fmt.Errorf("reading %s: no Kubernetes object found; pass manifests, the output of `kubectl get … -o yaml`, or that of `kubectl etp dump`",
			strings.Join(in.Paths, ", "))
	}
	// A dump has what an API server returned, and a newer one may know more values.
	if into.invalid != nil && !into.objects.Complete {
		return nil, into.invalid
	}
	return into.objects, nil
}

func (l *loader) path(ctx context.Context, in Input, name string) error {
	if name == "-" {
		if in.Stdin == nil {
			return &objects.UsageError{Message: "-f -: there is no standard input"}
		}
		return l.file(ctx, "standard input", in.Stdin)
	}
	file, err := in.Open(name)
	if err != nil {
		return fmt.Errorf("-f %s: %w", name, reason(err))
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("-f %s: %w", name, reason(err))
	}
	if !info.IsDir() {
		return l.file(ctx, name, file)
	}
	directory, ok := file.(fs.ReadDirFile)
	if !ok {
		return fmt.Errorf("-f %s: the directory cannot be listed", name)
	}
	entries, err := directory.ReadDir(-1)
	if err != nil {
		return fmt.Errorf("-f %s: %w", name, reason(err))
	}
	var names []string
	for _, entry := range entries {
		switch path.Ext(entry.Name()) {
		case ".yaml", ".yml", ".json":
			if !entry.IsDir() {
				names = append(names, filepath.Join(name, entry.Name()))
			}
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("-f %s: the directory has no .yaml, .yml or .json file (its subdirectories are not read)", name)
	}
	slices.Sort(names)
	for _, name := range names {
		file, err := in.Open(name)
		if err != nil {
			return fmt.Errorf("-f %s: %w", name, reason(err))
		}
		err = l.file(ctx, name, file)
		if closed := file.Close(); err == nil && closed != nil {
			err = fmt.Errorf("-f %s: %w", name, reason(closed))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) file(ctx context.Context, name string, r io.Reader) error {
	err := readObjects(interruptible{ctx, r}, wantedKind, func(raw rawObject) error { return l.add(name, raw) })
	var at *lineError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &at):
		return fmt.Errorf("reading %s: %w", name, at)
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return fmt.Errorf("reading %s: %w", name, reason(err))
	}
}

// reason leaves out the operation and the name, which the caller's message has already.
func reason(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// interruptible stops reading when its context ends.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
