package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pcgraph/pcgraph/graph/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// horizon is how far the main job follows inference, beyond the steps it trained with; precisions is its scan.
const horizon = 128

var precisions = []float64{1, .1, .01, .001, .0001}

// compareBatch is the size of the held-out batch that gradients are compared on.
const compareBatch = 64

// compare holds the gradients of the trained network against each other on a held-out batch, in float64, and adds what
// it sees to the report.
func (j *job) compare(c *console) error {
	p := j.pupils[0]
	w, err := double(j.net, p.rule.Weights())
	if err != nil {
		return err
	}
	start := time.Now()
	b, err := newBench(j.net, j.flags, w, j.test, compareBatch)
	if err != nil {
		return err
	}
	a, err := b.inference(c.ctx, 1, inferFlags{Steps: horizon, Rate: j.learn.Rate})
	if err != nil {
		return err
	}
	j.manifest.Seconds["agreement along inference"] = time.Since(start).Seconds()
	if err := j.folder.logAgreement(a, 1); err != nil {
		return err
	}
	if err := a.diverged(); err != nil {
		return err
	}
	where := fmt.Sprintf("the first %d test samples, in float64, with the weights that %s learned", b.batch, p.name)
	if len(a.rows) > 0 {
		j.report.Tables = append(j.report.Tables, alongTable(a, where))
	}
	start = time.Now()
	var points []precisionPoint
	for _, lambda := range precisions {
		if c.ctx.Err() != nil {
			break
		}
		e, err := b.equilibrium(c.ctx, lambda)
		if err != nil {
			return err
		}
		if c.ctx.Err() != nil { // not at rest
			break
		}
		points = append(points, precisionPoint{lambda, e})
		if last, ok := e.last(); ok {
			if err := j.folder.logAgreement(agreement{weights: e.weights, params: e.params, terms: e.terms, rows: []train.Comparison{last}}, lambda); err != nil {
				return err
			}
		}
	}
	j.manifest.Seconds["agreement over precision"] = time.Since(start).Seconds()
	if len(points) > 0 {
		j.report.Tables = append(j.report.Tables, precisionTable(points, where))
		j.manifest.Results["precision"] = summary(points)
	}
	j.report.Figures = append(j.report.Figures, agreementFigures(a, points)...)
	if set := j.test; set.Shape().Channels == 1 && set.Classes() > 0 {
		j.report.Figures = append(j.report.Figures, figure{File: "digits.png", Title: "What " + p.name + " says of test pictures",
			Caption: "Under each picture is its label; framed are the mistakes, with what was predicted first. The upper rows are the first test pictures as they come, the last row is made of mistakes only.",
			draw:    digits(p.rule, set)})
	}
	return nil
}

// agreementFigures are those of one comparison; points may be empty.
func agreementFigures(a agreement, points []precisionPoint) []figure {
	var fs []figure
	if len(a.rows) > 0 {
		fs = append(fs,
			figure{File: "agreement.png", Title: "The gradient finds its direction, layer by layer",
				Caption: "Before inference only the output layer has an error, and there PC's gradient is already BP's; every step carries the error one layer further down. Soon the directions agree (1 is parallel, 0 is no gradient yet or a right angle); the lengths take longer, and as long as the output pulls with a precision that is not small, an angle remains.",
				draw:    agreementMap(a)},
			figure{File: "energy.png", Title: "Where the energy goes",
				Caption: "Inference moves the error at the output (top line at the start) into the hidden layers, which begin at zero. At a rate that is small enough the sum falls; where its line is flat, the activities rest and the weights may learn.",
				draw:    decay(a)})
	}
	if len(points) > 0 {
		fs = append(fs, figure{File: "precision.png", Title: "Backprop is the limit of a weak output",
			Caption: "At equilibrium, PC's gradient divided by the output's precision differs from BP's by an amount proportional to that precision: the lines fall along slope 1. Where one flattens at the right, inference was not carried on for long enough.",
			draw:    againstPrecision(points)})
	}
	return fs
}

