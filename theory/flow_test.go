package theory

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Oracle: Runge and Kutta's method of fourth order with steps of .01, good to
// some 1e-9, on the energy's own gradient, with decay and precision.
func TestFlow_EqualsIntegration(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 0))
	n := must(Spec{Scaling: SP, Inputs: 5, Width: 4, Outputs: 3, Depth: 4, Skips: true, Precision: 2}.Sample(rng))(t)
	for _, decay := range []float64{0, 0.3} {
		n.ActivityDecay = decay
		x, y := random(rng, 3, 5), random(rng, 3, 3)
		z := []*mat.Dense{random(rng, 3, 4), random(rng, 3, 4), random(rng, 3, 4)}
		flow := must(n.Flow(x, y, z))(t)
		slope := func(z []*mat.Dense) []*mat.Dense {
			_, g, err := n.Energy(x, y, z)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		move := func(z, g []*mat.Dense, h float64) (out []*mat.Dense) {
			for l := range z {
				var m mat.Dense
				m.Scale(-h, g[l])
				m.Add(&m, z[l])
				out = append(out, &m)
			}
			return out
		}
		const h = 0.01
		for step := range 301 {
			if step%50 == 0 {
				f, _, _ := n.Energy(x, y, z)
				if want := flow.Energy(h * float64(step)); math.Abs(f-want) > 1e-8*want {
					t.Errorf("decay %g: F(%g) = %.12g, integrated %.12g", decay, h*float64(step), want, f)
				}
			}
			a := slope(z)
			b := slope(move(z, a, h/2))
			c := slope(move(z, b, h/2))
			d := slope(move(z, c, h))
			z = move(move(move(move(z, a, h/6), b, h/3), c, h/3), d, h/6)
		}
	}
}

// Oracle: F(t)/F* - 1 of one SP net of 10 hidden layers of 64, computed
// independently, within 10 % while no single mode rules; later the slowest mode
// does, exp(-2 lambda t), and lambda varies by draw: within a factor.
func TestFlow_RecordedCurve(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(17, 0))
	n := must(Spec{Scaling: SP, Inputs: 784, Width: 64, Outputs: 10, Depth: 11}.Sample(rng))(t)
	x, y := random(rng, 64, 784), mat.NewDense(64, 10, nil)
	for b := range 64 {
		y.Set(b, rng.IntN(10), 1)
	}
	flow := must(n.Flow(x, y, nil))(t)
	for _, v := range []struct{ time, want, tolerance float64 }{
		{0, 0.460, 0.1}, {0.5, 0.19, 0.1}, {1, 0.101, 0.1}, {2, 0.043, 0.1}, {5, 9.1e-3, 0.2}, {10, 1.6e-3, 0.3}, {20, 9.7e-5, 0.6},
	} {
		got := flow.Excess(v.time) / flow.Equilibrium
		if math.Abs(math.Log(got/v.want)) > math.Log(1+v.tolerance) {
			t.Errorf("F(%g)/F* - 1 = %.3g, recorded %.3g", v.time, got, v.want)
		}
	}
}
