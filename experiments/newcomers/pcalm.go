package newcomers

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// A multiplied is one training of the residual network of PC-ALM's paper.
type multiplied struct {
	Data   string  `json:"data"`
	Method string  `json:"method"` // BP, PC, or PC-ALM
	Order  string  `json:"order,omitempty"`
	Depth  int     `json:"depth"` // weight matrices, L
	Width  int     `json:"width"`
	Budget int     `json:"budget"` // steps of inference
	Mean   float64 `json:"mean"`   // pixels are (v - mean)/std, with v in [0, 1]
	Std    float64 `json:"std"`
	Limit  int     `json:"limit"` // updates; 0 means one epoch
	Test   int     `json:"test"`  // test samples; 0 means all
	Seed   uint64  `json:"seed"`
}

// Cost is about that of its products of matrices.
func (p multiplied) Cost() float64 {
	return 1e-9 * float64(max(p.Limit, 1)) * float64(max(1, p.Budget)) * float64(p.Depth*p.Width*p.Width*64*6)
}

// An outcome is how a training ended.
type outcome struct {
	Accuracy float64        `json:"accuracy"`
	Cosine   claim.Nullable `json:"cosine"` // of the gradient on the first training batch to backprop's, in the end
	Seconds  float64        `json:"seconds"`
}

// Methods.
const (
	byBP  = "BP"
	byPC  = "PC"
	byALM = "PC-ALM"
)

var multiplierRuns = claim.Grid("newcomers/pcalm", 1, func(s claim.Scale) []multiplied {
	base, seeds := multiplied{Data: "Fashion-MNIST", Depth: 32, Width: 32, Mean: .2860, Std: .3530}, 3
	if s == claim.Quick {
		base, seeds = multiplied{Data: "MNIST", Depth: 12, Width: 16, Mean: .5, Std: .5, Limit: 700, Test: 1000}, 1
	}
	var grid []multiplied
	for _, seed := range claim.Seeds(seeds) {
		base.Seed = seed
		add := func(method, order string, budget int) {
			p := base
			p.Method, p.Order, p.Budget = method, order, budget
			grid = append(grid, p)
		}
		add(byBP, "", 0)
		add(byPC, "", 2*base.Depth)
		add(byALM, "", 2*base.Depth)
		if s == claim.Full {
			add(byALM, "", 4*base.Depth)
			add(byALM, "backwards", 2*base.Depth)
		}
	}
	return grid
}, func(ctx context.Context, p multiplied, at *claim.Cell) (outcome, error) { return p.measure(ctx, at) })

// pictures are loaded once for each data set and norm.
var pictures struct {
	sync.Mutex
	loaded map[multiplied][2]*data.Set
}

func (p multiplied) load() (training, test *data.Set, err error) {
	pictures.Lock()
	defer pictures.Unlock()
	key := multiplied{Data: p.Data, Mean: p.Mean, Std: p.Std}
	if s, is := pictures.loaded[key]; is {
		return s[0], s[1], nil
	}
	norm := data.Norm{Mean: p.Mean, Std: p.Std}
	switch p.Data {
	case "MNIST":
		training, test, err = data.MNIST{Norm: norm}.Load()
	case "Fashion-MNIST":
		training, test, err = data.FashionMNIST{Norm: norm}.Load()
	default:
		err = errors.Errorf("newcomers: unknown data %q", p.Data)
	}
	if err != nil {
		return nil, nil, errors.WithMessage(err, "data missing: "+p.Data)
	}
	if pictures.loaded == nil {
		pictures.loaded = map[multiplied][2]*data.Set{}
	}
	pictures.loaded[key] = [2]*data.Set{training, test}
	return training, test, nil
}

// measure trains, and compares the gradient with backprop's on the first batch of the training set.
func (p multiplied) measure(ctx context.Context, at *claim.Cell) (outcome, error) {
	training, test, err := p.load()
	if err != nil {
		return outcome{}, err
	}
	if p.Test > 0 {
		test = test.Slice(0, p.Test)
	}
	net, err := arch.ResMLP(arch.MuPC{}, layers.ReLU, slices.Concat([]int{training.In()}, slices.Repeat([]int{p.Width}, p.Depth-1), []int{training.Out()})...)
	if err != nil {
		return outcome{}, err
	}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(p.Seed, 2605_31022)))
	if err != nil {
		return outcome{}, err
	}
	const batch = 64
	compiled := func(c arch.Coordinates) (*arch.Model[float32], error) {
		return arch.Compile(net, w, arch.Plan{Batch: batch, Coordinates: c})
	}
	bp, err := compiled(arch.Feedforward)
	if err != nil {
		return outcome{}, err
	}
	var rule train.Rule[float32] = &train.Backprop[float32]{Model: bp}
	if p.Method != byBP {
		m, err := compiled(arch.Activities)
		if err != nil {
			return outcome{}, err
		}
		r := &rules.PCALM[float32]{Model: m, Steps: p.Budget}
		if p.Method == byALM {
			r.Ascent = 1
		}
		if p.Order == "backwards" {
			r.Sweep = rules.Backwards
		}
		rule = r
	}
	steps := training.Len() / batch
	if p.Limit > 0 {
		steps = min(steps, p.Limit)
	}
	t := &train.Trainer[float32]{
		Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-3 * math.Sqrt(float64(p.Width)/float64(p.Depth))}, Train: training, Test: test,
		Batch: batch, Epochs: 1, MaxSteps: p.Limit, Seed: p.Seed, DropLast: true,
		OnStep: func(s train.Step[float32]) { at.Progress(s.Step, steps) },
	}
	h, err := t.Run(ctx)
	if err != nil {
		return outcome{}, err
	}
	a, err := firstBatch(rule, &train.Backprop[float32]{Model: bp}, training)
	return outcome{Accuracy: h.Last().Accuracy, Cosine: claim.Nullable(a.Cosine), Seconds: h.Elapsed.Seconds()}, err
}

