package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// Seed of all random numbers, and its second half for weights and data.
const (
	benchSeed    = 1
	weightStream = 1
)

// A network is a network of the benchmark, with random weights and data.
type network struct {
	kind, name string
	net        *arch.Network
	batch      int
	deviation  func(arch.Weight) float64             // of a weight's random numbers
	sample     func(rng *rand.Rand) (x, y []float32) // of a batch
	energy     energy.Functional                     // nil: squared error
	patches    int                                   // elements of the patches of all convolutions, laid out for a batch (im2col)
}

// A deepNet is a chain of one width, with so many weight matrices in all.
type deepNet struct{ depth, width, batch int }

func (d deepNet) String() string { return fmt.Sprintf("%dx%dx%d", d.depth, d.width, d.batch) }

// deepNets are the chains whose energy is measured.
func (b *run) deepNets() []deepNet {
	if b.Quick {
		return []deepNet{{3, 8, 4}, {4, 8, 4}}
	}
	return []deepNet{{8, 128, 64}, {32, 128, 64}, {8, 512, 64}, {128, 128, 64}}
}

// stateFLOP are the operations, a multiply-add being two, that an evaluation of the energy with its gradient with respect to the
// activities cannot do without: z_l W_l+1 and e_l+1 W_l+1^T in all layers but the first, whose x W_1 stays the same during inference.
func (d deepNet) stateFLOP() float64 { return 2 * float64(d.depth-1) * d.product() }

// paramFLOP are those of the gradient with respect to the weights: the predictions again, and z_l^T e_l+1 in all layers.
func (d deepNet) paramFLOP() float64 { return float64(2*d.depth-1) * d.product() }

// product are the operations of one matrix product.
func (d deepNet) product() float64 { return 2 * float64(d.batch) * float64(d.width) * float64(d.width) }

// network is the chain with random targets.
func (d deepNet) network() (network, error) {
	widths := make([]int, d.depth+1)
	for i := range widths {
		widths[i] = d.width
	}
	n, err := reluChain("energy", widths, d.batch)
	n.name = d.String()
	n.sample = func(rng *rand.Rand) (x, y []float32) {
		return normals(rng, make([]float32, d.batch*d.width), 1), normals(rng, make([]float32, d.batch*d.width), 1)
	}
	return n, err
}

// compile compiles it for so many cores and clamps a batch.
func (d deepNet) compile(cores int) (*compiled, error) {
	n, err := d.network()
	if err != nil {
		return nil, err
	}
	return n.compile(arch.Activities, cores)
}

// reluChain is a chain with biases whose random weights neither shrink nor blow up what it computes: their deviation is
// sqrt(2/fan-in), and .1 for biases (He et al. 2015, arXiv 1502.01852). Targets are random classes.
func reluChain(kind string, widths []int, batch int) (network, error) {
	net, err := arch.MLP(arch.SP{}, layers.ReLU, widths...)
	name := strings.ReplaceAll(strings.Trim(fmt.Sprint(widths), "[]"), " ", "-")
	return network{kind: kind, name: fmt.Sprintf("%s/%d", name, batch), net: net, batch: batch,
		deviation: func(w arch.Weight) float64 {
			if w.Param.Bias {
				return .1
			}
			return math.Sqrt(2 / float64(w.Param.FanIn))
		},
		sample: func(rng *rand.Rand) (x, y []float32) {
			return normals(rng, make([]float32, batch*widths[0]), 1), oneHot(rng, batch, widths[len(widths)-1])
		}}, err
}

// stepNets are the chains whose training step is measured.
func (b *run) stepNets() (nets []network, err error) {
	sizes := []struct {
		widths []int
		batch  int
	}{{[]int{784, 300, 300, 300, 10}, 64}, {[]int{784, 128, 128, 10}, 256}}
	if b.Quick {
		sizes = sizes[:1]
		sizes[0].widths, sizes[0].batch = []int{20, 8, 8, 3}, 4
	}
	for _, s := range sizes {
		n, e := reluChain("train", s.widths, s.batch)
		nets, err = append(nets, n), cli.First(err, e)
	}
	return nets, err
}

// archNets are the networks that are no chains of matrices.
func (b *run) archNets() []network {
	if b.Quick {
		return []network{convNet(2, 8, 1, 2), tokenNet(4, 2, 2, 3, 2)}
	}
	return []network{convNet(16, 32, 3, 32), convNet(32, 32, 3, 32), convNet(8, 28, 1, 64), tokenNet(64, 4, 4, 32, 16), tokenNet(128, 6, 8, 32, 32)}
}

