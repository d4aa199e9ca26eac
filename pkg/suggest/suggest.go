// Package suggest finds the names that somebody may have meant who typed another one.
package suggest

import (
	"cmp"
	"slices"
	"strings"
)

// most bounds how many names Close gives.
const most = 3

// Close gives the names that are close to what was typed, closest first, at most three; none where no name is close. Case does not matter.
//
// A name is close where a few typing mistakes turn one into the other: one in a short word, up to three in a long one. A name that begins with what was typed is close
// too, from three letters on.
func Close(typed string, names []string) []string { return closest(typed, names, true) }

// Mistyped gives what Close gives without the names that only begin with what was typed.
func Mistyped(typed string, names []string) []string { return closest(typed, names, false) }

func closest(typed string, names []string, prefixes bool) []string {
	type near struct {
		name     string
		distance int
	}
	typed = strings.ToLower(typed)
	var found []near
	for _, name := range names {
		lower := strings.ToLower(name)
		distance := Distance(lower, typed)
		begun := prefixes && len(typed) >= 3 && strings.HasPrefix(lower, typed)
		switch {
		case begun:
			distance = min(distance, 1)
		case distance > allowed(min(len(lower), len(typed))):
			continue
		}
		found = append(found, near{name, distance})
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, n := range found[:min(len(found), most)] {
		// Beside a name that is very close, one that is only close is no help.
		if n.distance <= found[0].distance+1 {
			out = append(out, n.name)
		}
	}
	return out
}

// allowed is how many typing mistakes a word of that length may have.
func allowed(length int) int {
	switch {
	case length < 3:
		return 0
	case length < 6:
		return 1
	case length < 10:
		return 2
	}
	return 3
}

// Distance is the number of typing mistakes between two words: a letter too many, missing, wrong, or exchanged with its neighbour (optimal string alignment). It counts
// bytes, which is enough for Kubernetes names.
func Distance(a, b string) int {
	// before, last and row are three rows of the table: row[j] is the distance of a[:i] and b[:j].
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			changed := last[j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			row[j] = min(changed, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
