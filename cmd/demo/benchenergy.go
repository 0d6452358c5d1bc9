package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// benchSeed is the seed of all that is made for measurements.
const benchSeed = 1

// A deepNet is a network of one width, depth weight matrices in all.
type deepNet struct{ depth, width, batch int }

func (d deepNet) String() string { return fmt.Sprintf("%dx%dx%d", d.depth, d.width, d.batch) }

// energyNets are the networks of the yardstick.
func (b *benchRun) energyNets() []deepNet {
	if b.Quick {
		return []deepNet{{3, 8, 4}, {4, 8, 4}}
	}
	return []deepNet{{8, 128, 64}, {32, 128, 64}, {8, 512, 64}, {128, 128, 64}}
}

// stateFLOP are the operations, a multiply-add being two, that an evaluation of the energy with its gradient by the
// activities cannot do without: z_l W_l+1 and e_l+1 W_l+1^T in all layers but the first, whose x W_1 stays the same
// during inference.
func (d deepNet) stateFLOP() float64 { return 2 * float64(d.depth-1) * d.product() }

// paramFLOP are those of the gradient by the weights: the predictions again, and z_l^T e_l+1 in all layers.
func (d deepNet) paramFLOP() float64 { return float64(2*d.depth-1) * d.product() }

// product are the operations of one matrix product.
func (d deepNet) product() float64 { return 2 * float64(d.batch) * float64(d.width) * float64(d.width) }

// A modelBench is a compiled network on random data, with two points that an evaluation can move between.
type modelBench struct {
	model   *arch.Model[float32]
	weights *graph.Vector[float32]
	z       [2][]float32
	turn    int
	grad    []float32 // by the activities
	param   []float32 // by the weights
	problem infer.Problem[float32]
	descent infer.Descent[float32]
}

// descentSteps is the length of the inference that the step's time is taken from.
const descentSteps = 20

// normals fills x with numbers of a standard deviation.
func normals(rng *rand.Rand, x []float32, deviation float64) {
	for i := range x {
		x[i] = float32(deviation * rng.NormFloat64())
	}
}

// benchWeights are weights that neither shrink nor blow up what a deep ReLU network computes: deviation sqrt(2/fan-in),
// and .1 for biases (He et al. 2015, arXiv 1502.01852).
func benchWeights(net *arch.Network, rng *rand.Rand) (*graph.Vector[float32], error) {
	w, err := arch.NewWeights[float32](net, rng)
	if err != nil {
		return nil, err
	}
	for i, weight := range net.Weights() {
		deviation := math.Sqrt(2 / float64(weight.Param.FanIn))
		if weight.Param.Bias {
			deviation = .1
		}
		normals(rng, w.Part(w.Data(), i), deviation)
	}
	w.Touch()
	return w, nil
}

// network describes a deepNet: ReLU, biases, squared error.
func (d deepNet) network() (*arch.Network, error) {
	widths := make([]int, d.depth+1)
	for i := range widths {
		widths[i] = d.width
	}
	return arch.MLP(arch.SP{}, layers.ReLU, widths...)
}

// bench compiles a deepNet for so many cores and clamps random data.
func (d deepNet) bench(cores int) (*modelBench, error) {
	rng := rand.New(rand.NewPCG(benchSeed, cli.WeightStream))
	net, err := d.network()
	if err != nil {
		return nil, err
	}
	weights, err := benchWeights(net, rng)
	if err != nil {
		return nil, err
	}
	x, y := make([]float32, d.batch*d.width), make([]float32, d.batch*d.width)
	normals(rng, x, 1)
	normals(rng, y, 1)
	return benchModel(net, weights, arch.Plan{Batch: d.batch}, cores, x, y, rng)
}

