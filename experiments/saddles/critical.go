package saddles

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/theory"
)

func criticalClaims() []claim.Claim { return []claim.Claim{flatToOrder, allStrict} }

// A walk leaves the origin of a linear network along a random direction.
type walk struct {
	Depth int    `json:"depth"` // L
	Width int    `json:"width"`
	Seed  uint64 `json:"seed"`
}

// A fallOff is the power of the distance with which each landscape differs from its value at the origin.
type fallOff struct {
	Loss   float64 `json:"loss"`
	Energy float64 `json:"energy"`
}

var walks = claim.Grid("saddles/order", 1, func(s claim.Scale) []walk {
	var grid []walk
	for depth := 2; depth <= 6; depth++ {
		for _, seed := range claim.Seeds(3 + 7*int(s)) {
			grid = append(grid, walk{depth, 4, seed})
		}
	}
	return grid
}, func(_ context.Context, p walk, _ *claim.Cell) (fallOff, error) {
	r := generator(p.Seed)
	x, y := toy(r, 3, false)
	var n theory.Linear
	for l := range p.Depth {
		in, out := p.Width, p.Width
		if l == 0 {
			in = 3
		}
		if l == p.Depth-1 {
			out = 3
		}
		n.Weights = append(n.Weights, normal(r, in, out, 0, 1))
	}
	var fell [2][2]float64
	for i, distance := range []float64{.02, .01} {
		for k, scale := range []float64{distance, 0} {
			at := theory.Linear{}
			for _, w := range n.Weights {
				m := new(mat.Dense)
				m.Scale(scale, w)
				at.Weights = append(at.Weights, m)
			}
			eq, err := at.Equilibrium(x, y)
			if err != nil {
				return fallOff{}, err
			}
			pass, err := at.Feedforward(x, y)
			if err != nil {
				return fallOff{}, err
			}
			sign := 1 - 2*float64(k)
			fell[i][0] += sign * pass.Loss
			fell[i][1] += sign * eq.Energy
		}
	}
	power := func(k int) float64 { return math.Log2(math.Abs(fell[0][k] / fell[1][k])) }
	return fallOff{Loss: power(0), Energy: power(1)}, nil
})

var flatToOrder = claim.Claim{
	ID:        "saddles/order",
	Source:    paper + ", theorem 2: the saddle of the loss is flat to order H",
	Statement: "Along a direction from the origin the loss changes with the L-th power of the distance, the equilibrated energy with the second power at every depth.",
	Paper:     "the loss' first derivative that is not 0 has order L = H + 1; the energy has negative curvature at every depth",
	Grid:      walks,
	Bounds: []claim.Bound{
		{Text: "the mean power of the loss is within .1 of L", Origin: claim.Paper, Note: "theorem 2"},
		{Text: "the mean power of the energy is within .1 of 2", Origin: claim.Paper, Note: "theorem 2"},
	},
	Check: orderOfLoss,
}

// orderOfLoss is the check of saddles/order.
func orderOfLoss(t claim.Table) (string, error) {
	var off claim.Off
	rows := claim.Rows[walk, fallOff](t)
	depth := func(p walk) int { return p.Depth }
	loss := claim.By(rows, depth, func(f fallOff) float64 { return f.Loss })
	energy := claim.By(rows, depth, func(f fallOff) float64 { return f.Energy })
	texts := map[int]string{}
	for l, e := range loss {
		if math.Abs(e.Mean-float64(l)) > .1 || math.Abs(energy[l].Mean-2) > .1 {
			off.Add("L=%d: powers %.3f (loss), %.3f (energy)", l, e.Mean, energy[l].Mean)
		}
		texts[l] = fmt.Sprintf("L=%d: %.3f and %.3f", l, e.Mean, energy[l].Mean)
	}
	return "powers of loss and energy: " + inOrder(texts), off.Err()
}

// A search is for a critical point of the equilibrated energy of a linear network.
type search struct {
	// Uncorrelated data have S_xy = 0: x = (1, 1), y = (1, -1), and the search begins at the counterexample's point.
	Uncorrelated bool   `json:"uncorrelated"`
	Depth        int    `json:"depth"`
	Rank         int    `json:"rank"` // of the weights at the start, whose rows and columns beyond are zero
	Seed         uint64 `json:"seed"`
}

// A find is what it found.
type find struct {
	Arrived  bool    `json:"arrived"` // the gradient is below 1e-9
	Energy   float64 `json:"energy"`
	Gradient float64 `json:"gradient"`
	Low      float64 `json:"low"`  // eigenvalues of the Hessian of F*
	High     float64 `json:"high"` // its highest
}

// saddle is the energy above which a critical point is no minimum: targets can be fitted exactly, so that minima have 0.
const saddle = 1e-6

var searches = claim.Grid("saddles/critical", 1, func(s claim.Scale) []search {
	grid := []search{{Uncorrelated: true, Depth: 2, Rank: 1, Seed: 1}}
	for depth := 2; depth <= 4; depth++ {
		for rank := range 3 {
			for _, seed := range claim.Seeds(1 + 49*int(s)) {
				grid = append(grid, search{Depth: depth, Rank: rank, Seed: seed})
			}
		}
	}
	return grid
}, func(ctx context.Context, p search, _ *claim.Cell) (find, error) { return p.run(ctx) })

