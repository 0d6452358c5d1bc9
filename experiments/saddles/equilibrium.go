package saddles

import (
	"context"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// An inferred is a linear network that learns by predictive coding, whose energies are held against the closed form.
type inferred struct {
	Data    source `json:"data"`
	Hidden  int    `json:"hidden"`
	Width   int    `json:"width"`
	Updates int    `json:"updates"`
	Seed    uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (p inferred) Cost() float64 { return 1e-6 * float64(p.Updates*p.Hidden*p.Width) }

// gaps are how far the energies are from the closed form.
type gaps struct {
	Worst    float64 `json:"worst"` // largest F/F* - 1 of all updates
	Least    float64 `json:"least"` // least: below 0 only by rounding
	Start    float64 `json:"start"` // L/F* - 1 at the first update, before inference
	At10     float64 `json:"at10"`  // squared error, mean over outputs, at update 10 and at the end
	End      float64 `json:"end"`
	Accuracy float64 `json:"accuracy"` // on 2000 pictures of the test set
}

var inferences = claim.Grid("saddles/equilibrium", 1, func(s claim.Scale) []inferred {
	var grid []inferred
	for _, set := range []source{digits, clothes} {
		for _, hidden := range []int{2, 5, 10} {
			p := inferred{set, hidden, 300, 100, 1}
			if s == claim.Quick {
				p.Width, p.Updates = 20, 12
			}
			if s == claim.Full || set == digits && hidden < 10 {
				grid = append(grid, p)
			}
		}
	}
	return grid
}, func(ctx context.Context, p inferred, at *claim.Cell) (gaps, error) { return p.measure(ctx, at) })

// A predicted is predictive coding that notes F* of every batch before it infers.
type predicted struct {
	*train.PC[float64]
	closed float64
}

// Gradient is that of PC.
func (r *predicted) Gradient(grad, x, y []float64, batch int) (train.Report, error) {
	n, w := theory.Linear{}, r.Model.Weights()
	for i, f := range w.Fields() {
		n.Weights = append(n.Weights, mat.NewDense(f.Shape[0], f.Shape[1], w.Part(w.Data(), i)))
	}
	eq, err := n.Equilibrium(mat.NewDense(batch, len(x)/batch, x), mat.NewDense(batch, len(y)/batch, y))
	if err != nil {
		return train.Report{}, err
	}
	r.closed = eq.Energy
	return r.PC.Gradient(grad, x, y, batch)
}

func (p inferred) measure(ctx context.Context, at *claim.Cell) (g gaps, err error) {
	sets, err := p.Data.load()
	if err != nil {
		return g, err
	}
	widths := []int{sets[0].In()}
	for range p.Hidden {
		widths = append(widths, p.Width)
	}
	net, err := arch.Chain{Widths: append(widths, sets[0].Out())}.Network()
	if err != nil {
		return g, err
	}
	w, err := arch.NewWeights[float64](net, generator(p.Seed))
	if err != nil {
		return g, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: batch})
	if err != nil {
		return g, err
	}
	rule := &predicted{PC: &train.PC[float64]{Model: m, Solver: &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 300, MaxTrials: 1 << 20},
		Stop: infer.Stationary{Tol: 1e-7}}}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.Adam[float64]{Rate: 1e-3}, Train: sets[0], Batch: batch, DropLast: true, MaxSteps: p.Updates, Seed: p.Seed}
	g.Worst, g.Least = math.Inf(-1), math.Inf(1)
	for step, err := range trainer.Steps(ctx) {
		if err != nil {
			return g, err
		}
		gap, squares := step.Energy/rule.closed-1, step.Loss*2/float64(sets[0].Out())
		g.Worst, g.Least = max(g.Worst, gap), min(g.Least, gap)
		if step.Step == 1 {
			g.Start = step.Loss/rule.closed - 1
		}
		if step.Step == 10 {
			g.At10 = squares
		}
		g.End = squares
		at.Progress(step.Step, p.Updates)
	}
	score, err := train.Evaluate(m.Predict, sets[1].Slice(0, 2000))
	g.Accuracy = score.Accuracy
	return g, err
}

