package theory

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Scaling is a parametrisation: how weights are drawn, and the factors a_l in
// front of them. With N the width, D the number of inputs, L the number of
// weights and gamma from [Spec]:
//
//	            weights            a_1        a_l, no skip   a_l, skip    a_L
//	SP          U(+-1/sqrt(in))    1          1              1            1/gamma
//	NTP         N(0, 1)            1/sqrt(D)  1/sqrt(N)      1/sqrt(N L)  1/(gamma sqrt(N))
//	MuPC        N(0, 1)            1/sqrt(D)  1/sqrt(N)      1/sqrt(N L)  1/(gamma N)
//	Orthogonal  semi-orthogonal    1          1              1            1/gamma
//
// Source: arXiv 2505.13124, table 1. The JPC library draws NTP
// weights like those of SP; here they are N(0, 1), as in the literature.
type Scaling int

// The parametrisations.
const (
	SP Scaling = iota
	NTP
	MuPC
	Orthogonal
)

func (s Scaling) String() string {
	names := [...]string{"SP", "NTP", "MuPC", "Orthogonal"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("Scaling(%d)", int(s))
	}
	return names[s]
}

// A Spec describes a family of random linear networks with hidden layers of
// equal width.
type Spec struct {
	Scaling                Scaling
	Inputs, Width, Outputs int
	Depth                  int // L, the number of weights, at least 2
	Skips                  bool
	Gamma                  float64 // divides the last factor; 0 means 1
	Precision              float64 // of the output; 0 means 1
	// DepthPower is the alpha in the hidden factors N^-1/2 L^-alpha of NTP and
	// MuPC; 0 means that of the table: 1/2 with skips, none without.
	DepthPower float64
}

// Validate reports sizes below 1, a depth below 2, and bad numbers.
func (s Spec) Validate() error {
	if s.Scaling < SP || s.Scaling > Orthogonal {
		return errors.Errorf("theory: unknown %v", s.Scaling)
	}
	if s.Inputs < 1 || s.Width < 1 || s.Outputs < 1 {
		return errors.Errorf("theory: network of %d inputs, width %d and %d outputs: want at least 1 of each",
			s.Inputs, s.Width, s.Outputs)
	}
	if s.Depth < 2 {
		return errors.Errorf("theory: network of %d weights: want at least 2", s.Depth)
	}
	for _, v := range []struct {
		name  string
		value float64
	}{{"gamma", s.Gamma}, {"output precision", s.Precision}, {"depth power", s.DepthPower}} {
		if !(v.value >= 0) || math.IsInf(v.value, 1) {
			return errors.Errorf("theory: %s %g: want a finite number above 0, or 0 for the default", v.name, v.value)
		}
	}
	return nil
}

// Factors returns a_1 ... a_L.
func (s Spec) Factors() ([]float64, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	a := make([]float64, s.Depth)
	for i := range a {
		a[i] = 1
	}
	last := s.Depth - 1
	width := float64(s.Width)
	if s.Scaling == NTP || s.Scaling == MuPC {
		power := s.DepthPower
		if power == 0 && s.Skips {
			power = 0.5
		}
		a[0] = 1 / math.Sqrt(float64(s.Inputs))
		for i := 1; i < last; i++ {
			a[i] = 1 / (math.Sqrt(width) * math.Pow(float64(s.Depth), power))
		}
		a[last] = 1 / math.Sqrt(width)
		if s.Scaling == MuPC {
			a[last] = 1 / width
		}
	}
	a[last] /= s.gamma()
	return a, nil
}

func (s Spec) gamma() float64 {
	if s.Gamma == 0 {
		return 1
	}
	return s.Gamma
}

// Sample draws a network.
func (s Spec) Sample(rng *rand.Rand) (Linear, error) {
	factors, err := s.Factors()
	if err != nil {
		return Linear{}, err
	}
	n := Linear{Factors: factors, Skips: s.Skips, Precision: s.Precision}
	in := s.Inputs
	for i := range s.Depth {
		out := s.Width
		if i == s.Depth-1 {
			out = s.Outputs
		}
		n.Weights = append(n.Weights, s.draw(rng, in, out))
		in = out
	}
	return n, nil
}

func (s Spec) draw(rng *rand.Rand, in, out int) *mat.Dense {
	if s.Scaling == Orthogonal {
		return orthogonal(rng, in, out)
	}
	w := mat.NewDense(in, out, nil)
	data := w.RawMatrix().Data
	for k := range data {
		if s.Scaling == SP {
			data[k] = (2*rng.Float64() - 1) / math.Sqrt(float64(in))
		} else {
			data[k] = rng.NormFloat64()
		}
	}
	return w
}

// orthogonal draws an [in, out] matrix with orthonormal columns, or rows if
// there are more columns, uniformly: the Q of a Gaussian matrix, with the signs
// that make the diagonal of R positive (Mezzadri 2007).
func orthogonal(rng *rand.Rand, in, out int) *mat.Dense {
	rows, cols := max(in, out), min(in, out)
	normal := mat.NewDense(rows, cols, nil)
	for k := range normal.RawMatrix().Data {
		normal.RawMatrix().Data[k] = rng.NormFloat64()
	}
	var qr mat.QR
	var q, r mat.Dense
	qr.Factorize(normal)
	qr.QTo(&q)
	qr.RTo(&r)
	w := mat.DenseCopyOf(q.Slice(0, rows, 0, cols))
	for j := range cols {
		if r.At(j, j) < 0 {
			for i := range rows {
				w.Set(i, j, -w.At(i, j))
			}
		}
	}
	if in < out {
		return mat.DenseCopyOf(w.T())
	}
	return w
}

// ExpectedRescaling returns s where E[S] = s I over the draws of [Spec.Sample]:
//
//	s = 1/lambda + v sum_{k=0}^{L-2} q^k
//
// with q the expected gain of squared length of a hidden map and v that of the
// last one. Independent weights of mean 0 make it exact at every width. Its
// closed forms, for gamma = lambda = 1, are
//
//	MuPC, skips     1 + L/N ((1+1/L)^(L-1) - 1)      -> 1 + (e-1) L/N
//	MuPC            1 + (L-1)/N
//	SP, skips       (4/3)^(L-1)
//	SP              1 + (1 - 3^-(L-1))/2             -> 3/2
//	NTP, skips      1 + L ((1+1/L)^(L-1) - 1)
//	NTP             L
//
// When the target dominates the loss at initialisation, loss over equilibrated
// energy is about s. Source: derived for this project.
func (s Spec) ExpectedRescaling() (float64, error) {
	a, err := s.Factors()
	if err != nil {
		return 0, err
	}
	last := s.Depth - 1
	// E[W W^T] = gain I for a hidden weight; E[W^T W] = gain I for the last.
	width := float64(s.Width)
	hidden, output := width, width // variance 1, summed over the width
	switch s.Scaling {
	case SP: // variance 1/(3N)
		hidden, output = 1./3, 1./3
	case Orthogonal:
		hidden, output = 1, min(1, width/float64(s.Outputs))
	}
	q := 0.0
	if last > 1 {
		q = a[1] * a[1] * hidden
	}
	if s.Skips {
		q++
	}
	precision := s.Precision
	if precision == 0 {
		precision = 1
	}
	sum, term := 0.0, a[last]*a[last]*output
	for range last {
		sum += term
		term *= q
	}
	return 1/precision + sum, nil
}
