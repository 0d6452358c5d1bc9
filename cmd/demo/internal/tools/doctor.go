package tools

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// DoctorCmd looks at the machine.
type DoctorCmd struct {
	Dir string `default:"." placeholder:"DIR" help:"Folder in which runs will be written."`
}

// A finding is one line of the doctor.
type finding struct {
	what, found string
	advice      string // what to do; empty where all is well
	fault       bool   // it is to be mended before anything can run
}

// Run prints what it finds, and fails if something keeps the program from working.
func (cmd DoctorCmd) Run(c *cli.Console) error {
	faults := 0
	for _, f := range cmd.look(c) {
		mark := "ok  "
		switch {
		case f.fault:
			mark, faults = "BAD ", faults+1
		case f.advice != "":
			mark = "note"
		}
		c.Printf("%s  %-14s %s\n", mark, f.what, f.found)
		if f.advice != "" {
			c.Printf("      %-14s %s\n", "", f.advice)
		}
	}
	if faults > 0 {
		return errors.Errorf("%d of these keep runs from working", faults)
	}
	return nil
}

func (cmd DoctorCmd) look(c *cli.Console) []finding {
	v := cli.ReadVersion()
	revision := v.Module
	if v.Revision != "" {
		revision += ", revision " + v.Revision
	}
	list := []finding{{what: "program", found: fmt.Sprintf("%s, %s for %s/%s", revision, v.Go, v.OS, v.Arch)}}
	kernels := finding{what: "kernels", found: v.Kernels}
	if v.Kernels == "go" {
		kernels.advice = "no vector kernels for this processor: everything works, several times slower. AVX2 or AVX-512 has them."
	}
	list = append(list, kernels)
	cores := finding{what: "cores", found: fmt.Sprintf("%d in use of %d", v.Cores, runtime.NumCPU())}
	if v.Cores < runtime.NumCPU() {
		cores.advice = "GOMAXPROCS or a limit of the container leaves some of them idle."
	}
	list = append(list, cores)
	if load, known := loadAverage(); known {
		f := finding{what: "load", found: fmt.Sprintf("%.1f", load)}
		if load > .5*float64(runtime.NumCPU()) {
			f.advice = "Other programs are running: times that are measured now are too long."
		}
		list = append(list, f)
	}
	c.Doing("measuring products of matrices")
	list = append(list, finding{what: "float32", found: fmt.Sprintf("%.0f GFLOP/s in a product of matrices on one core", kernel.GemmPeak[float32](200*time.Millisecond))})
	if free, known := memoryFree(); known {
		f := finding{what: "memory", found: fmt.Sprintf("%.1f GB free", free/1e9)}
		if free < 5e8 {
			f.advice = "MNIST trains in .2 GB; wide networks may need more."
		}
		list = append(list, f)
	}
	c.Doing("writing")
	list = append(list, writing(cmd.Dir))
	c.Doing("looking for data sets")
	for _, at := range data.Locate(data.Dirs{}) {
		f := finding{what: at.Name, found: "in " + at.Dir}
		if at.Err != nil {
			f.found, f.advice = "not here", "\"demo data\" says how to get it."
		}
		list = append(list, f)
	}
	c.Doing("")
	return list
}

// writing writes a file in a folder as runs do, and measures how fast.
func writing(dir string) finding {
	f := finding{what: "writing", advice: "Give another folder with -out, or start the program in one.", fault: true}
	file, err := os.CreateTemp(dir, ".demo-doctor-*")
	if err != nil {
		f.found = "in " + dir + ": " + err.Error()
		return f
	}
	defer os.Remove(file.Name())
	defer file.Close()
	const size = 16 << 20
	start := time.Now()
	_, err = file.Write(bytes.Repeat([]byte("pc"), size/2))
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		f.found = "in " + dir + ": " + err.Error()
		return f
	}
	speed := size / time.Since(start).Seconds()
	full, err := filepath.Abs(dir)
	if err != nil {
		full = dir
	}
	f = finding{what: "writing", found: fmt.Sprintf("%.0f MB/s, to the disk, in %s", speed/1e6, full)}
	if speed < 5e6 {
		f.advice = "Slow: keep checkpoints rarer with -checkpoint-every, or runs elsewhere with -out."
	}
	return f
}

// loadAverage is that of the last minute, where the system says it.
func loadAverage() (load float64, known bool) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err = strconv.ParseFloat(first, 64)
	return load, err == nil
}

// memoryFree is how many bytes programs can still have, where the system says it.
func memoryFree() (bytes float64, known bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "MemAvailable:"); is {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return 1024 * kb, err == nil
		}
	}
	return 0, false
}
