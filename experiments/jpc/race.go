package jpc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
)

// A race is the inference of one batch of a tanh network at initialisation until the energy's gradient has become small.
type race struct {
	solver
	Hidden int    `json:"hidden"`
	Width  int    `json:"width"`
	Seed   uint64 `json:"seed"`
}

// Cost grows with the evaluations.
func (r race) Cost() float64 {
	step := r.Step
	if step == 0 {
		step = 10
	}
	return float64(r.Hidden*r.Width*r.Width) * (1 + 50/step)
}

// A finish is what a race took: until the rms of the gradient is a tenth and a hundredth of its start; NaN if it never is
// within the horizon.
type finish struct {
	Tenth        claim.Float `json:"tenth"`        // evaluations
	Hundredth    claim.Float `json:"hundredth"`    // evaluations
	Milliseconds claim.Float `json:"milliseconds"` // until the tenth, on the machine that did it
	Rejected     int         `json:"rejected"`     // trial steps of all
}

// raceHorizon is far beyond those of the paper.
const raceHorizon = 32 * batch

// The steps: the largest of the paper's, ten times that, and a third of a unit per sample, near what is stable.
var runners = []solver{{Euler, .5}, {Euler, 5}, {Euler, 20}, {Heun, 20}, {Heun, 0}, {Dopri5, 0}, {Tsit5, 0}}

var races = claim.Grid("jpc/race", 1, func(s claim.Scale) []race {
	hidden, width, count := []int{3, 5, 10}, 300, 3
	if s == claim.Quick {
		hidden, width, count = []int{3, 8}, 64, 1
	}
	var grid []race
	for seed := range uint64(count) {
		for _, h := range hidden {
			for _, r := range runners {
				if r.Step != .5 || seed == 0 { // a minute each
					grid = append(grid, race{r, h, width, seed + 1})
				}
			}
		}
	}
	return grid
}, func(ctx context.Context, p race, cell *claim.Cell) (finish, error) {
	nan := claim.Float(math.NaN())
	f := finish{Tenth: nan, Hundredth: nan, Milliseconds: nan}
	sets, err := mnist()
	if err != nil {
		return f, err
	}
	training := sets[0]
	net, w, err := network[float32](layers.Tanh, p.Hidden, p.Width, p.Seed, training.In(), training.Out())
	if err != nil {
		return f, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: batch})
	if err != nil {
		return f, err
	}
	x, y := make([]float32, batch*training.In()), make([]float32, batch*training.Out())
	for _, idx := range (data.Batches{N: training.Len(), Size: batch, Seed: p.Seed}).Epoch(0, 0) {
		data.Fill(training, x, y, idx)
		break
	}
	if err := m.Clamp(x, y); err != nil {
		return f, err
	}
	problem := infer.Problem[float32]{Energy: m.StateGrad}
	run := flow[float32](p.solver, raceHorizon)
	if err := m.Forward(); err != nil {
		return f, err
	}
	if _, err := m.StateGrad(make([]float32, len(m.State())), m.State()); err != nil { // the first takes longer
		return f, err
	}
	r, err := infer.Run(run, problem, m.State(), infer.Any{infer.Stationary{Rel: .01}, until{ctx}}, func(r infer.Reading) {
		if math.IsNaN(float64(f.Tenth)) && r.Residual <= .1*r.Initial {
			f.Tenth, f.Milliseconds = claim.Float(r.Evals), claim.Float(1e3*r.Elapsed.Seconds())
		}
		cell.Progress(int(r.Time), int(run.Horizon))
	})
	if err != nil {
		return f, err
	}
	f.Rejected = r.Rejected
	if r.Status == infer.Converged {
		f.Hundredth = claim.Float(r.Evals)
	}
	return f, ctx.Err()
})

// until ends an inference when ctx does.
type until struct{ ctx context.Context }

func (u until) Done(infer.Reading) (infer.Status, bool) { return infer.TimeLimit, u.ctx.Err() != nil }

