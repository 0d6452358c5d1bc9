package limits

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// The kinds of nonlinear networks, all in muPC with a softmax output.
const (
	tanhMLP     = "mlp"         // residual, 31 hidden layers, 784 Gaussian inputs, 10 random classes
	resNet      = "resnet"      // 3 stages of one residual block, images of Gaussian noise, 10 random classes
	transformer = "transformer" // of characters, blocks without layer normalisation
)

// A subject is a nonlinear network and its data.
type subject struct {
	Kind  string `json:"kind"`
	Width int    `json:"width"` // units, channels, or features of a token
	Depth int    `json:"depth"` // hidden layers, residual blocks, or blocks
	Batch int    `json:"batch"`
	Seed  uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (s subject) Cost() float64 {
	per := map[string]float64{tanhMLP: 2e-8, resNet: 1e-5, transformer: 3e-6}[s.Kind]
	return .1 + per*float64(s.Depth*s.Batch*s.Width*s.Width)
}

// rested is where inference ended.
type rested struct {
	Cosine   float64 `json:"cosine"`   // of PC's gradient by all weights to BP's
	Least    float64 `json:"least"`    // the least cosine of a single weight's
	Residual float64 `json:"residual"` // norm of dF/de over that at the start, the feedforward pass
	Evals    int     `json:"evals"`
}

var nonlinear = claim.Grid("limits/nonlinear", 1, subjects, func(ctx context.Context, s subject, at *claim.Cell) (rested, error) {
	net, x, y, err := s.build()
	if err != nil {
		return rested{}, err
	}
	w, err := arch.NewWeights[float64](net, generator(s.Seed+1000))
	if err != nil {
		return rested{}, err
	}
	model := func(c arch.Coordinates) (*arch.Model[float64], error) {
		m, err := arch.Compile(net, w, arch.Plan{Batch: s.Batch, Coordinates: c, Energy: energy.PC{Output: energy.Categorical{}}})
		if err != nil {
			return nil, err
		}
		if err := m.Clamp(x, y); err != nil {
			return nil, err
		}
		return m, m.Forward()
	}
	gradient := func(m *arch.Model[float64]) ([]float64, error) {
		g := make([]float64, len(w.Data()))
		_, err := m.ParamGrad(g)
		return g, err
	}
	bp, err := model(arch.Feedforward)
	if err != nil {
		return rested{}, err
	}
	want, err := gradient(bp)
	if err != nil {
		return rested{}, err
	}
	// In error coordinates the energy is 1/2 |e|^2 plus a loss that moves little with e: descent at a rate near 1 is close
	// to Newton's method, where in activities hundreds of steps are needed at this depth.
	m, err := model(arch.Errors)
	if err != nil {
		return rested{}, err
	}
	const most = 400
	problem := train.ProblemOf(m)
	problem.Energy = func(grad, z []float64) (float64, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return m.StateGrad(grad, z)
	}
	result, err := infer.Run(&infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .3, Mu: .5}}, problem, m.State(), infer.Any{infer.Stationary{Rel: 1e-6}, infer.Steps(most)}, func(r infer.Reading) { at.Progress(r.Evals, most) })
	if err != nil {
		return rested{}, err
	}
	if result.Status == infer.Diverged {
		return rested{}, errors.New(result.String())
	}
	got, err := gradient(m)
	if err != nil {
		return rested{}, err
	}
	r := rested{Cosine: analysis.Agree(got, want).Cosine, Least: 1, Residual: result.Residual / result.Initial, Evals: result.Evals}
	for i := range net.Weights() {
		r.Least = min(r.Least, analysis.Agree(w.Part(got, i), w.Part(want, i)).Cosine)
	}
	return r, nil
})

