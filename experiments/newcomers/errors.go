package newcomers

import (
	"context"
	"fmt"
	"math"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// A regime is a network in error coordinates.
type regime struct {
	Act   string `json:"act"`
	Depth int    `json:"depth"`
	Width int    `json:"width"`
	Skips bool   `json:"skips"`
	Seed  uint64 `json:"seed"`
}

// A published inference: five steps of rate .001.
const (
	publishedSteps = 5
	publishedRate  = 1e-3
)

// A regimeRun compares gradients with backprop's, weight matrix by weight matrix.
type regimeRun struct {
	Short float64 `json:"short"` // least cosine after the published steps
	Whole float64 `json:"whole"` // cosine of all weights as one vector
	Scale float64 `json:"scale"` // mean |g|/|g_BP| of the matrices below the last
	Rest  float64 `json:"rest"`  // least cosine at equilibrium
	Left  float64 `json:"left"`  // of the gradient with respect to errors, at equilibrium
}

var regimes = claim.Grid("newcomers/error-regime", 1, func(s claim.Scale) []regime {
	seeds, depths := 2, []int{3, 8}
	if s == claim.Full {
		seeds, depths = 5, []int{3, 8, 20}
	}
	var grid []regime
	for _, act := range []string{"tanh", "gelu"} {
		for _, depth := range depths {
			for _, skips := range []bool{false, true} {
				for _, seed := range claim.Seeds(seeds) {
					grid = append(grid, regime{Act: act, Depth: depth, Width: 32, Skips: skips, Seed: seed})
				}
			}
		}
	}
	return grid
}, func(_ context.Context, r regime, _ *claim.Cell) (regimeRun, error) { return r.measure() })

// measure takes both gradients.
func (r regime) measure() (regimeRun, error) {
	act, err := layers.ParseAct(r.Act)
	if err != nil {
		return regimeRun{}, err
	}
	widths := []int{10}
	for range r.Depth - 1 {
		widths = append(widths, r.Width)
	}
	chain := arch.Chain{Act: act, Widths: append(widths, 4), Skips: r.Skips}
	if r.Skips {
		chain.Scaling = arch.MuPC{}
	}
	net, err := chain.Network()
	if err != nil {
		return regimeRun{}, err
	}
	s, err := sample(net, r.Seed)
	if err != nil {
		return regimeRun{}, err
	}
	bp, err := s.backprop()
	if err != nil {
		return regimeRun{}, err
	}
	m, err := s.model(arch.Errors)
	if err != nil {
		return regimeRun{}, err
	}
	short, _, err := s.gradient(&train.PC[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: publishedRate}}, Stop: infer.Steps(publishedSteps)})
	if err != nil {
		return regimeRun{}, err
	}
	rest, report, err := s.gradient(&train.PC[float64]{Model: m, Solver: &infer.LBFGS[float64]{}, Stop: infer.Any{infer.Stationary{Tol: 1e-9}, infer.Steps(500)}})
	if err != nil {
		return regimeRun{}, err
	}
	run := regimeRun{Short: 1, Rest: 1, Whole: analysis.Agree(short, bp).Cosine, Left: report.Inference.Residual / report.Inference.Initial}
	fields := s.w.Fields()
	for i := range fields {
		a, b := analysis.Agree(s.w.Part(short, i), s.w.Part(bp, i)), analysis.Agree(s.w.Part(rest, i), s.w.Part(bp, i))
		run.Short, run.Rest = min(run.Short, a.Cosine), min(run.Rest, b.Cosine)
		if i < len(fields)-1 {
			run.Scale += a.Ratio / float64(len(fields)-1)
		}
	}
	return run, nil
}

// usual reports whether the activities of the network are of order one: those of deep networks without skips fade with depth, and an
// error of .005 is then no small part of them.
func (r regime) usual() bool { return r.Skips || r.Depth <= 3 }

var errorRegime = claim.Claim{
	ID:     "newcomers/error-regime",
	Source: "Goemaere et al., error-based predictive coding (arXiv 2505.20137, version 5, and its released configurations: T = 5, rate .001, no momentum)",
	Statement: "Error-based predictive coding as published, five steps of rate .001 on the errors, is backprop weight matrix by weight matrix; at the equilibrium of the same " +
		"energy it is not.",
	Paper: "theorem C.9 there: a small product of rate and steps reduces to backprop. The errors are then 1 - (1 - .001)^5 = .00499 times backprop's",
	Grid:  regimes,
	Bounds: []claim.Bound{
		{Text: "with skips, or of 3 weights: the least cosine over weight matrices after five steps is above .9999", Origin: claim.Derived, Note: "e = -(1 - (1 - rate)^T) J^T dL to first order in rate T; that deep networks without skips are left out is ours, after measuring"},
		{Text: "there gradients below the last weights are as long as backprop's, to 1 %", Origin: claim.Derived, Note: "dF/dW at fixed errors; by a local rule they are .00499 times as long, which Adam takes out"},
		{Text: "at equilibrium (1e-6 of the gradient left) the least cosine is below .999 in every cell", Origin: claim.After, Note: "set when the quick grid had been seen"},
	},
	Check:   checkRegime,
	Verdict: claim.WithCare,
	Care:    regimeCare,
}

// checkRegime is the check of newcomers/error-regime.
func checkRegime(t claim.Table) (string, error) {
	var off claim.Off
	short, rest := 1., []float64{}
	for _, r := range claim.Rows[regime, regimeRun](t) {
		p, v := r.Params, r.Result
		if p.usual() {
			if short = min(short, v.Short); !(v.Short > .9999) {
				off.Add("%+v: cosine %.6f after five steps", p, v.Short)
			}
			if !(math.Abs(v.Scale-1) <= .01) {
				off.Add("%+v: hidden gradients are %.5f times as long", p, v.Scale)
			}
		}
		if !(v.Left < 1e-6) {
			off.Add("%+v: %.1e of the gradient is left", p, v.Left)
		}
		if rest = append(rest, v.Rest); !(v.Rest < .999) {
			off.Add("%+v: cosine %.4f at equilibrium", p, v.Rest)
		}
	}
	return fmt.Sprintf("least cosine after five steps %.6f; at equilibrium median of the least cosine %.3f", short, median(rest)), off.Err()
}

// regimeCare says where five steps are not backprop.
func regimeCare(t claim.Table) string {
	short, whole := 1., 1.
	for _, r := range claim.Rows[regime, regimeRun](t) {
		if !r.Params.usual() {
			short, whole = min(short, r.Result.Short), min(whole, r.Result.Whole)
		}
	}
	return fmt.Sprintf("In deep networks without skips, at weights of 1/sqrt(fan-in), activities fade with depth, so that errors of .005 are no small part of them: there the least "+
		"cosine over weight matrices is %.3f after five steps, and %.3f of all weights as one vector.", short, whole)
}
