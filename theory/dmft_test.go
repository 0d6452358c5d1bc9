package theory

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// toy is the task of arXiv 2602.07697: normal inputs, half of the targets 1 and
// half -1.
func toy(rng *rand.Rand, samples, inputs int) (x *mat.Dense, y []float64) {
	for mu := range samples {
		y = append(y, 1)
		if 2*mu >= samples {
			y[mu] = -1
		}
	}
	return random(rng, samples, inputs), y
}

// train runs gradient descent at the rate of the limit, on F* or on the loss,
// and returns the losses at times 0 ... T-1.
func train(t *testing.T, m MeanField, rng *rand.Rand, width int, x *mat.Dense, y []float64, times int, pc bool) []float64 {
	gamma := max(m.Gamma, 1)
	samples, inputs := x.Dims()
	n := must(Spec{Scaling: MuPC, Inputs: inputs, Width: width, Outputs: 1, Depth: m.Hidden + 1, Gamma: gamma}.Sample(rng))(t)
	target := mat.NewDense(samples, 1, y)
	var losses []float64
	for range times {
		pass := must(n.Feedforward(x, target))(t)
		losses = append(losses, pass.Loss)
		g := pass.Gradient()
		if pc {
			g = must(n.Equilibrium(x, target))(t).Gradient()
		}
		for l, d := range g.Dense() {
			d.Scale(-m.Rate*gamma*gamma*float64(width), d)
			n.Weights[l].Add(n.Weights[l], d)
		}
	}
	return losses
}

// sweeps solves the equations as published: as a fixed point of matrices over
// all times, every sweep from the one before, damped.
func sweeps(m MeanField, x *mat.Dense, y []float64, times, count int, keep float64) *Learning {
	p, inputs := x.Dims()
	gamma, hidden, rows := max(m.Gamma, 1), m.Hidden, times*p
	like := func(r, c int) *mat.Dense { return mat.NewDense(r, c, nil) }
	ones := like(times, times)
	for i := range ones.RawMatrix().Data {
		ones.RawMatrix().Data[i] = 1
	}
	var kernel, start mat.Dense
	kernel.Mul(x, x.T())
	kernel.Scale(1/float64(inputs), &kernel)
	start.Kronecker(ones, &kernel)
	h, a := []*mat.Dense{&start}, []*mat.Dense{like(rows, times)}
	g, b := []*mat.Dense{ones}, []*mat.Dense{like(times, rows)}
	for range hidden {
		h, a = append(h, mat.DenseCopyOf(&start)), append(a, like(rows, times))
		g, b = append(g, mat.DenseCopyOf(ones)), append(b, like(times, rows))
	}
	g = append(g, ones)
	delta := like(times, p)
	delta.SetRow(0, y)
	eye := func(n int) *mat.Dense {
		e := like(n, n)
		for i := range n {
			e.Set(i, i, 1)
		}
		return e
	}
	mix := func(old, new *mat.Dense) *mat.Dense {
		var kept mat.Dense
		kept.Scale(keep, old)
		new.Scale(1-keep, new)
		new.Add(new, &kept)
		return new
	}
	for range count {
		for t := range times - 1 {
			next := delta.RawRowView(t + 1)
			copy(next, delta.RawRowView(t))
			for l := range hidden + 1 {
				for mu := range p {
					for nu := range p {
						next[mu] -= m.Rate / float64(p) * g[l+1].At(t, t) * h[l].At(t*p+mu, t*p+nu) * delta.At(t, nu)
					}
				}
			}
		}
		newH, newA := []*mat.Dense{h[0]}, []*mat.Dense{a[0]}
		newG, newB := make([]*mat.Dense, hidden+2), make([]*mat.Dense, hidden+1)
		newG[0], newG[hidden+1], newB[hidden] = g[0], ones, b[hidden]
		for l := 1; l <= hidden; l++ {
			c, d := mat.DenseCopyOf(a[l-1]), mat.DenseCopyOf(b[l])
			scale := m.Rate * gamma / float64(p)
			for t := range times {
				for s := range t {
					for mu := range p {
						for nu := range p {
							c.Set(t*p+mu, s, c.At(t*p+mu, s)+scale*h[l-1].At(t*p+mu, s*p+nu)*delta.At(s, nu))
						}
						d.Set(t, s*p+mu, d.At(t, s*p+mu)+scale*g[l+1].At(t, s)*delta.At(s, mu))
					}
				}
			}
			var r, q, rc, qd mat.Dense
			r.Mul(c, d)
			r.Sub(eye(rows), &r)
			if r.Inverse(&r) != nil {
				return nil
			}
			q.Mul(d, c)
			q.Sub(eye(times), &q)
			if q.Inverse(&q) != nil {
				return nil
			}
			rc.Mul(&r, c)
			qd.Mul(&q, d)
			congruent := func(a, x, b, y *mat.Dense) *mat.Dense { // a x a^T + b y b^T
				var one, two mat.Dense
				one.Product(a, x, a.T())
				two.Product(b, y, b.T())
				one.Add(&one, &two)
				return &one
			}
			newH = append(newH, mix(h[l], congruent(&r, h[l-1], &rc, g[l+1])))
			newG[l] = mix(g[l], congruent(&q, g[l+1], &qd, h[l-1]))
			newA = append(newA, mix(a[l], &rc))
			newB[l-1] = mix(b[l-1], &qd)
		}
		h, a, g, b = newH, newA, newG, newB
	}
	return &Learning{Errors: delta, Activities: h, Gradients: g[1:]}
}

