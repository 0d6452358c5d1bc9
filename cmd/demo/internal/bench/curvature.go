package bench

import (
	"math/rand/v2"
	"runtime"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/curvature"
	"github.com/pcgraph/pcgraph/layers"
)

// curvatureRows measures products with the Hessian of the energy at equilibrium, and of the loss, with respect to the weights, in double
// precision: whole, without the inner solve, and against a weight gradient.
func (b *run) curvatureRows() error {
	widths, batch := []int{784, 300, 300, 10}, 64
	if b.Quick {
		widths, batch = []int{6, 5, 5, 2}, 4
	}
	n, err := reluChain("curvature", widths, batch)
	if err != nil {
		return err
	}
	if n.net, err = arch.MLP(arch.SP{}, layers.Tanh, widths...); err != nil { // a smooth energy, whose equilibrium is found to the last digit
		return err
	}
	return b.row("curvature", n.name+" float64", func(r *Row) error {
		var products int
		var steps float64
		all, one, err := b.onBoth(func(cores int) (tasks []task, err error) {
			for _, at := range []arch.Coordinates{arch.Activities, arch.Feedforward} {
				c, err := n.curvature(b, at, cores)
				if err != nil {
					return nil, err
				}
				tasks = append(tasks, c.gradient(cores), c.partial(cores), c.product(cores))
				if at == arch.Activities {
					if err := c.whole.Mul(c.dst, c.next()); err != nil {
						return nil, err
					}
					products, steps = c.whole.Products, float64(c.whole.SolveSteps)
				}
			}
			return tasks, nil
		})
		if err != nil {
			return err
		}
		over := func(i, j int) func() {
			return func() { r.add("that / weights", "x", all[i].median()/all[j].median()) }
		}
		nothing := func() {}
		r.addCall("weights", all[0], one[0], nothing)
		r.addCall("product without inner solve", all[1], one[1], over(1, 0))
		r.addCall("product", all[2], one[2], nothing)
		r.add("steps of the inner solve", "", steps/float64(products))
		r.addCall("BP", all[3], one[3], nothing)
		r.addCall("BP product", all[5], one[5], func() { r.add("BP product / BP", "x", all[5].median()/all[3].median()) })
		return nil
	})
}

// A curved network is at its equilibrium, in double precision.
type curved struct {
	model *arch.Model[float64]
	parts *arch.WeightHessian[float64]
	whole *curvature.Curvature
	v     [2][]float64 // directions of the weights
	u     []float64    // direction of the activities
	dst   []float64
	turn  int
}

// curvature compiles the network and takes it to its equilibrium.
func (n network) curvature(b *run, at arch.Coordinates, cores int) (*curved, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	single, err := n.compile(at, cores)
	if err != nil {
		return nil, err
	}
	c := &curved{}
	rng := rand.New(rand.NewPCG(benchSeed, weightStream))
	w, err := arch.NewWeights[float64](n.net, rng)
	if err != nil {
		return nil, err
	}
	for i, v := range single.model.Weights().Data() {
		w.Data()[i] = float64(v)
	}
	w.Touch()
	if c.model, err = arch.Compile(n.net, w, arch.Plan{Batch: n.batch, Coordinates: at}); err != nil {
		return nil, err
	}
	xs, ys := n.sample(rng)
	if err := c.model.Clamp(doubles(xs), doubles(ys)); err != nil {
		return nil, err
	}
	if err := c.model.Forward(); err != nil {
		return nil, err
	}
	if _, err := curvature.Equilibrate(b.console.Context, c.model, curvature.Options{}); err != nil {
		return nil, err
	}
	if c.whole, err = curvature.At(b.console.Context, c.model, curvature.Options{}); err != nil {
		return nil, err
	}
	if c.parts, err = c.model.WeightHessian(); err != nil {
		return nil, err
	}
	if err := c.parts.At(c.model.State()); err != nil {
		return nil, err
	}
	for i := range c.v {
		c.v[i] = normal64(rng, len(w.Data()))
	}
	c.u, c.dst = normal64(rng, len(c.model.State())), make([]float64, len(w.Data()))
	return c, nil
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func normal64(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// next is the other direction.
func (c *curved) next() []float64 {
	c.turn = 1 - c.turn
	return c.v[c.turn]
}

// gradient is that with respect to the weights, which have just changed.
func (c *curved) gradient(cores int) task {
	return task{cores: cores, prepare: c.model.Weights().Touch, run: func() error {
		_, err := c.model.ParamGrad(c.dst)
		return err
	}}
}

// partial is a product without its inner solve: F_zW v, and F_WW v + F_Wz u.
func (c *curved) partial(cores int) task {
	b := make([]float64, len(c.u))
	return task{cores: cores, prepare: func() {}, run: func() error {
		v := c.next()
		if len(b) > 0 {
			if err := c.parts.Cross(b, v); err != nil {
				return err
			}
		}
		return c.parts.Mul(c.dst, v, c.u)
	}}
}

// product is a whole one.
func (c *curved) product(cores int) task {
	return task{cores: cores, prepare: func() {}, run: func() error { return c.whole.Mul(c.dst, c.next()) }}
}
