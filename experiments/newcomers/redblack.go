package newcomers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// nudgingPaper is the source of the claims of this file.
const nudgingPaper = "Kerjan, Hoier and Scellier, nudged predictive coding by projected gradient (arXiv 2606.03584, 2 June 2026)"

// A nudge is a network under red-black nudging.
type nudge struct {
	Network string  `json:"network"` // mlp or pictures
	Depth   int     `json:"depth"`
	Width   int     `json:"width"`
	Centred bool    `json:"centred"`
	Beta    float64 `json:"beta"`
	Seed    uint64  `json:"seed"`
}

// An apart is how far the gradient is from backprop's, relative to it.
type apart struct {
	Cosine   float64 `json:"cosine"`
	Relative float64 `json:"relative"`
}

// betas are below the least distance of an activity from its kink in most draws.
var betas = []float64{1e-4, 1e-5}

var orders = claim.Grid("newcomers/nudging-orders", 1, func(s claim.Scale) []nudge {
	seeds := 3
	if s == claim.Full {
		seeds = 10
	}
	var grid []nudge
	for _, n := range []nudge{{Network: "mlp", Depth: 5, Width: 32}, {Network: "pictures", Depth: 4}} {
		for _, n.Centred = range []bool{false, true} {
			for _, n.Beta = range betas {
				for _, n.Seed = range claim.Seeds(seeds) {
					grid = append(grid, n)
				}
			}
		}
	}
	return grid
}, func(_ context.Context, n nudge, _ *claim.Cell) (apart, error) {
	net, err := networkOf(n.Network, n.Depth, n.Width)
	if err != nil {
		return apart{}, err
	}
	s, err := sample(net, n.Seed)
	if err != nil {
		return apart{}, err
	}
	r := &rules.RedBlack[float64]{Beta: n.Beta, Iterations: 3 * n.Depth}
	if n.Centred {
		r.Sign = rules.Centred
	}
	return s.apart(r)
})

// apart compares red-black nudging with backprop.
func (s *sampled) apart(r *rules.RedBlack[float64]) (apart, error) {
	bp, err := s.backprop()
	if err != nil {
		return apart{}, err
	}
	if r.Model, err = s.model(arch.Feedforward); err != nil {
		return apart{}, err
	}
	g, _, err := s.gradient(r)
	if err != nil {
		return apart{}, err
	}
	a := analysis.Agree(g, bp)
	return apart{Cosine: a.Cosine, Relative: a.Relative}, nil
}

var nudgingOrders = claim.Claim{
	ID:        "newcomers/nudging-orders",
	Source:    nudgingPaper + ", on the estimates of the gradient; second-hand, from notes on the paper",
	Statement: "Red-black projected nudging has backprop's gradient as beta goes to 0, with an error of order beta from one side and of order beta^2 centred.",
	Paper:     "errors O(beta), and O(beta^2) for centred; any beta from 2e-4 to .1 works the same",
	Grid:      orders,
	Bounds: []claim.Bound{
		{Text: "ten times less beta makes the median error 10^(1 +- .1) times smaller from one side, 10^(2 +- .2) times centred", Origin: claim.Paper, Note: "the orders; the widths of the bands are ours"},
		{Text: "the cosine to backprop's gradient is above .9999 in every cell", Origin: claim.Derived, Note: "an error of order beta at beta of 1e-4 or less"},
	},
	Check: checkOrders,
}

// checkOrders is the check of newcomers/nudging-orders.
func checkOrders(t claim.Table) (string, error) {
	type kind struct {
		network string
		centred bool
	}
	errs := map[kind]map[float64][]float64{}
	var off claim.Off
	least := 1.
	for _, r := range claim.Rows[nudge, apart](t) {
		k := kind{r.Params.Network, r.Params.Centred}
		if errs[k] == nil {
			errs[k] = map[float64][]float64{}
		}
		errs[k][r.Params.Beta] = append(errs[k][r.Params.Beta], r.Result.Relative)
		if least = min(least, r.Result.Cosine); !(r.Result.Cosine > .9999) {
			off.Add("%+v: cosine %.5f", r.Params, r.Result.Cosine)
		}
	}
	text := ""
	for _, k := range []kind{{"mlp", false}, {"mlp", true}, {"pictures", false}, {"pictures", true}} {
		slope := math.Log10(median(errs[k][betas[0]]) / median(errs[k][betas[1]]))
		want, band, side := 1., .1, "one side"
		if k.centred {
			want, band, side = 2, .2, "centred"
		}
		if !(math.Abs(slope-want) <= band) {
			off.Add("%s, %s: order %.2f", k.network, side, slope)
		}
		text += fmt.Sprintf("%s, %s: order %.2f, median error %.1e at beta %g; ", k.network, side, slope, median(errs[k][betas[0]]), betas[0])
	}
	return text + fmt.Sprintf("least cosine %.6f", least), off.Err()
}

