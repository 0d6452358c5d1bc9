package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
)

// benchCmd measures speed and memory; docs/PERFORMANCE.md says what the figures mean.
type benchCmd struct {
	JSON    string   `name:"json" placeholder:"FILE" help:"Write the figures as JSON too; -: to standard output, instead of the tables."`
	Rows    []string `placeholder:"KIND" help:"What to measure, with commas between: energy, train, arch, growth, start, memory, mupc, tape (default: all)."`
	Repeats int      `default:"7" help:"Repetitions of a measurement, whose median, least and largest are given."`
	Threads int      `default:"0" help:"Cores to use; 0: all."`
	Quick   bool     `help:"Tiny sizes, to see that everything works: the figures mean nothing."`
	Child   string   `hidden:"" help:"Be the process that is measured."`
}

// benchKinds are the kinds of rows in the order in which they are measured.
var benchKinds = []struct {
	name    string
	measure func(b *benchRun) error
}{
	{"energy", (*benchRun).energyRows},
	{"train", (*benchRun).trainRows},
	{"arch", (*benchRun).archRows},
	{"growth", (*benchRun).growthRows},
	{"start", (*benchRun).startRows},
	{"memory", (*benchRun).memoryRows},
	{"mupc", (*benchRun).mupcRows},
	{"tape", (*benchRun).tapeRows},
}

// Validate is called by kong.
func (cmd benchCmd) Validate() error {
	for _, r := range cmd.Rows {
		if err := cli.Known("kind of rows", r, "energy", "train", "arch", "growth", "start", "memory", "mupc", "tape"); err != nil {
			return err
		}
	}
	if cmd.Threads > runtime.NumCPU() {
		return errors.Errorf("-threads is %d: this machine has %d", cmd.Threads, runtime.NumCPU())
	}
	return cli.First(cli.Count("repeats", cmd.Repeats, 1), cli.Count("threads", cmd.Threads, 0))
}

// A benchReport is what -json writes. Rows are found by kind and name, figures by name: the names stay.
type benchReport struct {
	Schema  int         `json:"schema"`
	Started time.Time   `json:"started"`
	Version cli.Version `json:"version"`
	CPU     string      `json:"cpu"`
	Repeats int         `json:"repeats"`
	Quick   bool        `json:"quick"`
	Rows    []benchRow  `json:"rows"`
}

// A benchRow is one thing that was measured.
type benchRow struct {
	Kind    string        `json:"kind"`
	Name    string        `json:"name"`
	Figures []benchFigure `json:"figures"`
}

// A benchFigure is what was measured of it.
type benchFigure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// add adds a figure from one value or the median, least and largest of several.
func (r *benchRow) add(name, unit string, values ...float64) {
	f := spread(values)
	f.Name, f.Unit = name, unit
	r.Figures = append(r.Figures, f)
}

// A benchRun is a run of the command.
type benchRun struct {
	benchCmd
	console *cli.Console
	cores   int
	report  benchReport
}

// Run measures what was asked for and prints it. An interruption leaves what there is.
func (cmd benchCmd) Run(c *cli.Console) error {
	if cmd.Threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cmd.Threads))
	}
	if cmd.Child != "" {
		return cmd.child(c)
	}
	if cmd.JSON != "" && cmd.JSON != "-" { // better found now than after the measurement
		file, err := os.OpenFile(cmd.JSON, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return errors.Wrap(err, "-json")
		}
		file.Close()
	}
	b := &benchRun{benchCmd: cmd, console: c, cores: runtime.GOMAXPROCS(0)}
	b.report = benchReport{Schema: 1, Started: time.Now().UTC(), Version: cli.ReadVersion(), CPU: cpuName(), Repeats: cmd.Repeats, Quick: cmd.Quick, Rows: []benchRow{}}
	err := b.measure()
	if err != nil && !errors.Is(err, cli.ErrInterrupted) {
		return err
	}
	var text bytes.Buffer
	if e := b.report.write(&text); e != nil {
		return e
	}
	switch cmd.JSON {
	case "-":
		_, e := text.WriteTo(c.Out)
		return cli.First(e, err)
	case "":
	default:
		if e := os.WriteFile(cmd.JSON, text.Bytes(), 0o666); e != nil {
			return errors.Wrap(e, "-json")
		}
	}
	return cli.First(b.report.print(c.Out), err)
}

// measure measures the kinds that were asked for. What needs MNIST is left out where there is none.
func (b *benchRun) measure() error {
	for _, k := range benchKinds {
		if len(b.Rows) > 0 && cli.Known("", k.name, b.Rows...) != nil {
			continue
		}
		switch err := k.measure(b); {
		case b.console.Context.Err() != nil:
			return cli.ErrInterrupted
		case errors.Is(err, data.ErrNotFound):
			b.progress("%s: left out what needs MNIST, which is not here (see \"demo data\")", k.name)
		case err != nil:
			return errors.WithMessage(err, k.name)
		}
	}
	return nil
}

// row starts a row, unless the run was interrupted; done ends it.
func (b *benchRun) row(kind, name string) (*benchRow, error) {
	if b.console.Context.Err() != nil {
		return nil, cli.ErrInterrupted
	}
	b.progress("%s: %s", kind, name)
	return &benchRow{Kind: kind, Name: name}, nil
}

func (b *benchRun) done(r *benchRow) { b.report.Rows = append(b.report.Rows, *r) }

// progress says on standard error what goes on.
func (b *benchRun) progress(format string, args ...any) {
	fmt.Fprintf(b.console.Errs, "bench: "+format+"\n", args...)
}

// write writes the report as JSON.
func (r *benchReport) write(w io.Writer) error { return cli.Encode(r)(w) }

// cpuName is the processor's name where the system tells it.
func cpuName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
