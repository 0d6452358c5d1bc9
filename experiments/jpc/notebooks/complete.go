package notebooks

import (
	"context"
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// Complete is an associative memory: a network whose causes have a normal prior learns whole pictures; of test pictures it is given
// half, and inference finds the rest.
type Complete struct {
	Latents int    // causes
	Hidden  []int  // widths of layers between causes and picture
	Missing string // one of Missing
}

// Missing are the names of what can be missing: half of the picture, or half of the pixels at random.
var Missing = []string{"bottom", "top", "left", "right", "noise"}

// Budget returns the default budget. JPC has no notebook with this task.
func (Complete) Budget() Budget {
	return Budget{Updates: 600, EvalEvery: 100, Rate: 1e-3, Inference: jpcSteps(100, .1)}
}

// Completed is the result of Complete.
type Completed struct {
	Learned
	Mask      []float32 // 1 where a pixel is given [pixels]
	Pictures  []float32 // test pictures [n, pixels]
	Completed []float32 // what inference made of what was given of them
	Error     float64   // mean squared error of the missing pixels
	MeanError float64   // the same of the mean training picture
}

// Mask is 1 where a pixel is given, 0 where it is missing; seed is that of noise.
func (c Complete) Mask(shape data.Shape, seed uint64) []float32 {
	mask := make([]float32, shape.Height*shape.Width)
	noise := data.Batches{N: len(mask), Size: len(mask), Seed: seed}
	for _, order := range noise.Epoch(0, 0) {
		for k, i := range order {
			y, x := i/shape.Width, i%shape.Width
			given := map[string]bool{"bottom": y < shape.Height/2, "top": y >= shape.Height/2, "left": x >= shape.Width/2,
				"right": x < shape.Width/2, "noise": k < len(order)/2}
			if given[c.Missing] {
				mask[i] = 1
			}
		}
	}
	return mask
}

// network is a block with a constant input, which predicts the causes, and a chain from them to the picture.
func (c Complete) network(pixels int) *arch.Network {
	net := &arch.Network{Input: []int{1}, Blocks: []arch.Block{{Name: "causes", Layer: layers.Linear{In: 1, Out: c.Latents, Bias: true}}}}
	link := layers.Linear{In: c.Latents, Bias: true}
	for i, width := range append(c.Hidden[:len(c.Hidden):len(c.Hidden)], pixels) {
		link.Out = width
		net.Blocks = append(net.Blocks, arch.Block{Name: fmt.Sprintf("block%d", i+1), Layer: link})
		link.In, link.Act = width, layers.ReLU
	}
	return net
}

// Run trains on whole pictures and completes halves.
func (c Complete) Run(ctx context.Context, s *Setup) (r Completed, err error) {
	if err := s.begin("complete", c.Budget()); err != nil {
		return r, err
	}
	m, err := s.model(c.network(s.Train.In()), arch.Plan{})
	if err != nil {
		return r, err
	}
	constant := []float32{1}
	rule := s.unsupervised(m, &train.Gaussian[float32]{Std: .05, Seed: s.Seed}, constant)
	if r.Learned, err = s.learn(ctx, s.trainer(rule, false, m), nil); err != nil || ctx.Err() != nil {
		return r, err
	}
	_, outputs := m.Network().Ends()
	read, err := s.reader(m.Network(), m.Weights(), arch.Plan{Hold: map[string]arch.Hold{outputs[0]: arch.Masked}})
	if err != nil {
		return r, err
	}
	r.Mask = c.Mask(s.Test.Shape(), s.Seed)
	if err := read.Mask(outputs[0], r.Mask); err != nil {
		return r, err
	}
	query := &train.Query[float32]{Model: read, Site: outputs[0]} // from the mean cause
	query.Solver, query.Stop = CauseReading.solver()
	r.Pictures, _ = s.pictures(testBatch)
	n := len(r.Pictures) / s.Test.In()
	if r.Completed, _, err = query.Ask(train.Repeat(constant, n), r.Pictures, n); err != nil {
		return r, err
	}
	r.score(meanPicture(s.Train))
	return r, nil
}

// score computes both errors of the missing pixels.
func (r *Completed) score(mean []float32) {
	missing := 0.
	for i, v := range r.Pictures {
		if k := i % len(r.Mask); r.Mask[k] == 0 {
			d, e := float64(r.Completed[i]-v), float64(mean[k]-v)
			r.Error, r.MeanError, missing = r.Error+d*d, r.MeanError+e*e, missing+1
		}
	}
	r.Error, r.MeanError = r.Error/missing, r.MeanError/missing
}
