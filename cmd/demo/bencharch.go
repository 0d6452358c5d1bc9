package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
)

// An archNet is a network of the yardstick that is no chain of matrices.
type archNet interface {
	kind() string
	String() string
	batchSize() int
	network() *arch.Network
	deviation(w arch.Weight) float64      // of a weight's random numbers
	data(rng *rand.Rand) (x, y []float32) // of a batch
}

// archNets are the networks of the yardstick.
func (b *benchRun) archNets() []archNet {
	if b.Quick {
		return []archNet{convNet{2, 8, 1, 2}, tokenNet{4, 2, 2, 3, 2}}
	}
	return []archNet{
		convNet{16, 32, 3, 32}, convNet{32, 32, 3, 32}, convNet{8, 28, 1, 64},
		tokenNet{64, 4, 4, 32, 16}, tokenNet{128, 6, 8, 32, 32},
	}
}

// A convNet is three stages of a convolution, a residual convolution of a tanh and a mean over 2 x 2 pixels, an activity
// after each, and a linear readout of ten classes.
type convNet struct{ channels, size, colours, batch int }

func (n convNet) kind() string                  { return "cnn" }
func (n convNet) String() string                { return fmt.Sprintf("%dx%dx%d", n.channels, n.size, n.batch) }
func (n convNet) batchSize() int                { return n.batch }
func (n convNet) deviation(arch.Weight) float64 { return .1 }

// imageClasses are what a convNet tells apart.
const imageClasses = 10

func (n convNet) network() *arch.Network {
	net := &arch.Network{Input: []int{n.size, n.size, n.colours}}
	in := n.colours
	for s := range 3 {
		conv := layers.Conv2D{In: in, Out: n.channels, Kernel: layers.Both(3), Pad: layers.Both(1)}
		residual := conv
		residual.In, residual.Act = n.channels, layers.Tanh
		net.Blocks = append(net.Blocks,
			arch.Block{Name: fmt.Sprint("conv", s), Layer: conv},
			arch.Block{Name: fmt.Sprint("residual", s), Layer: layers.Residual{Inner: residual}},
			arch.Block{Name: fmt.Sprint("pool", s), Layer: layers.AvgPool2D{Size: layers.Both(2)}})
		in = n.channels
	}
	side := n.size / 8
	readout := layers.Linear{In: side * side * n.channels, Out: imageClasses}
	net.Blocks = append(net.Blocks, arch.Block{Name: "readout", Layer: layers.Compose{layers.Flatten{}, readout}})
	return net
}

func (n convNet) data(rng *rand.Rand) (x, y []float32) {
	x = make([]float32, n.batch*n.size*n.size*n.colours)
	normals(rng, x, 1)
	return x, oneHot(rng, n.batch, imageClasses)
}

// patches is the number of elements that the patches of all convolutions have, laid out for a batch: what a product of
// matrices would need beside the images (im2col).
func (n convNet) patches() int {
	const window = 3 * 3
	sum, in := 0, n.colours
	for s := range 3 {
		pixels := n.batch * (n.size >> s) * (n.size >> s)
		sum += pixels * window * (in + n.channels)
		in = n.channels
	}
	return sum
}

// A tokenNet is a causal transformer on sequences of one-hot characters, an activity after the embedding and each block.
type tokenNet struct{ width, blocks, heads, tokens, batch int }

func (n tokenNet) kind() string { return "transformer" }
func (n tokenNet) String() string {
	return fmt.Sprintf("%dx%dx%dx%dx%d", n.width, n.blocks, n.heads, n.tokens, n.batch)
}
func (n tokenNet) batchSize() int { return n.batch }

// characters is the vocabulary of a tokenNet.
const characters = 65

