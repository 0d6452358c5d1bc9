package benchmark

import (
	"math"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/train"
)

// A Row is the cells of one name: means over their seeds, with standard errors.
type Row struct {
	Cell            // of the first seed
	Seeds  []uint64 // measured
	Wanted int      // seeds in the grid

	// Last and Best are of the test set: accuracy in per cent, of text the perplexity, otherwise the loss. Best is that of the best
	// evaluation, which is a selection on the test set.
	Last, Best claim.Estimate
	Measure    string // "accuracy", "perplexity" or "loss"; empty if all seeds diverged before the first evaluation

	Weights    int
	Epoch      claim.Estimate // seconds of training an epoch
	Ratio      claim.Estimate // a training step over one of backprop
	Gradients  claim.Estimate // gradients of the energy a batch
	Residual   claim.Estimate // at the end of inference
	Left       claim.Estimate // the same as a part of the start's, in per cent
	Far        claim.Estimate // inferences that left more than train.FarLeft, in per cent
	Start, End claim.Estimate // cosines of the weight gradient to backprop's
	Diverged   []string       // what seeds that diverged said

	Curve []Point
	Time  float64 // seconds of all measurements
}

// A Point is an evaluation: batches seen, seconds of training, and the score as in Row.Last, over the seeds that came so far.
type Point struct {
	Step           int
	Epoch, Seconds float64
	Score          claim.Estimate
}

// FarLeft is the part of the gradient in per cent above which a batch counts as far from equilibrium.
const FarLeft = 100 * train.FarLeft

// Rows are the rows of a table in the order of its grid, those without a measured cell left out.
func Rows(t claim.Table, cells []Cell) []Row {
	type measured = claim.Row[Cell, Outcome]
	all := claim.Rows[Cell, Outcome](t)
	of := map[string][]measured{}
	took := map[string]float64{}
	for i, r := range all {
		p := r.Params.point()
		of[p] = append(of[p], r)
		took[p] += t.Results[i].Seconds
	}
	wanted := map[string]int{}
	for _, c := range cells {
		wanted[c.point()]++
	}
	var rows []Row
	for _, c := range cells {
		p := c.point()
		if len(of[p]) == 0 {
			continue
		}
		rows = append(rows, newRow(of[p], wanted[p], took[p]))
		delete(of, p)
	}
	return rows
}

// newRow is the row of cells that differ in their seed.
func newRow(cells []claim.Row[Cell, Outcome], wanted int, took float64) Row {
	r := Row{Cell: cells[0].Params, Wanted: wanted, Weights: cells[0].Result.Weights, Time: took}
	over := func(value func(Outcome) float64) claim.Estimate {
		var vs []float64
		for _, c := range cells {
			if v := value(c.Result); !math.IsNaN(v) {
				vs = append(vs, v)
			}
		}
		return claim.Mean(vs...)
	}
	for _, c := range cells {
		r.Seeds = append(r.Seeds, c.Params.Seed)
		if len(c.Result.Steps) > 0 {
			r.Measure = c.Result.measure()
		}
		if d := c.Result.Diverged; d != "" {
			r.Diverged = append(r.Diverged, d)
		}
	}
	r.Last = over(func(o Outcome) float64 { return at(o.scores(), len(o.scores())-1) })
	r.Best = over(Outcome.best)
	r.Epoch = over(func(o Outcome) float64 {
		if len(o.Steps) == 0 || o.Steps[0] == 0 {
			return math.NaN()
		}
		return o.Step * float64(o.Steps[0])
	})
	r.Ratio = over(func(o Outcome) float64 {
		if o.BPStep == 0 {
			return math.NaN()
		}
		return o.Step / o.BPStep
	})
	r.Gradients = over(func(o Outcome) float64 { return float64(o.Evaluations) / float64(o.Batches) })
	r.Residual = over(func(o Outcome) float64 { return float64(o.Residual) })
	r.Left = over(func(o Outcome) float64 { return 100 * float64(o.Left) })
	r.Far = over(func(o Outcome) float64 { return 100 * float64(o.Far) / float64(o.Measured) })
	r.Start = over(func(o Outcome) float64 { return float64(o.CosineStart) })
	r.End = over(func(o Outcome) float64 { return float64(o.CosineEnd) })
	r.curve(cells)
	return r
}

// curve takes the evaluations together.
func (r *Row) curve(cells []claim.Row[Cell, Outcome]) {
	for i := 0; ; i++ {
		var scores, seconds []float64
		p := Point{}
		for _, c := range cells {
			if o := c.Result; i < len(o.Steps) {
				scores, seconds = append(scores, at(o.scores(), i)), append(seconds, o.Seconds[i])
				p.Step, p.Epoch = o.Steps[i], float64(o.Steps[i])/float64(o.Steps[0])
			}
		}
		if len(scores) == 0 {
			return
		}
		p.Seconds, p.Score = claim.Mean(seconds...).Mean, claim.Mean(scores...)
		r.Curve = append(r.Curve, p)
	}
}

// measure says what the scores are.
func (o Outcome) measure() string {
	switch {
	case len(o.Entropy) > 0:
		return "perplexity"
	case len(o.Accuracy) > 0:
		return "accuracy"
	}
	return "loss"
}

// scores are those of the evaluations.
func (o Outcome) scores() []float64 {
	of, as := o.Loss, func(v float64) float64 { return v }
	switch o.measure() {
	case "perplexity":
		of, as = o.Entropy, math.Exp
	case "accuracy":
		of, as = o.Accuracy, func(v float64) float64 { return 100 * v }
	}
	var list []float64
	for _, v := range of {
		list = append(list, as(float64(v)))
	}
	return list
}

// best is the best score: the highest accuracy, otherwise the lowest value.
func (o Outcome) best() float64 {
	best := math.NaN()
	for _, v := range o.scores() {
		if math.IsNaN(best) || v > best == (o.measure() == "accuracy") && v != best {
			best = v
		}
	}
	return best
}

// at is an element, NaN beyond the ends.
func at(list []float64, i int) float64 {
	if i < 0 || i >= len(list) {
		return math.NaN()
	}
	return list[i]
}