func raceClaims() []claim.Claim {
	type key struct {
		solver
		hidden int
	}
	evaluations := func(t claim.Table) (map[key]claim.Estimate, []int, error) {
		rows, err := claim.Rows[race, finish](t)
		var hs []int
		for _, r := range rows {
			if !slices.Contains(hs, r.Params.Hidden) {
				hs = append(hs, r.Params.Hidden)
			}
		}
		slices.Sort(hs)
		return claim.By(rows, func(r race) key { return key{r.solver, r.Hidden} }, func(f finish) float64 { return float64(f.Tenth) }), hs, err
	}
	return []claim.Claim{{
		ID:        "jpc/heun-needs-less",
		Source:    paper + ", runtimes of the best settings; from the released code and its saved values",
		Statement: "Heun's method with adaptive steps comes to the same point with less inference than Euler's, the more so the deeper the network.",
		Paper:     "ms of an inference, MNIST, Euler / Heun: 4.5 / 2.5 at H = 3, 12.9 / 4.3 at H = 5, 710 / 49 at H = 10",
		Grid:      races,
		Check: func(t claim.Table) (string, error) {
			e, hs, err := evaluations(t)
			if err != nil {
				return "", err
			}
			var off offs
			var words []string
			for _, h := range hs {
				heun, paperEuler, euler := e[key{solver{Heun, 0}, h}].Mean, e[key{solver{Euler, .5}, h}].Mean, e[key{solver{Euler, 20}, h}].Mean
				words = append(words, fmt.Sprintf("H = %d: %.0f / %.0f / %.0f", h, paperEuler, heun, euler))
				if !(heun < paperEuler/2) {
					off.add("H=%d: Heun %.0f, Euler with the paper's step %.0f evaluations", h, heun, paperEuler)
				}
				if !(heun > euler) {
					off.add("H=%d: Heun %.0f, Euler with a large step %.0f evaluations: our care is wrong", h, heun, euler)
				}
			}
			return "evaluations until the gradient is a tenth, Euler with a step of .5 / Heun adaptive / Euler with a step of 20: " + strings.Join(words, "; "), off.err()
		},
		Verdict: claim.WithCare,
		Care: "What is slow is the step, not the method: the paper's largest, .5 on the batch mean, is .5/64 per sample, some 70 times shorter than what is stable. " +
			"With a step of 20 Euler needs fewer evaluations than adaptive Heun: where inference ends counts, not how exactly it gets there. " +
			"The gain over the paper's steps does not grow with depth. Nor do adaptive methods come any closer than their tolerances: with 1e-3 the gradient never falls " +
			"to a hundredth, because steps grow until they are unstable, and methods of higher order are worse off.",
		Plot: func(t claim.Table) ([]claim.Figure, error) {
			rows, err := claim.Rows[race, finish](t)
			if err != nil {
				return nil, err
			}
			e, hs, err := evaluations(t)
			if err != nil {
				return nil, err
			}
			ms := claim.By(rows, func(r race) key { return key{r.solver, r.Hidden} }, func(f finish) float64 { return float64(f.Milliseconds) })
			p := claim.Panel{Title: "evaluations", X: claim.Axis{Label: "hidden layers H"}, Y: claim.Axis{Label: "evaluations until the gradient is a tenth", Log: true}}
			q := claim.Panel{Title: "time", X: claim.Axis{Label: "hidden layers H"}, Y: claim.Axis{Label: "ms until the gradient is a tenth", Log: true}}
			colour := map[Method]int{Euler: 1, Heun: 2, Dopri5: 3, Tsit5: 4}
			dash := map[float64]int{.5: 0, 5: 1, 20: 2, 0: 3}
			for _, r := range runners {
				a := claim.Line{Name: r.String(), Series: colour[r.Method], Dash: dash[r.Step], Points: true}
				b := a
				for _, h := range hs {
					a.X, a.Y = append(a.X, float64(h)), append(a.Y, e[key{r, h}].Mean)
					b.X, b.Y = append(b.X, float64(h)), append(b.Y, ms[key{r, h}].Mean)
				}
				p.Lines, q.Lines = append(p.Lines, a), append(q.Lines, b)
			}
			return []claim.Figure{{Name: "jpc-race", Caption: fmt.Sprintf("One batch of MNIST, tanh networks at initialisation, N = %d, steps in the paper's time; adaptive: tolerances of 1e-3.", rows[0].Params.Width), Panels: []claim.Panel{p, q}}}, nil
		},
	}}
}