// firstBatch compares the gradients of a rule and of backprop on the first 64 samples.
func firstBatch(rule, bp train.Rule[float32], set *data.Set) (analysis.Agreement, error) {
	const batch = 64
	x, y := make([]float32, batch*set.In()), make([]float32, batch*set.Out())
	for _, idx := range data.InOrder(batch, batch) {
		data.Fill(set, x, y, idx)
	}
	g, want := make([]float32, len(rule.Subject().Weights.Data())), make([]float32, len(bp.Subject().Weights.Data()))
	if _, err := rule.Gradient(g, x, y, batch); err != nil {
		return analysis.Agreement{}, err
	}
	_, err := bp.Gradient(want, x, y, batch)
	return analysis.Agree(g, want), err
}

// The paper's reference cell, seed 0: accuracies and cosines to backprop.
var referenceCell = map[string]outcome{byBP: {Accuracy: .7866, Cosine: 1}, byPC: {Accuracy: .6813, Cosine: .604}, byALM: {Accuracy: .7775, Cosine: .909}}

var multipliersCarry = claim.Claim{
	ID:     "newcomers/pcalm",
	Source: "Seely and Gould, PC-ALM (arXiv 2605.31022, Fashion-MNIST, width 32, 32 ReLU layers, one epoch, T = 2L; figures of seed 0 from the PyTorch port lebidan/torch-pc-alm)",
	Statement: "In a narrow residual network of 32 layers predictive coding with multipliers comes close to backprop's accuracy within 2L steps of inference, where predictive " +
		"coding without them stays far behind.",
	Paper: "accuracy (cosine to backprop's gradient after training): BP 78.66 % (1), PC 68.13 % (.604), PC-ALM 77.75 % (.909). The scaling of the pixels is not stated; here by mean .2860 and deviation .3530, the usual ones of Fashion-MNIST",
	Grid:  multiplierRuns,
	Bounds: []claim.Bound{
		{Text: "PC-ALM at T = 2L within 1.5 points of backprop, mean over seeds", Origin: claim.Paper, Note: ".91 points there, of one seed"},
		{Text: "PC at T = 2L at least 5 points below PC-ALM", Origin: claim.Paper, Note: "9.62 points there"},
		{Text: "the cosine to backprop is higher with multipliers than without, by .2 or more", Origin: claim.Paper, Note: ".305 there"},
	},
	Check:   checkMultipliers,
	Verdict: claim.Holds,
}

// checkMultipliers is the check of newcomers/pcalm. At Quick scale the network is shallower, and PC nearer.
func checkMultipliers(t claim.Table) (string, error) {
	type way struct {
		method, order string
		budget        int
	}
	rows := claim.Rows[multiplied, outcome](t)
	key := func(p multiplied) way { return way{p.Method, p.Order, p.Budget / max(1, p.Depth)} }
	accuracy := claim.By(rows, key, func(r outcome) float64 { return 100 * r.Accuracy })
	cosine := claim.By(rows, key, func(r outcome) float64 { return float64(r.Cosine) })
	bp, pc, alm := way{byBP, "", 0}, way{byPC, "", 2}, way{byALM, "", 2}
	near, far, turn := 1.5, 5., .2
	if t.Scale == claim.Quick {
		near, far, turn = 5, 0, 0
	}
	var off claim.Off
	if d := accuracy[bp].Mean - accuracy[alm].Mean; !(d <= near) {
		off.Add("PC-ALM is %.2f points below backprop", d)
	}
	if d := accuracy[alm].Mean - accuracy[pc].Mean; !(d >= far) {
		off.Add("PC is %.2f points below PC-ALM", d)
	}
	if d := cosine[alm].Mean - cosine[pc].Mean; !(d >= turn) {
		off.Add("the cosine is higher by %.3f", d)
	}
	ours := fmt.Sprintf("BP %.2f %%, PC %.2f %% (cosine %.3f), PC-ALM %.2f %% (%.3f)", accuracy[bp].Mean, accuracy[pc].Mean, cosine[pc].Mean, accuracy[alm].Mean, cosine[alm].Mean)
	if t.Scale == claim.Full {
		long, back := way{byALM, "", 4}, way{byALM, "backwards", 2}
		ours += fmt.Sprintf("; with T = 4L %.2f %% (%.3f); in sweeps from the output %.2f %% (%.3f)", accuracy[long].Mean, cosine[long].Mean, accuracy[back].Mean, cosine[back].Mean)
		var there []string
		for _, m := range []string{byBP, byPC, byALM} {
			there = append(there, fmt.Sprintf("%+.2f", accuracy[map[string]way{byBP: bp, byPC: pc, byALM: alm}[m]].Mean-100*referenceCell[m].Accuracy))
		}
		ours += fmt.Sprintf("; points off the paper's figures: BP, PC, PC-ALM %v", there)
	}
	return ours, off.Err()
}
