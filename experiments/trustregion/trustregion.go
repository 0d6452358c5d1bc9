// Package trustregion checks "Understanding Predictive Coding as an Adaptive Trust-Region Method" (arXiv 2305.18188): inference solves a
// trust-region problem on the activities, which makes saddles easier to leave and minima flatter.
//
// No code of the paper is published and its text was not at hand: statements are those of notes on it, of the author's blog and of its
// figures. What is reconstructed says so in its Source. docs/TRUSTREGION.md lists figures and claims.
package trustregion

import (
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return []claim.Claim{oneHidden, landscape, stepIsExact, stepOrders, direction, toyIsFaster, flatness, chains, chainsReLU, deepNets}
}

// paper begins the source of every claim.
const paper = "Understanding Predictive Coding as an Adaptive Trust-Region Method (arXiv 2305.18188)"

// generator is the source of all randomness of a cell.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2305_18188)) }
