package trustregion

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// enough is the loss that a toy has learned at.
const enough = .05

// arrival is the first batch before which the loss is below enough, counted from 0; -1 if there is none.
func arrival(p travel) int {
	for i, l := range p.Losses {
		if l < enough {
			return i
		}
	}
	return -1
}

// arrivals are those of a method by seed.
func arrivals(t claim.Table, m Method) map[uint64]int {
	list := map[uint64]int{}
	for _, r := range claim.Rows[toy, travel](t) {
		if r.Params.Method == m {
			list[r.Params.Seed] = arrival(r.Result)
		}
	}
	return list
}

var toyIsFaster = claim.Claim{
	ID:        "trustregion/toy-faster",
	Source:    paper + ", figure 5 (one hidden unit; the number of the figure is inferred) and the author's later notebook",
	Statement: "From near the origin, on the same batches, PC learns the toy of one hidden unit in fewer batches than SGD.",
	Paper:     "PC's loss falls first. An independent program, batches to a loss of .05, five seeds: BP 16, 14, 13, 7, 14; PC 13, 11, 11, 7, 13",
	Grid:      toys,
	Bounds: []claim.Bound{
		{Text: "both arrive in every draw, PC in fewer batches than SGD in the mean by more than two standard errors of the difference", Origin: claim.Paper, Note: "figure 5"},
		{Text: "PC takes no more batches than SGD in nine of ten draws", Origin: claim.After, Note: "before: in every draw, as in the five of the independent program"},
		{Text: "the mean number of batches is from 8 to 22 for SGD", Origin: claim.Derived, Note: "near the origin the residual's mode grows by 1 + .4 a batch, from .05 to about .8: ln(16) / ln(1.4) = 8 and more"},
	},
	Check:   fewerBatches,
	Verdict: claim.WithCare,
	Care:    toyCare,
	Plot:    toyFigure,
}

// fewerBatches is the check of trustregion/toy-faster.
func fewerBatches(t claim.Table) (string, error) {
	var off claim.Off
	bp, pc := arrivals(t, SGD), arrivals(t, PC)
	var b, p, gain []float64
	later := 0
	for _, seed := range claim.Keys(bp) {
		there, known := pc[seed]
		if !known {
			continue
		}
		b, p, gain = append(b, float64(bp[seed])), append(p, float64(there)), append(gain, float64(bp[seed]-there))
		if bp[seed] < 0 || there < 0 {
			off.Add("seed %d: SGD %d, PC %d (-1: not within the batches)", seed, bp[seed], there)
		}
		if there > bp[seed] {
			later++
		}
	}
	if g := claim.Mean(gain...); !(g.Mean > 2*g.Scatter()) {
		off.Add("PC is sooner by %s batches", g)
	}
	if 10*later > len(b) {
		off.Add("PC is later in %d of %d draws", later, len(b))
	}
	e := claim.Mean(b...)
	if !(e.Mean >= 8 && e.Mean <= 22) {
		off.Add("SGD takes %.3g batches in the mean", e.Mean)
	}
	return fmt.Sprintf("batches to a loss of .05: SGD %s, PC %s", e, claim.Mean(p...)), off.Err()
}

// toyCare is the care of trustregion/toy-faster.
func toyCare(t claim.Table) string {
	bp, pc := arrivals(t, SGD), arrivals(t, PC)
	var later []string
	for _, seed := range claim.Keys(bp) {
		if there, known := pc[seed]; known && there > bp[seed] {
			later = append(later, fmt.Sprintf("seed %d, SGD %d, PC %d batches", seed, bp[seed], there))
		}
	}
	if len(later) == 0 {
		return fmt.Sprintf("In the mean; here PC is not later in any of %d draws.", len(bp))
	}
	return fmt.Sprintf("In the mean, not in every draw: of %d draws PC is later in %d (%s).", len(bp), len(later), strings.Join(later, "; "))
}

// toyFigure is the figure of trustregion/toy-faster.
func toyFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "One hidden unit", X: claim.Axis{Label: "batch"}, Y: claim.Axis{Label: "loss 1/2 mean (y - w2 w1 x)²", Log: true, Min: 1e-5, Max: 1}}
	for i, m := range methods[:2] {
		first := true
		for _, r := range claim.Rows[toy, travel](t) {
			if r.Params.Method != m || r.Params.Seed > 5 {
				continue
			}
			l := claim.Line{Series: i + 1}
			if first {
				l.Name, first = map[Method]string{SGD: "backprop, 5 seeds", PC: "PC, the same draws"}[m], false
			}
			for k, loss := range r.Result.Losses {
				l.X, l.Y = append(l.X, float64(k)), append(l.Y, loss)
			}
			p.Lines = append(p.Lines, l)
		}
	}
	if len(p.Lines) == 0 {
		return nil
	}
	p.Lines = append(p.Lines, claim.Line{Name: "learned", Reference: true, X: []float64{0, 60}, Y: []float64{enough, enough}})
	return []claim.Figure{{Name: "trustregion-toy", Panels: []claim.Panel{p}, Caption: "The chain f(x) = w2 w1 x learning y = -x from near the origin, rate .4, batches of 64; PC at exact equilibrium."}}
}

