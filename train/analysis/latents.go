package analysis

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Cloud is the normal distribution that fits points: mean, and standard deviations along orthogonal directions. A network
// whose input is free and without a prior has no distribution to sample inputs from but that of what it inferred.
type Cloud struct {
	Mean []float64
	Dirs [][]float64 // unit vectors, the widest first
	Stds []float64   // along them
}

// FitCloud fits points [n, d], n >= 2: the principal components of their covariance.
func FitCloud[T graph.Float](points []T, d int) (*Cloud, error) {
	if d < 1 || len(points) < 2*d || len(points)%d != 0 {
		return nil, errors.Errorf("analysis: cloud: %d numbers are no two or more whole points of %d", len(points), d)
	}
	if i := kernel.FirstNonFinite(points); i >= 0 {
		return nil, errors.Errorf("analysis: cloud: element %d of point %d is %v: leave out points that are not finite", i%d, i/d, points[i])
	}
	x := mat.NewDense(len(points)/d, d, nil)
	for i, v := range points {
		x.RawMatrix().Data[i] = float64(v)
	}
	c := &Cloud{Mean: make([]float64, d)}
	for k := range c.Mean {
		c.Mean[k] = stat.Mean(mat.Col(nil, k, x), nil)
	}
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, x, nil)
	var e mat.EigenSym
	if !e.Factorize(&cov, true) {
		return nil, errors.New("analysis: cloud: the covariance of the points has no eigenvalues: look for numbers that are not finite")
	}
	var v mat.Dense
	e.VectorsTo(&v)
	values := e.Values(nil)
	for k := d - 1; k >= 0; k-- { // ascending in gonum
		c.Dirs = append(c.Dirs, mat.Col(nil, k, &v))
		c.Stds = append(c.Stds, math.Sqrt(math.Max(0, values[k])))
	}
	return c, nil
}

// At is the point that is by s standard deviations away from the mean along direction k.
func (c *Cloud) At(k int, s float64) []float64 {
	p := append([]float64(nil), c.Mean...)
	for i, v := range c.Dirs[k] {
		p[i] += s * c.Stds[k] * v
	}
	return p
}

// Sample draws a point.
func (c *Cloud) Sample(rng *rand.Rand) []float64 {
	p := append([]float64(nil), c.Mean...)
	for k, dir := range c.Dirs {
		s := c.Stds[k] * rng.NormFloat64()
		for i, v := range dir {
			p[i] += s * v
		}
	}
	return p
}