// build makes the network and draws the data.
func (s subject) build() (net *arch.Network, x, y []float64, err error) {
	r := generator(s.Seed)
	const classes = 10
	noise := func(inputs int) {
		for range s.Batch * inputs {
			x = append(x, r.NormFloat64())
		}
		y = oneHot(r, s.Batch, classes).RawMatrix().Data
	}
	switch s.Kind {
	case tanhMLP:
		noise(784)
		net, err = arch.ResMLP(arch.MuPC{}, layers.Tanh, slices.Concat([]int{784}, slices.Repeat([]int{s.Width}, s.Depth), []int{classes})...)
	case resNet:
		image := [3]int{16, 16, 3}
		noise(image[0] * image[1] * image[2])
		net, err = arch.ResNet{Scaling: arch.MuPC{}, Act: layers.Tanh, Image: image, Width: s.Width, Residuals: s.Depth / 3, Classes: classes}.Network()
	case transformer:
		var text *data.Set
		if text, _, err = (data.Corpus{Window: 32}).Load(); err != nil {
			return nil, nil, nil, err
		}
		x, y = make([]float64, s.Batch*text.In()), make([]float64, s.Batch*text.Out())
		data.Fill(text, x, y, r.Perm(text.Len())[:s.Batch])
		shape := text.InShape()
		net, err = arch.Transformer{Scaling: arch.MuPC{}, Vocab: shape[1], Tokens: shape[0], Width: s.Width, Heads: min(8, s.Width/2), Blocks: s.Depth}.Network()
	}
	return net, x, y, err
}

// subjects is the grid.
func subjects(s claim.Scale) []subject {
	var grid []subject
	count := 3
	add := func(kind string, depth, batch int, widths ...int) {
		for _, n := range widths {
			for _, seed := range claim.Seeds(count) {
				grid = append(grid, subject{Kind: kind, Width: n, Depth: depth, Batch: batch, Seed: seed})
			}
		}
	}
	if s == claim.Quick {
		count = 2
		add(tanhMLP, 31, 16, 8, 32, 128)
		add(resNet, 3, 8, 2, 8, 32)
		add(transformer, 4, 4, 8, 32)
		return grid
	}
	add(tanhMLP, 31, 16, 8, 32, 64, 128, 256, 512)
	add(resNet, 3, 8, 2, 8, 16, 32)
	add(transformer, 12, 4, 8, 16, 32, 64, 128)
	return grid
}

// kindOf are the estimates of a number over the widths of a kind, and the worst residual.
func kindOf(t claim.Table, kind string, value func(rested) float64) (m map[int]claim.Estimate, worst float64) {
	rows := claim.Where[subject, rested](t, func(s subject) bool { return s.Kind == kind })
	for _, r := range rows {
		worst = max(worst, r.Result.Residual)
	}
	return claim.By(rows, func(s subject) int { return s.Width }, value), worst
}

// rises checks that cosines rise with width, at rest.
func rises(t claim.Table, kind string, off *claim.Off) (map[int]claim.Estimate, string) {
	m, worst := kindOf(t, kind, func(r rested) float64 { return r.Cosine })
	if worst > 1e-3 {
		off.Add("inference is not at rest: residual %.1e of the start", worst)
	}
	var ours []string
	widths := claim.Keys(m)
	for i, n := range widths {
		ours = append(ours, fmt.Sprintf("%.3f at N=%d", m[n].Mean, n))
		if i == 0 {
			continue
		}
		before := m[widths[i-1]]
		if m[n].Mean-before.Mean <= 2*math.Hypot(m[n].Scatter(), before.Scatter()) {
			off.Add("cosine %s at N=%d, %s at N=%d", before, widths[i-1], m[n], n)
		}
	}
	return m, fmt.Sprintf("cosine %s; residual %.0e of the start at most", strings.Join(ours, ", "), worst)
}

// cosines is the figure of a kind.
func cosines(name, caption, kind, unit string, theirs claim.Line) func(claim.Table) []claim.Figure {
	return func(t claim.Table) []claim.Figure {
		panel := claim.Panel{Title: "PC's gradient at equilibrium against BP's", X: claim.Axis{Label: unit, Log: true},
			Y: claim.Axis{Label: "cosine", Max: 1.02}}
		for i, value := range []func(rested) float64{func(r rested) float64 { return r.Cosine }, func(r rested) float64 { return r.Least }} {
			m, _ := kindOf(t, kind, value)
			if len(m) == 0 {
				return nil
			}
			line := claim.Curve([]string{"all weights", "the least of a layer"}[i], 0, m)
			panel.Lines = append(panel.Lines, line)
			panel.Y.Min = min(panel.Y.Min, math.Floor(5*slices.Min(line.Low))/5)
		}
		if theirs.X != nil {
			theirs.Name, theirs.Reference, theirs.Points = "the paper's, read off", true, true
			panel.Lines = append(panel.Lines, theirs)
		}
		return []claim.Figure{{Name: name, Caption: caption, Panels: []claim.Panel{panel}}}
	}
}

const residualNote = " Residuals are of dF/de in error coordinates, where dF/dz is at most (1 + |J|) times as large, J being the derivative of a layer."
