// Package mupc checks "muPC: Scaling Predictive Coding to 100+ Layer Networks" (arXiv 2505.13124): by training, and on the
// closed forms of linear networks.
//
// The paper's text was not at hand: statements are those of its released code, its figures, and notes on it. Cells carry
// the paper's units, in which rates of inference are on the gradient of the batch mean; units.go alone converts them.
package mupc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"

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

// results are the rows of a table that are wanted.
func results(t claim.Table, want func(Setup) bool) ([]result, error) {
	rows, err := claim.Rows[Setup, Run](t)
	return slices.DeleteFunc(rows, func(r result) bool { return !want(r.Params) }), err
}

// seeds counts from 1.
func seeds(n int) []uint64 {
	s := make([]uint64, n)
	for i := range s {
		s[i] = uint64(i + 1)
	}
	return s
}

// keys are the keys of a map in ascending order.
func keys[V any](m map[int]V) []int {
	var ks []int
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

// offs collects what is off, so that an error tells all of it.
type offs []string

func (o *offs) add(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

func (o offs) err() error {
	if len(o) == 0 {
		return nil
	}
	return errors.New(strings.Join(o, "; "))
}

// percent writes a fraction.
func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// lines makes a line with a band of one standard error from estimates by x.
func line(name string, series int, at map[int]claim.Estimate) claim.Line {
	l := claim.Line{Name: name, Series: series, Points: true}
	for _, x := range keys(at) {
		e := at[x]
		half := e.Err
		if math.IsNaN(half) {
			half = 0
		}
		l.X, l.Y = append(l.X, float64(x)), append(l.Y, e.Mean)
		l.Low, l.High = append(l.Low, e.Mean-half), append(l.High, e.Mean+half)
	}
	return l
}
