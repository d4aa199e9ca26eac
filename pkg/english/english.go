// Package english puts numbers and lists into sentences.
package english

import (
	"fmt"
	"strings"
)

// Count is a number with its noun: 1 node, 38 nodes. many is the plural; "" adds an s to one.
func Count(n int, one, many string) string {
	return fmt.Sprintf("%d %s", n, Word(n, one, many))
}

// Word is the noun or verb that goes with a number: node or nodes, is or are. many is the plural; "" adds an s to one.
func Word(n int, one, many string) string {
	switch {
	case n == 1:
		return one
	case many == "":
		return one + "s"
	}
	return many
}

// And joins a list: a, b and c.
func And(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// Some lists the first three and says how many more there are: a, b, c and 35 more.
func Some(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
