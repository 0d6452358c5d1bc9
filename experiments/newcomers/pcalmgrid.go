package newcomers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// sizeRuns are the trainings of PC-ALM's paper over depth and width, and one of a thousand layers.
var sizeRuns = claim.Grid("newcomers/pcalm-sizes", 1, func(s claim.Scale) []multiplied {
	depths, widths := []int{8, 32, 128}, []int{8, 32, 64}
	base := multiplied{Data: "MNIST", Mean: .5, Std: .5, Seed: 1}
	if s == claim.Quick {
		depths, widths = []int{4, 8}, []int{8, 16}
		base.Limit, base.Test = 250, 1000
	}
	var grid []multiplied
	add := func(p multiplied) {
		for _, method := range []string{byBP, byPC, byALM} {
			p.Method, p.Budget = method, 0
			if method != byBP {
				p.Budget = 2 * p.Depth
			}
			grid = append(grid, p)
		}
	}
	for _, depth := range depths {
		for _, width := range widths {
			p := base
			p.Depth, p.Width = depth, width
			add(p)
		}
	}
	if s == claim.Full {
		p := base
		p.Depth, p.Width, p.Limit = 1000, 16, 60
		add(p)
	}
	return grid
}, func(ctx context.Context, p multiplied, at *claim.Cell) (outcome, error) { return p.measure(ctx, at) })

var multipliersAtEverySize = claim.Claim{
	ID:     "newcomers/pcalm-sizes",
	Source: "Seely and Gould, PC-ALM (arXiv 2605.31022): MNIST, depths and widths 8 to 128, ReLU, one epoch, T = 2L; 1,000 layers from the authors' page",
	Statement: "With multipliers a residual network of any depth from 8 to 128 and any width learns as well as by backprop in 2L steps of inference, and one of 1,000 layers still does; " +
		"without, what is lost grows with depth.",
	Paper: "PC-ALM matches backprop over the whole grid; no table of figures at hand. The authors' 1,000 layers are narrow, near backprop",
	Grid:  sizeRuns,
	Bounds: []claim.Bound{
		{Text: "PC-ALM within 2 points of backprop at every size of the grid", Origin: claim.Before, Commit: "a91a5d0", Note: "the paper says \"matches\"; one seed here, whose deviation is about a point in narrow networks"},
		{Text: "PC's mean loss of accuracy over widths is larger at the greatest depth than at the least", Origin: claim.Paper, Note: "the sentence"},
		{Text: "after training the cosine to backprop's gradient is higher with multipliers than without at every size, and without it is lower at the greatest depth than at the least, mean over widths", Origin: claim.Paper, Note: "the paper's figure of cosines"},
		{Text: "at 1,000 layers the cosine to backprop's gradient is higher with multipliers than without, by .2 or more", Origin: claim.Paper, Note: ".305 in the reference cell of 32 layers"},
	},
	Check:       checkSizes,
	Verdict:     claim.Fails,
	QuickPasses: true,
	Shuffled:    "the sentence does not hold at every size, and does not of results shuffled among the sizes either",
	Care: claim.Constant("Not quite: from 32 layers on, 2L steps leave PC-ALM 1 to 5 points below backprop, most in the narrow networks (5.4 points at 32 layers of 8, 4.6 at 128 layers of 32), and its gradient at a cosine of .65 to .98. " +
		"PC loses 14 to 54 points there, so that the multipliers win back most of it; that the loss of PC grows with depth is so. At 1,000 layers of 16 the cosine after 60 batches is .79 with multipliers and .27 without; nothing is learned in so few. " +
		"One seed; widths to 64 where the paper has 128. That 2L steps are not enough everywhere an independent replication found too."),
}

// A residualSize is depth and width of a residual network.
type residualSize struct{ depth, width int }

// checkSizes is the check of newcomers/pcalm-sizes.
func checkSizes(t claim.Table) (string, error) {
	rows := claim.Rows[multiplied, outcome](t)
	found := map[residualSize]map[string]outcome{}
	grid := map[residualSize]bool{}
	for _, r := range rows {
		s := residualSize{r.Params.Depth, r.Params.Width}
		if found[s] == nil {
			found[s] = map[string]outcome{}
		}
		found[s][r.Params.Method] = r.Result
		grid[s] = r.Params.Depth < 1000
	}
	near := 2.
	if t.Scale == claim.Quick { // after so few updates accuracies say little
		near = 10
	}
	var off claim.Off
	var text []string
	lost, turned, least, most := map[int]float64{}, map[int]float64{}, 1<<30, 0
	for _, s := range slices.SortedFunc(maps.Keys(found), func(a, b residualSize) int { return cmp.Or(a.depth-b.depth, a.width-b.width) }) {
		r := found[s]
		bp, pc, alm := 100*r[byBP].Accuracy, 100*r[byPC].Accuracy, 100*r[byALM].Accuracy
		text = append(text, fmt.Sprintf("%d x %d: BP %.2f %%, PC %.2f (cosine %.3f), PC-ALM %.2f (%.3f)", s.depth, s.width, bp, pc, float64(r[byPC].Cosine), alm, float64(r[byALM].Cosine)))
		if !grid[s] {
			if d := float64(r[byALM].Cosine - r[byPC].Cosine); !(d >= .2) {
				off.Add("%d layers: the cosine is higher by %.3f", s.depth, d)
			}
			continue
		}
		least, most = min(least, s.depth), max(most, s.depth)
		lost[s.depth] += bp - pc
		turned[s.depth] += 1 - float64(r[byPC].Cosine)
		if !(r[byALM].Cosine > r[byPC].Cosine) {
			off.Add("%d x %d: cosine of PC-ALM %.3f, of PC %.3f", s.depth, s.width, float64(r[byALM].Cosine), float64(r[byPC].Cosine))
		}
		if !(bp-alm <= near) {
			off.Add("%d x %d: PC-ALM is %.2f points below backprop", s.depth, s.width, bp-alm)
		}
	}
	if !(turned[most] > turned[least]) {
		off.Add("1 - cosine of PC is %.3f at depth %d, %.3f at %d, summed over widths", turned[most], most, turned[least], least)
	}
	if t.Scale == claim.Full && !(lost[most] > lost[least]) {
		off.Add("PC loses %.2f points at depth %d, %.2f at %d, summed over widths", lost[most], most, lost[least], least)
	}
	return strings.Join(text, "; "), off.Err()
}
