// Report trains a network with a progress bar, and writes a page with a table and learning curves.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"

	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

func main() {
	set, test, err := data.Spirals{Seed: 1}.Load()
	check(err)
	net, err := arch.MLP(nil, layers.Tanh, 2, 32, 32, 3)
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 32})
	check(err)
	rule := &train.PC[float32]{Model: model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}, Stop: infer.Steps(20)}
	curve := report.Training{Name: "PC"}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: set, Test: test, Batch: 32, Epochs: 40, EvalEvery: 50,
		OnEval: func(e train.Eval) {
			curve.Score = append(curve.Score, plotter.XY{X: float64(e.Step), Y: 100 * e.Accuracy})
		}}
	bar := report.Progress{Out: os.Stdout, Name: "PC", Unit: "step"}
	for step, err := range trainer.Steps(context.Background()) {
		check(err)
		curve.Loss = append(curve.Loss, plotter.XY{X: float64(step.Step), Y: step.Loss})
		bar.Step(step.Step, step.Total, func() string { return "loss " + report.Number(step.Loss) })
	}
	bar.End()
	accuracy := fmt.Sprintf("%.1f %%", 100*trainer.History().Last().Accuracy)
	page := report.Page{Title: "Three spirals", Lead: "A network of two hidden layers, trained by predictive coding.",
		Tables:  []report.Table{{Title: "Result", Head: []string{"rule", "test accuracy"}, Rows: [][]string{{"PC", accuracy}}}},
		Figures: []report.Figure{{File: "curves.png", Title: "Learning", Draw: report.LearningCurves(true, curve)}}}
	folder, err := os.MkdirTemp("", "report")
	check(err)
	check(page.Write(folder))
	page.Print(os.Stdout)
	fmt.Println(folder + "/report.html")
	// Output: report\.html
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