// A run of iterations of a chain.
type iterated struct {
	Depth      int    `json:"depth"`
	Iterations int    `json:"iterations"`
	AllAtOnce  bool   `json:"all_at_once"`
	Seed       uint64 `json:"seed"`
}

// iterationBeta is the beta of the claim on iterations: what is of first order in it is then about 1e-8.
const iterationBeta = 1e-8

var iterations = claim.Grid("newcomers/nudging-iterations", 1, func(s claim.Scale) []iterated {
	seeds, depths := 2, []int{2, 3, 5}
	if s == claim.Full {
		seeds, depths = 5, []int{2, 3, 4, 5, 6, 7, 8}
	}
	var grid []iterated
	for _, depth := range depths {
		for _, all := range []bool{false, true} {
			for k := 1; k <= depth+1; k++ {
				for _, seed := range claim.Seeds(seeds) {
					grid = append(grid, iterated{Depth: depth, Iterations: k, AllAtOnce: all, Seed: seed})
				}
			}
		}
	}
	return grid
}, func(_ context.Context, c iterated, _ *claim.Cell) (apart, error) {
	s, err := sample(reluChain(c.Depth, 16), c.Seed)
	if err != nil {
		return apart{}, err
	}
	r := &rules.RedBlack[float64]{Beta: iterationBeta, Iterations: c.Iterations}
	if c.AllAtOnce {
		r.Order = rules.AllAtOnce
	}
	return s.apart(r)
})

// come is the relative error below which all of the error has come to all layers.
const come = 1e-6

var nudgingIterations = claim.Claim{
	ID:     "newcomers/nudging-iterations",
	Source: nudgingPaper + ", section on red-black updates and figure 5; second-hand, from notes on the paper",
	Statement: "Even sites, then odd sites come to backprop's gradient, to first order in beta, after exactly as many iterations as the chain has blocks; " +
		"all sites at once, in steps of 1, do not come to it.",
	Paper: "\"a signal moves two layers per iteration\"; 4 iterations or more for five blocks, 10 for ten; synchronous updates are poor. An independent numpy program, one draw per depth: exact after L iterations for L = 2..8, synchronous diverges",
	Grid:  iterations,
	Bounds: []claim.Bound{
		{Text: "red-black, L iterations or more: relative error below 1e-6 at beta 1e-8", Origin: claim.Independent, Note: "a numpy program, L = 2..8"},
		{Text: "red-black, fewer than L iterations: above 1e-6", Origin: claim.Independent, Note: "the same program"},
		{Text: "all at once, L + 1 iterations: above 1e-3, whatever beta for L of 3 and more", Origin: claim.Independent, Note: "the same program"},
	},
	Check: checkIterations,
}

// checkIterations is the check of newcomers/nudging-iterations.
func checkIterations(t claim.Table) (string, error) {
	var off claim.Off
	worst, least, synchronous := 0., math.Inf(1), math.Inf(1)
	for _, r := range claim.Rows[iterated, apart](t) {
		p, e := r.Params, r.Result.Relative
		switch {
		case p.AllAtOnce && p.Depth > 2 && p.Iterations == p.Depth+1:
			if synchronous = min(synchronous, e); !(e > 1e-3) {
				off.Add("%+v: %.1e", p, e)
			}
		case p.AllAtOnce:
		case p.Iterations >= p.Depth:
			if worst = max(worst, e); !(e < come) {
				off.Add("%+v: %.1e", p, e)
			}
		default:
			if least = min(least, e); !(e > come) {
				off.Add("%+v: %.1e", p, e)
			}
		}
	}
	return fmt.Sprintf("after L iterations at most %.1e apart, after fewer at least %.1e; all at once at least %.1e", worst, least, synchronous), off.Err()
}

