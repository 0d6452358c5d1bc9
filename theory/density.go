package theory

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// A Density estimates how the eigenvalues of a symmetric matrix are distributed,
// from products with vectors: Gauss quadrature at the ends of Lanczos' method
// from random starts. Source: Golub and Meurant, Matrices, Moments and Quadrature
// (2010); for Hessians of networks Ghorbani et al. 2019 (arXiv 1901.10159).
type Density struct {
	// Values are the quadrature nodes of all starts, Weights the share of the
	// eigenvalues that each stands for: they add up to 1.
	Values, Weights []float64
}

// Density makes o.Steps products (0 means 300; 60 are enough for a picture) from
// each of so many random starts. A node at an end of the spectrum is close to an
// eigenvalue; one inside stands for all around it. It reports what the product
// reports.
func (o Lanczos) Density(dim int, a Product, starts int) (Density, error) {
	o, err := o.validate(dim)
	if err != nil {
		return Density{}, err
	}
	if starts < 1 {
		return Density{}, errors.Errorf("theory: density of a spectrum from %d starts: want one or more", starts)
	}
	var d Density
	for s := range starts {
		k := newKrylov(dim, o.Steps, rand.New(rand.NewPCG(o.Seed, uint64(s))))
		for {
			exhausted, err := k.extend(a)
			if err != nil {
				return Density{}, err
			}
			if exhausted || len(k.alpha) == o.Steps {
				break
			}
			k.next()
		}
		eig, err := tridiagonal(k.alpha, k.beta)
		if err != nil {
			return Density{}, err
		}
		var v mat.Dense
		eig.VectorsTo(&v)
		for i, value := range eig.Values(nil) {
			first := v.At(0, i)
			d.Values, d.Weights = append(d.Values, value), append(d.Weights, first*first/float64(starts))
		}
	}
	return d, nil
}

// Mean is the mean eigenvalue, the trace over the dimension.
func (d Density) Mean() float64 { return floats.Dot(d.Values, d.Weights) }

// Below is the share of the eigenvalues below v.
func (d Density) Below(v float64) float64 {
	share := 0.
	for i, at := range d.Values {
		if at < v {
			share += d.Weights[i]
		}
	}
	return share
}

// At is the density at v, per unit of the eigenvalue, smoothed by a Gaussian of
// a standard deviation above 0.
func (d Density) At(v, deviation float64) float64 {
	sum := 0.
	for i, at := range d.Values {
		z := (v - at) / deviation
		sum += d.Weights[i] * math.Exp(-z*z/2)
	}
	return sum / (deviation * math.Sqrt(2*math.Pi))
}