var equilibrium = claim.Claim{
	ID:        "saddles/equilibrium",
	Source:    paper + ", theorem 1 and figure 1 (Theoretical_Equilibrated_Energy of the release)",
	Statement: "Along training the energy where inference ends is, in deep linear networks, the loss rescaled by S: F* = 1/2 mean r S^-1 r.",
	Paper: "curves of both coincide, H = 2, 5, 10. Stored: squared error at update 10 and 100 and accuracy, MNIST .0781, .0456, .818 (H=2), .0684, .0566, .796 (5), .0751, .0467, .837 (10); " +
		"Fashion-MNIST .0591, .0398, .772, .0598, .0462, .744, .0782, .0374, .770",
	Grid: inferences,
	Bounds: []claim.Bound{
		{Text: "F is within 1e-3 of F*, relatively, at every update, and never below it but for rounding", Origin: claim.Paper, Note: "figure 1; Heun's method at the release's tolerances 1e-3, to time 300 per sample or an rms of dF/dz of 1e-7"},
		{Text: "before inference the two are at least 3 % apart", Origin: claim.Derived, Note: "S is at least 1 + the mean of |P_l|^2: the comparison can fail"},
		{Text: "accuracies after 100 updates are within 10 points of the stored ones, and squared errors between half of them and twice", Origin: claim.Paper, Note: "table of stored outputs, one seed and another stream of random numbers; in full alone"},
	},
	Check:    energiesCoincide,
	Shuffled: "energies are compared with the closed form of the same cell, and accuracies of the cells are alike",
	Verdict:  claim.Fails, QuickPasses: true,
	Care: func(t claim.Table) string {
		worst := map[int]float64{}
		for _, r := range claim.Rows[inferred, gaps](t) {
			worst[r.Params.Hidden] = max(worst[r.Params.Hidden], r.Result.Worst)
		}
		var list []string
		for _, hidden := range claim.Keys(worst) {
			list = append(list, fmt.Sprintf("%.2g of F* at H = %d", worst[hidden], hidden))
		}
		return "Inference as it is released does not end at equilibrium, the less the deeper the network: in the worst of 100 updates F is above F* by " + strings.Join(list, ", ") +
			". Never below it, and accuracies and errors are those stored: F* itself is right (exact equilibria agree with it to rounding, theory's tests), time 300 is too short for it. CIFAR-10, which the paper has too, was not here."
	},
}

// stored are the release's outputs: squared error at updates 10 and 100, accuracy.
var stored = map[source]map[int][3]float64{
	digits:  {2: {.0781, .0456, .818}, 5: {.0684, .0566, .796}, 10: {.0751, .0467, .837}},
	clothes: {2: {.0591, .0398, .772}, 5: {.0598, .0462, .744}, 10: {.0782, .0374, .770}},
}

// energiesCoincide is the check of saddles/equilibrium.
func energiesCoincide(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for _, r := range claim.Rows[inferred, gaps](t) {
		p, g := r.Params, r.Result
		at := fmt.Sprintf("%s, H=%d", p.Data, p.Hidden)
		if g.Worst > 1e-3 || g.Least < -1e-9 || g.Start < .03 {
			off.Add("%s: F/F* - 1 from %.1e to %.1e, %.3f before inference", at, g.Least, g.Worst, g.Start)
		}
		want := stored[p.Data][p.Hidden]
		if t.Scale == claim.Full && (math.Abs(g.Accuracy-want[2]) > .1 || g.At10 > 2*want[0] || g.At10 < want[0]/2 || g.End > 2*want[1] || g.End < want[1]/2) {
			off.Add("%s: %.4f, %.4f, %.3f; stored %v", at, g.At10, g.End, g.Accuracy, want)
		}
		ours = append(ours, fmt.Sprintf("%s: F/F* - 1 at most %.1e (before inference %.2f), %.4f to %.4f, accuracy %.3f", at, g.Worst, g.Start, g.At10, g.End, g.Accuracy))
	}
	return strings.Join(ours, "; "), off.Err()
}
