package benchmark

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/layers"
)

// samples are the sizes of a data set, for costs.
type samples struct{ in, out, train, tokens int }

var samplesOf = map[string]samples{
	"mnist": {784, 10, 60000, 1}, "fashion": {784, 10, 60000, 1}, "cifar10": {3072, 10, 50000, 1}, "cifar100": {3072, 100, 50000, 1},
	"text": {60, 60, 3000, 32}, "moons": {2, 2, 800, 1}, "spirals": {2, 2, 2000, 1}, "xor": {2, 2, 800, 1},
}

// DataNames are the data sets.
var DataNames = slices.Sorted(maps.Keys(samplesOf))

// NetKinds are the networks.
var NetKinds = []string{"mlp", "resmlp", "vgg", "transformer"}

// scalings by name.
var scalings = map[string]arch.Scaling{"": arch.SP{}, "sp": arch.SP{}, "ntp": arch.NTP{}, "mup": arch.MuP{}, "mupc": arch.MuPC{}, "mupc-adam": arch.MuPC{ScaleAdam: true}, "completep": arch.CompleteP{}}

// Scalings are the scalings of the weights.
var Scalings = slices.Sorted(maps.Keys(scalings))[1:]

// sets are loaded once for each description.
var sets struct {
	sync.Mutex
	loaded map[string][2]*data.Set
}

// source is the data set; seed is that of made data.
func (d Data) source(seed uint64) (data.Source, error) {
	norm := data.Norm{Mean: d.Pixels, Std: d.Pixels}
	if d.Pixels != 0 && d.Name != "mnist" && d.Name != "fashion" {
		return nil, errors.Errorf("data %s: pixels is for mnist and fashion: leave it out", d.Name)
	}
	if d.Window != 0 && d.Name != "text" {
		return nil, errors.Errorf("data %s: window is for text: leave it out", d.Name)
	}
	switch d.Name {
	case "mnist":
		return data.MNIST{Norm: norm}, nil
	case "fashion":
		return data.FashionMNIST{Norm: norm}, nil
	case "cifar10":
		return data.CIFAR10{}, nil
	case "cifar100":
		return data.CIFAR100{}, nil
	case "text":
		return data.Corpus{Window: d.Window}, nil
	case "moons":
		return data.Moons{Noise: .12, Seed: seed}, nil
	case "spirals":
		return data.Spirals{Noise: .02, Train: 2000, Seed: seed}, nil
	case "xor":
		return data.XOR{Noise: .25, Seed: seed}, nil
	}
	return nil, Unknown("data", d.Name, DataNames)
}

// load reads the data set, or takes it from memory.
func (d Data) load(seed uint64) (training, test *data.Set, err error) {
	source, err := d.source(seed)
	if err != nil {
		return nil, nil, err
	}
	if d.Train < 0 || d.Test < 0 || d.Window < 0 || d.Pixels < 0 {
		return nil, nil, errors.Errorf("data %s: train %d, test %d, window %d, pixels %g: want none below 0", d.Name, d.Train, d.Test, d.Window, d.Pixels)
	}
	key := arch.Describe(source)
	sets.Lock()
	defer sets.Unlock()
	both, have := sets.loaded[key]
	if !have {
		if both[0], both[1], err = source.Load(); err != nil {
			return nil, nil, errors.WithMessagef(err, "data %s", d.Name)
		}
		if sets.loaded == nil {
			sets.loaded = map[string][2]*data.Set{}
		}
		sets.loaded[key] = both
	}
	training, test = both[0], both[1]
	for _, part := range []struct {
		set  **data.Set
		most int
	}{{&training, d.Train}, {&test, d.Test}} {
		if part.most > 0 && part.most < (*part.set).Len() {
			*part.set = (*part.set).Slice(0, part.most)
		}
	}
	return training, test, nil
}

// network describes the network for a data set.
func (n Net) network(set *data.Set) (*arch.Network, error) {
	if !slices.Contains(NetKinds, n.Kind) {
		return nil, Unknown("network", n.Kind, NetKinds)
	}
	scaling, known := scalings[n.Scaling]
	if !known {
		return nil, Unknown("scaling", n.Scaling, Scalings)
	}
	act := layers.GELU
	if n.Act != "" {
		var err error
		if act, err = layers.ParseAct(n.Act); err != nil {
			return nil, errors.WithMessagef(err, "network %s", n.Kind)
		}
	}
	for _, w := range slices.Concat(n.Hidden, n.Channels, []int{max(1, n.Width), max(1, n.Depth), max(1, n.Heads)}) {
		if w < 1 || w > 1<<14 {
			return nil, errors.Errorf("network %s: a size of %d: want 1..%d", n.Kind, w, 1<<14)
		}
	}
	for _, s := range []struct {
		name  string
		given bool
		kinds []string
	}{
		{"hidden", n.Hidden != nil, []string{"mlp"}},
		{"width", n.Width != 0, []string{"resmlp", "transformer"}},
		{"depth", n.Depth != 0, []string{"resmlp", "transformer"}},
		{"heads", n.Heads != 0, []string{"transformer"}},
		{"norm", n.Norm, []string{"transformer"}},
		{"channels", n.Channels != nil, []string{"vgg"}},
		{"act", n.Act != "", []string{"mlp", "resmlp", "vgg"}},
	} {
		if s.given && !slices.Contains(s.kinds, n.Kind) {
			return nil, errors.Errorf("network %s: %s is for %s: leave it out", n.Kind, s.name, strings.Join(s.kinds, " and "))
		}
	}
	switch n.Kind {
	case "resmlp":
		if n.Width < 1 || n.Depth < 2 {
			return nil, errors.Errorf("network resmlp: width %d, depth %d: want 1 and 2 or more", n.Width, n.Depth)
		}
		return arch.ResMLP(scaling, act, slices.Concat([]int{set.In()}, slices.Repeat([]int{n.Width}, n.Depth-1), []int{set.Out()})...)
	case "vgg":
		return n.vgg(scaling, act, set)
	case "transformer":
		in := set.InShape()
		if len(in) != 2 || len(set.OutShape()) != 2 {
			return nil, errors.Errorf("network transformer: it is for sequences of tokens, and %s has samples %v -> %v: choose text", set.Name, in, set.OutShape())
		}
		return arch.Transformer{Scaling: scaling, Vocab: in[1], Tokens: in[0], Width: n.Width, Heads: n.Heads, Blocks: n.Depth, Norm: n.Norm}.Network()
	}
	return n.mlp(scaling, act, set)
}

