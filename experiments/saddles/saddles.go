// Package saddles checks "Only Strict Saddles in the Energy Landscape of Predictive Coding Networks?" (arXiv 2408.11979): inference turns
// the flat saddles of the loss of deep networks into strict ones, from which gradient descent escapes quickly. docs/SADDLES.md says
// which claim is which figure of the paper.
//
// The paper's text was not at hand: statements are those of its released code, its figures, and notes on it. Where the release
// differs from what its text compares (gradients summed or averaged, targets masked or not) both are measured.
package saddles

import (
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return slices.Concat([]claim.Claim{equilibrium}, pointClaims(), criticalClaims(), chainClaims(), lawClaims(), trainingClaims(), []claim.Claim{completion})
}

// paper begins the source of every claim.
const paper = "Only Strict Saddles in the Energy Landscape of Predictive Coding Networks? (arXiv 2408.11979)"

// batch is that of all experiments.
const batch = 64

// The paper's unrolled inference.
const (
	unrolledSteps = 50
	unrolledRate  = .1
)

// generator is the source of all randomness of a cell.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2408_11979)) }

// normal draws a matrix of normal numbers.
func normal(r *rand.Rand, rows, columns int, mean, deviation float64) *mat.Dense {
	m := mat.NewDense(rows, columns, nil)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = mean + deviation*r.NormFloat64()
	}
	return m
}

// toy are samples of x ~ N(1, .1^2) [batch, features] with y = -x. With other the second target is independent of x, N(1, .1^2), as
// the release has it for four hidden layers.
func toy(r *rand.Rand, features int, other bool) (x, y *mat.Dense) {
	x, y = normal(r, batch, features, 1, .1), new(mat.Dense)
	y.Scale(-1, x)
	if other {
		for i := range batch {
			y.Set(i, 1, 1+.1*r.NormFloat64())
		}
	}
	return x, y
}

// A source is a data set by name.
type source string

// The sources.
const (
	gaussians source = "toy"
	digits    source = "MNIST"
	clothes   source = "Fashion-MNIST"
	signals   source = "MNIST-1D"
	objects   source = "CIFAR-10"
)

// load loads a set's two parts once.
func (s source) load() ([2]*data.Set, error) {
	f := map[source]func() ([2]*data.Set, error){digits: mnist, clothes: fashion, signals: mnist1d, objects: cifar}[s]
	if f == nil {
		return [2]*data.Set{}, errors.Errorf("saddles: no data set %q", s)
	}
	sets, err := f()
	return sets, errors.WithMessagef(err, "data missing: %s", s)
}

var (
	mnist   = sync.OnceValues(func() ([2]*data.Set, error) { return both(data.MNIST{}.Load()) })
	fashion = sync.OnceValues(func() ([2]*data.Set, error) { return both(data.FashionMNIST{}.Load()) })
	mnist1d = sync.OnceValues(func() ([2]*data.Set, error) { return both(data.MNIST1D{Seed: 2020}.Load()) })
	cifar   = sync.OnceValues(func() ([2]*data.Set, error) { return both(data.CIFAR10{}.Load()) })
)

func both(training, test *data.Set, err error) ([2]*data.Set, error) {
	return [2]*data.Set{training, test}, err
}

// pictures are a batch of a set, drawn at random.
func pictures(s source, r *rand.Rand) (x, y *mat.Dense, err error) {
	sets, err := s.load()
	if err != nil {
		return nil, nil, err
	}
	set := sets[0]
	x, y = mat.NewDense(batch, set.In(), nil), mat.NewDense(batch, set.Out(), nil)
	idx := make([]int, batch)
	for i := range idx {
		idx[i] = r.IntN(set.Len())
	}
	data.Fill(set, x.RawMatrix().Data, y.RawMatrix().Data, idx)
	return x, y, nil
}
