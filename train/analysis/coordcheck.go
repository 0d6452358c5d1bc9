package analysis

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A CoordCheck is the coordinate check of muP (Yang et al. 2022, arXiv 2203.03466, appendix D.1) for networks that infer:
// it trains networks of several sizes, widths or depths, for a few steps on one batch and looks at every site's activity
// before each step, in the feedforward pass and where inference ends. In a good scaling neither the activities nor their
// changes since the start depend on the size; Slopes says how they do.
//
// One exception is built into the scalings of the muP family: at the start the output shrinks as 1/sqrt(width). Its change
// does not.
type CoordCheck[T graph.Float] struct {
	Network   func(size int) (*arch.Network, error)
	Sizes     []int
	Seeds     []uint64 // of the weights, one network each
	Steps     int      // of training
	Plan      arch.Plan
	X, Y      []T                                                          // a batch of Plan.Batch samples
	Solver    func() infer.Solver[T]                                       // a new one for each network; nil learns by backprop
	Stop      infer.Stop                                                   // of inference
	Optimizer func(n *arch.Network, w *graph.Vector[T]) optim.Optimizer[T] // of the weights
	OnStep    func(done, total int)                                        // called after every training step; may be nil
}

// A Coord is one measurement: a site of one network before a step of its training.
type Coord struct {
	Size      int
	Seed      uint64
	Step      int // from 0, the start
	Site      string
	Index, Of int // the site is number Index of Of, counted from 1; the last is the output
	// Relaxed says that it is the activity where inference ended rather than that of the feedforward pass. Outputs, which
	// are data then, have none.
	Relaxed  bool
	Activity float64 // root mean square over samples and units; +Inf from where a network diverged
	Change   float64 // the same of what has changed since the start
}

// Validate reports what is missing.
func (c *CoordCheck[T]) Validate() error {
	switch {
	case c.Network == nil || c.Optimizer == nil:
		return errors.New("analysis: coordinate check: Network or Optimizer is missing")
	case len(c.Sizes) == 0 || len(c.Seeds) == 0 || c.Steps < 1:
		return errors.Errorf("analysis: coordinate check: %d sizes, %d seeds, %d steps: want one of each at least", len(c.Sizes), len(c.Seeds), c.Steps)
	case (c.Solver == nil) != (c.Plan.Coordinates == arch.Feedforward):
		return errors.New("analysis: coordinate check: predictive coding takes a Solver, backprop, in feedforward coordinates, takes none")
	}
	return nil
}

