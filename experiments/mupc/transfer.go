package mupc

import (
	"fmt"
	"math"
	"slices"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// A grid of rates: those of the paper, of weights and of activities.
type rates struct{ lr, rate []float64 }

var (
	fullRates  = rates{lr: []float64{.01, .05, .1, .5}, rate: []float64{.01, .05, .1, .5, 1, 5, 10, 50, 100, 500, 1000}}
	quickRates = rates{lr: []float64{.01, .1, 1}, rate: []float64{.1, 1, 10, 100}}
)

// sweep trains every network at every pair of rates.
func (r rates) sweep(nets []Setup) []Setup {
	var grid []Setup
	for _, s := range nets {
		for _, lr := range r.lr {
			for _, rate := range r.rate {
				s.LR, s.Rate = lr, rate
				grid = append(grid, s)
			}
		}
	}
	return grid
}

// overWidth and overDepth are tanh networks of muPC. The paper's depths are at width 512; a width of 128 takes a
// sixteenth of the time.
var (
	overWidth = trains("transfer-width", func(s claim.Scale) []Setup {
		base := Setup{Data: MNIST, Method: PC, Scaling: MuPC, Act: Tanh, Hidden: 8, Steps: 8, Batch: 64, Iterations: 300, Test: 2000, Seed: 1}
		widths, r := []int{64, 128, 256, 512}, fullRates
		if s == claim.Quick {
			base.Hidden, base.Steps, base.Iterations, base.Test = 4, 4, 40, 500
			widths, r = []int{32, 96}, quickRates
		}
		var nets []Setup
		for _, n := range widths {
			base.Width = n
			nets = append(nets, base)
		}
		return r.sweep(nets)
	})
	overDepth = trains("transfer-depth", func(s claim.Scale) []Setup {
		base := Setup{Data: MNIST, Method: PC, Scaling: MuPC, Act: Tanh, Width: 128, Batch: 64, Iterations: 300, Test: 2000, Seed: 1}
		hidden, r := []int{8, 16, 32, 64, 128}, fullRates
		if s == claim.Quick {
			base.Width, base.Iterations, base.Test = 48, 40, 500
			hidden, r = []int{4, 12}, quickRates
		}
		var nets []Setup
		for _, h := range hidden {
			base.Hidden, base.Steps = h, h
			nets = append(nets, base)
		}
		return r.sweep(nets)
	})
)

// A landscape is the training loss over the pairs of rates, NaN where training diverged.
type landscape struct {
	rates
	loss [][]float64 // by rate, by lr
}

// landscapes are those of a table, by what of does with a setup.
func landscapes(t claim.Table, of func(Setup) int) map[int]landscape {
	rows := results(t, anySetup)
	r := fullRates
	if t.Scale == claim.Quick {
		r = quickRates
	}
	all := map[int]landscape{}
	for _, row := range rows {
		l, ok := all[of(row.Params)]
		if !ok {
			l = landscape{rates: r}
			for range r.rate {
				l.loss = append(l.loss, slices.Repeat([]float64{math.NaN()}, len(r.lr)))
			}
			all[of(row.Params)] = l
		}
		if row.Result.Diverged == 0 {
			l.loss[slices.Index(r.rate, row.Params.Rate)][slices.Index(r.lr, row.Params.LR)] = row.Result.Loss
		}
	}
	return all
}

// best is the cell with the least loss.
func (l landscape) best() (i, j int) {
	least := math.Inf(1)
	for a, row := range l.loss {
		for b, v := range row {
			if v < least {
				least, i, j = v, a, b
			}
		}
	}
	return i, j
}

// level says how far above the least a loss counts as equally good: that of a batch's mean over a few iterations is not
// known better.
const level = 1.05

// move is how many steps of the grid lie between the best cell of l and the nearest cell of m that is as good as its best.
func (l landscape) move(m landscape) int {
	i, j := l.best()
	a, b := m.best()
	least, nearest := m.loss[a][b], math.MaxInt
	for a, row := range m.loss {
		for b, v := range row {
			if v <= level*least {
				nearest = min(nearest, max(abs(a-i), abs(b-j)))
			}
		}
	}
	return nearest
}

func abs(i int) int { return max(i, -i) }

func transferClaims() []claim.Claim {
	over := func(id, what, letter string, e claim.Experiment, of func(Setup) int) claim.Claim {
		return claim.Claim{
			ID:        "mupc/transfer-" + id,
			Source:    paper + ", learning-rate grids; settings from the released code, values read off the figure",
			Statement: fmt.Sprintf("The learning rates of weights and activities that train best with muPC are the same at every %s.", what),
			Paper:     "tanh: best at a rate of .05 to .1 for weights and about 10 for activities at H = 16 and 128; divergence above 100",
			Grid:      e,
			Bounds: []claim.Bound{
				{Text: "from the first size to every other the best cell moves by at most one step of the grid to the nearest whose loss is within 5 % of the best", Origin: claim.Before, Commit: "0dd3103",
					Note: "one seed: that losses within 5 % are equally good is our estimate of what a few batches' mean is known to, not a measured scatter"},
			},
			Check: func(t claim.Table) (string, error) { return bestRatesStay(t, letter, of) },
			Plot:  func(t claim.Table) []claim.Figure { return landscapeFigure(t, id, letter, of) },
		}
	}
	return []claim.Claim{
		over("width", "width", "N", overWidth, func(s Setup) int { return s.Width }),
		over("depth", "depth", "H", overDepth, func(s Setup) int { return s.Hidden }),
	}
}

// bestRatesStay is the check of the claims on transfer.
func bestRatesStay(t claim.Table, letter string, of func(Setup) int) (string, error) {
	all := landscapes(t, of)
	var off claim.Off
	ks := claim.Keys(all)
	if len(ks) == 0 {
		return "", nil
	}
	small := all[ks[0]]
	i, j := small.best()
	words := fmt.Sprintf("best at %s = %d: weights %g, activities %g, loss %.4f", letter, ks[0], small.lr[j], small.rate[i], small.loss[i][j])
	for _, k := range ks[1:] {
		l := all[k]
		a, b := l.best()
		words += fmt.Sprintf("; %d: %g, %g, loss %.4f, with the first's rates %.4f", k, l.lr[b], l.rate[a], l.loss[a][b], l.loss[i][j])
		if m := small.move(l); m > 1 {
			off.Add("%s=%d: the best cell moved by %d steps of the grid", letter, k, m)
		}
	}
	return words, off.Err()
}

// landscapeFigure is the figure of the claims on transfer.
func landscapeFigure(t claim.Table, id, letter string, of func(Setup) int) []claim.Figure {
	all := landscapes(t, of)
	f := claim.Figure{Name: "mupc-transfer-" + id, Caption: "Training loss, mean over the last tenth of the iterations, logarithm to base 10; tanh. Blank: diverged."}
	for _, k := range claim.Keys(all) {
		l := all[k]
		m := &claim.Map{Levels: []float64{-1.2, -1, -.8, -.6, -.4}}
		for _, lr := range l.lr {
			m.Columns = append(m.Columns, fmt.Sprint(lr))
		}
		for i, rate := range l.rate {
			m.Rows = append(m.Rows, fmt.Sprint(rate))
			var row []float64
			for _, v := range l.loss[i] {
				row = append(row, math.Log10(v))
			}
			m.Values = append(m.Values, row)
		}
		f.Panels = append(f.Panels, claim.Panel{Title: fmt.Sprintf("%s = %d", letter, k), X: claim.Axis{Label: "rate of the weights"}, Y: claim.Axis{Label: "rate of the activities (batch mean)"}, Map: m})
	}
	return []claim.Figure{f}
}
