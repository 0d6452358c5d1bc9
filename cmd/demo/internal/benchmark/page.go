package benchmark

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/claims"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/benchmark"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/record"
	"github.com/pcgraph/pcgraph/report"
)

// pageName is the page of the record.
const pageName = "BENCHMARK.md"

// listTables prints the tables.
func listTables(c *cli.Console) error {
	t := report.Table{Title: "Tables", Head: []string{"table", "rows", "seeds", "title"}, Legend: "\"demo benchmark TABLE\" measures one, and goes on where it was interrupted; \"demo benchmark TABLE -list\" shows its rows; " +
		"\"demo benchmark -rules bp,pc -nets mlp:64-64 -sets moons\" and -grid FILE make one of your own; -help says how to read it. Rules: " + strings.Join(benchmark.RuleNames, ", ")}
	for _, b := range benchmark.Tables {
		t.Rows = append(t.Rows, []string{b.Name, fmt.Sprint(len(b.Cells()) / b.Seeds), fmt.Sprint(b.Seeds), b.Title})
	}
	t.Print(c.Out)
	return nil
}

// listRows prints the rows of a table.
func listRows(c *cli.Console, b benchmark.Table, cells []benchmark.Cell) error {
	t := report.Table{Title: b.Title, Note: b.About, Head: []string{"row", "data", "network", "rule and settings"}}
	last := ""
	for _, cell := range cells {
		if cell.Row != last {
			t.Rows = append(t.Rows, []string{cell.Row, cell.Data.Name, cell.Net.Title(), cell.Rule.Name + ": " + settings(cell)})
		}
		last = cell.Row
	}
	t.Legend = fmt.Sprintf("%d trainings: %d seeds of each row.", len(cells), b.Seeds)
	t.Print(c.Out)
	return nil
}

// A recorded table is one with what its record says; no rows without a record.
type recorded struct {
	view
	cells, of int
	seconds   float64
}

// recordedTables reads the record.
func recordedTables() ([]recorded, error) {
	var list []recorded
	for _, b := range benchmark.Tables {
		cells := b.Cells()
		r := recorded{view: view{table: b, command: func(r benchmark.Row) string { return Cmd{Table: b.Name}.again(nil, b, r) }}, of: len(cells)}
		t, err := record.Table(b.Experiment())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil {
			r.rows, r.cells, r.seconds = benchmark.Rows(t, cells), len(t.Results), t.Seconds()
		}
		list = append(list, r)
	}
	return list, nil
}

// pictures are the figures of all tables.
func pictures(tables []recorded) map[string][]claim.Figure {
	all := map[string][]claim.Figure{}
	for _, r := range tables {
		if len(r.rows) > 0 {
			all[r.table.Name] = benchmark.Figures(r.table.Name, r.rows)
		}
	}
	return all
}

const pageIntro = `# Benchmark

Every learning rule beside every other and backprop, with the state of inference and the price beside the accuracy. This page is written by
` + "`go generate ./experiments/...`" + ` from the record of the measurements in [experiments/record](../experiments/record); do not edit it.

    go run ./cmd/demo benchmark -help       # how to read a table, and how to make one of your own
    go run ./cmd/demo benchmark mlp         # a table as it is recorded here; goes on where it was interrupted

An estimate is the mean over seeds ± its standard error. Seconds are of two cores that were busy with other work; the ratio to backprop was
measured beside it, under the same load.

`

// pageText is the text of BENCHMARK.md.
func pageText(tables []recorded, figures map[string][]claim.Figure) string {
	var b strings.Builder
	b.WriteString(pageIntro)
	b.WriteString("| table | measured | time |\n|---|---|---|\n")
	for _, r := range tables {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.table.Name, r.table.Name, r.measured(), claims.Duration(r.seconds))
	}
	for _, r := range tables {
		fmt.Fprintf(&b, "\n## %s\n\n%s. %s\n\nMeasured: %s.\n\n", r.table.Name, r.table.Title, r.table.About, r.measured())
		if len(r.rows) == 0 {
			continue
		}
		text := r.text()
		text.Title, text.Note = r.table.Title, ""
		text.Markdown(&b)
		for _, f := range figures[r.table.Name] {
			fmt.Fprintf(&b, "![%s](figures/%s.png)\n\n%s\n\n", r.table.Title, f.Name, f.Caption)
		}
		r.commands().Markdown(&b)
		for _, row := range r.rows {
			for _, d := range row.Diverged {
				fmt.Fprintf(&b, "%s: %s\n\n", row.Row, d)
			}
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// measured says how much of the table there is.
func (r recorded) measured() string {
	switch {
	case r.cells == 0:
		return fmt.Sprintf("nothing yet: `demo benchmark %s`", r.table.Name)
	case r.cells < r.of:
		return fmt.Sprintf("%d of %d trainings", r.cells, r.of)
	}
	return fmt.Sprintf("all %d trainings, %d seeds of each row", r.of, r.table.Seeds)
}

// writePage writes BENCHMARK.md and its pictures.
func writePage(c *cli.Console, dir string) error {
	tables, err := recordedTables()
	if err != nil {
		return err
	}
	docs, err := cli.PlainFolder(dir)
	if err != nil {
		return err
	}
	folder, err := cli.PlainFolder(filepath.Join(dir, "figures"))
	if err != nil {
		return err
	}
	figures := pictures(tables)
	for _, b := range benchmark.Tables {
		for _, f := range figures[b.Name] {
			if err := claims.WritePicture(folder, f); err != nil {
				return err
			}
		}
	}
	if err := docs.Write(pageName, func(w io.Writer) error {
		_, err := io.WriteString(w, pageText(tables, figures))
		return err
	}); err != nil {
		return err
	}
	c.Printf("%d tables in %s\n", len(tables), docs.Path(pageName))
	return nil
}
