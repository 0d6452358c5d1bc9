// Package benchmark holds the command that trains every learning rule beside every other and backprop, demo benchmark.
package benchmark

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/claims"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/benchmark"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/report"
)

// Cmd measures a table of rules.
type Cmd struct {
	Table string `arg:"" optional:"" name:"TABLE" help:"A named table; -list shows them." json:"table,omitempty"`

	Grid  string   `placeholder:"FILE" help:"A table of your own, in JSON: data, networks, rules, learn, seeds." json:"grid,omitempty"`
	Rules []string `placeholder:"RULE" help:"A table of your own from flags: rules such as bp,pc,pcalm; -errors and -ce behind a name move errors and take cross-entropy: pc-errors-ce." json:"rules,omitempty"`
	Nets  []string `default:"mlp:128-128" placeholder:"NET" help:"Its networks: mlp:128-128:tanh, resmlp:128x32:relu, vgg:32-64, transformer:32x2." json:"nets,omitempty"`
	Sets  []string `default:"mnist" placeholder:"DATA" help:"Its data sets: mnist, fashion, cifar10, cifar100, text, moons, spirals, xor." json:"sets,omitempty"`

	Epochs int     `default:"1" help:"Passes over the training set." json:"epochs,omitempty"`
	Batch  int     `default:"64" help:"Samples per batch." json:"batch,omitempty"`
	Limit  int     `default:"0" help:"Batches at most; 0: all of the epochs." json:"limit,omitempty"`
	LR     float64 `name:"lr" default:"0.001" help:"Learning rate of Adam on the weights." json:"lr,omitempty"`

	Seeds  int      `default:"0" placeholder:"N" help:"Seeds 1 to N of every row; 0: as many as the table has, 3 of your own." json:"seeds"`
	Only   []string `placeholder:"ROW" help:"Only these rows, or all whose names begin so: mnist/PC-SE, fashion/." json:"only,omitempty"`
	List   bool     `help:"List tables, or the rows of one with their settings, and measure nothing." json:"-"`
	Cached bool     `help:"Measure nothing: the table of what earlier runs have kept." json:"-"`
	cli.FolderFlags
	Record string `placeholder:"DIR" help:"Also write the whole table as far as it is measured there, as experiments/record has it." json:"-"`
	Write  string `placeholder:"DIR" help:"Write BENCHMARK.md and its pictures there, from the record, instead of measuring." json:"-"`
	cli.CellFlags
	cli.LiveFlags
}

// Help is the text of -help.
func (Cmd) Help() string {
	return `A table has a row for each rule, network and data set; a row is the mean of several seeds.

  demo benchmark tour                 seconds: what a table looks like
  demo benchmark -list                the tables; demo benchmark mlp -list: the rows of one
  demo benchmark mlp -only fashion/   some rows
  demo benchmark -rules bp,pc,pcalm -nets mlp:64-64:tanh -sets moons -epochs 5
  demo benchmark -grid mine.json      rules with settings of your own, such as
      {"data": ["mnist"], "networks": ["mlp:128-128"], "learn": {"lr": 0.001, "epochs": 2}, "seeds": 3,
       "rules": ["bp", "pc", {"name": "pc", "errors": true, "steps": 5, "rate": 0.2}]}

Read it so: the last epoch's score is the result; the best epoch was selected on the test set. x BP is the time of a
training step over one of backprop. Gradients are those of the energy for each batch: what inference costs. Left is
the part of the gradient with respect to activities that inference left, far the share of batches that kept more
than a tenth: their weights learned on the way, not at equilibrium. The cosine is that of the weight gradient to
backprop's, before and after training: 1 is backprop.

Every finished training is kept in -cache. Ctrl-C stops, and the same command goes on, in the middle of a training too.`
}

// Choice is what flags depend on.
func (cmd Cmd) Choice() cli.Choice { return cli.Choice{} }

// own reports whether the table is given by flags.
func (cmd Cmd) own() bool { return len(cmd.Rules) > 0 }

// Validate is called by kong.
func (cmd Cmd) Validate() error {
	given := 0
	for _, is := range []bool{cmd.Table != "", cmd.Grid != "", cmd.own()} {
		if is {
			given++
		}
	}
	if given > 1 {
		return errors.New("a table by name, -grid FILE or -rules: give one of them")
	}
	if cmd.Table != "" {
		if _, err := benchmark.TableNamed(cmd.Table); err != nil {
			return err
		}
	}
	if cmd.Record != "" && cmd.Table == "" {
		return errors.New("-record is for named tables")
	}
	return cli.First(cmd.CellFlags.Check(), cli.Count("seeds", cmd.Seeds, 0), cli.Count("epochs", cmd.Epochs, 1), cli.Count("batch", cmd.Batch, 1),
		cli.Count("limit", cmd.Limit, 0), cli.Positive("lr", cmd.LR))
}

// table is the one that was asked for.
func (cmd Cmd) table() (benchmark.Table, error) {
	var g benchmark.Grid
	switch {
	case cmd.Table != "":
		return benchmark.TableNamed(cmd.Table)
	case cmd.Grid != "":
		text, err := os.ReadFile(cmd.Grid)
		if err != nil {
			return benchmark.Table{}, errors.Wrap(err, "-grid")
		}
		if g, err = benchmark.ReadGrid(text); err != nil {
			return benchmark.Table{}, errors.WithMessagef(err, "-grid %s", cmd.Grid)
		}
	default:
		var err error
		if g, err = benchmark.GridOf(cmd.Sets, cmd.Nets, cmd.Rules, benchmark.Learn{LR: cmd.LR, Batch: cmd.Batch, Epochs: cmd.Epochs, Limit: cmd.Limit}, 0); err != nil {
			return benchmark.Table{}, err
		}
	}
	return g.Table()
}

