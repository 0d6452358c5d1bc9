package trustregion

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// A point is weights and a sample of the chain of one hidden unit.
type point struct {
	Where string  `json:"where"` // origin, minimum, random
	W1    float64 `json:"w1"`
	W2    float64 `json:"w2"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
}

func (p point) chain() theory.OneHidden { return theory.OneHidden{W1: p.W1, W2: p.W2, X: p.X, Y: p.Y} }

// linear is the chain as a linear network, for which package theory has other formulas.
func (p point) linear(w1, w2 float64) (n theory.Linear, x, y *mat.Dense) {
	one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	return theory.Linear{Weights: []*mat.Dense{one(w1), one(w2)}}, one(p.X), one(p.Y)
}

// A held is the closed form against the general theory of linear networks.
type held struct {
	Activity float64    `json:"activity"` // largest differences: z*
	Energy   float64    `json:"energy"`   // F* and L
	Gradient float64    `json:"gradient"` // of both
	Hessian  float64    `json:"hessian"`  // of both, against differences of gradients
	Loss     [2]float64 `json:"loss"`     // eigenvalues of L's Hessian by differences
	PC       [2]float64 `json:"pc"`       // and of F*'s
}

var points = claim.Grid("trustregion/one-hidden", 1, func(s claim.Scale) []point {
	count := 40
	if s == claim.Quick {
		count = 10
	}
	r := generator(1)
	grid := []point{{"origin", 0, 0, 1, -1}}
	for _, w2 := range []float64{.5, 1, 2} {
		grid = append(grid, point{"minimum", -1 / w2, w2, 1, -1})
	}
	for range count {
		x, y, w2 := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
		grid = append(grid, point{"origin", 0, 0, x, y}, point{"minimum", y / (w2 * x), w2, x, y}, point{"random", r.NormFloat64(), w2, x, y})
	}
	return grid
}, func(_ context.Context, p point, _ *claim.Cell) (held, error) { return p.measure() })

// gradients are those of L and F* by the general theory.
func (p point) gradients(w1, w2 float64) (loss, pc [2]float64, l, f, z float64, err error) {
	n, x, y := p.linear(w1, w2)
	pass, err := n.Feedforward(x, y)
	if err != nil {
		return loss, pc, 0, 0, 0, err
	}
	eq, err := n.Equilibrium(x, y)
	if err != nil {
		return loss, pc, 0, 0, 0, err
	}
	dl, df := pass.Gradient().Dense(), eq.Gradient().Dense()
	return [2]float64{dl[0].At(0, 0), dl[1].At(0, 0)}, [2]float64{df[0].At(0, 0), df[1].At(0, 0)}, pass.Loss, eq.Energy, eq.Activities[0].At(0, 0), nil
}

func (p point) measure() (held, error) {
	o := p.chain()
	dl, df, l, f, z, err := p.gradients(p.W1, p.W2)
	if err != nil {
		return held{}, err
	}
	h := held{Activity: math.Abs(z - o.Activity()), Energy: max(math.Abs(l-o.Loss()), math.Abs(f-o.Energy()))}
	for k := range 2 {
		h.Gradient = max(h.Gradient, math.Abs(dl[k]-o.LossGradient()[k]), math.Abs(df[k]-o.EnergyGradient()[k]))
	}
	const step = 1e-4
	byDifferences := func(pc bool) *mat.SymDense {
		var rows [2][2]float64
		for k := range 2 {
			var at [2][2]float64
			for i, sign := range []float64{1, -1} {
				w := [2]float64{p.W1, p.W2}
				w[k] += sign * step
				gl, gf, _, _, _, e := p.gradients(w[0], w[1])
				if e != nil {
					err = e
				}
				if at[i] = gl; pc {
					at[i] = gf
				}
			}
			for j := range 2 {
				rows[k][j] = (at[0][j] - at[1][j]) / (2 * step)
			}
		}
		return mat.NewSymDense(2, []float64{rows[0][0], (rows[0][1] + rows[1][0]) / 2, 0, rows[1][1]})
	}
	for pc, closed := range map[bool]*mat.SymDense{false: o.LossHessian(), true: o.EnergyHessian()} {
		d := byDifferences(pc)
		for i := range 2 {
			for j := range 2 {
				h.Hessian = max(h.Hessian, math.Abs(d.At(i, j)-closed.At(i, j))/(1+mat.Max(closed)-mat.Min(closed)))
			}
		}
		values, e := theory.Eigenvalues(d)
		if e != nil {
			return held{}, e
		}
		if pc {
			h.PC = [2]float64(values)
		} else {
			h.Loss = [2]float64(values)
		}
	}
	return h, err
}

var oneHidden = claim.Claim{
	ID:     "trustregion/one-hidden",
	Source: paper + ", theorems A.3 and A.4 (second-hand), figure 1",
	Statement: "For one linear hidden unit the origin is a saddle that F* attracts to less and repels from more than the loss does, and at every minimum " +
		"F* is flatter than the loss by 1 + w2².",
	Paper: "origin: eigenvalues +-|xy| of the loss, (-y² +- sqrt(y⁴ + 4x²y²))/2 of F*; x = 1, y = -1: 1 and -1; .618 and -1.618. Minima: x² (w1² + w2²), over 1 + w2²",
	Grid:  points,
	Bounds: []claim.Bound{
		{Text: "the closed forms of z*, F*, L and their gradients agree with the general linear theory to 1e-10, Hessians with differences to 1e-6", Origin: claim.Derived, Note: "rounding; differences of step 1e-4 of functions of order 1 to 100"},
		{Text: "at the origin 0 < lambda+(F*) < |xy| < |lambda-(F*)|, with the paper's values at x = 1, y = -1 to 1e-6", Origin: claim.Paper, Note: "theorem A.3"},
		{Text: "at minima lambda_max(F*) = lambda_max(L) / (1 + w2²) to 1e-5, the other eigenvalue 0 to 1e-6", Origin: claim.Paper, Note: "theorem A.4"},
	},
	Check: saddleAndMinima,
}

// saddleAndMinima is the check of trustregion/one-hidden.
func saddleAndMinima(t claim.Table) (string, error) {
	var off claim.Off
	worst, hessian, origins, minima := 0., 0., 0, 0
	for _, r := range claim.Rows[point, held](t) {
		p, h := r.Params, r.Result
		o := p.chain()
		scale := 1 + o.Loss() + math.Abs(o.Activity())
		if d := max(h.Activity, h.Energy, h.Gradient) / (scale * scale); !(d < 1e-10) {
			off.Add("%+v: off the general theory by %.2g", p, d)
		} else {
			worst = max(worst, d)
		}
		if hessian = max(hessian, h.Hessian); !(h.Hessian < 1e-6) {
			off.Add("%+v: Hessian off by %.2g", p, h.Hessian)
		}
		switch xy := math.Abs(p.X * p.Y); p.Where {
		case "origin":
			origins++
			root := math.Sqrt(math.Pow(p.Y, 4) + 4*xy*xy)
			low, high := (-p.Y*p.Y-root)/2, (-p.Y*p.Y+root)/2
			if !(h.PC[1] > 0 && h.PC[1] < xy && xy < -h.PC[0]) || math.Abs(h.PC[0]-low)+math.Abs(h.PC[1]-high) > 1e-6 || math.Abs(h.Loss[0]+xy)+math.Abs(h.Loss[1]-xy) > 1e-6 {
				off.Add("origin, x = %.3g, y = %.3g: loss %.4g, F* %.4g", p.X, p.Y, h.Loss, h.PC)
			}
		case "minimum":
			minima++
			top := p.X * p.X * (p.W1*p.W1 + p.W2*p.W2)
			if math.Abs(h.PC[1]*(1+p.W2*p.W2)/top-1) > 1e-5 || math.Abs(h.Loss[1]/top-1) > 1e-5 || math.Abs(h.PC[0])+math.Abs(h.Loss[0]) > 1e-6*(1+top) {
				off.Add("minimum, %+v: loss %.4g, F* %.4g, want %.4g of the loss", p, h.Loss, h.PC, top)
			}
		}
	}
	return fmt.Sprintf("%d origins, %d minima: all as the theorems; closed forms off by %.1g, Hessians by differences off by %.1g", origins, minima, worst, hessian), off.Err()
}