// A nudgedTraining is a ReLU network that learns MNIST.
type nudgedTraining struct {
	Method string  `json:"method"` // BP, mod-PGD or PGD
	Width  int     `json:"width"`
	Epochs int     `json:"epochs"`
	Limit  int     `json:"limit"` // training samples; 0 means all
	Test   int     `json:"test"`  // test samples; 0 means all
	Rate   float64 `json:"rate"`
	Seed   uint64  `json:"seed"`
}

// Cost is about how many seconds it takes.
func (p nudgedTraining) Cost() float64 {
	steps := float64(p.Epochs) * float64(cmp.Or(p.Limit, 60000)) / nudgedBatch
	cost := 1e-9 * steps * float64(p.Width*(784+p.Width)*nudgedBatch)
	if p.Method != byBP {
		cost *= 6
	}
	return cost
}

// A nudgedOutcome is how it ended.
type nudgedOutcome struct {
	Error  float64        `json:"error"`  // share of test samples that are wrong
	Cosine claim.Nullable `json:"cosine"` // of the gradient on the first training batch to backprop's, in the end
	Apart  claim.Nullable `json:"apart"`  // their distance, relative to backprop's
}

// The methods beside byBP, and the paper's settings for squared error; the batch is 64, not 16.
const (
	modPGD          = "mod-PGD"
	plainPGD        = "PGD"
	nudgedBatch     = 64
	nudgeBeta       = .02
	nudgeIterations = 5
)

var nudgedTrainings = claim.Grid("newcomers/nudging-mnist", 1, func(s claim.Scale) []nudgedTraining {
	base, seeds := nudgedTraining{Width: 256, Epochs: 3, Rate: .04}, 5
	if s == claim.Quick {
		base, seeds = nudgedTraining{Width: 32, Epochs: 1, Limit: 3000, Test: 1000, Rate: .04}, 2
	}
	var grid []nudgedTraining
	for _, base.Method = range []string{byBP, modPGD, plainPGD} {
		for _, base.Seed = range claim.Seeds(seeds) {
			grid = append(grid, base)
		}
	}
	return grid
}, func(ctx context.Context, p nudgedTraining, at *claim.Cell) (nudgedOutcome, error) {
	return p.measure(ctx, at)
})

// measure trains, and compares gradients on the first batch.
func (p nudgedTraining) measure(ctx context.Context, at *claim.Cell) (nudgedOutcome, error) {
	training, test, err := multiplied{Data: "MNIST", Mean: .1307, Std: .3081, Test: p.Test}.load()
	if err != nil {
		return nudgedOutcome{}, err
	}
	if p.Limit > 0 {
		training = training.Slice(0, p.Limit)
	}
	if p.Test > 0 {
		test = test.Slice(0, p.Test)
	}
	var blocks []arch.Block
	widths := []int{training.In(), p.Width, p.Width, p.Width, training.Out()}
	for l := range len(widths) - 1 {
		layer := layers.Linear{In: widths[l], Out: widths[l+1], Post: layers.ReLU, Bias: true}
		if l == len(widths)-2 {
			layer.Post = layers.LinearAct
		}
		blocks = append(blocks, arch.Block{Name: fmt.Sprintf("layer%d", l+1), Layer: layer})
	}
	net := &arch.Network{Input: []int{training.In()}, Blocks: blocks}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(p.Seed, 2606_03584)))
	if err != nil {
		return nudgedOutcome{}, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: nudgedBatch, Coordinates: arch.Feedforward})
	if err != nil {
		return nudgedOutcome{}, err
	}
	bp := &train.Backprop[float32]{Model: m}
	var rule train.Rule[float32] = bp
	if p.Method != byBP {
		r := &rules.RedBlack[float32]{Model: m, Beta: nudgeBeta, Iterations: nudgeIterations, Sign: rules.Centred}
		if p.Method == plainPGD {
			r.Projection = rules.ProjectOutput
		}
		rule = r
	}
	steps := p.Epochs * (training.Len() / nudgedBatch)
	h, err := (&train.Trainer[float32]{
		Rule: rule, Optimizer: &optim.Momentum[float32]{Rate: p.Rate, Mu: .9, Nesterov: true, Decay: 3e-4}, Train: training, Test: test,
		Batch: nudgedBatch, Epochs: p.Epochs, Seed: p.Seed, DropLast: true,
		OnStep: func(s train.Step[float32]) { at.Progress(s.Step, steps) },
	}).Run(ctx)
	if err != nil {
		return nudgedOutcome{}, err
	}
	a, err := firstBatch(rule, bp, training)
	return nudgedOutcome{Error: 1 - h.Last().Accuracy, Cosine: claim.Nullable(a.Cosine), Apart: claim.Nullable(a.Relative)}, err
}