// mlp is act(z W + b) throughout, with a last layer that is linear.
func (n Net) mlp(s arch.Scaling, act layers.Act, set *data.Set) (*arch.Network, error) {
	net := &arch.Network{Input: []int{set.In()}, Scaling: s}
	in := set.In()
	for i, out := range append(slices.Clone(n.Hidden), set.Out()) {
		l := layers.Linear{In: in, Out: out, Bias: true, Post: act}
		if i == len(n.Hidden) {
			l.Post = layers.LinearAct
		}
		net.Blocks = append(net.Blocks, arch.Block{Name: "block" + strconv.Itoa(i+1), Layer: l})
		in = out
	}
	return net, nil
}

// vgg is the network of the pcx benchmark (arXiv 2407.01163): stages of a 3 x 3 convolution, the activation and maxima of 2 x 2, each one
// site, and a linear classifier.
func (n Net) vgg(s arch.Scaling, act layers.Act, set *data.Set) (*arch.Network, error) {
	shape := set.InShape()
	if len(shape) != 3 || len(n.Channels) == 0 {
		return nil, errors.Errorf("network vgg: it is for pictures, with the channels of one stage or more, and %s has samples %v, channels are %v: choose mnist, fashion or cifar10", set.Name, shape, n.Channels)
	}
	h, w, in := shape[0], shape[1], shape[2]
	net := &arch.Network{Input: shape, Scaling: s}
	for i, out := range n.Channels {
		if h < 2 || w < 2 {
			return nil, errors.Errorf("network vgg: stage %d has %d x %d pixels left, and halves them: give fewer channels", i+1, h, w)
		}
		net.Blocks = append(net.Blocks, arch.Block{Name: "stage" + strconv.Itoa(i+1), Layer: layers.Compose{
			layers.Conv2D{In: in, Out: out, Kernel: layers.Both(3), Pad: layers.Both(1), Post: act, Bias: true}, layers.MaxPool2D{Size: layers.Both(2)}}})
		h, w, in = h/2, w/2, out
	}
	net.Blocks = append(net.Blocks, arch.Block{Name: "readout", Layer: layers.Compose{layers.Flatten{}, layers.Linear{In: h * w * in, Out: set.Out(), Bias: true}}})
	return net, nil
}

// products are how many products of two numbers a forward pass makes for one sample, in the first block and in the rest.
func (n Net) products(s samples) (first, rest float64) {
	at := func(i int) *float64 {
		if i == 0 {
			return &first
		}
		return &rest
	}
	switch n.Kind {
	case "mlp":
		in := s.in
		for i, out := range append(slices.Clone(n.Hidden), s.out) {
			*at(i) += float64(in * out)
			in = out
		}
	case "resmlp":
		return float64(s.in * n.Width), float64((n.Depth-2)*n.Width*n.Width + n.Width*s.out)
	case "vgg":
		side, in := 28, 1
		if s.in == 3072 {
			side, in = 32, 3
		}
		for i, out := range n.Channels {
			*at(i) += float64(side * side * 9 * in * out)
			side, in = side/2, out
		}
	case "transformer":
		return float64(s.tokens * s.in * n.Width), float64(s.tokens * (n.Depth*12*n.Width*n.Width + n.Width*s.out))
	}
	return first, rest
}

// Unknown is the error of a name that is none of a list, with the nearest one.
func Unknown(what, name string, names []string) error {
	return errors.Errorf("unknown %s %q: did you mean %q? One of %s", what, name, nearest(name, names), strings.Join(names, ", "))
}

// nearest is the name that takes the fewest changes of a letter to get to, or one that has the whole of it in it.
func nearest(name string, names []string) string {
	far := func(to string) int {
		to = strings.ToLower(to)
		if len(name) > 2 && strings.Contains(to, strings.ToLower(name)) {
			return 1
		}
		return distance(strings.ToLower(name), to)
	}
	return slices.MinFunc(names, func(a, b string) int { return far(a) - far(b) })
}

// distance is how many letters must be put in, left out or replaced (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
