package bss

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// runs runs the method as often as asked for over the samples x, which are in random order.
func (o Separation) runs(ctx context.Context, x *mat.Dense, rng *rand.Rand) ([]Run, error) {
	p := &prepared{x: x, sources: o.Sources, offset: o.Offset && o.Method.Online, mean: mean(x)}
	type seed struct{ a, b uint64 }
	seeds := make([]seed, o.Restarts)
	for i := range seeds { // drawn in order: runs may end in any
		seeds[i] = seed{rng.Uint64(), rng.Uint64()}
	}
	runs, errs := make([]Run, o.Restarts), make([]error, o.Restarts)
	var wait sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range runs {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			own := rand.New(rand.NewPCG(seeds[i].a, seeds[i].b))
			if o.Method.Online {
				errs[i] = o.online(ctx, &runs[i], p, i, own)
			} else {
				errs[i] = o.batch(ctx, &runs[i], p, own)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// rotation draws an orthogonal matrix [n, n]; the first run has the identity.
func rotation(n, run int, rng *rand.Rand) *mat.Dense {
	q := mat.NewDense(n, n, identity(n))
	if run == 0 {
		return q
	}
	a := mat.NewDense(n, n, nil)
	a.Apply(func(int, int, float64) float64 { return rng.NormFloat64() }, a)
	var qr mat.QR
	qr.Factorize(a)
	qr.QTo(q)
	return q
}

// stride is how many samples are between the weights that are averaged.
const stride = 20

// online runs an online method once. Its weights are those of the last fifth of its samples, averaged: single samples move them about.
func (o Separation) online(ctx context.Context, r *Run, p *prepared, index int, rng *rand.Rand) error {
	var z *mat.Dense
	var err error
	if r.p, z, err = p.whitening(o.Domain, rotation(p.sources, index, rng)); err != nil {
		return err
	}
	r.mean = p.mean
	rate, err := o.Method.rate(o.Domain)
	if err != nil {
		return err
	}
	r.Rate = rateFactors[index%len(rateFactors)]
	rate.Rate *= r.Rate
	rows, inputs := z.Dims()
	net, err := o.Method.start(o.Domain, rate, p.sources, inputs, rng)
	if err != nil {
		return err
	}
	counter, _ := net.(interface{ Iterations() int })
	order, inner := rng.Perm(rows), 0
	var before, sum *mat.Dense
	averaged := 0
	for r.Samples < o.Samples && ctx.Err() == nil {
		if _, err := net.Observe(z.RawRowView(order[r.Samples%rows])); err != nil {
			var diverged *DivergenceError
			if !errors.As(err, &diverged) {
				return err
			}
			r.Err, r.Surrogate = err, math.Inf(-1)
			return nil
		}
		r.Samples++
		if counter != nil {
			inner += counter.Iterations()
		}
		if r.Samples%rows == 0 {
			rng.Shuffle(rows, func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		if r.Samples == o.Samples*9/10 {
			before = net.Unmixing()
		}
		if r.Samples > o.Samples*4/5 && r.Samples%stride == 0 {
			w := net.Unmixing()
			if sum == nil {
				sum = mat.NewDense(p.sources, inputs, nil)
			}
			sum.Add(sum, w)
			averaged++
		}
		if r.Samples%max(1, o.Samples/points) == 0 {
			u, _ := r.fold(net.Unmixing())
			r.Path = append(r.Path, Point{Samples: r.Samples, Surrogate: running(net), Unmixing: u})
		}
	}
	r.w, r.Iterations = net.Unmixing(), float64(inner)/float64(max(1, r.Samples))
	r.Moved = math.NaN()
	if before != nil {
		var d mat.Dense
		d.Sub(r.w, before)
		r.Moved = mat.Norm(&d, 2) / mat.Norm(r.w, 2)
	}
	if averaged > 0 {
		r.w.Scale(1/float64(averaged), sum)
	}
	r.judge(o.Domain, z)
	return nil
}

// running is the surrogate of a network's running covariance; NaN if it has none.
func running(net Separator) float64 {
	if n, is := net.(interface{ Covariance() *mat.Dense }); is {
		return surrogate(n.Covariance())
	}
	return math.NaN()
}

// batch runs a batch method.
func (o Separation) batch(ctx context.Context, r *Run, p *prepared, rng *rand.Rand) error {
	r.mean = p.mean
	z := p.x
	if o.Offset && !o.Method.raw {
		z = Centered(z)
	}
	white, err := whitenMoment(z, p.sources)
	if err != nil {
		return err
	}
	if o.Domain != nil {
		white.Scale(math.Sqrt(power(o.Domain)), white)
	}
	r.p, z = white, Apply(white, z)
	r.w, r.Converged, err = o.Method.learn(ctx, o.Domain, z, p.sources, rng)
	var diverged *DivergenceError
	if errors.As(err, &diverged) {
		r.Err, r.Surrogate = err, math.Inf(-1)
		return nil
	}
	if err != nil {
		return err
	}
	r.Samples, _ = z.Dims()
	r.Moved = math.NaN()
	r.judge(o.Domain, z)
	return nil
}

// judge computes what runs are compared by: the surrogate of the covariance of the outputs W z, projected on the domain, to which the
// log-determinant that PEM maximises is close. A projection that moves much makes the covariance smaller. Without a domain it is NaN.
func (r *Run) judge(d Projector, z *mat.Dense) {
	y := Apply(r.w, z)
	c := covarianceOf(y)
	n, _ := c.Dims()
	for i := range n {
		for j := range i {
			r.Correlation = max(r.Correlation, math.Abs(c.At(i, j))/math.Sqrt(c.At(i, i)*c.At(j, j)))
		}
	}
	if d == nil {
		r.Surrogate = math.NaN()
		return
	}
	scratch := make([]float64, n)
	rows, _ := y.Dims()
	for i := range rows {
		d.Project(y.RawRowView(i), scratch)
	}
	r.Surrogate = surrogate(covarianceOf(y))
}

func covarianceOf(y *mat.Dense) *mat.Dense { return covariance(y, y, mean(y), mean(y)) }

// surrogate is sum_i log D_i - 1/2 sum_{i != j} C_ij^2/(D_i D_j), D = diag C; -Inf for outputs that are silent.
func surrogate(c *mat.Dense) float64 {
	n, _ := c.Dims()
	sum := 0.
	for i := range n {
		sum += math.Log(max(c.At(i, i), 0))
		for j := range n {
			if i != j {
				sum -= c.At(i, j) * c.At(j, i) / (2 * c.At(i, i) * c.At(j, j))
			}
		}
	}
	if math.IsNaN(sum) {
		return math.Inf(-1)
	}
	return sum
}