// benchModel compiles a network for so many cores and clamps its ends. The points are the feedforward pass with noise of
// deviation .1.
func benchModel(net *arch.Network, weights *graph.Vector[float32], plan arch.Plan, cores int, x, y []float32, rng *rand.Rand) (*modelBench, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	b := &modelBench{weights: weights, descent: infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .05}}}
	var err error
	if b.model, err = arch.Compile(net, weights, plan); err != nil {
		return nil, err
	}
	if err := b.model.Clamp(x, y); err != nil {
		return nil, err
	}
	if err := b.model.Forward(); err != nil {
		return nil, err
	}
	state := b.model.State()
	for i := range b.z {
		b.z[i] = make([]float32, len(state))
		normals(rng, b.z[i], .1)
		kernel.Add(b.z[i], b.z[i], state)
	}
	b.grad, b.param = make([]float32, len(state)), make([]float32, len(weights.Data()))
	b.problem = train.ProblemOf(b.model)
	return b, nil
}

// next is the other point: the model computes only what depends on a change, so there must be one everywhere.
func (b *modelBench) next() []float32 {
	b.turn = 1 - b.turn
	return b.z[b.turn]
}

// stateGrad is one evaluation of the energy with its gradient by the activities.
func (b *modelBench) stateGrad(cores int) task {
	return task{cores: cores, prepare: func() {}, run: func() error {
		_, err := b.model.StateGrad(b.grad, b.next())
		return err
	}}
}

// inference is a descent that begins at the same point and with weights that have just changed, so that what is computed
// once per inference is in it.
func (b *modelBench) inference(cores int) task {
	return task{cores: cores, prepare: func() {
		copy(b.model.State(), b.z[0])
		b.weights.Touch()
	}, run: func() error {
		_, err := infer.Run(&b.descent, b.problem, b.model.State(), infer.Steps(descentSteps), nil)
		return err
	}}
}

// paramGrad is the gradient by the weights at activities that have just moved.
func (b *modelBench) paramGrad(cores int) task {
	return task{cores: cores, prepare: func() { copy(b.model.State(), b.next()) }, run: func() error {
		_, err := b.model.ParamGrad(b.param)
		return err
	}}
}

// energyRows measures evaluation, step and weight gradient of the yardstick's networks.
func (b *benchRun) energyRows() error {
	if err := b.peakRow(); err != nil {
		return err
	}
	for _, d := range b.energyNets() {
		row, err := b.row("energy", d.String())
		if err != nil {
			return err
		}
		all, err := d.bench(b.cores)
		if err != nil {
			return err
		}
		one, err := d.bench(1)
		if err != nil {
			return err
		}
		peak := b.onCores(b.cores, kernel.GemmPeak[float32])
		times, err := b.time(all.stateGrad(b.cores), all.inference(b.cores), all.paramGrad(b.cores), one.stateGrad(1), one.inference(1), one.paramGrad(1))
		if err != nil {
			return err
		}
		peak = max(peak, b.onCores(b.cores, kernel.GemmPeak[float32])) // the best of before and after
		times[1], times[4] = times[1].per(descentSteps), times[4].per(descentSteps)
		for i, m := range []struct {
			name string
			flop float64
		}{{"call", d.stateFLOP()}, {"step", d.stateFLOP()}, {"weights", d.paramFLOP()}} {
			t, single := times[i], times[i+3]
			rate := m.flop / t.median() / 1e6
			row.add(m.name, "ms", t.ms...)
			row.add(m.name+" rate", "GFLOP/s", rate)
			row.add(m.name+" share of peak", "%", 100*rate/peak)
			row.add(m.name+" allocations", "", t.allocs)
			row.add(m.name+" on one core", "ms", single.ms...)
			row.add(m.name+" speed-up", "x", single.median()/t.median())
		}
		b.done(row)
	}
	return nil
}

// peakRow measures the limits: of the matrix product, and of multiply-adds in registers.
func (b *benchRun) peakRow() error {
	row, err := b.row("peak", "float32")
	if err != nil {
		return err
	}
	one := func(cores int, f func(time.Duration) float64) []float64 {
		var rates []float64
		for range b.Repeats {
			rates = append(rates, b.onCores(cores, f))
		}
		return rates
	}
	row.add("matrix product", "GFLOP/s", one(b.cores, kernel.GemmPeak[float32])...)
	row.add("matrix product on one core", "GFLOP/s", one(1, kernel.GemmPeak[float32])...)
	row.add("multiply-adds in registers", "GFLOP/s", one(b.cores, kernel.Peak[float32])...)
	b.done(row)
	return nil
}
