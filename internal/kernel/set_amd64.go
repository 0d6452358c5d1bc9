package kernel

import "golang.org/x/sys/cpu"

// best is the newest set that the machine runs.
func best() kernelSet {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasBMI2:
		return setGo
	case x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL:
		return setAVX512
	}
	return setAVX2
}