// convNet is three stages of a convolution, a residual convolution of a tanh and a mean over 2 x 2 pixels, an activity after each, and a
// linear readout of ten classes.
func convNet(channels, size, colours, batch int) network {
	const classes, window = 10, 3 * 3
	n := network{kind: "cnn", name: fmt.Sprintf("%dx%dx%d", channels, size, batch), batch: batch, energy: categorical,
		net:       &arch.Network{Input: []int{size, size, colours}},
		deviation: func(arch.Weight) float64 { return .1 },
		sample: func(rng *rand.Rand) (x, y []float32) {
			return normals(rng, make([]float32, batch*size*size*colours), 1), oneHot(rng, batch, classes)
		}}
	in := colours
	for s := range 3 {
		conv := layers.Conv2D{In: in, Out: channels, Kernel: layers.Both(3), Pad: layers.Both(1)}
		residual := conv
		residual.In, residual.Act = channels, layers.Tanh
		n.net.Blocks = append(n.net.Blocks,
			arch.Block{Name: fmt.Sprint("conv", s), Layer: conv},
			arch.Block{Name: fmt.Sprint("residual", s), Layer: layers.Residual{Inner: residual}},
			arch.Block{Name: fmt.Sprint("pool", s), Layer: layers.AvgPool2D{Size: layers.Both(2)}})
		n.patches += batch * (size >> s) * (size >> s) * window * (in + channels)
		in = channels
	}
	side := size / 8
	readout := layers.Linear{In: side * side * channels, Out: classes}
	n.net.Blocks = append(n.net.Blocks, arch.Block{Name: "readout", Layer: layers.Compose{layers.Flatten{}, readout}})
	return n
}

// tokenNet is a causal transformer on sequences of one-hot characters, an activity after the embedding and each block. Its head
// divides by the width.
func tokenNet(width, blocks, heads, tokens, batch int) network {
	const characters = 65
	half := func(inner layers.Layer) layers.Layer {
		return layers.Residual{Inner: layers.Compose{layers.LayerNorm{Width: width}, inner}, Factor: 1 / float64(blocks)}
	}
	block := layers.Compose{
		half(layers.Attention{Width: width, Heads: heads, Causal: true, Scale: float64(heads) / float64(width)}),
		half(layers.FeedForward{Width: width, Act: layers.GELU}),
	}
	embedding := layers.Compose{layers.Linear{In: characters, Out: width}, layers.Position{Tokens: tokens, Width: width}}
	net := &arch.Network{Input: []int{tokens, characters}, Blocks: []arch.Block{{Name: "embedding", Layer: embedding}}}
	for i := range blocks {
		net.Blocks = append(net.Blocks, arch.Block{Name: fmt.Sprint("block", i), Layer: block})
	}
	net.Blocks = append(net.Blocks, arch.Block{Name: "head", Layer: layers.Linear{In: width, Out: characters}})
	return network{kind: "transformer", name: fmt.Sprintf("%dx%dx%dx%dx%d", width, blocks, heads, tokens, batch), batch: batch, energy: categorical, net: net,
		deviation: func(w arch.Weight) float64 {
			switch w.Name {
			case "embedding/W", "embedding/P":
				return .3
			case "head/W":
				return 1 / float64(width)
			}
			return .1
		},
		sample: func(rng *rand.Rand) (x, y []float32) {
			return oneHot(rng, batch*tokens, characters), oneHot(rng, batch*tokens, characters)
		}}
}

// categorical is cross-entropy at the output.
var categorical = energy.PC{Output: energy.Categorical{}}

// normals fills x with random numbers of a standard deviation.
func normals(rng *rand.Rand, x []float32, deviation float64) []float32 {
	for i := range x {
		x[i] = float32(deviation * rng.NormFloat64())
	}
	return x
}

// oneHot are n random classes.
func oneHot(rng *rand.Rand, n, classes int) []float32 {
	y := make([]float32, n*classes)
	for i := range n {
		y[i*classes+rng.IntN(classes)] = 1
	}
	return y
}

// A compiled network has two points that an evaluation can move between: a model computes only what depends on a change, so there
// must be one everywhere.
type compiled struct {
	model   *arch.Model[float32]
	z       [2][]float32
	turn    int
	grad    []float32 // with respect to the activities
	param   []float32 // with respect to the weights
	problem infer.Problem[float32]
	descent infer.Descent[float32]
	rng     *rand.Rand
}

