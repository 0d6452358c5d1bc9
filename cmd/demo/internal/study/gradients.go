package study

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// horizon is how far the main job follows inference, beyond the steps it trained with; precisions is its scan.
const horizon = 128

var Precisions = []float64{1, .1, .01, .001, .0001}

// restExpected is how many steps it takes about to come to rest, for the progress bar.
const restExpected = 100

// compareBatch is the size of the held-out batch that gradients are compared on.
const compareBatch = 64

// compare holds the gradients of the trained network against each other on a held-out batch, in float64, and adds what
// it sees to the report.
func (j *job) compare(c *cli.Console) error {
	p := j.learners[0]
	w, err := double(j.net, p.rule.Subject().Weights)
	if err != nil {
		return err
	}
	start := time.Now()
	c.Printf("Comparing PC's gradients with BP's on %d test samples, in float64 (-no-compare leaves that out)\n", min(compareBatch, j.test.Len()))
	flags := j.flags
	flags.Errors = false // activities show how the error comes down layer by layer; errors are in every layer at once
	b, err := NewComparison(j.net, flags, w, j.test, compareBatch)
	if err != nil {
		return err
	}
	show := c.Progress("comparison", "")
	defer show.End()
	// The counter counts steps: horizon of them first, then restExpected for each precision, of which fewer may be needed.
	begun, room := 0, horizon
	furthest := 0
	b.OnStep = func(step int) {
		furthest = max(furthest, begun+min(step, room))
		show.Step(furthest, horizon+restExpected*len(Precisions), nil)
	}
	// Steps of half the largest stable rate, or of the training's where that is lower: what one sees is inference, not its failing.
	stable, err := stableRate(b, 1, arch.Activities)
	if err != nil {
		return err
	}
	rate := stable / 2
	if j.learn.Descends() && !j.flags.Errors {
		rate = min(rate, j.learn.Rate)
	}
	a, err := b.inference(c.Context, 1, cli.InferFlags{Steps: horizon, Rate: rate})
	if err != nil {
		return err
	}
	j.Manifest.Seconds["agreement along inference"] = time.Since(start).Seconds()
	if err := logAgreement(j.Folder, a, 1); err != nil {
		return err
	}
	if err := a.diverged(); err != nil {
		return err
	}
	where := fmt.Sprintf("the first %d test samples, in float64, with the weights that %s learned", b.Batch, p.name)
	if len(a.Rows) > 0 {
		j.Page.Tables = append(j.Page.Tables, AlongTable(a, fmt.Sprintf("%s; inference moves activities at rate %.2g", where, rate)))
	}
	start = time.Now()
	begun, room = horizon, restExpected
	var points []PrecisionPoint
	for _, lambda := range Precisions {
		if c.Context.Err() != nil {
			break
		}
		e, err := b.Equilibrium(c.Context, lambda)
		if err != nil {
			return err
		}
		begun += restExpected
		b.tell(0)
		if c.Context.Err() != nil { // not at rest
			break
		}
		points = append(points, PrecisionPoint{lambda, e})
		if last, ok := e.Last(); ok {
			if err := logAgreement(j.Folder, Agreement{weights: e.weights, params: e.params, terms: e.terms, Rows: []analysis.Comparison{last}}, lambda); err != nil {
				return err
			}
		}
	}
	j.Manifest.Seconds["agreement over precision"] = time.Since(start).Seconds()
	if len(points) > 0 {
		j.Page.Tables = append(j.Page.Tables, PrecisionTable(points, where))
		j.Manifest.Results["precision"] = summary(points)
	}
	j.Page.Figures = append(j.Page.Figures, agreementFigures(a, points)...)
	if set := j.test; set.Shape().Channels == 1 && set.Classes() > 0 {
		j.Page.Figures = append(j.Page.Figures, report.Figure{File: "digits.png", Title: "What " + p.name + " says of test pictures",
			Caption: "Under each picture is its label; framed are the mistakes, with what was predicted first. The upper rows are the first test pictures as they come, the last row is made of mistakes only.",
			Draw:    digits(p.rule, set)})
	}
	return nil
}

// agreementFigures are those of one comparison; points may be empty.
func agreementFigures(a Agreement, points []PrecisionPoint) []report.Figure {
	var fs []report.Figure
	if len(a.Rows) > 0 {
		fs = append(fs,
			report.Figure{File: "agreement.png", Title: "The gradient finds its direction, layer by layer",
				Caption: "Before inference only the output layer has an error, and there PC's gradient is already BP's; every step carries the error one layer further down. A cosine of 1 means parallel, 0 no gradient yet or a right angle. At equilibrium a difference remains unless the precision of the output is small.",
				Draw:    agreementMap(a)},
			report.Figure{File: "energy.png", Title: "Where the energy goes",
				Caption: "Inference moves the error at the output (top line at the start) into the hidden layers, which begin at zero. At a rate below the stable limit the sum falls until the activities are at equilibrium.",
				Draw:    decay(a)})
	}
	if len(points) > 0 {
		fs = append(fs, report.Figure{File: "precision.png", Title: "Backprop is the limit of a weak output",
			Caption: "At equilibrium, PC's gradient divided by the output's precision differs from BP's by an amount proportional to that precision: the lines fall along slope 1 (dotted). Relative error is |PC / precision - BP| / |BP|, by weight. A line may lie above that slope where activities rest on kinks of the activation (relu), where PC's gradient counts units that BP's leaves out.",
			Draw:    againstPrecision(points)})
	}
	return fs
}

