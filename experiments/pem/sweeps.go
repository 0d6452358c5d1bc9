package pem

import (
	"context"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// rhos are the correlations of the paper's sweeps S1 and S2, inputs the input SNRs in dB of S3 to S5.
var (
	rhos   = []float64{0, .05, .1, .15, .2, .25, .3, .35, .4, .45, .5}
	inputs = []float64{5, 10, 15, 20, 25, 30}
)

// correlated is S1 and S2 for the online methods: five sources in ten mixtures of 30 dB, correlated by a t-copula.
var correlated = claim.Grid("pem/correlated", 1, func(s claim.Scale) (grid []trial) {
	points, seeds, samples := rhos, 30, 100_000
	if s == claim.Quick {
		points, seeds, samples = []float64{0, .5}, 2, 12_000
	}
	for name, methods := range order(map[string][]string{antiName: {pemRule, upem, cim, bsm}, nnName: {pemRule, upem, cim, nsm}}) {
		for _, method := range methods {
			for _, rho := range points {
				for seed := range seeds {
					grid = append(grid, trial{Method: method, Domain: name, Rho: rho, SNR: 30, Mixtures: 10, Samples: samples, Seed: seed + 1})
				}
			}
		}
	}
	return grid
}, measured)

// noisy is S3 to S5 for the online methods: sources in the l1 ball, its nonnegative part and the simplex, with noise.
var noisy = claim.Grid("pem/noisy", 1, func(s claim.Scale) (grid []trial) {
	points, seeds, samples := inputs, 30, 100_000
	if s == claim.Quick {
		points, seeds, samples = []float64{10, 30}, 2, 12_000
	}
	for name, methods := range order(map[string][]string{"sparse": {pemRule, upem, cim}, "nnsparse": {pemRule, upem, cim}, "simplex": {pemRule, upem}}) {
		for _, method := range methods {
			for _, snr := range points {
				for seed := range seeds {
					grid = append(grid, trial{Method: method, Domain: name, SNR: snr, Mixtures: 10, Samples: samples, Seed: seed + 1})
				}
			}
		}
	}
	return grid
}, measured)

// order yields a map in the order of its keys.
func order(m map[string][]string) func(func(string, []string) bool) {
	return func(yield func(string, []string) bool) {
		for _, k := range claim.Keys(m) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// measured measures a trial as a cell.
func measured(ctx context.Context, t trial, _ *claim.Cell) (score, error) { return t.measure(ctx) }