// Oracle: the published equations, swept until they stand still.
func TestMeanField_SolvesThePublishedEquations(t *testing.T) {
	for _, m := range []MeanField{{Hidden: 1, Rate: 0.5}, {Hidden: 3, Rate: 0.5}, {Hidden: 2, Rate: 0.3, Gamma: 2}} {
		const times, samples = 7, 4
		x, y := toy(rand.New(rand.NewPCG(1, 3)), samples, 8)
		got := must(m.Solve(x, y, times))(t)
		want := sweeps(m, x, y, times, 90, 0.3)
		near(t, "errors", got.Errors, want.Errors, 1e-12)
		for l := range got.Activities {
			near(t, "correlations of activities", got.Activities[l], want.Activities[l], 1e-12)
			near(t, "correlations of gradients", got.Gradients[l], want.Gradients[l], 1e-12)
		}
		if off := distance(got.Losses[:1], []float64{0.5}); off != 0 || len(got.Losses) != times {
			t.Errorf("losses %v", got.Losses)
		}
	}
}

// Oracle: wide networks, by backprop and by predictive coding with exact
// equilibria. Tolerances: 5 % for one hidden layer, 20 % for three, up to the
// time at which the loss is a hundredth of what it was; the mean of two draws.
// Fluctuations are of order 1/sqrt(N).
func TestMeanField_IsTheLimitOfBothRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		m          MeanField
		width      int
		times      int
		tolerance  float64
		difference float64 // of the two rules, of the loss
	}{
		{MeanField{Hidden: 1, Rate: 0.5}, 1024, 21, 0.05, 0.01},
		{MeanField{Hidden: 1, Rate: 0.5, Gamma: 2}, 1024, 12, 0.05, 0.01},
		{MeanField{Hidden: 3, Rate: 0.5}, 512, 9, 0.2, 0.05},
	} {
		x, y := toy(rand.New(rand.NewPCG(1, 3)), 20, 40)
		limit := must(test.m.Solve(x, y, test.times))(t).Losses
		learn := func(seed uint64, pc bool) []float64 {
			return train(t, test.m, rand.New(rand.NewPCG(seed, 4)), test.width, x, y, test.times, pc)
		}
		bp, other, pc := learn(0, false), learn(1, false), learn(0, true) // the rules from the same weights: one draw compares them
		for i, want := range limit {
			if mean := (bp[i] + other[i]) / 2; math.Abs(mean/want-1) > test.tolerance {
				t.Errorf("%+v: backprop's loss at time %d is %.4g, the limit's %.4g", test.m, i, mean, want)
			}
			if d := math.Abs(pc[i]/bp[i] - 1); d > test.difference {
				t.Errorf("%+v: loss at time %d is %.4g by predictive coding, %.4g by backprop", test.m, i, pc[i], bp[i])
			}
		}
	}
}

// Oracle: losses of one draw, computed independently. Inputs are random and the
// losses vary by draw, so they are held against the range of 8 draws, which is
// narrow early on.
func TestMeanField_RecordedCurves(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		m    MeanField
		want map[int]float64
	}{
		{MeanField{Hidden: 1, Rate: 0.5}, map[int]float64{0: 0.5, 2: 0.4012, 5: 0.2787, 10: 0.1254, 20: 0.0327, 29: 0.0149}},
		{MeanField{Hidden: 3, Rate: 0.5}, map[int]float64{0: 0.5, 2: 0.3125, 5: 0.0645, 10: 0.0097, 20: 4.1e-4, 29: 3e-5}},
		{MeanField{Hidden: 1, Rate: 0.5, Gamma: 2}, map[int]float64{0: 0.5, 2: 0.399, 5: 0.231, 10: 0.0528, 20: 0.01, 29: 0.0028}},
	} {
		low, high := make([]float64, 30), make([]float64, 30)
		for seed := range uint64(8) {
			x, y := toy(rand.New(rand.NewPCG(seed, 5)), 20, 40)
			for i, v := range must(test.m.Solve(x, y, 30))(t).Losses {
				if seed == 0 {
					low[i] = v
				}
				low[i], high[i] = min(low[i], v), max(high[i], v)
			}
		}
		for i, want := range test.want {
			if want < low[i]*0.999 || want > high[i]*1.001 {
				t.Errorf("%+v: loss at time %d within [%.3g, %.3g], on record %g", test.m, i, low[i], high[i], want)
			}
		}
		if high[2] > 1.7*low[2] {
			t.Errorf("%+v: losses at time 2 within [%.3g, %.3g]: too far apart to test anything", test.m, low[2], high[2])
		}
	}
}

func TestMeanField_Errors(t *testing.T) {
	x, y := toy(rand.New(rand.NewPCG(1, 3)), 4, 3)
	for want, err := range map[string]error{
		"0 hidden layers":  second(MeanField{Rate: 1}.Solve(x, y, 3)),
		"at 0 times":       second(MeanField{Hidden: 1, Rate: 1}.Solve(x, y, 0)),
		"rate 0":           second(MeanField{Hidden: 1}.Solve(x, y, 3)),
		"gamma -1":         second(MeanField{Hidden: 1, Rate: 1, Gamma: -1}.Solve(x, y, 3)),
		"missing":          second(MeanField{Hidden: 1, Rate: 1}.Solve(nil, y, 3)),
		"4 inputs and 3":   second(MeanField{Hidden: 1, Rate: 1}.Solve(x, y[:3], 3)),
		"diverges at time": second(MeanField{Hidden: 2, Rate: 90}.Solve(x, y, 30)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// second is the error of a call of two results.
func second(_ any, err error) error { return err }
