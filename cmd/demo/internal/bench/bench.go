// Package bench measures the speed and the memory of the library: the command "demo bench". docs/PERFORMANCE.md says what the figures
// mean, and bench/jax reads them.
package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
)

// Cmd is the command.
type Cmd struct {
	JSON    string   `name:"json" placeholder:"FILE" help:"Write the figures as JSON too; -: to standard output, instead of the tables."`
	Rows    []string `placeholder:"KIND" help:"What to measure, with commas between: energy, train, arch, curvature, growth, start, memory, mupc, tape, bss, separate (default: all)."`
	Repeats int      `default:"7" help:"Repetitions of a measurement, whose median, least and largest are given."`
	Threads int      `default:"0" help:"Cores to use; 0: all."`
	Quick   bool     `help:"Tiny sizes, to see that everything works: the figures mean nothing."`
	Child   string   `hidden:"" help:"Be the process that is measured."`
}

// kinds are the kinds of rows in the order in which they are measured.
var kinds = []struct {
	name    string
	measure func(*run) error
}{
	{"energy", (*run).energyRows},
	{"train", (*run).trainRows},
	{"arch", (*run).archRows},
	{"curvature", (*run).curvatureRows},
	{"growth", (*run).growthRows},
	{"start", (*run).startRows},
	{"memory", (*run).memoryRows},
	{"mupc", (*run).mupcRows},
	{"tape", (*run).tapeRows},
	{"bss", (*run).bssRows},
	{"separate", (*run).separateRows},
}

// Validate is called by kong.
func (cmd Cmd) Validate() error {
	for _, r := range cmd.Rows {
		if err := cli.Known("kind of rows", r, "energy", "train", "arch", "curvature", "growth", "start", "memory", "mupc", "tape", "bss", "separate"); err != nil {
			return err
		}
	}
	if cmd.Threads > runtime.NumCPU() {
		return errors.Errorf("-threads is %d: this machine has %d", cmd.Threads, runtime.NumCPU())
	}
	return cli.First(cli.Count("repeats", cmd.Repeats, 1), cli.Count("threads", cmd.Threads, 0))
}

// A Report is what -json writes. Rows are found by kind and name, figures by name: the names stay.
type Report struct {
	Schema  int         `json:"schema"`
	Started time.Time   `json:"started"`
	Version cli.Version `json:"version"`
	CPU     string      `json:"cpu"`
	Repeats int         `json:"repeats"`
	Quick   bool        `json:"quick"`
	Rows    []Row       `json:"rows"`
}

// A Row is one thing that was measured.
type Row struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Figures []Figure `json:"figures"`
}

// A Figure is what was measured of it.
type Figure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// add adds a figure from one value or the median, least and largest of several.
func (r *Row) add(name, unit string, values ...float64) {
	f := spread(values)
	f.Name, f.Unit = name, unit
	r.Figures = append(r.Figures, f)
}

// spread is the figure of several values.
func spread(values []float64) Figure {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return Figure{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// A run is a run of the command.
type run struct {
	Cmd
	console *cli.Console
	cores   int
	report  Report
}

// Run measures what was asked for and prints it. An interruption leaves what there is.
func (cmd Cmd) Run(c *cli.Console) error {
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
	b := &run{Cmd: cmd, console: c, cores: runtime.GOMAXPROCS(0)}
	b.report = Report{Schema: 1, Started: time.Now().UTC(), Version: cli.ReadVersion(), CPU: cpuName(), Repeats: cmd.Repeats, Quick: cmd.Quick, Rows: []Row{}}
	err := b.measure()
	if err != nil && !errors.Is(err, cli.ErrInterrupted) {
		return err
	}
	var text strings.Builder
	if e := cli.Encode(&b.report)(&text); e != nil {
		return e
	}
	switch cmd.JSON {
	case "-":
		_, e := fmt.Fprint(c.Out, text.String())
		return cli.First(e, err)
	case "":
	default:
		if e := os.WriteFile(cmd.JSON, []byte(text.String()), 0o666); e != nil {
			return errors.Wrap(e, "-json")
		}
	}
	b.report.print(c)
	return err
}

// measure measures the kinds that were asked for. What needs MNIST is left out where there is none.
func (b *run) measure() error {
	for _, k := range kinds {
		if len(b.Rows) > 0 && !slices.Contains(b.Rows, k.name) {
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

// row measures a row, unless the run was interrupted.
func (b *run) row(kind, name string, measure func(*Row) error) error {
	if b.console.Context.Err() != nil {
		return cli.ErrInterrupted
	}
	b.progress("%s: %s", kind, name)
	r := Row{Kind: kind, Name: name}
	if err := measure(&r); err != nil {
		return err
	}
	b.report.Rows = append(b.report.Rows, r)
	return nil
}

// progress says on standard error what goes on.
func (b *run) progress(format string, args ...any) {
	fmt.Fprintf(b.console.Errs, "bench: "+format+"\n", args...)
}

// print writes a table per kind: a line per figure, a column per row.
func (r *Report) print(c *cli.Console) {
	v := r.Version
	c.Printf("%s, %d cores, kernels %s, %s %s/%s; median (least .. largest) of %d\n", r.CPU, v.Cores, v.Kernels, v.Go, v.OS, v.Arch, r.Repeats)
	if r.Quick {
		c.Printf("-quick: tiny sizes, these figures mean nothing\n")
	}
	c.Printf("\n")
	tables := make(map[string]*report.Table)
	var order []*report.Table
	for _, row := range r.Rows {
		t := tables[row.Kind]
		if t == nil {
			t = &report.Table{Title: row.Kind, Head: []string{""}}
			tables[row.Kind], order = t, append(order, t)
		}
		t.Head = append(t.Head, row.Name)
		for _, f := range row.Figures {
			line := slices.IndexFunc(t.Rows, func(cells []string) bool { return cells[0] == f.label() })
			if line < 0 {
				line = len(t.Rows)
				t.Rows = append(t.Rows, []string{f.label()})
			}
			for len(t.Rows[line]) < len(t.Head)-1 { // rows that have no such figure
				t.Rows[line] = append(t.Rows[line], "-")
			}
			t.Rows[line] = append(t.Rows[line], f.String())
		}
	}
	for _, t := range order {
		t.Print(c.Out)
	}
}

// label is the figure's name with its unit.
func (f Figure) label() string {
	if f.Unit == "" {
		return f.Name
	}
	return f.Name + ", " + f.Unit
}

// String is the median, with the range if there is one.
func (f Figure) String() string {
	if f.Min == f.Max {
		return readable(f.Median)
	}
	return fmt.Sprintf("%s (%s .. %s)", readable(f.Median), readable(f.Min), readable(f.Max))
}

// readable writes a number with three digits or more, never as a power of ten.
func readable(v float64) string {
	digits := 3
	for limit := 1.; digits > 0 && (v >= limit || v <= -limit); limit *= 10 {
		digits--
	}
	if v == 0 {
		digits = 0
	}
	return fmt.Sprintf("%.*f", digits, v)
}

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
