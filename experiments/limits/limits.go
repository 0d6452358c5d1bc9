// Package limits checks "On the Infinite Width and Depth Limits of Predictive Coding Networks" (arXiv 2602.07697): where
// networks are much wider than deep, predictive coding's energy at equilibrium becomes backprop's loss and its gradients
// become backprop's. The claims on linear networks rest on closed forms in float64 alone.
//
// The paper's text was not at hand: statements are those of its released code, its figures, and notes on it.
package limits

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return []claim.Claim{energyBecomesLoss, gradientsBecomeBackprop, ratioDecides, noSkips, standardStaysApart,
		staysThroughTraining, toyApproaches, followsMeanField, gammaSweep, saddleRegime, tanhApproaches, resNetApproaches, transformerApproaches}
}

// paper begins the source of every claim.
const paper = "On the Infinite Width and Depth Limits of Predictive Coding Networks (arXiv 2602.07697)"

// A param is a parametrisation by name.
type param string

// The parametrisations that are compared.
const (
	muPC param = "mupc"
	ntp  param = "ntp"
	sp   param = "sp"
)

func (p param) scaling() theory.Scaling {
	return map[param]theory.Scaling{muPC: theory.MuPC, ntp: theory.NTP, sp: theory.SP}[p]
}

// gaussian draws a matrix of standard normal numbers.
func gaussian(r *rand.Rand, rows, columns int) *mat.Dense {
	m := mat.NewDense(rows, columns, nil)
	data := m.RawMatrix().Data
	for i := range data {
		data[i] = r.NormFloat64()
	}
	return m
}

// oneHot draws a class for every row.
func oneHot(r *rand.Rand, rows, classes int) *mat.Dense {
	m := mat.NewDense(rows, classes, nil)
	for i := range rows {
		m.Set(i, r.IntN(classes), 1)
	}
	return m
}

// generator is the source of all randomness of a cell.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2602_07697)) }
