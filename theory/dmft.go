package theory

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A MeanField is the limit of infinite width of a deep linear network without
// skips, in the parametrisation [MuPC] with one output, learning by full-batch
// gradient descent on the loss 1/(2P) sum_mu (y - f)^2 at the rate
// Rate Gamma^2 N: dynamical mean-field theory. Backprop and predictive coding at
// equilibrium have the same limit.
//
// With T times, P samples, H hidden layers, inputs x of D units and Delta the
// errors y - f,
//
//	Delta_{t+1} = Delta_t - Rate/P K_t Delta_t
//	K_t = sum_{l=0..H} G^{l+1}_tt H^l_tt
//
// where H^l [TP, TP] are the correlations of activities and G^l [T, T] those of
// the output's gradients with respect to them, H^0 = x x^T/D at all times and G^{H+1} = 1,
//
//	H^l = R H^{l-1} R^T + A^l G^{l+1} A^l^T       A^l = R C,  R = (1 - C D)^-1
//	G^l = Q G^{l+1} Q^T + B^{l-1} H^{l-1} B^{l-1}^T    B^{l-1} = Q D,  Q = (1 - D C)^-1
//	C_{t mu,s}  = A^{l-1}_{t mu,s} + Rate Gamma/P sum_nu [s<t] H^{l-1}_{t mu,s nu} Delta_{s nu}
//	D_{t,s nu}  = B^l_{t,s nu} + Rate Gamma/P [s<t] G^{l+1}_{t,s} Delta_{s nu}
//
// with A^0 = 0 and B^H = 0, C and D of layer l. What happens at a time depends
// on earlier times only, so the equations are solved forward in time, exactly; as
// a fixed point, the way they are published, they need damping, or diverge.
//
// Source: Bordelon and Pehlevan 2022 (arXiv 2205.09653), as arXiv 2602.07697
// uses it.
type MeanField struct {
	Hidden int     // H, at least 1
	Rate   float64 // eta
	Gamma  float64 // richness; 0 means 1
}

// A Learning is what learning looks like in the limit, at times 0 ... T-1.
type Learning struct {
	Losses []float64  // 1/(2P) sum_mu Delta^2
	Errors *mat.Dense // Delta, [T, P]
	// Activities are H^0 ... H^H, [TP, TP], with sample mu at time t in row
	// t P + mu; Gradients are G^1 ... G^{H+1}, [T, T].
	Activities, Gradients []*mat.Dense
}

// Solve follows T steps of learning from inputs x [P, D] and targets y, one for
// each sample. It reports sizes and rates that make no sense, and learning that
// diverges.
func (m MeanField) Solve(x *mat.Dense, y []float64, times int) (*Learning, error) {
	if m.Gamma == 0 {
		m.Gamma = 1
	}
	switch {
	case m.Hidden < 1 || times < 1:
		return nil, errors.Errorf("theory: mean field of %d hidden layers at %d times: want at least 1 of each", m.Hidden, times)
	case !(m.Rate > 0) || math.IsInf(m.Rate, 1) || !(m.Gamma > 0) || math.IsInf(m.Gamma, 1):
		return nil, errors.Errorf("theory: mean field with rate %g and gamma %g: want finite numbers above 0", m.Rate, m.Gamma)
	case x == nil || x.IsEmpty():
		return nil, errors.New("theory: mean field: inputs are missing or empty")
	case batch(x) != len(y):
		return nil, errors.Errorf("theory: mean field of %d inputs and %d targets", batch(x), len(y))
	}
	f := newField(m, x, y, times)
	for t := range times {
		if err := f.advance(t); err != nil {
			return nil, err
		}
	}
	return f.out, nil
}

// A field holds what is known up to some time. Lists have layer l at index l;
// entries of later times are zero.
type field struct {
	MeanField
	p, times   int
	c, d, q    []*mat.Dense // of layers 1 ... H
	a, b       []*mat.Dense // of layers 0 ... H
	dh         []*mat.Dense // D^l H^{l-1}
	activities []*mat.Dense // 0 ... H
	gradients  []*mat.Dense // 1 ... H+1
	out        *Learning
}

func newField(m MeanField, x *mat.Dense, y []float64, times int) *field {
	p, inputs := x.Dims()
	f := &field{MeanField: m, p: p, times: times}
	tall := func() *mat.Dense { return mat.NewDense(times*p, times, nil) }
	wide := func() *mat.Dense { return mat.NewDense(times, times*p, nil) }
	gradients := make([]*mat.Dense, m.Hidden+2)
	for l := range m.Hidden + 2 {
		f.c, f.a = append(f.c, tall()), append(f.a, tall())
		f.d, f.b, f.dh = append(f.d, wide()), append(f.b, wide()), append(f.dh, wide())
		f.q = append(f.q, mat.NewDense(times, times, nil))
		gradients[l] = mat.NewDense(times, times, nil)
		if l <= m.Hidden {
			f.activities = append(f.activities, mat.NewDense(times*p, times*p, nil))
		}
	}
	f.gradients = gradients
	var kernel mat.Dense
	kernel.Mul(x, x.T())
	kernel.Scale(1/float64(inputs), &kernel)
	for t := range times {
		for s := range times {
			f.samples(f.activities[0], t, s).Copy(&kernel)
			gradients[m.Hidden+1].Set(t, s, 1)
		}
	}
	f.out = &Learning{Errors: mat.NewDense(times, p, nil), Activities: f.activities, Gradients: gradients[1:]}
	f.out.Errors.SetRow(0, y)
	return f
}

// samples is the block of times t and s of an [TP, TP] matrix.
func (f *field) samples(m *mat.Dense, t, s int) *mat.Dense {
	return part(m, t*f.p, (t+1)*f.p, s*f.p, (s+1)*f.p)
}

