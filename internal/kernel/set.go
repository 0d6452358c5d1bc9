package kernel

import "os"

// kernelSet is a set of kernels; a later one needs a newer processor.
type kernelSet int

const (
	setGo kernelSet = iota
	setAVX2
	setAVX512
)

var setNames = [...]string{setGo: "go", setAVX2: "avx2", setAVX512: "avx512"}

// active is the set in use. Tests change it.
var active = choose(os.Getenv("PCGRAPH_KERNELS"), best())

// Set names the kernels in use: "avx512", "avx2" or "go". It is the best that
// the machine runs, unless the environment variable PCGRAPH_KERNELS names
// another when the program starts.
//
// The sets agree to rounding, not to the bit.
func Set() string { return setNames[active] }

// choose returns the set with the given name, or top if it is empty.
func choose(name string, top kernelSet) kernelSet {
	if name == "" {
		return top
	}
	list := ""
	for s := top; s >= setGo; s-- {
		if setNames[s] == name {
			return s
		}
		list += " " + setNames[s]
	}
	panic("kernel: PCGRAPH_KERNELS=" + name + " is not available; this machine has:" + list)
}