// compile draws weights and a batch and compiles the network for so many cores. The points are the feedforward pass with noise of
// deviation .1.
func (n network) compile(at arch.Coordinates, cores int) (*compiled, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	c := &compiled{rng: rand.New(rand.NewPCG(benchSeed, weightStream)), descent: infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .05}}}
	w, err := arch.NewWeights[float32](n.net, c.rng)
	if err != nil {
		return nil, err
	}
	for i, weight := range n.net.Weights() {
		normals(c.rng, w.Part(w.Data(), i), n.deviation(weight))
	}
	w.Touch()
	if c.model, err = arch.Compile(n.net, w, arch.Plan{Batch: n.batch, Energy: n.energy, Coordinates: at}); err != nil {
		return nil, err
	}
	x, y := n.sample(c.rng)
	if err := c.model.Clamp(x, y); err != nil {
		return nil, err
	}
	if err := c.model.Forward(); err != nil {
		return nil, err
	}
	state := c.model.State()
	for i := range c.z {
		c.z[i] = normals(c.rng, make([]float32, len(state)), .1)
		kernel.Add(c.z[i], c.z[i], state)
	}
	c.grad, c.param = make([]float32, len(state)), make([]float32, len(w.Data()))
	c.problem = train.ProblemOf(c.model)
	return c, nil
}

// next is the other point.
func (c *compiled) next() []float32 {
	c.turn = 1 - c.turn
	return c.z[c.turn]
}

// stateGrad is one evaluation of the energy with its gradient with respect to the activities.
func (c *compiled) stateGrad(cores int) task {
	return task{cores: cores, prepare: func() {}, run: func() error {
		_, err := c.model.StateGrad(c.grad, c.next())
		return err
	}}
}

// inferenceSteps is the length of the inference that the time of a step is taken from.
const inferenceSteps = 20

// inference is a step of a descent that begins at the same point and with weights that have just changed, so that what is computed once
// per inference is in it.
func (c *compiled) inference(cores int) task {
	return task{cores: cores, parts: inferenceSteps, prepare: func() {
		copy(c.model.State(), c.z[0])
		c.model.Weights().Touch()
	}, run: func() error {
		_, err := infer.Run(&c.descent, c.problem, c.model.State(), infer.Steps(inferenceSteps), nil)
		return err
	}}
}

// paramGrad is the gradient with respect to the weights at activities that have just moved, and with weights that have just changed for
// a model that has no activities, as for backprop.
func (c *compiled) paramGrad(cores int) task {
	prepare := func() { copy(c.model.State(), c.next()) }
	if c.model.Plan().Coordinates == arch.Feedforward {
		prepare = c.model.Weights().Touch
	}
	return task{cores: cores, prepare: prepare, run: func() error {
		_, err := c.model.ParamGrad(c.param)
		return err
	}}
}

// batches is how many batches a stepper goes round.
const batches = 4

// A stepper trains on random batches.
type stepper struct {
	batch  int
	model  *arch.Model[float32]
	start  []float32 // weights
	rule   train.Rule[float32]
	update train.Update[float32]
	grad   []float32
	x, y   [batches][]float32
	turn   int
}

// stepper prepares training on so many cores by PC with so many steps of inference, or by backprop for 0.
func (n network) stepper(steps, cores int) (*stepper, error) {
	at := arch.Activities
	if steps == 0 {
		at = arch.Feedforward
	}
	c, err := n.compile(at, cores)
	if err != nil {
		return nil, err
	}
	s := &stepper{batch: n.batch, model: c.model, grad: c.param, start: append([]float32(nil), c.model.Weights().Data()...),
		update: train.Update[float32]{Optimizer: &optim.Adam[float32]{Rate: 1e-3}}}
	for i := range s.x {
		s.x[i], s.y[i] = n.sample(c.rng)
	}
	s.rule = &train.PC[float32]{Model: c.model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}, Stop: infer.Steps(steps)}
	if steps == 0 {
		s.rule = &train.Backprop[float32]{Model: c.model}
	}
	return s, nil
}

// step makes a whole training step on the next batch: feedforward pass, inference, weight gradient, Adam.
func (s *stepper) step() error {
	s.turn = (s.turn + 1) % batches
	r, err := s.rule.Gradient(s.grad, s.x[s.turn], s.y[s.turn], s.batch)
	if err != nil {
		return err
	}
	if r.Inference.Status == infer.Diverged {
		return errors.Errorf("inference diverged: %s", r.Inference.Detail)
	}
	s.update.Step(s.model.Weights(), s.grad)
	return nil
}

// task is a step, from ever new starts, so that nothing is learned by heart.
func (s *stepper) task(cores int) task {
	done := 0
	return task{cores: cores, prepare: func() {
		if done++; done%64 == 0 {
			copy(s.model.Weights().Data(), s.start)
			s.model.Weights().Touch()
		}
	}, run: s.step}
}
