package limits

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// A toyTask is the paper's toy task: 20 samples of 40 Gaussian inputs, half of them with target 1 and half with -1, learned
// in full batches by a linear network in muPC with descent at rate eta gamma^2 N.
type toyTask struct {
	Hidden int     `json:"hidden"` // H = L - 1
	Width  int     `json:"width"`
	Skips  bool    `json:"skips"`
	Gamma  float64 `json:"gamma"`
	Eta    float64 `json:"eta"`
	Steps  int     `json:"steps"`
	Seed   uint64  `json:"seed"`
}

// Cost is about how many seconds it takes.
func (p toyTask) Cost() float64 {
	return 1e-7 * float64(p.Steps) * (float64(p.Hidden*p.Width*p.Width) + 1e4)
}

// learned is what became of it.
type learned struct {
	BP10  float64 `json:"bp10"` // loss before step 10
	PC10  float64 `json:"pc10"`
	Paths paths   `json:"paths"`
}

// halves are the inputs and the targets.
func halves(seed uint64) (x, y *mat.Dense) {
	const samples, inputs = 20, 40
	r := generator(seed)
	y = mat.NewDense(samples, 1, nil)
	for i := range samples {
		y.Set(i, 0, 1-2*float64(i%2))
	}
	return gaussian(r, samples, inputs), y
}

var toy = claim.Grid("limits/toy", 2, toyTasks, func(ctx context.Context, p toyTask, at *claim.Cell) (learned, error) {
	x, y := halves(p.Seed)
	n, err := theory.Spec{Scaling: theory.MuPC, Inputs: 40, Width: p.Width, Outputs: 1, Depth: p.Hidden + 1, Skips: p.Skips, Gamma: p.Gamma}.
		Sample(generator(p.Seed + 1000))
	if err != nil {
		return learned{}, err
	}
	rate := p.Eta * p.Gamma * p.Gamma * float64(p.Width)
	r, err := descend(ctx, n, x, y, p.Steps, rate, at)
	if err != nil {
		return learned{}, err
	}
	return learned{BP10: r.BP[10], PC10: r.PC[10], Paths: r}, nil
})

// gammas are the richnesses of the paper's sweep.
var gammas = []float64{.1, .5, 1, 2, 3, 4}

// toyTasks is the grid: width at two depths, and richness.
func toyTasks(s claim.Scale) []toyTask {
	var grid []toyTask
	add := func(hidden int, skips bool, gamma float64, steps int, widths ...int) {
		for _, n := range widths {
			for _, seed := range claim.Seeds(3) {
				grid = append(grid, toyTask{Hidden: hidden, Width: n, Skips: skips, Gamma: gamma, Eta: .5, Steps: steps, Seed: seed})
			}
		}
	}
	if s == claim.Quick {
		add(3, true, 1, 10, 8, 32, 128, 512)
		add(15, true, 1, 10, 8, 32, 128)
		for _, g := range []float64{.1, 1, 4} {
			add(1, false, g, 10, 256)
		}
		return grid
	}
	add(3, true, 1, 50, 8, 32, 128, 512)
	add(15, true, 1, 50, 8, 32, 128, 512)
	add(3, false, 1, 50, 8, 32, 128, 512)
	for _, g := range gammas {
		add(1, false, g, 30, 256, 1024)
	}
	return grid
}

// courses are the rows of one family, all widths and seeds.
func courses(t claim.Table, want func(toyTask) bool) map[int][]paths {
	m := map[int][]paths{}
	for _, r := range claim.Where[toyTask, learned](t, want) {
		m[r.Params.Width] = append(m[r.Params.Width], r.Result.Paths)
	}
	return m
}

// gap is how far PC's loss is from BP's at a step, relative to BP's, mean over seeds.
func gap(list []paths, t int) claim.Estimate {
	var gaps []float64
	for _, p := range list {
		gaps = append(gaps, math.Abs(p.PC[t]-p.BP[t])/p.BP[t])
	}
	return claim.Mean(gaps...)
}

// powers estimates the power of the width that the distance of the losses at step 10 goes with, a fit per draw: all widths of a
// draw have the same data.
func powers(m map[int][]paths, widths []int) claim.Estimate {
	var slopes []float64
	for draw := 0; ; draw++ {
		var x, y []float64
		for _, n := range widths {
			if draw < len(m[n]) {
				p := m[n][draw]
				x, y = append(x, math.Log(float64(n))), append(y, math.Log(math.Abs(p.PC[10]-p.BP[10])))
			}
		}
		if len(x) < 2 {
			return claim.Mean(slopes...)
		}
		slopes = append(slopes, claim.Slope(x, y).Mean)
	}
}

// absolute is the same without the division.
func absolute(list []paths, t int) claim.Estimate {
	var gaps []float64
	for _, p := range list {
		gaps = append(gaps, math.Abs(p.PC[t]-p.BP[t]))
	}
	return claim.Mean(gaps...)
}

var toyApproaches = claim.Claim{
	ID:     "limits/training-becomes-backprop",
	Source: paper + ", toy task of its released code (40 inputs, 20 samples, eta .5, closed-form energy)",
	Statement: "Learning by PC at equilibrium follows backprop's loss the closer the wider the network: the distance of the losses at step 10 falls with " +
		"width, to less than 10 % at N=512 with 3 hidden layers; deep narrow networks learn more slowly by PC.",
	Paper: "curves fall together with width. An independent numpy program, one draw, loss at step 10: H=3, N=512 BP .0279, PC .0282; H=15, N=8 BP .120, PC .475; " +
		"N=32 .015, .092; N=128 .0061, .0147",
	Grid: toy,
	Bounds: []claim.Bound{
		{Text: "the mean distance of the losses at step 10 falls from each width to the next, and as a power of the width that is below 0 by more than its scatter over draws (95 %)", Origin: claim.Paper,
			Note: "curves fall together with width; the power and its scatter were added after measuring in full"},
		{Text: "with 3 hidden layers of 512 the losses are less than 10 % apart, the 95 % interval over draws included", Origin: claim.Before, Commit: "d40f08e", Note: "the interval was added after measuring in full"},
		{Text: "PC is slower in the mean at N <= 32", Origin: claim.Independent, Note: "a numpy program's losses at N = 8 and 32"},
	},
	Check: lossesApproach,
	Plot:  toyFigure,
}

