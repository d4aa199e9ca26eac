//go:build unix

package main

import (
	"context"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// sample is what the runs of one command took.
type sample struct {
	times    []time.Duration
	resident int64 // bytes, of the greediest run
}

func (s sample) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s.times))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func ratio(a, b sample) float64 { return float64(a.median()) / float64(b.median()) }

// compare runs two commands in turn, so that what the machine does besides meets both.
func compare(ctx context.Context, repeat int, a, b command) (samples [2]sample, err error) {
	for range repeat {
		for i, c := range []command{a, b} {
			cost, err := c.run(ctx)
			if err != nil {
				return samples, err
			}
			samples[i].times = append(samples[i].times, cost.time)
			samples[i].resident = max(samples[i].resident, cost.resident)
		}
	}
	return samples, nil
}

// peak is the most memory that a process has had resident, in bytes.
func peak(state *os.ProcessState) int64 {
	most := int64(state.SysUsage().(*syscall.Rusage).Maxrss) //nolint:unconvert // An int32 on some platforms.
	if runtime.GOOS != "darwin" {
		most *= 1024 // getrusage(2): kilobytes, but for macOS.
	}
	return most
}