// Run measures all networks, size by size. When ctx is cancelled it returns the networks that are done, and no error.
func (c *CoordCheck[T]) Run(ctx context.Context) ([]Coord, error) {
	if ctx == nil {
		return nil, errors.New("analysis: coordinate check: Run without a context: give context.Background()")
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var all []Coord
	done := 0
	for _, size := range c.Sizes {
		for _, seed := range c.Seeds {
			one, err := c.one(ctx, size, seed, done)
			if err != nil {
				return all, errors.WithMessagef(err, "analysis: coordinate check: size %d", size)
			}
			if ctx.Err() != nil {
				return all, nil
			}
			all = append(all, one...)
			done += c.Steps
		}
	}
	return all, nil
}

// one measures one network; so many steps of others were done before.
func (c *CoordCheck[T]) one(ctx context.Context, size int, seed uint64, before int) ([]Coord, error) {
	n, err := c.Network(size)
	if err != nil {
		return nil, err
	}
	w, err := arch.NewWeights[T](n, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		return nil, err
	}
	m, err := arch.Compile(n, w, c.Plan)
	if err != nil {
		return nil, err
	}
	if in, out := m.Sizes(); len(c.X) != in*c.Plan.Batch || len(c.Y) != out*c.Plan.Batch {
		return nil, errors.Errorf("%d inputs and %d targets: a batch of %d has %d and %d", len(c.X), len(c.Y), c.Plan.Batch, in*c.Plan.Batch, out*c.Plan.Batch)
	}
	var rule train.Rule[T] = &train.Backprop[T]{Model: m}
	if c.Solver != nil {
		rule = &train.PC[T]{Model: m, Solver: c.Solver(), Stop: c.Stop}
	}
	if _, outputs := n.Ends(); len(outputs) != 1 || outputs[0] != lastSite(n) {
		return nil, errors.Errorf("the outputs are %s: want one, the last block's: that is the site whose prediction is looked at", strings.Join(outputs, ", "))
	}
	optimizer := c.Optimizer(n, w)
	if train.Missing(optimizer) {
		return nil, errors.New("Optimizer returned none")
	}
	look := &look[T]{m: m, x: c.X, y: c.Y, size: size, seed: seed, relaxes: c.Solver != nil}
	trainer := &train.Trainer[T]{Rule: rule, Optimizer: optimizer, MaxSteps: c.Steps, Divergence: train.RecordAndStop,
		Feed: func(int) (x, y []T) { return c.X, c.Y }}
	trainer.OnGradient = func(s train.Step[T]) error {
		look.lost = s.Inference.Status == infer.Diverged || !kernel.AllFinite(s.Grad)
		return look.relaxed()
	}
	if err := trainer.Validate(); err != nil {
		return nil, err
	}
	if err := look.feedforward(); err != nil {
		return nil, err
	}
	made := func() {
		if look.step++; c.OnStep != nil {
			c.OnStep(before+look.step, len(c.Sizes)*len(c.Seeds)*c.Steps)
		}
	}
	for s, err := range trainer.Steps(ctx) {
		if ctx.Err() != nil {
			return look.coords, nil
		}
		if err != nil {
			return nil, err
		}
		look.lost = !kernel.AllFinite(s.Weights)
		made()
		if err := look.feedforward(); err != nil {
			return nil, err
		}
		if look.lost {
			break
		}
	}
	if trainer.History().Diverged != nil {
		look.lost = true
	} else { // of the step after the last one there is the feedforward pass only
		if look.relaxes && !look.lost {
			grad := make([]T, len(w.Data()))
			r, err := rule.Gradient(grad, c.X, c.Y, c.Plan.Batch)
			if err != nil {
				return nil, err
			}
			look.lost = r.Inference.Status == infer.Diverged || !kernel.AllFinite(grad)
		}
		if err := look.relaxed(); err != nil {
			return nil, err
		}
	}
	for look.lost && look.step < c.Steps {
		made()
		if err := cmp.Or(look.feedforward(), look.relaxed()); err != nil {
			return nil, err
		}
	}
	return look.coords, nil
}

// lastSite is the site of the last block that has one.
func lastSite(n *arch.Network) (name string) {
	for _, b := range n.Blocks {
		if b.Predicts == "" {
			name = b.Name
		}
	}
	return name
}

// A look measures one network.
type look[T graph.Float] struct {
	m       *arch.Model[T]
	x, y    []T
	size    int
	seed    uint64
	step    int
	lost    bool // the network diverged
	relaxes bool // the rule infers
	starts  [2][][]T
	coords  []Coord
}

// feedforward measures the activities of the feedforward pass and the output.
func (k *look[T]) feedforward() error {
	if k.lost {
		return k.record(false, nil)
	}
	if err := k.m.Clamp(k.x, k.y); err != nil {
		return err
	}
	if err := k.m.Forward(); err != nil {
		return err
	}
	out, err := k.m.Predict(k.x)
	if err != nil {
		return err
	}
	return k.record(false, out)
}

// relaxed measures the activities where inference ended, if the rule infers.
func (k *look[T]) relaxed() error {
	if !k.relaxes {
		return nil
	}
	return k.record(true, nil)
}

// record measures the present activities of the sites but the last, whose predictions are out, if they are of interest.
func (k *look[T]) record(relaxed bool, out []T) error {
	sites, err := k.m.Activities()
	if err != nil {
		return err
	}
	of, which := len(sites.Fields()), 0
	if relaxed {
		which = 1
	}
	for i, f := range sites.Fields() {
		values := sites.Part(sites.Data(), i)
		if i == of-1 {
			if relaxed {
				break
			}
			values = out
		}
		if len(k.starts[which]) == i {
			k.starts[which] = append(k.starts[which], slices.Clone(values))
		}
		c := Coord{Size: k.size, Seed: k.seed, Step: k.step, Site: f.Name, Index: i + 1, Of: of, Relaxed: relaxed, Activity: math.Inf(1), Change: math.Inf(1)}
		if !k.lost {
			c.Activity, c.Change = rms(values, nil), rms(values, k.starts[which][i])
		}
		k.coords = append(k.coords, c)
	}
	return nil
}

// rms is the root mean square of xs, less what is in from; +Inf for what is not finite.
func rms[T graph.Float](xs, from []T) float64 {
	sum := 0.
	for i, x := range xs {
		d := float64(x)
		if from != nil {
			d -= float64(from[i])
		}
		sum += d * d
	}
	if math.IsNaN(sum) {
		return math.Inf(1)
	}
	return math.Sqrt(sum / float64(len(xs)))
}