// alongTable is the cosine and the relative error by weight, at a few steps.
func alongTable(a agreement, where string) table {
	t := table{Title: "PC's gradient against BP's along inference: cosine (relative error)", Note: "On " + where + ".", Head: []string{"weight"}}
	var shown []train.Comparison
	for i, row := range a.rows {
		if s := row.Step; s&(s-1) == 0 && s != 2 && s != 8 && s != 32 || i == len(a.rows)-1 {
			shown = append(shown, row)
			t.Head = append(t.Head, "step "+strconv.Itoa(s))
		}
	}
	add := func(name string, at func(train.Comparison) train.Agreement) {
		row := []string{name}
		for _, s := range shown {
			g := at(s)
			row = append(row, fmt.Sprintf("%.4f (%.2g)", g.Cosine, g.Relative))
		}
		t.Rows = append(t.Rows, row)
	}
	for i, name := range a.weights {
		add(name, func(c train.Comparison) train.Agreement { return c.Params[a.params[i]] })
	}
	add("all", func(c train.Comparison) train.Agreement { return c.Whole })
	return t
}

// precisionTable is the relative error by precision and weight.
func precisionTable(points []precisionPoint, where string) table {
	note := "Relative error on " + where + ". Inference goes on until the energy gradient is 1e-7 of what it was; where it ends at the step limit, activities flicker at a kink of the activation, or the rate is too small."
	t := table{Title: "Distance of PC's equilibrium gradient from BP's, by output precision", Note: note,
		Head: append(append([]string{"precision"}, points[0].weights...), "all", "steps", "inference")}
	for _, p := range points {
		last, ok := p.last()
		if !ok {
			continue
		}
		row := []string{fmt.Sprintf("%g", p.precision)}
		for _, i := range p.params {
			row = append(row, fmt.Sprintf("%.2e", last.Params[i].Relative))
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprintf("%.2e", last.Whole.Relative), strconv.Itoa(p.result.Step), p.result.Status.String()))
	}
	return t
}

// summary is the whole gradient's relative error by precision, for the manifest.
func summary(points []precisionPoint) map[string]float64 {
	m := make(map[string]float64)
	for _, p := range points {
		if last, ok := p.last(); ok {
			m[fmt.Sprintf("%g", p.precision)] = last.Whole.Relative
		}
	}
	return m
}

// An agreeLine is a comparison in metrics.jsonl.
type agreeLine struct {
	Kind      string                     `json:"kind"` // "agreement"
	Precision float64                    `json:"precision"`
	Step      int                        `json:"step"`
	Energy    float64                    `json:"energy"`
	Residual  float64                    `json:"residual"`
	Terms     map[string]float64         `json:"terms"`
	Whole     train.Agreement            `json:"whole"`
	Weights   map[string]train.Agreement `json:"weights"`
}

// logAgreement adds a line per comparison to metrics.jsonl. One with numbers that are not finite, which JSON has no words
// for, is left out.
func (f *folder) logAgreement(a agreement, precision float64) error {
	for _, c := range a.rows {
		numbers := append([]float64{c.Energy, c.Residual, c.Whole.Cosine, c.Whole.Relative, c.Whole.Ratio}, c.Terms...)
		for _, p := range c.Params {
			numbers = append(numbers, p.Cosine, p.Relative, p.Ratio)
		}
		if !kernel.AllFinite(numbers) {
			continue
		}
		l := agreeLine{Kind: "agreement", Precision: precision, Step: c.Step, Energy: c.Energy, Residual: c.Residual, Whole: c.Whole,
			Terms: make(map[string]float64), Weights: make(map[string]train.Agreement)}
		for i, name := range a.terms {
			l.Terms[name] = c.Terms[i]
		}
		for i, name := range a.weights {
			l.Weights[name] = c.Params[a.params[i]]
		}
		if err := f.line(l); err != nil {
			return err
		}
	}
	return nil
}