func (n tokenNet) network() *arch.Network {
	half := func(inner layers.Layer) layers.Layer {
		normed := layers.Compose{layers.LayerNorm{Width: n.width}, inner}
		return layers.Residual{Inner: normed, Factor: 1 / float64(n.blocks)}
	}
	block := layers.Compose{
		half(layers.Attention{Width: n.width, Heads: n.heads, Causal: true, Scale: float64(n.heads) / float64(n.width)}),
		half(layers.FeedForward{Width: n.width, Act: layers.GELU}),
	}
	embedding := layers.Compose{layers.Linear{In: characters, Out: n.width}, layers.Position{Tokens: n.tokens, Width: n.width}}
	net := &arch.Network{Input: []int{n.tokens, characters}, Blocks: []arch.Block{{Name: "embedding", Layer: embedding}}}
	for i := range n.blocks {
		net.Blocks = append(net.Blocks, arch.Block{Name: fmt.Sprint("block", i), Layer: block})
	}
	net.Blocks = append(net.Blocks, arch.Block{Name: "head", Layer: layers.Linear{In: n.width, Out: characters}})
	return net
}

// deviation is that of the yardstick, whose head divides by the width.
func (n tokenNet) deviation(w arch.Weight) float64 {
	switch w.Name {
	case "embedding/W", "embedding/P":
		return .3
	case "head/W":
		return 1 / float64(n.width)
	}
	return .1
}

func (n tokenNet) data(rng *rand.Rand) (x, y []float32) {
	return oneHot(rng, n.batch*n.tokens, characters), oneHot(rng, n.batch*n.tokens, characters)
}

// oneHot are n random classes.
func oneHot(rng *rand.Rand, n, classes int) []float32 {
	y := make([]float32, n*classes)
	for i := range n {
		y[i*classes+rng.IntN(classes)] = 1
	}
	return y
}

// benchArch compiles an archNet for so many cores with cross-entropy at its output: for predictive coding, or for
// backprop.
func benchArch(n archNet, at arch.Coordinates, cores int) (*modelBench, error) {
	rng := rand.New(rand.NewPCG(benchSeed, cli.WeightStream))
	net := n.network()
	w, err := arch.NewWeights[float32](net, rng)
	if err != nil {
		return nil, err
	}
	for i, weight := range net.Weights() {
		normals(rng, w.Part(w.Data(), i), n.deviation(weight))
	}
	w.Touch()
	x, y := n.data(rng)
	plan := arch.Plan{Batch: n.batchSize(), Energy: energy.PC{Output: energy.Categorical{}}, Coordinates: at}
	return benchModel(net, w, plan, cores, x, y, rng)
}

// backprop is the gradient by the weights, which have just changed.
func (b *modelBench) backprop(cores int) task {
	return task{cores: cores, prepare: b.weights.Touch, run: func() error {
		_, err := b.model.ParamGrad(b.param)
		return err
	}}
}

// archRows measures evaluation and weight gradient of convolutional networks and transformers, and backprop.
func (b *benchRun) archRows() error {
	for _, n := range b.archNets() {
		row, err := b.row(n.kind(), n.String())
		if err != nil {
			return err
		}
		var tasks []task // on all cores and on one
		for _, cores := range []int{b.cores, 1} {
			pc, err := benchArch(n, arch.Activities, cores)
			if err != nil {
				return err
			}
			bp, err := benchArch(n, arch.Feedforward, cores)
			if err != nil {
				return err
			}
			if len(tasks) == 0 {
				b.bytesOf(row, pc.model)
			}
			tasks = append(tasks, pc.stateGrad(cores), pc.paramGrad(cores), bp.backprop(cores))
		}
		if c, ok := n.(convNet); ok {
			row.add("patches of all convolutions would be", "MB", 4*float64(c.patches())/1e6)
		}
		times, err := b.time(tasks...)
		if err != nil {
			return err
		}
		for i, name := range []string{"call", "weights", "BP"} {
			t, one := times[i], times[i+3]
			row.add(name, "ms", t.ms...)
			row.add(name+" allocations", "", t.allocs)
			row.add(name+" on one core", "ms", one.ms...)
			row.add(name+" speed-up", "x", one.median()/t.median())
		}
		b.done(row)
	}
	return nil
}