func part(m *mat.Dense, i, k, j, l int) *mat.Dense { return m.Slice(i, k, j, l).(*mat.Dense) }

// advance computes everything of time t from what is of earlier times.
func (f *field) advance(t int) error {
	if t > 0 {
		if err := f.learn(t); err != nil {
			return err
		}
	}
	for l := 1; l <= f.Hidden; l++ {
		f.up(l, t)
	}
	for l := f.Hidden; l >= 1; l-- {
		f.down(l, t)
	}
	loss := 0.0
	for _, e := range f.out.Errors.RawRowView(t) {
		loss += e * e
	}
	f.out.Losses = append(f.out.Losses, loss/float64(2*f.p))
	return nil
}

// learn computes the errors at time t.
func (f *field) learn(t int) error {
	before, after := f.out.Errors.RawRowView(t-1), f.out.Errors.RawRowView(t)
	copy(after, before)
	dst, old := mat.NewVecDense(f.p, after), mat.NewVecDense(f.p, before)
	var move mat.VecDense
	for l, h := range f.activities {
		move.MulVec(f.samples(h, t-1, t-1), old)
		dst.AddScaledVec(dst, -f.Rate/float64(f.p)*f.gradients[l+1].At(t-1, t-1), &move)
	}
	for _, e := range after {
		if math.IsNaN(e) || math.Abs(e) > 1e100 {
			return errors.Errorf("theory: mean field diverges at time %d: a lower rate than %g is needed", t, f.Rate)
		}
	}
	return nil
}

// up computes C, A and H of layer l at time t.
func (f *field) up(l, t int) {
	p, rate := f.p, f.Rate*f.Gamma/float64(f.p)
	below, h := f.activities[l-1], f.activities[l]
	row := func(m *mat.Dense, cols int) *mat.Dense { return part(m, t*p, (t+1)*p, 0, cols) }
	if t == 0 {
		f.samples(h, 0, 0).Copy(f.samples(below, 0, 0))
		return
	}
	// C_t = A_t + rate H Delta
	c := row(f.c[l], t)
	c.Copy(row(f.a[l-1], t))
	var hd mat.VecDense
	for s := range t {
		hd.MulVec(f.samples(below, t, s), f.out.Errors.RowView(s))
		for mu := range p {
			c.Set(mu, s, c.At(mu, s)+rate*hd.AtVec(mu))
		}
	}
	// A = C Q
	a := row(f.a[l], t)
	a.Mul(c, part(f.q[l], 0, t, 0, t))
	// D H^{l-1} gains the column of time t, R H^{l-1} = H^{l-1} + A D H^{l-1} a row
	d := part(f.d[l], 0, t, 0, t*p)
	part(f.dh[l], 0, t, t*p, (t+1)*p).Mul(d, part(below, 0, t*p, t*p, (t+1)*p))
	var rh mat.Dense
	rh.Mul(a, part(f.dh[l], 0, t, 0, (t+1)*p))
	rh.Add(&rh, row(below, (t+1)*p))
	// H = R H^{l-1} (1 + A D)^T + A G A^T
	var along, ag mat.Dense
	along.Mul(part(&rh, 0, p, 0, t*p), d.T())
	ag.Mul(a, part(f.gradients[l+1], 0, t, 0, t))
	along.Add(&along, &ag)
	past := part(f.a[l], 0, (t+1)*p, 0, t)
	dst := row(h, (t+1)*p)
	dst.Mul(&along, past.T())
	dst.Add(dst, &rh)
	part(h, 0, t*p, t*p, (t+1)*p).Copy(row(h, t*p).T())
}

// down computes D, Q, G of layer l and B of layer l-1 at time t.
func (f *field) down(l, t int) {
	p, rate := f.p, f.Rate*f.Gamma/float64(f.p)
	above, g := f.gradients[l+1], f.gradients[l]
	f.q[l].Set(t, t, 1)
	if t > 0 {
		row := func(m *mat.Dense, cols int) *mat.Dense { return part(m, t, t+1, 0, cols) }
		// D_t = B_t + rate G Delta
		d := row(f.d[l], t*p)
		d.Copy(row(f.b[l], t*p))
		for s := range t {
			for nu, e := range f.out.Errors.RawRowView(s) {
				d.Set(0, s*p+nu, d.At(0, s*p+nu)+rate*above.At(t, s)*e)
			}
		}
		// Q = 1 + D A,  B = Q D
		row(f.q[l], t).Mul(d, part(f.a[l], 0, t*p, 0, t))
		b := row(f.b[l-1], t*p)
		b.Mul(row(f.q[l], t), part(f.d[l], 0, t, 0, t*p))
		b.Add(b, d)
		// D H^{l-1} gains the row of time t
		row(f.dh[l], (t+1)*p).Mul(d, part(f.activities[l-1], 0, t*p, 0, (t+1)*p))
	}
	// G = Q G^{l+1} Q^T + B H^{l-1} B^T
	q, b := part(f.q[l], 0, t+1, 0, t+1), part(f.b[l-1], 0, t+1, 0, (t+1)*p)
	var qg, bh, other mat.Dense
	qg.Mul(part(q, t, t+1, 0, t+1), part(above, 0, t+1, 0, t+1))
	bh.Mul(part(b, t, t+1, 0, (t+1)*p), part(f.activities[l-1], 0, (t+1)*p, 0, (t+1)*p))
	dst := part(g, t, t+1, 0, t+1)
	dst.Mul(&qg, q.T())
	other.Mul(&bh, b.T())
	dst.Add(dst, &other)
	for s := range t {
		g.Set(s, t, g.At(t, s))
	}
}
