// Package mupc checks "muPC: Scaling Predictive Coding to 100+ Layer Networks" (arXiv 2505.13124): by training, and on the
// closed forms of linear networks.
//
// The paper's text was not at hand: statements are those of its released code, its figures, and notes on it. Cells carry
// the paper's units, in which rates of inference are on the gradient of the batch mean; claim.PerSample alone converts them.
package mupc

import (
	"context"
	"slices"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return slices.Concat(depthClaims(), conditioningClaims(), forwardClaims(), exactClaims(), transferClaims(), inferenceClaims(), duringClaims(), longClaims())
}

// paper begins the source of every claim.
const paper = "muPC: Scaling Predictive Coding to 100+ Layer Networks (arXiv 2505.13124)"

// trains is the experiment of training the setups of a grid.
func trains(name string, setups func(claim.Scale) []Setup) claim.Experiment {
	return claim.Grid("mupc/"+name, 1, setups, func(ctx context.Context, s Setup, at *claim.Cell) (Run, error) {
		folder, err := at.Folder()
		if err != nil {
			return Run{}, err
		}
		return s.train(ctx, folder, at.Progress)
	})
}

// A result is a trained setup.
type result = claim.Row[Setup, Run]

// anySetup admits every setup.
func anySetup(Setup) bool { return true }

// results are the trained setups of a table that satisfy want.
func results(t claim.Table, want func(Setup) bool) []result { return claim.Where[Setup, Run](t, want) }