// run minimises |dF*/dW|^2 by L-BFGS, whose gradient is the Hessian's product with dF*/dW.
func (p search) run(ctx context.Context) (f find, err error) {
	const features = 3
	r := generator(p.Seed)
	var n theory.Linear
	x := normal(r, 20, features, 0, 1)
	y := new(mat.Dense)
	y.Mul(x, normal(r, features, features, 0, 1))
	for range p.Depth {
		w := normal(r, features, features, 0, .8)
		for i := range features {
			for j := range features {
				if max(i, j) >= p.Rank && p.Rank > 0 || p.Rank == 0 && r.IntN(2) == 0 {
					w.Set(i, j, w.At(i, j)*1e-3)
				}
			}
		}
		n.Weights = append(n.Weights, w)
	}
	if p.Uncorrelated {
		x, y = mat.NewDense(2, 1, []float64{1, 1}), mat.NewDense(2, 1, []float64{1, -1})
		n.Weights = []*mat.Dense{mat.NewDense(1, 1, []float64{1}), mat.NewDense(1, 1, []float64{0})}
	}
	var w []float64
	for _, m := range n.Weights {
		w = append(w, m.RawMatrix().Data...)
	}
	look := func(w []float64) (*theory.Equilibrium, *theory.WeightHessian, []float64, error) {
		at, rest := theory.Linear{}, w
		for _, m := range n.Weights {
			rows, columns := m.Dims()
			at.Weights = append(at.Weights, mat.NewDense(rows, columns, rest[:rows*columns]))
			rest = rest[rows*columns:]
		}
		eq, err := at.Equilibrium(x, y)
		if err != nil {
			return nil, nil, nil, err
		}
		h, err := eq.WeightHessian()
		var g []float64
		for _, m := range eq.Gradient().Dense() {
			g = append(g, m.RawMatrix().Data...)
		}
		return eq, h, g, err
	}
	problem := infer.Problem[float64]{Energy: func(grad, w []float64) (float64, error) {
		_, h, g, err := look(append([]float64(nil), w...))
		if err != nil {
			return 0, err
		}
		return floats.Dot(g, g) / 2, h.Mul(grad, g)
	}}
	stop := infer.Any{infer.Stationary{Tol: 1e-13}, infer.Cancelled{Context: ctx}}
	if _, err := infer.Run(&infer.LBFGS[float64]{MaxSteps: 1500, Memory: 30}, problem, w, stop, nil); err != nil {
		return f, ctx.Err() // it went to infinity, where S cannot be factorised: nothing found
	}
	eq, h, g, err := look(w)
	if err != nil {
		return f, err
	}
	f.Energy, f.Gradient = eq.Energy, floats.Norm(g, 2)
	if f.Gradient > 1e-9 {
		return f, nil
	}
	dense, err := h.Dense()
	if err != nil { // far away rounding spoils the symmetry of the products
		return f, nil
	}
	f.Arrived = true
	values, err := theory.Eigenvalues(dense)
	if err != nil {
		return f, err
	}
	f.Low, f.High = values[0], values[len(values)-1]
	return f, nil
}

var allStrict = claim.Claim{
	ID:     "saddles/all-strict",
	Source: paper + ", conjecture that all saddles of the equilibrated energy are strict; the counterexample is a third party's, proven in Lean [second-hand]",
	Statement: "All saddles of the equilibrated energy of linear networks are strict, if inputs and targets are correlated in every direction (S_xy of full rank); without " +
		"correlation there is one that is not.",
	Paper: "conjectured without the condition, and proven for zero-rank saddles. Counterexample: x = (1, 1), y = (1, -1), L = 2, w = (1, 0): gradient and Hessian are 0, F* = .5, .49906 at (.9, .1) and .50104 at (1.1, .1)",
	Grid:  searches,
	Bounds: []claim.Bound{
		{Text: "every critical point found (|dF*/dW| < 1e-9) with F* above 1e-6 has a lowest eigenvalue below -1e-4", Origin: claim.Paper, Note: "the conjecture; targets are a linear function of full rank of the inputs, so that minima have F* = 0"},
		{Text: "at least a tenth of the searches end at such saddles, so that the sentence is tested", Origin: claim.Derived, Note: "a search for points without gradient, from weights of low rank, does not prefer minima"},
		{Text: "at the counterexample gradient and Hessian are 0 to 1e-8 and F* is .5", Origin: claim.Independent, Note: "theory.md 3.4, B-T7"},
	},
	Check:   criticalAreStrict,
	Verdict: claim.WithCare,
	Care: claim.Constant("The conjecture as it stands is false: without correlation of inputs and targets there is a saddle whose Hessian is zero. With S_xy of full rank none was found; " +
		"that is no proof."),
}

// criticalAreStrict is the check of saddles/all-strict.
func criticalAreStrict(t claim.Table) (string, error) {
	var off claim.Off
	searched, arrived, strict, shallow := 0, 0, 0, math.Inf(-1)
	for _, r := range claim.Rows[search, find](t) {
		f := r.Result
		if r.Params.Uncorrelated {
			if max(f.Gradient, math.Abs(f.Low), math.Abs(f.High)) > 1e-8 || math.Abs(f.Energy-.5) > 1e-12 {
				off.Add("counterexample: gradient %.1e, eigenvalues %.1e to %.1e, F* %.6g", f.Gradient, f.Low, f.High, f.Energy)
			}
			continue
		}
		searched++
		if !f.Arrived || f.Energy < saddle {
			continue
		}
		if arrived++; f.Low < -1e-4 {
			strict++
		} else {
			off.Add("L=%d, rank %d, seed %d: F* = %.4g, lowest eigenvalue %.2g", r.Params.Depth, r.Params.Rank, r.Params.Seed, f.Energy, f.Low)
		}
		shallow = max(shallow, f.Low)
	}
	if 10*arrived < searched {
		off.Add("%d of %d searches end at a saddle", arrived, searched)
	}
	return fmt.Sprintf("%d searches end at %d saddles, of which %d are strict, the least so with %.3g", searched, arrived, strict, shallow), off.Err()
}