// lowest says which end of a table of weights is the input's.
func (a Agreement) lowest() string {
	if len(a.weights) == 0 {
		return ""
	}
	scope, _, _ := strings.Cut(a.weights[0], "/")
	return scope + " is the lowest layer, next to the input; \"all\" is the gradient of all weights as one vector."
}

// AlongTable is the cosine and the relative error by weight, at a few steps.
func AlongTable(a Agreement, where string) report.Table {
	t := report.Table{Title: "PC's gradient against BP's along inference: cosine (relative error)", Head: []string{"weight"},
		Note: "On " + where + ". In a cell: the cosine of the angle between the two gradients (1: the same direction, 0: a right angle, or PC has none yet) and in brackets the relative error |PC - BP| / |BP| (0: equal). Step 0 is the feedforward pass, before inference. " + a.lowest()}
	var shown []analysis.Comparison
	for i, row := range a.Rows {
		if s := row.Step; s&(s-1) == 0 && s != 2 && s != 8 && s != 32 || i == len(a.Rows)-1 {
			shown = append(shown, row)
			t.Head = append(t.Head, "step "+strconv.Itoa(s))
		}
	}
	add := func(name string, at func(analysis.Comparison) analysis.Agreement) {
		row := []string{name}
		for _, s := range shown {
			g := at(s)
			row = append(row, fmt.Sprintf("%.4f (%.2g)", g.Cosine, g.Relative))
		}
		t.Rows = append(t.Rows, row)
	}
	for i, name := range a.weights {
		add(name, func(c analysis.Comparison) analysis.Agreement { return c.Params[a.params[i]] })
	}
	add("all", func(c analysis.Comparison) analysis.Agreement { return c.Whole })
	return t
}

// PrecisionTable is the relative error by precision and weight.
func PrecisionTable(points []PrecisionPoint, where string) report.Table {
	note := fmt.Sprintf("The relative error |PC / precision - BP| / |BP| of the gradient at equilibrium, on %s. %s Steps are those of L-BFGS on the prediction errors. "+
		"Inference ends where the rms of the energy's gradient is %g of what it was (%q), or where the energy falls no more (%q: activities rest on kinks of the activation, where the gradient jumps).",
		where, points[0].lowest(), restRel, RestGradient, RestEnergy)
	t := report.Table{Title: "Distance of PC's equilibrium gradient from BP's, by output precision", Note: note,
		Head: append(append([]string{"precision"}, points[0].weights...), "all", "steps", "ended with")}
	for _, p := range points {
		last, ok := p.Last()
		if !ok {
			continue
		}
		row := []string{fmt.Sprintf("%g", p.Precision)}
		for _, i := range p.params {
			row = append(row, fmt.Sprintf("%.2e", last.Params[i].Relative))
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprintf("%.2e", last.Whole.Relative), strconv.Itoa(last.Step), p.Rest))
	}
	return t
}

// summary is the whole gradient's relative error by precision, for the manifest.
func summary(points []PrecisionPoint) map[string]float64 {
	m := make(map[string]float64)
	for _, p := range points {
		if last, ok := p.Last(); ok {
			m[fmt.Sprintf("%g", p.Precision)] = last.Whole.Relative
		}
	}
	return m
}

// An AgreeLine is a comparison in metrics.jsonl.
type AgreeLine struct {
	Kind      string                        `json:"kind"` // "agreement"
	Precision float64                       `json:"precision"`
	Step      int                           `json:"step"`
	Energy    float64                       `json:"energy"`
	Residual  float64                       `json:"residual"`
	Terms     map[string]float64            `json:"terms"`
	Whole     analysis.Agreement            `json:"whole"`
	Weights   map[string]analysis.Agreement `json:"weights"`
}

// logAgreement adds a line per comparison to metrics.jsonl.
func logAgreement(f *cli.Folder, a Agreement, precision float64) error {
	for _, c := range a.Rows {
		l := AgreeLine{Kind: "agreement", Precision: precision, Step: c.Step, Energy: c.Energy, Residual: c.Residual, Whole: c.Whole,
			Terms: make(map[string]float64), Weights: make(map[string]analysis.Agreement)}
		for i, name := range a.terms {
			l.Terms[name] = c.Terms[i]
		}
		for i, name := range a.weights {
			l.Weights[name] = c.Params[a.params[i]]
		}
		if err := f.Line(l); err != nil {
			return err
		}
	}
	return nil
}
