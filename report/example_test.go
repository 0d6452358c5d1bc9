package report_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/report"
)

// A report with a number, a table and a figure, written to a folder and printed.
func Example() {
	dir, _ := os.MkdirTemp("", "report")
	defer os.RemoveAll(dir)
	var losses plotter.XYs
	for step := range 100 {
		losses = append(losses, plotter.XY{X: float64(step + 1), Y: 1 / float64(step+1)})
	}
	page := report.Page{
		Title:   "A network learns",
		Lead:    "100 updates of the weights.",
		Tiles:   []report.Tile{{Value: "0.01", Label: "loss at the end"}},
		Tables:  []report.Table{{Title: "Training", Head: []string{"rule", "loss"}, Rows: [][]string{{"PC", "0.01"}}}},
		Figures: []report.Figure{{File: "curves.png", Title: "Learning", Draw: report.LearningCurves(false, report.Training{Name: "PC", Loss: losses})}},
	}
	if err := page.Write(dir); err != nil {
		fmt.Println(err)
	}
	page.Print(os.Stdout)
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	// Output:
	// Training
	//     rule  loss
	//       PC  0.01
	//
	// curves.png
	// report.html
}

func ExamplePage_Markdown() {
	page := report.Page{Title: "A network learns", Lead: "By two rules.",
		Tables: []report.Table{{Title: "Training", Head: []string{"rule", "loss"}, Rows: [][]string{{"PC", "0.01"}, {"BP", "0.02"}}}}}
	page.Markdown(os.Stdout)
	// Output:
	// # A network learns
	//
	// By two rules.
	//
	// **Training**
	//
	// | rule | loss |
	// |---|---|
	// | PC | 0.01 |
	// | BP | 0.02 |
}

// Where nothing can be redrawn, progress is a line per tenth of the work and more where a tenth takes long.
func ExampleProgress() {
	var out strings.Builder
	p := report.Progress{Out: &out, Name: "PC"}
	for step := range 1000 {
		p.Step(step+1, 1000, func() string { return "loss " + report.Number(1/float64(step+1)) })
	}
	p.End()
	first, _, _ := strings.Cut(out.String(), "  ETA")
	fmt.Println(first)
	fmt.Println(strings.Count(out.String(), "\n"), "lines")
	// Output:
	// PC     100/1000  loss 0.01
	// 10 lines
}
