package finding

// Reads names the facts that a check declares.
func (k Kind) Reads() (names []string) {
	for _, f := range k.reads {
		names = append(names, f.name)
	}
	return names
}

// Passed is what is true where the check passes.
func (k Kind) Passed() string { return k.passed }
