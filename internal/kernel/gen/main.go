// Command gen writes the assembly of package kernel, its declarations and the
// functions that choose among them:
//
//	go run ./gen -to .
//
// One description of a kernel serves AVX-512 and AVX2, float32 and float64;
// see type asm. The output depends on nothing but this source.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files maps the stem of an assembly file to the kernels in it.
var files = []struct {
	stem    string
	kernels func(*asm)
}{
	{"gemm", func(a *asm) {
		a.gemm()
		a.peak()
		if !a.wide {
			a.turn()
		}
		if !a.double {
			a.panelCopy()
		}
	}},
	{"vector", func(a *asm) {
		a.arithmetic()
		a.optimisers()
		a.reductions()
		a.softmaxes()
		a.matrices()
		a.windows()
	}},
	{"activation", func(a *asm) {
		for _, f := range activations {
			a.forms(f)
		}
	}},
}

// takesOther are the kernels with arguments other than vectorArgs.
var takesOther = map[string]bool{"gemm": true, "peak": true, "turn": true, "copy": true}

func main() {
	log.SetFlags(0)
	options := flag.NewFlagSet("gen", flag.ExitOnError) // avo has taken the default one
	folder := options.String("to", ".", "folder to write to")
	_ = options.Parse(os.Args[1:])
	var declared []*ir.Function
	for _, f := range files {
		for _, wide := range []bool{false, true} {
			file, name := assemble(f.stem, wide, f.kernels)
			write(*folder, name, file, printer.NewGoAsm)
			declared = append(declared, file.Functions()...)
		}
	}
	var vector []string
	for _, f := range declared {
		name, ok := strings.CutSuffix(f.Name, "F32AVX2")
		if ok && !takesOther[name] {
			vector = append(vector, name)
		}
	}
	writeOps(*folder, vector)
	writeLayout(*folder)
	stubs := ir.NewFile()
	stubs.Includes = nil
	for _, f := range declared {
		stubs.AddSection(f)
	}
	write(*folder, "stubs_amd64.go", stubs, printer.NewStubs)
}

// assemble builds one file: the kernels for both element types in one set.
func assemble(stem string, wide bool, kernels func(*asm)) (file *ir.File, name string) {
	a := &asm{Context: build.NewContext(), wide: wide, data: map[string]mem{}}
	for _, a.double = range []bool{false, true} {
		kernels(a)
	}
	name = stem + "_avx2_amd64.s"
	if wide {
		name = stem + "_avx512_amd64.s"
	}
	file, err := a.Result()
	if err != nil {
		build.LogError(log.Default(), err, 10)
		log.Fatalf("%s: %v", name, err)
	}
	if err := pass.Compile.Execute(file); err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return file, name
}

func write(folder, name string, file *ir.File, format func(printer.Config) printer.Printer) {
	text, err := format(printer.Config{Name: "gen", Pkg: "kernel"}).Print(file)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o666); err != nil {
		log.Fatal(err)
	}
}