// lossesApproach is the check of limits/training-becomes-backprop.
func lossesApproach(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for _, hidden := range []int{3, 15} {
		m := courses(t, func(p toyTask) bool { return p.Hidden == hidden && p.Skips && p.Gamma == 1 })
		widths := claim.Keys(m)
		for i := 1; i < len(widths); i++ {
			if a, b := absolute(m[widths[i-1]], 10), absolute(m[widths[i]], 10); b.Mean > a.Mean {
				off.Add("H=%d: losses are %s apart at N=%d, %s at N=%d", hidden, a, widths[i-1], b, widths[i])
			}
		}
		if g := gap(m[512], 10); hidden == 3 && (!(g.Mean <= .1) || !g.Below(.1)) {
			off.Add("H=3, N=512: losses %s apart, relative to BP's", g)
		}
		power := powers(m, widths)
		if !power.Below(0) {
			off.Add("H=%d: the distance of the losses goes as N^(%s)", hidden, power)
		}
		ours = append(ours, fmt.Sprintf("H=%d: their distance as N^(%s)", hidden, power))
		for _, n := range widths {
			var bp, pc []float64
			for _, p := range m[n] {
				bp, pc = append(bp, p.BP[10]), append(pc, p.PC[10])
			}
			if n <= 32 && claim.Mean(pc...).Mean <= claim.Mean(bp...).Mean {
				off.Add("H=%d, N=%d: PC is not slower: %s, BP %s", hidden, n, claim.Mean(pc...), claim.Mean(bp...))
			}
			ours = append(ours, fmt.Sprintf("H=%d, N=%d BP %.4f, PC %.4f", hidden, n, claim.Mean(bp...).Mean, claim.Mean(pc...).Mean))
		}
	}
	return "loss at step 10, mean of 3 draws: " + strings.Join(ours, "; "), off.Err()
}

// toyFigure is the figure of limits/training-becomes-backprop.
func toyFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "limits-toy", Caption: "Loss of linear residual muPC networks on the toy task, learned by BP (solid) and by PC at exact equilibrium (dashed); geometric mean of 3 " +
		"draws, band: standard error; at this rate backprop is near the end of stability at 15 layers. Below: cosine of PC's gradient on its path to BP's on BP's, as the paper's code has it."}
	for _, hidden := range []int{3, 15} {
		m := courses(t, func(p toyTask) bool { return p.Hidden == hidden && p.Skips && p.Gamma == 1 })
		panel := claim.Panel{Title: fmt.Sprintf("%d hidden layers: BP (solid), PC (dashed)", hidden), X: claim.Axis{Label: "step of descent", Max: 40},
			Y: claim.Axis{Label: "loss", Log: true, Min: 1e-4, Max: 1}}
		for i, n := range claim.Keys(m) {
			for k, name := range []string{fmt.Sprintf("N=%d", n), ""} {
				line := geometric(m[n], name, func(p paths) []float64 { return [][]float64{p.BP, p.PC}[k] })
				line.Series, line.Dash = i+1, k
				panel.Lines = append(panel.Lines, line)
			}
		}
		f.Panels = append(f.Panels, panel)
	}
	for _, hidden := range []int{3, 15} {
		m := courses(t, func(p toyTask) bool { return p.Hidden == hidden && p.Skips && p.Gamma == 1 })
		panel := claim.Panel{Title: fmt.Sprintf("%d hidden layers: gradients", hidden), X: claim.Axis{Label: "step of descent, as long as the loss is above 1e-4", Max: 40},
			Y: claim.Axis{Label: "cosine of PC's gradient to BP's", Max: 1.02}}
		for _, n := range claim.Keys(m) {
			panel.Lines = append(panel.Lines, over(m[n], fmt.Sprintf("N=%d", n), func(p paths) []float64 { return floats(p.Apart) }))
		}
		f.Panels = append(f.Panels, panel)
	}
	return []claim.Figure{f}
}

func floats(list []claim.Nullable) []float64 {
	f := make([]float64, len(list))
	for i, v := range list {
		f[i] = float64(v)
	}
	return f
}

// over is a mean curve over draws with its band, as far as all draws go.
func over(list []paths, name string, curve func(paths) []float64) claim.Line {
	line := claim.Line{Name: name}
	if len(list) == 0 {
		return line
	}
	shortest := math.MaxInt
	for _, p := range list {
		shortest = min(shortest, len(curve(p)))
	}
	for t := range shortest {
		var values []float64
		for _, p := range list {
			values = append(values, curve(p)[t])
		}
		line.Append(float64(t), claim.Mean(values...))
	}
	return line
}

// geometric is over with geometric means: of losses, which draws differ in by factors.
func geometric(list []paths, name string, curve func(paths) []float64) claim.Line {
	line := over(list, name, func(p paths) []float64 {
		logs := slices.Clone(curve(p))
		for i, v := range logs {
			logs[i] = math.Log(v)
		}
		return logs
	})
	for _, part := range [][]float64{line.Y, line.Low, line.High} {
		for i, v := range part {
			part[i] = math.Exp(v)
		}
	}
	return line
}
