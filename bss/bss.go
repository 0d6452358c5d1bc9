// Package bss separates blind mixtures: given x = A s + noise with A and s unknown, it learns W such that the components of W x are
// those of s up to order, sign and scale.
//
// The method of the package is Predictive Entropy Maximization (PEM), a normative network with local plasticity for sources that may
// be correlated: outputs y are confined to a known polytope (a Domain), are predicted linearly from the mixtures, and spread as much
// as they can, measured by the log-determinant of their covariance. Beside it stand the methods it is compared with: online CorInfoMax,
// batch LDMI, nonnegative and bounded similarity matching (NSM, BSM), extended InfoMax, FastICA, and the linear MMSE estimator, which
// knows the mixing and is a bound, not a method.
//
// Data are matrices [samples, channels], one sample a row. A single sample is a slice as long as there are channels; an online method
// sees one sample at a time by Observe, without allocation, and has no need of the others:
//
//	pem, err := bss.PaperPEM(bss.Antisparse, bss.Truncated)
//	net, err := pem.Start(5, 10, rng)                         // 5 sources in 10 mixtures
//	for x := range mixtures {
//		y, err := net.Observe(x)                              // [5], valid until the next Observe
//	}
//	sources := bss.Apply(net.Unmixing(), X)                      // [samples, 5]
//
// Randomness comes from a *rand.Rand that the caller seeds. The package knows nothing of files, networks of package arch or graphs;
// it uses gonum for eigenvalues and factorisations, its own loops where samples are seen one by one, and the library's kernels where
// batch methods (LDMI, InfoMax) see all.
//
// Source: Bozkurt, Gorguner, Innocenti, Bogacz, "Normative Networks for Source Separation via Local Plasticity and Dendritic
// Computation", arXiv 2605.19965.
package bss

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Separator learns to separate, one sample after the other.
type Separator interface {
	// Observe learns from one sample x [mixtures] and returns the outputs y [sources] that the network settled at, valid until the
	// next call. An x of another length is an error, so is one with a NaN or an infinity, and numbers that grew without bound
	// (*DivergenceError); the state is then that before the sample.
	Observe(x []float64) (y []float64, err error)
	// Unmixing returns the matrix W [sources, mixtures] that separates new samples: y = W x.
	Unmixing() *mat.Dense
}

// A DivergenceError says that a method's numbers grew without bound.
type DivergenceError struct {
	Method string
	Sample int // counted from 1
}

func (e *DivergenceError) Error() string {
	return fmt.Sprintf("bss: %s diverged at sample %d: lower its rate, or scale the mixtures to a variance near 1", e.Method, e.Sample)
}

// Observe shows a method all samples of x [samples, mixtures] in the given order, from 0; nil is the order they have. It returns how
// many it has seen before the first error.
func Observe(s Separator, x *mat.Dense, order []int) (int, error) {
	rows, _ := x.Dims()
	if order == nil {
		for i := range rows {
			if _, err := s.Observe(x.RawRowView(i)); err != nil {
				return i, errors.WithMessagef(err, "sample %d", i+1)
			}
		}
		return rows, nil
	}
	for k, i := range order {
		if i < 0 || i >= rows {
			return k, errors.Errorf("bss: Observe: order[%d] is %d, and there are %d samples", k, i, rows)
		}
		if _, err := s.Observe(x.RawRowView(i)); err != nil {
			return k, errors.WithMessagef(err, "sample %d", i+1)
		}
	}
	return len(order), nil
}

// Apply returns X W^T [samples, sources]: the outputs of the unmixing w [sources, mixtures] for the samples of x [samples, mixtures].
func Apply(w, x *mat.Dense) *mat.Dense {
	var y mat.Dense
	y.Mul(x, w.T())
	return &y
}

// finite reports whether no number is NaN or infinite.
func finite(v []float64) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// checkSample reports a sample that cannot be learned from.
func checkSample(method string, x []float64, mixtures int) error {
	if len(x) != mixtures {
		return errors.Errorf("bss: %s: a sample of %d numbers, want %d, one of each mixture", method, len(x), mixtures)
	}
	for i, v := range x {
		if v-v != 0 {
			return errors.Errorf("bss: %s: mixture %d of the sample is %v: want finite numbers", method, i+1, v)
		}
	}
	return nil
}

// checkSizes reports numbers of sources and mixtures that no network can have.
func checkSizes(method string, sources, mixtures int) error {
	if sources < 1 || mixtures < 1 {
		return errors.Errorf("bss: %s: %d sources in %d mixtures: want at least one of each", method, sources, mixtures)
	}
	return nil
}

// positive reports the first of some named options that is not a finite number above zero.
func positive(method string, options ...option) error {
	for _, o := range options {
		if !(o.value > 0) || math.IsInf(o.value, 1) {
			return errors.Errorf("bss: %s: %s is %v: want a number above 0", method, o.name, o.value)
		}
	}
	return nil
}

type option struct {
	name  string
	value float64
}

// memory reports a trace factor out of (0, 1).
func memory(method, name string, v float64) error {
	if !(v > 0 && v < 1) {
		return errors.Errorf("bss: %s: %s is %v: want a number between 0 and 1, near 1", method, name, v)
	}
	return nil
}
