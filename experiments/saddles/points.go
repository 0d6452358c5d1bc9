package saddles

import (
	"context"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// A place is a saddle by name.
type place string

// The places.
const (
	atOrigin   place = "origin"
	atZeroRank place = "zero-rank" // the release's "other saddle": all weights are zero but those before the last
)

// A point is a saddle of a linear network and a batch.
type point struct {
	Data   source `json:"data"`
	Place  place  `json:"place"`
	Hidden int    `json:"hidden"` // H = L - 1
	Width  int    `json:"width"`
	In     int    `json:"in"` // of the toy data
	Seed   uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (p point) Cost() float64 {
	if p.Data == gaussians {
		return .05
	}
	return 5
}

// A spectrum is what both landscapes look like there.
type spectrum struct {
	Energy     float64 `json:"energy"`     // lowest eigenvalue of the equilibrated energy's Hessian
	Unrolled   float64 `json:"unrolled"`   // the same through 50 steps of inference at .1
	Loss       float64 `json:"loss"`       // lowest of the loss
	LossHigh   float64 `json:"lossHigh"`   // highest of the loss
	EnergyHigh float64 `json:"energyHigh"` // highest of the energy; 0 where the whole matrix is too large
	Closed     float64 `json:"closed"`     // lowest by the closed form
	SingularXY float64 `json:"singularXY"` // largest singular value of S_xy
	Off        float64 `json:"off"`        // largest difference of an eigenvalue from the closed form's; of the lowest where the whole matrix is too large
	Negative   int     `json:"negative"`   // eigenvalues of the energy below -1e-6 of the lowest; 0 where the whole matrix is too large
	Targets    int     `json:"targets"`    // outputs
	TargetRank int     `json:"targetRank"` // of S_yy
	Gradient   float64 `json:"gradient"`   // the larger of the two gradients' lengths
	Values     string  `json:"values"`     // eigenvalues of energy and loss, as the figure has them
}

// spectra: the sizes are those of the release.
var spectra = claim.Grid("saddles/points", 1, func(s claim.Scale) []point {
	seeds := 5
	if s == claim.Quick {
		seeds = 1
	}
	var grid []point
	add := func(p point, count int) {
		for _, p.Seed = range claim.Seeds(count) {
			grid = append(grid, p)
		}
	}
	for _, p := range []point{{Hidden: 1, Width: 10, In: 2}, {Hidden: 2, Width: 5, In: 2}, {Hidden: 3, Width: 4, In: 3}, {Hidden: 4, Width: 4, In: 3}} {
		p.Data, p.Place = gaussians, atOrigin
		add(p, seeds)
		if p.Hidden >= 3 {
			p.Place = atZeroRank
			add(p, seeds)
		}
	}
	sources, sizes := []source{digits, clothes, signals}, [][2]int{{1, 10}, {2, 10}, {3, 5}, {4, 5}}
	if s == claim.Quick {
		sources, sizes = sources[:1], [][2]int{{1, 2}, {3, 2}}
	}
	for _, set := range sources {
		for _, size := range sizes {
			p := point{Data: set, Place: atOrigin, Hidden: size[0], Width: size[1]}
			add(p, 1+2*int(s))
			if p.Hidden >= 3 {
				p.Place = atZeroRank
				add(p, 1+2*int(s))
			}
		}
	}
	return grid
}, func(_ context.Context, p point, _ *claim.Cell) (spectrum, error) { return p.measure() })

// network is the linear network at the saddle, with the batch.
func (p point) network() (n theory.Linear, x, y *mat.Dense, err error) {
	r := generator(p.Seed)
	if p.Data == gaussians {
		x, y = toy(r, p.In, p.Hidden == 4)
	} else if x, y, err = pictures(p.Data, r); err != nil {
		return n, nil, nil, err
	}
	_, in := x.Dims()
	_, out := y.Dims()
	for l := range p.Hidden + 1 {
		from, to := p.Width, p.Width
		if l == 0 {
			from = in
		}
		if l == p.Hidden {
			to = out
		}
		w := mat.NewDense(from, to, nil)
		if p.Place == atZeroRank && l == p.Hidden-1 { // PyTorch's default
			bound := 1 / math.Sqrt(float64(from))
			for i := range w.RawMatrix().Data {
				w.RawMatrix().Data[i] = bound * (2*r.Float64() - 1)
			}
		}
		n.Weights = append(n.Weights, w)
	}
	return n, x, y, nil
}

// largestMatrix is how many weights a Hessian is written out for.
const largestMatrix = 200

func (p point) measure() (s spectrum, err error) {
	n, x, y, err := p.network()
	if err != nil {
		return s, err
	}
	eq, err := n.Equilibrium(x, y)
	if err != nil {
		return s, err
	}
	pass, err := n.Feedforward(x, y)
	if err != nil {
		return s, err
	}
	for _, g := range []theory.Gradient{eq.Gradient(), pass.Gradient()} {
		square, err := g.Dot(g)
		if err != nil {
			return s, err
		}
		s.Gradient = max(s.Gradient, math.Sqrt(square))
	}
	closed, err := p.closed(n, x, y)
	if err != nil {
		return s, err
	}
	s.Closed = closed[0]
	s.targets(x, y)
	energy, err := eq.WeightHessian()
	if err != nil {
		return s, err
	}
	unrolled, err := n.Unrolled(x, y, unrolledSteps, unrolledRate)
	if err != nil {
		return s, err
	}
	if energy.Dim() > largestMatrix {
		return s, s.ends(energy, unrolled.WeightHessian(), pass.WeightHessian())
	}
	var lists [3][]float64
	for i, h := range []*theory.WeightHessian{energy, unrolled.WeightHessian(), pass.WeightHessian()} {
		dense, err := h.Dense()
		if err != nil {
			return s, err
		}
		if lists[i], err = theory.Eigenvalues(dense); err != nil {
			return s, err
		}
	}
	last := len(lists[0]) - 1
	s.Energy, s.EnergyHigh, s.Unrolled, s.Loss, s.LossHigh = lists[0][0], lists[0][last], lists[1][0], lists[2][0], lists[2][last]
	if len(closed) == len(lists[0]) {
		diff := make([]float64, len(closed))
		s.Off = floats.Norm(floats.SubTo(diff, closed, lists[0]), math.Inf(1))
	}
	for _, v := range lists[0] {
		if v < 1e-6*s.Energy {
			s.Negative++
		}
	}
	s.Values = words(lists[0]) + "; " + words(lists[2])
	return s, nil
}

// closed is the closed form of the energy's spectrum, ascending.
func (p point) closed(n theory.Linear, x, y *mat.Dense) ([]float64, error) {
	if p.Place == atOrigin {
		o, err := n.Origin(x, y)
		if err != nil {
			return nil, err
		}
		return o.EnergyLevels.Values(), nil
	}
	z, err := n.ZeroRank(x, y)
	if err != nil {
		return nil, err
	}
	values := z.Levels.Values() // three or more weights are zero: the rest of the spectrum is 0
	total := 0
	for _, w := range n.Weights {
		r, c := w.Dims()
		total += r * c
	}
	return append(values, make([]float64, total-len(values))...), nil
}

// targets measures what the closed forms are made of.
func (s *spectrum) targets(x, y *mat.Dense) {
	var xy, yy mat.Dense
	xy.Mul(x.T(), y)
	yy.Mul(y.T(), y)
	var svd mat.SVD
	if svd.Factorize(&xy, mat.SVDNone) {
		s.SingularXY = svd.Values(nil)[0] / batch
	}
	if svd.Factorize(&yy, mat.SVDNone) {
		for _, v := range svd.Values(nil) {
			if v > 1e-9*svd.Values(nil)[0] {
				s.TargetRank++
			}
		}
	}
	_, s.Targets = y.Dims()
}

// ends are the extreme eigenvalues alone. The highest of the energy is not sought: 0 is one for H >= 2, as often as not.
func (s *spectrum) ends(energy, unrolled, loss *theory.WeightHessian) (err error) {
	lowest := func(h *theory.WeightHessian) float64 {
		high, e := theory.Lanczos{Steps: 60}.Largest(h.Dim(), func(dst, v []float64) error {
			defer floats.Scale(-1, dst)
			return h.Mul(dst, v)
		})
		if err == nil {
			err = e
		}
		return -high.Value
	}
	s.Energy, s.Unrolled, s.Loss = lowest(energy), lowest(unrolled), lowest(loss)
	high, e := theory.Lanczos{Steps: 60}.Largest(loss.Dim(), loss.Mul)
	if err == nil {
		err = e
	}
	s.LossHigh = high.Value
	s.Off = math.Abs(s.Energy - s.Closed)
	return err
}

// words are numbers in a text, so that a result has no list.
func words(values []float64) string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = fmt.Sprintf("%.4g", v)
	}
	return strings.Join(s, " ")
}

// numbers reads words.
func numbers(text string) (values []float64) {
	for _, w := range strings.Fields(text) {
		var v float64
		if _, err := fmt.Sscan(w, &v); err == nil {
			values = append(values, v)
		}
	}
	return values
}
