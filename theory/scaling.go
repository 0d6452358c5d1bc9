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
//	MuP         N(0, 1/in), of     1          1              1            1/gamma
//	            W_L N(0, 1/in^2)
//	Orthogonal  semi-orthogonal    1          1              1            1/gamma
//
// D, N and, below a width of its own, any n_{l-1} are the inputs of a weight.
// Without skips MuP and MuPC draw the same maps.
//
// Source: arXiv 2505.13124, table 1; MuP from 2203.03466, table 3. The JPC
// library draws NTP weights like those of SP; here they are N(0, 1), as in the
// literature.
type Scaling int

// The parametrisations.
const (
	SP Scaling = iota
	NTP
	MuPC
	MuP
	Orthogonal
)

func (s Scaling) String() string {
	names := [...]string{"SP", "NTP", "MuPC", "MuP", "Orthogonal"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("Scaling(%d)", int(s))
	}
	return names[s]
}

// A Spec describes a family of random linear networks.
type Spec struct {
	Scaling                Scaling
	Inputs, Width, Outputs int
	Depth                  int   // L, the number of weights, at least 2
	Hidden                 []int // widths of the L-1 hidden layers, in place of Width; nil means all are Width
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
	if s.Depth < 2 {
		return errors.Errorf("theory: network of %d weights: want at least 2", s.Depth)
	}
	if s.Hidden != nil && len(s.Hidden) != s.Depth-1 {
		return errors.Errorf("theory: %d hidden widths for a network of %d weights: want %d", len(s.Hidden), s.Depth, s.Depth-1)
	}
	sizes := s.sizes()
	for l, n := range sizes {
		if n < 1 {
			return errors.Errorf("theory: network of layers %v, from inputs to outputs: want at least 1 unit in each", sizes)
		}
		if s.Skips && 1 < l && l < s.Depth && n != sizes[1] {
			return errors.Errorf("theory: network of layers %v with skips: want hidden layers of one width", sizes)
		}
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
	if s.Scaling == NTP || s.Scaling == MuPC {
		power := s.DepthPower
		if power == 0 && s.Skips {
			power = 0.5
		}
		for i, in := range s.sizes()[:s.Depth] {
			a[i] = 1 / math.Sqrt(float64(in))
			if 0 < i && i < last {
				a[i] /= math.Pow(float64(s.Depth), power)
			}
		}
		if s.Scaling == MuPC {
			a[last] *= a[last]
		}
	}
	a[last] /= s.gamma()
	return a, nil
}

// sizes are n_0 ... n_L.
func (s Spec) sizes() []int {
	sizes := []int{s.Inputs}
	for l := range s.Depth - 1 {
		if s.Hidden != nil {
			sizes = append(sizes, s.Hidden[l])
		} else {
			sizes = append(sizes, s.Width)
		}
	}
	return append(sizes, s.Outputs)
}

// skips are those of the network's maps.
func (s Spec) skips() []bool {
	if !s.Skips {
		return nil
	}
	return HiddenSkips(s.Depth)
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
	n := Linear{Factors: factors, Skips: s.skips(), Precision: s.Precision}
	sizes := s.sizes()
	for i := range s.Depth {
		n.Weights = append(n.Weights, s.draw(rng, i, sizes[i], sizes[i+1]))
	}
	return n, nil
}

// draw draws the weight at index i.
func (s Spec) draw(rng *rand.Rand, i, in, out int) *mat.Dense {
	if s.Scaling == Orthogonal {
		return orthogonal(rng, in, out)
	}
	w := mat.NewDense(in, out, nil)
	data := w.RawMatrix().Data
	std := math.Sqrt(s.variance(i, in))
	for k := range data {
		if s.Scaling == SP {
			data[k] = (2*rng.Float64() - 1) * math.Sqrt(3) * std
		} else {
			data[k] = rng.NormFloat64() * std
		}
	}
	return w
}

// variance is that of the weight at index i, of in inputs, if its entries are
// independent.
func (s Spec) variance(i, in int) float64 {
	switch s.Scaling {
	case SP:
		return 1 / (3 * float64(in))
	case MuP:
		if i == s.Depth-1 {
			return 1 / (float64(in) * float64(in))
		}
		return 1 / float64(in)
	}
	return 1
}

// gains are g_l with E[M_l^T M_l] = g_l I, for every weight.
func (s Spec) gains() ([]float64, error) {
	g, err := s.Factors()
	if err != nil {
		return nil, err
	}
	sizes, skips := s.sizes(), s.skips()
	for i, a := range g {
		in, out := sizes[i], sizes[i+1]
		if s.Scaling == Orthogonal {
			g[i] = a * a * min(1, float64(in)/float64(out))
		} else {
			g[i] = a * a * s.variance(i, in) * float64(in)
		}
		if skips != nil && skips[i] {
			g[i]++
		}
	}
	return g, nil
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
//	s = 1/lambda + sum_{l=2..L} g_l g_{l+1} ... g_L,   E[M_l^T M_l] = g_l I
//
// Independent weights of mean 0 make it exact at every width. Its closed forms
// for hidden layers of equal width, gamma and lambda 1, are
//
//	MuPC, skips     1 + L/N ((1+1/L)^(L-1) - 1)      -> 1 + (e-1) L/N
//	MuPC, MuP       1 + (L-1)/N
//	SP, skips       (4/3)^(L-1)
//	SP              1 + (1 - 3^-(L-1))/2             -> 3/2
//	NTP, skips      1 + L ((1+1/L)^(L-1) - 1)
//	NTP             L
//
// When the target dominates the loss at initialisation, loss over equilibrated
// energy is about s. Source: derived for this project.
func (s Spec) ExpectedRescaling() (float64, error) {
	g, err := s.gains()
	if err != nil {
		return 0, err
	}
	precision := s.Precision
	if precision == 0 {
		precision = 1
	}
	sum, product := 1/precision, 1.0
	for i := s.Depth - 1; i >= 1; i-- {
		product *= g[i]
		sum += product
	}
	return sum, nil
}

// ExpectedSquares returns E[mu^2] of the units of each layer in the feedforward
// pass, over the draws of [Spec.Sample], for inputs whose squares average 1. It
// is exact at every width; with hidden layers of equal width, for MuPC with skips
// that is (1+1/L)^(l-1), for l < L, so about e at most. Source: derived for this
// project.
func (s Spec) ExpectedSquares() ([]float64, error) {
	g, err := s.gains()
	if err != nil {
		return nil, err
	}
	squares, q := make([]float64, len(g)), 1.0
	for i, v := range g {
		q *= v
		squares[i] = q
	}
	return squares, nil
}