// noise is the deviation of what is added to the weights.
const noise = .5

// perturbed are the means over weights w + N(0, s^2), in closed form for y = -x with mean square q of x: those of L, and of F* by
// quadrature.
func perturbed(w [2]float64) (loss, energy float64) {
	const q, s = 1.01, noise
	// 81 x 81 points over 6 deviations to both sides: the trapezoidal rule on a Gaussian is exact to rounding
	const n, reach = 81, 6.
	total := 0.0
	for i := range n {
		for j := range n {
			a, b := reach*(2*float64(i)/(n-1)-1), reach*(2*float64(j)/(n-1)-1)
			p := math.Exp(-(a*a + b*b) / 2)
			r := 1 + (w[0]+s*a)*(w[1]+s*b)
			total += p
			loss += p * q * r * r / 2
			energy += p * q * r * r / 2 / (1 + (w[1]+s*b)*(w[1]+s*b))
		}
	}
	return loss / total, energy / total
}

// noisy are the means over seeds of the perturbed objectives at the end of a method's path.
func noisy(t claim.Table, m Method) (loss, energy, end claim.Estimate) {
	var ls, es, ends []float64
	for _, r := range claim.Rows[toy, travel](t) {
		if r.Params.Method == m {
			l, e := perturbed(r.Result.End)
			ls, es, ends = append(ls, l), append(es, e), append(ends, r.Result.Losses[len(r.Result.Losses)-1])
		}
	}
	return claim.Mean(ls...), claim.Mean(es...), claim.Mean(ends...)
}

var flatness = claim.Claim{
	ID:        "trustregion/flatness",
	Source:    paper + ", figure 6 and theorem A.4 (second-hand)",
	Statement: "At its minimum each method's own objective is disturbed by weight noise N(0, .5²) less for PC (F*) than for BP (L).",
	Paper:     "the loss under noise is lower for PC. An independent program: F* at PC's minimum .118, L at BP's .282; but L at PC's minimum .2875",
	Grid:      toys,
	Bounds: []claim.Bound{
		{Text: "the mean of F* at PC's minimum under noise is from .10 to .14, that of L at BP's from .26 to .32", Origin: claim.Independent, Note: "a numpy program: .118 and .282"},
		{Text: "measured by L on both sides PC is not better: above BP less .01", Origin: claim.Independent, Note: "a numpy program: .2875 and .282; 1/2 E L = x²/2 [s² (w1² + w2²) + s⁴] is least at the balanced point that BP reaches"},
		{Text: "both have learned: loss below .001 at the end", Origin: claim.Derived, Note: "the minima are those of the loss"},
	},
	Shuffled: "a shuffle exchanges seeds, and methods whose minima differ little: both ends are minima of the same loss, and the check is of what each objective makes of them",
	Check:    ownObjectivesAreFlat,
	Verdict:  claim.WithCare,
	Care:     flatnessCare,
}

// ownObjectivesAreFlat is the check of trustregion/flatness.
func ownObjectivesAreFlat(t claim.Table) (string, error) {
	var off claim.Off
	bp, _, bpEnd := noisy(t, SGD)
	pcLoss, pc, pcEnd := noisy(t, PC)
	if !(pc.Mean >= .10 && pc.Mean <= .14) {
		off.Add("F* at PC's minimum under noise is %.4f", pc.Mean)
	}
	if !(bp.Mean >= .26 && bp.Mean <= .32) {
		off.Add("L at BP's minimum under noise is %.4f", bp.Mean)
	}
	if !(pcLoss.Mean > bp.Mean-.01) {
		off.Add("L at PC's minimum under noise is %.4f, at BP's %.4f", pcLoss.Mean, bp.Mean)
	}
	if !(bpEnd.Mean < 1e-3 && pcEnd.Mean < 1e-3) {
		off.Add("losses at the end: BP %.2g, PC %.2g", bpEnd.Mean, pcEnd.Mean)
	}
	return fmt.Sprintf("means under noise: F* at PC's minimum %.4f, L at BP's %.4f; L at PC's %.4f", pc.Mean, bp.Mean, pcLoss.Mean), off.Err()
}

// flatnessCare is the care of trustregion/flatness.
func flatnessCare(t claim.Table) string {
	bp, _, _ := noisy(t, SGD)
	pcLoss, _, _ := noisy(t, PC)
	return fmt.Sprintf("Of each method's own objective only. By the loss on both sides PC's minima are not flatter: %.4f under noise at PC's, %.4f at BP's. "+
		"A network that is to be used by its feedforward pass gains no tolerance to noise from PC here.", pcLoss.Mean, bp.Mean)
}
