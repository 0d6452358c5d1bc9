package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// field is a field of an argument struct of package kernel and the offset at
// which the assembly reads it.
type field struct {
	name   string
	offset int
}

// layouts are the fields that the assembly reads for elements of a's size, by
// struct; the generic structs end in elements, whose size the offsets depend on.
func (a *asm) layouts() map[string][]field {
	rows, grow, full, step := a.rowFields()
	element := "[" + map[bool]string{false: "float32", true: "float64"}[a.double] + "]"
	return map[string][]field{
		"gemmArgs" + element: {
			{"a", gemmA}, {"b", gemmB}, {"c", gemmC}, {"bias", gemmBias}, {"rowA", gemmRowA}, {"stepA", gemmStepA},
			{"stepB", gemmStepB}, {"rowC", gemmRowC}, {"k", gemmK}, {"variant", gemmVariant}, {"last", gemmLast},
			{"readC", gemmReadC}, {"tiles", gemmTiles}, {"nextB", gemmNextB}, {"nextC", gemmNextC}, {"ahead", gemmAhead},
			{"taps", gemmTaps}, {"skip", gemmSkip}, {"alpha", gemmAlpha}, {"beta", gemmAlpha + a.size()},
		},
		"turnArgs":             {{"src", turnSrc}, {"dst", turnDst}, {"step", turnStep}, {"count", turnCount}, {"row", turnRows}},
		"vectorArgs" + element: {{"slot", 0}, {"n", vectorN}, {"sums", vectorSums}, {"coef", vectorCoef}},
		"rowArgs" + element: {
			{"vectorArgs", 0}, {"rows", rows}, {"grow", grow}, {"full", full}, {"step", step},
		},
	}
}

// writeLayout writes, for every field that the assembly reads, a declaration
// that compiles only if Go lays the field out where the assembly reads it.
func writeLayout(folder string) {
	lines := map[string]bool{}
	for _, double := range []bool{false, true} {
		a := &asm{double: double}
		for name, fields := range a.layouts() {
			for _, f := range fields {
				lines[fmt.Sprintf("_ = [1]int{}[unsafe.Offsetof(%s{}.%s)-%d]\n", name, f.name, f.offset)] = true
			}
		}
	}
	text := header + "import \"unsafe\"\n\n// Each index is 0, or this does not compile: the assembly reads the field at another offset.\nvar (\n"
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		text += line
	}
	writeGo(filepath.Join(folder, "layout_amd64.go"), text+")\n")
}