var nudgingLearns = claim.Claim{
	ID:     "newcomers/nudging-mnist",
	Source: nudgingPaper + ", table of test errors and figure 5; second-hand, from notes on the paper",
	Statement: "Centred red-black nudging, five iterations at beta .02, trains a ReLU network on MNIST to the test error of backprop; the gradient by projecting " +
		"before the activation (mod-PGD) is as near to backprop's as that by projecting after it (PGD), or nearer.",
	Paper: "test error .32 ± .01 % (nudged) and .33 % (backprop) by a convolutional network, squared error, 100 epochs; mod-PGD is stable where PGD with five iterations diverges near epoch 50 on CIFAR-10. " +
		"Here a network of four layers and three epochs: MNIST is to be learned alike, not as well",
	Grid: nudgedTrainings,
	Bounds: []claim.Bound{
		{Text: "mean test errors of mod-PGD and backprop within two standard errors of their difference", Origin: claim.Paper, Note: ".01 points apart there; in full alone: at quick scale within 2 points"},
		{Text: "the gradient of mod-PGD is at most as far from backprop's, after training, as PGD's, on the mean", Origin: claim.Paper, Note: "\"mod-PGD (best)\""},
		{Text: "backprop's own gradient is at distance 0, and the others' is not", Origin: claim.Derived, Note: "a control of the comparison"},
		{Text: "the cosine of mod-PGD's gradient to backprop's is above .99 after training", Origin: claim.Derived, Note: "centred: an error of order beta^2, .0004"},
	},
	Check: checkNudgedTraining,
}

// checkNudgedTraining is the check of newcomers/nudging-mnist.
func checkNudgedTraining(t claim.Table) (string, error) {
	rows := claim.Rows[nudgedTraining, nudgedOutcome](t)
	key := func(p nudgedTraining) string { return p.Method }
	errs := claim.By(rows, key, func(o nudgedOutcome) float64 { return 100 * o.Error })
	cosine := claim.By(rows, key, func(o nudgedOutcome) float64 { return float64(o.Cosine) })
	apart := claim.By(rows, key, func(o nudgedOutcome) float64 { return float64(o.Apart) })
	var off claim.Off
	near := 2.
	if t.Scale == claim.Full {
		near = 2 * math.Hypot(errs[modPGD].Err, errs[byBP].Err)
	}
	if d := math.Abs(errs[modPGD].Mean - errs[byBP].Mean); !(d <= near) {
		off.Add("test errors %.2f points apart, want %.2f", d, near)
	}
	if !(apart[modPGD].Mean <= apart[plainPGD].Mean) {
		off.Add("mod-PGD is %.3g from backprop's gradient, PGD %.3g", apart[modPGD].Mean, apart[plainPGD].Mean)
	}
	for _, r := range rows {
		if (r.Params.Method == byBP) != (r.Result.Apart == 0) {
			off.Add("%s, seed %d: at a distance of %.3g from backprop's gradient", r.Params.Method, r.Params.Seed, r.Result.Apart)
		}
	}
	if !(cosine[modPGD].Mean > .99) {
		off.Add("cosine %.4f", cosine[modPGD].Mean)
	}
	var list []string
	for _, m := range []string{byBP, modPGD, plainPGD} {
		list = append(list, fmt.Sprintf("%s: error %.2f ± %.2f %%, cosine %.5f, distance %.3g", m, errs[m].Mean, errs[m].Err, cosine[m].Mean, apart[m].Mean))
	}
	return strings.Join(list, "; "), off.Err()
}

// median is NaN of nothing.
func median(list []float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(list))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
