package theory

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestTrustRegion_EndsAtTheEquilibrium: the step solves for what inference comes to, and the decomposition adds up to the gradients of
// the closed form, with skips, factors and output precisions.
func TestTrustRegion_EndsAtTheEquilibrium(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for depth := 2; depth <= 6; depth++ {
		n := Linear{Precision: []float64{.1, 1, 10}[depth%3], Skips: HiddenSkips(depth)}
		width := func(l int) int {
			switch l {
			case 0:
				return 3
			case depth:
				return 2
			}
			return 4
		}
		for l := range depth {
			w := mat.NewDense(width(l), width(l+1), nil)
			fill(w, r)
			w.Scale(.5, w)
			n.Weights, n.Factors = append(n.Weights, w), append(n.Factors, .3+r.Float64())
		}
		x, y := mat.NewDense(5, 3, nil), mat.NewDense(5, 2, nil)
		fill(x, r)
		fill(y, r)
		region, err := n.TrustRegion(x, y)
		if err != nil {
			t.Fatal(err)
		}
		eq, err := n.Equilibrium(x, y)
		if err != nil {
			t.Fatal(err)
		}
		if d := farthest(region.Activities(), eq.Activities); d > 1e-11 {
			t.Errorf("L = %d: the step is off by %g", depth, d)
		}
		d := region.Decompose()
		if e := farthest(d.PC, eq.Gradient().Dense()); e > 1e-11 {
			t.Errorf("L = %d: PC's gradient is off by %g", depth, e)
		}
		if e := farthest(d.BP, region.Pass.Gradient().Dense()); e != 0 {
			t.Errorf("L = %d: BP's gradient is off by %g", depth, e)
		}
		if e := farthest(d.Literal[:1], d.PC[:1]); e > 1e-11 {
			t.Errorf("L = %d: the first weight's term is off by %g", depth, e)
		}
		if e := farthest(d.Literal[1:2], d.PC[1:2]); e < 1e-3 {
			t.Errorf("L = %d: the second weight's term is PC's gradient, which has z* in it", depth)
		}
	}
}

func TestTrustRegion_Refuses(t *testing.T) {
	one := mat.NewDense(1, 1, []float64{1})
	for _, test := range []struct {
		reason string
		n      Linear
		says   string
	}{
		{"decay", Linear{Weights: []*mat.Dense{one, one}, ActivityDecay: 1}, "activity decay"},
		{"no hidden layer", Linear{Weights: []*mat.Dense{one}}, "hidden layers"},
		{"weights that do not fit", Linear{Weights: []*mat.Dense{one, mat.NewDense(2, 1, nil)}}, "weight 2"},
	} {
		if _, err := test.n.TrustRegion(one, one); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.reason, err)
		}
	}
}

// TestOneHidden_IsTheLinearNetwork: the closed forms are those of the general theory, and the Hessians differences of their gradients.
func TestOneHidden_IsTheLinearNetwork(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	for range 20 {
		o := OneHidden{r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		n := Linear{Weights: []*mat.Dense{one(o.W1), one(o.W2)}}
		eq, err := n.Equilibrium(one(o.X), one(o.Y))
		if err != nil {
			t.Fatal(err)
		}
		g := eq.Gradient().Dense()
		df := o.EnergyGradient()
		for what, d := range map[string]float64{"z*": eq.Activities[0].At(0, 0) - o.Activity(), "F*": eq.Energy - o.Energy(), "dF*/dw1": g[0].At(0, 0) - df[0], "dF*/dw2": g[1].At(0, 0) - df[1]} {
			if math.Abs(d) > 1e-12 {
				t.Errorf("%+v: %s is off by %g", o, what, d)
			}
		}
		const step = 1e-5
		for k := range 2 {
			move := func(d float64) OneHidden {
				m := o
				if k == 0 {
					m.W1 += d
				} else {
					m.W2 += d
				}
				return m
			}
			up, down := move(step), move(-step)
			for j := range 2 {
				pc := (up.EnergyGradient()[j] - down.EnergyGradient()[j]) / (2 * step)
				bp := (up.LossGradient()[j] - down.LossGradient()[j]) / (2 * step)
				if math.Abs(pc-o.EnergyHessian().At(k, j)) > 1e-7 || math.Abs(bp-o.LossHessian().At(k, j)) > 1e-7 {
					t.Errorf("%+v: Hessians [%d %d] are %g and %g, differences %g and %g", o, k, j, o.EnergyHessian().At(k, j), o.LossHessian().At(k, j), pc, bp)
				}
			}
		}
	}
}

func fill(m *mat.Dense, r *rand.Rand) {
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = r.NormFloat64()
	}
}

// farthest is the largest difference of entries.
func farthest(a, b []*mat.Dense) float64 {
	d := 0.
	for i := range a {
		var diff mat.Dense
		diff.Sub(a[i], b[i])
		d = max(d, mat.Max(&diff), -mat.Min(&diff))
	}
	return d
}