// Run measures, lists or writes.
func (cmd Cmd) Run(c *cli.Console) error {
	if cmd.Write != "" {
		return writePage(c, cmd.Write)
	}
	if cmd.Table == "" && cmd.Grid == "" && !cmd.own() {
		return listTables(c)
	}
	c.Doing("checking the table")
	t, err := cmd.table()
	if err != nil {
		return err
	}
	if cmd.Seeds > 0 {
		t.Seeds = cmd.Seeds
	}
	cells, err := selected(t.Cells(), cmd.Only)
	if err != nil {
		return err
	}
	if cmd.List {
		return listRows(c, t, cells)
	}
	return c.Run("benchmark", cmd, func(r *cli.RunDir) error { return cmd.measure(c, r, t, cells) })
}

// selected are the cells whose rows have one of some names, or begin so; all without names.
func selected(cells []benchmark.Cell, names []string) ([]benchmark.Cell, error) {
	if len(names) == 0 {
		return cells, nil
	}
	var rows []string
	for _, c := range cells {
		if !slices.Contains(rows, c.Row) {
			rows = append(rows, c.Row)
		}
	}
	want := map[string]bool{}
	for _, name := range names {
		found := slices.Contains(rows, name)
		if want[name] = found; found {
			continue
		}
		for _, row := range rows {
			if strings.HasPrefix(strings.ToLower(row), strings.ToLower(name)) {
				want[row], found = true, true
			}
		}
		if !found {
			return nil, errors.WithMessage(benchmark.Unknown("row", name, rows), "-only")
		}
	}
	return slices.DeleteFunc(slices.Clone(cells), func(c benchmark.Cell) bool { return !want[c.Row] }), nil
}

// measure measures the cells and reports.
func (cmd Cmd) measure(c *cli.Console, out *cli.RunDir, t benchmark.Table, cells []benchmark.Cell) error {
	e := benchmark.Experiment(t.Name, cells)
	runner, end, err := cmd.Runner(c)
	if err != nil {
		return err
	}
	var table claim.Table
	var failed error
	if cmd.Cached {
		if table, err = runner.Recall(claim.Full, e); err != nil {
			return err
		}
	} else {
		tables, err := runner.Measure(c.Context, claim.Full, e)
		end()
		if len(tables) != 1 { // nothing could be begun
			return errors.WithMessage(err, "benchmark (give another folder with -cache, or -cache= for none)")
		}
		table, failed = tables[0], err
	}
	if cmd.Record != "" {
		whole, err := benchmark.TableNamed(cmd.Table)
		if err != nil {
			return err
		}
		all, err := runner.Recall(claim.Full, whole.Experiment())
		if err == nil && len(all.Results) > 0 {
			err = claims.RecordTable(c, cmd.Record, whole.Experiment(), all)
		}
		if err != nil {
			return err
		}
	}
	rows := benchmark.Rows(table, cells)
	if len(rows) == 0 {
		if c.Context.Err() != nil {
			c.Printf(goesOn)
			return cli.ErrInterrupted
		}
		return cli.First(failed, errors.New("nothing of this table is kept: leave out -cached to measure it"))
	}
	v := view{table: t, rows: rows, command: func(r benchmark.Row) string { return cmd.again(c, t, r) }}
	if err := v.write(out.Folder, table); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Measure != "" { // else it has diverged, as the page says
			out.Manifest.Results[r.Row] = map[string]any{r.Measure: r.Last.Mean, "best": r.Best.Mean, "seeds": len(r.Seeds)}
		}
	}
	out.Manifest.Seconds["measurements"] = table.Seconds()
	out.Page = v.page()
	for _, f := range benchmark.Figures(t.Name, rows) {
		out.Page.Figures = append(out.Page.Figures, report.Figure{File: f.Name + ".png", Title: t.Title, Caption: f.Caption, Draw: claims.Illustration(f)})
	}
	if err := out.Write("report.md", func(w io.Writer) error {
		page := out.Page
		page.Markdown(w)
		return nil
	}); err != nil {
		return err
	}
	err = out.Report()
	if errors.Is(err, cli.ErrInterrupted) {
		c.Printf(goesOn)
	}
	return cli.First(err, failed)
}

// goesOn tells what to do after an interruption.
const goesOn = "The same command goes on where it was.\n"

// again is the command line that measures one row.
func (cmd Cmd) again(c *cli.Console, t benchmark.Table, r benchmark.Row) string {
	line := []string{"demo", "benchmark"}
	switch {
	case cmd.Table != "":
		line = append(line, cmd.Table)
	case cmd.Grid != "":
		line = append(line, "-grid", cmd.Grid)
	default:
		line = append(line, "-rules", strings.Join(cmd.Rules, ","), "-nets", strings.Join(cmd.Nets, ","), "-sets", strings.Join(cmd.Sets, ","),
			"-epochs", fmt.Sprint(cmd.Epochs), "-batch", fmt.Sprint(cmd.Batch), "-limit", fmt.Sprint(cmd.Limit), "-lr", fmt.Sprint(cmd.LR))
	}
	line = append(line, "-only", r.Row, "-seeds", fmt.Sprint(t.Seeds))
	return shellescape.QuoteCommand(line)
}
