package mupc

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// The rates of the paper's figures: of weights and activities in muPC, of weights in BP. SP has the better of two.
const muPCLR = .1

var (
	muPCRate = map[Act]float64{ReLU: .5, Tanh: 1, Linear: 1}
	bpLR     = map[Act]float64{ReLU: 1e-2, Tanh: 1e-2, Linear: 1e-3}
	spLRs    = []float64{1e-2, 1e-3} // the paper's, which is the least of its grid, and a tenth
)

const spRate = .1

// depths trains networks of one activation over depth: muPC, SP and BP with the scalings of muPC. Full is one epoch at the
// width of the paper, with three seeds up to 32 hidden layers; beyond that only muPC's ReLU networks have three.
func depths(act Act) func(claim.Scale) []Setup {
	return func(s claim.Scale) []Setup {
		base := Setup{Data: MNIST, Act: act, Width: 512, Batch: 64, Iterations: 900, EvalEvery: 300}
		hidden := []int{8, 16, 32, 64, 128}
		if s == claim.Quick {
			base.Width, base.Iterations, base.EvalEvery, base.Test = 64, 120, 40, 2000
			hidden = []int{4, 8, 24}
			if act != ReLU {
				hidden = []int{4, 16}
			}
		}
		var grid []Setup
		for _, h := range hidden {
			count := 3
			if s == claim.Quick || h > 32 && act != ReLU {
				count = 1
			}
			for _, seed := range claim.Seeds(count) {
				b := base
				b.Hidden, b.Seed = h, seed
				pc, bp := b, b
				pc.Method, pc.Scaling, pc.Steps, pc.Rate, pc.LR = PC, MuPC, h, muPCRate[act], muPCLR
				if h > 32 && seed > 1 {
					grid = append(grid, pc)
					continue
				}
				bp.Method, bp.Scaling, bp.LR = BP, MuPC, bpLR[act]
				grid = append(grid, pc, bp)
				for _, lr := range spLRs {
					if s == claim.Quick && act != ReLU {
						continue
					}
					sp := pc
					sp.Scaling, sp.Rate, sp.LR = SP, spRate, lr
					grid = append(grid, sp)
				}
			}
		}
		return grid
	}
}

var deep = map[Act]claim.Experiment{
	ReLU:   trains("depth-relu", depths(ReLU)),
	Tanh:   trains("depth-tanh", depths(Tanh)),
	Linear: trains("depth-linear", depths(Linear)),
}

// A variant is the networks of one line of the figures: all depths by one method.
type variant struct {
	method  Method
	scaling Scaling
	lr      float64 // 0: whatever it is
}

var (
	ofMuPC = variant{method: PC, scaling: MuPC}
	ofBP   = variant{method: BP, scaling: MuPC}
)

func ofSP(lr float64) variant { return variant{PC, SP, lr} }

// of reports whether a setup is of the variant.
func (f variant) of(s Setup) bool {
	return s.Method == f.method && s.Scaling == f.scaling && (f.lr == 0 || s.LR == f.lr)
}

// accuracies are those of a variant of training by depth, at an iteration.
func accuracies(t claim.Table, f variant, step int) map[int]claim.Estimate {
	return claim.By(results(t, f.of), func(s Setup) int { return s.Hidden }, func(r Run) float64 { return r.At(step) })
}

// iterations are those of the table's trainings.
func iterations(t claim.Table) (every, all int) {
	rows := results(t, anySetup)
	if len(rows) == 0 {
		return 0, 0
	}
	return rows[0].Params.EvalEvery, rows[0].Params.Iterations
}

// listed are accuracies in words.
func listed(at map[int]claim.Estimate) string {
	var words []string
	for _, h := range claim.Keys(at) {
		words = append(words, fmt.Sprintf("%.1f", 100*at[h].Mean))
	}
	return fmt.Sprintf("%s %% at H = %s", strings.Join(words, " / "), strings.Trim(strings.ReplaceAll(fmt.Sprint(claim.Keys(at)), " ", ", "), "[]"))
}

// A bound is what accuracies must keep to at a scale: the least, the change from the least to the greatest depth, and the
// distance from BP.
type bound struct{ floor, change, toBP float64 }

// bounds of the claims on depth. Quick networks are narrow and see a tenth of an epoch.
var bounds = map[Act]map[claim.Scale]bound{
	ReLU:   {claim.Full: {.95, .01, .01}, claim.Quick: {.7, .08, .13}},
	Tanh:   {claim.Full: {.93, .01, .01}, claim.Quick: {.7, .08, .13}},
	Linear: {claim.Full: {.80, .03, .02}, claim.Quick: {.65, .08, .13}},
}

// bySeed are the accuracies of a variant of training at the end, by depth and seed.
func bySeed(t claim.Table, f variant) map[int]map[uint64]float64 {
	m := map[int]map[uint64]float64{}
	for _, r := range results(t, f.of) {
		if m[r.Params.Hidden] == nil {
			m[r.Params.Hidden] = map[uint64]float64{}
		}
		m[r.Params.Hidden][r.Params.Seed] = r.Result.Accuracy
	}
	return m
}

// change estimates by how much accuracy changes from the least depth to the greatest, by the least-squares line over the
// logarithm of depth through every network of every seed, whose scatter about the line gives the error.
func change(at map[int]map[uint64]float64) claim.Estimate {
	hs := claim.Keys(at)
	var x, y []float64
	for _, h := range hs {
		for _, seed := range claim.Keys(at[h]) {
			x, y = append(x, math.Log2(float64(h))), append(y, at[h][seed])
		}
	}
	if len(hs) < 2 {
		return claim.Mean()
	}
	e, octaves := claim.Slope(x, y), math.Log2(float64(hs[len(hs)-1])/float64(hs[0]))
	e.Mean, e.Err = e.Mean*octaves, e.Err*octaves
	return e
}

// toBP are the differences of muPC from BP, paired by seed: of each depth, and of all networks of depths with several pairs.
func toBP(t claim.Table) (by map[int]claim.Estimate, pooled claim.Estimate) {
	mu := bySeed(t, ofMuPC)
	bp := bySeed(t, ofBP)
	by = map[int]claim.Estimate{}
	var all []float64
	for _, h := range claim.Keys(mu) {
		by[h] = claim.Paired(mu[h], bp[h])
		if by[h].N < 2 {
			continue
		}
		for _, seed := range claim.Keys(mu[h]) {
			if v, ok := bp[h][seed]; ok {
				all = append(all, mu[h][seed]-v)
			}
		}
	}
	return by, claim.Mean(all...)
}

// sloped is points of what a line through networks gives, whose N is one less than there are.
func sloped(e claim.Estimate) string {
	if math.IsNaN(e.Err) {
		return fmt.Sprintf("%.2f", 100*e.Mean)
	}
	return fmt.Sprintf("%.2f ± %.2f (%d networks)", 100*e.Mean, 100*e.Err, e.N+1)
}

// beyondScatter says whether a difference is beyond its scatter.
func beyondScatter(e claim.Estimate) string {
	if e.Above(0) || e.Below(0) {
		return "beyond its scatter over seeds"
	}
	return "not beyond its scatter over seeds"
}

func depthClaims() []claim.Claim {
	independent := func(act Act, figure string) claim.Claim {
		return claim.Claim{
			ID:     "mupc/depth-" + string(act),
			Source: paper + ", " + figure + "; settings from the released code, values read off the figure",
			Statement: fmt.Sprintf("muPC trains residual networks (%s) of 8 to 128 hidden layers on MNIST with one pair of learning rates: accuracy after one epoch does not depend on depth.",
				act),
			Paper: map[Act]string{
				ReLU:   "93-95 / 95-96 / 96-97 % after 300 / 600 / 900 iterations at all depths",
				Tanh:   "as ReLU",
				Linear: "flat in depth, at the accuracy of linear networks",
			}[act],
			Grid:  deep[act],
			Check: func(t claim.Table) (string, error) { return flatInDepth(t, act) },
			Bounds: []claim.Bound{
				{Text: fmt.Sprintf("at least %.0f %% at every depth after 900 iterations", 100*bounds[act][claim.Full].floor), Origin: claim.Before, Commit: "0dd3103", Note: "the paper's curves, read off, less a point or two"},
				{Text: fmt.Sprintf("from 8 to 128 layers accuracy changes by at most %.0f points, the 95 %% interval of a line through all networks included", 100*bounds[act][claim.Full].change), Origin: claim.After,
					Note: map[bool]string{false: "one point is what can be read off the paper's figure; before, the depths' means were to be within 2 or 3 points of each other",
						true: "a point, as for the others, cannot be shown with these seeds; before, the depths' means were to be within 3 points of each other"}[act == Linear]},
			},
			Verdict: map[Act]claim.Verdict{ReLU: claim.WithCare, Tanh: claim.Holds, Linear: claim.WithCare}[act],
			Care:    map[Act]func(claim.Table) string{ReLU: depthReLUCare, Linear: depthLinearCare}[act],
			Plot:    func(t claim.Table) []claim.Figure { return depthFigure(t, act) },
		}
	}
	return []claim.Claim{independent(ReLU, "figure 1"), independent(Tanh, "figures A.16-A.18"), independent(Linear, "figures A.16-A.18"), collapses(), {
		ID:        "mupc/sp-falls-with-depth",
		Source:    "ours: the standard parametrisation at a tenth of the least rate of the weights in the paper's grid; settings else as figure 1 of " + paper,
		Statement: "At a rate of .001 of the weights and .1 of the activities the standard parametrisation falls in accuracy from every depth to the next, and is at chance at 128 hidden layers.",
		Paper:     "none at this rate. At its best rates 82 / 82 / 67 / 10 / 10 % at H = 8, 16, 32, 64, 128",
		Grid:      deep[ReLU],
		Bounds: []claim.Bound{
			{Text: "where both depths have three seeds the fall is beyond their scatter (95 %, paired), otherwise it is 5 points at least", Origin: claim.After, Note: "before, only the shallowest and the deepest were compared"},
			{Text: "at most 15 % at the deepest", Origin: claim.Before, Commit: "0dd3103"},
		},
		Check:   fallsAtEveryDepth,
		Verdict: claim.WithCare,
		Care:    spFallsCare,
	}, {
		ID:        "mupc/meets-backprop",
		Source:    paper + ", figure 1; settings from the released code, values read off the figure",
		Statement: "At every depth muPC is as accurate as backprop with depth-muP after the same number of iterations.",
		Paper:     "the curves of muPC and of BP with depth-muP at H = 128 lie on each other",
		Grid:      deep[ReLU],
		Bounds: []claim.Bound{
			{Text: "at every depth the mean difference, paired by seed and to either side, is at most a point; over all pairs of depths that have several the 95 % interval is within a point", Origin: claim.After,
				Note: "a point is what can be read off the paper's figure; before, commit 0dd3103, it was 2 points, to one side, of means"},
		},
		Check:   asAccurateAsBackprop,
		Verdict: claim.WithCare,
		Care:    meetsBackpropCare,
	}, {
		ID:        "mupc/all-layers-learn",
		Source:    paper + ", title and figure 1: our reading, not a sentence of the paper",
		Statement: "What muPC trains at its published rates is the whole network: the weights of every layer move.",
		Paper:     "\"100+ layer networks\" are trained",
		Grid:      deep[ReLU],
		Check:     everyLayerMoves,
		Bounds: []claim.Bound{
			{Text: "all H+1 layers have moved by more than 1 % of their norm, in the mean over seeds", Origin: claim.Before, Commit: "0dd3103"},
		},
		Shuffled: "the sentence is refuted by what its own cells gave, and results in the wrong cells refute it as well",
		Verdict:  claim.Fails,
		Care:     reachCare,
		Plot:     reachFigure,
	}}
}

// depthReLUCare is the care of mupc/depth-relu.
func depthReLUCare(t claim.Table) string {
	c := change(bySeed(t, ofMuPC))
	return fmt.Sprintf("It does depend, by less than the paper's figure would show: from the least depth to the greatest accuracy changes by %s points, which is %s.", sloped(c), beyondScatter(c))
}

// depthLinearCare is the care of mupc/depth-linear.
func depthLinearCare(t claim.Table) string {
	c := change(bySeed(t, ofMuPC))
	return fmt.Sprintf("As far as was measured: accuracies of linear networks scatter by a point between seeds, so that the change from the least depth to the greatest, %s points, is known to %.2g points only (95 %%).",
		sloped(c), 100*c.Margin())
}

// flatInDepth is the check of the claims that accuracy does not depend on depth.
func flatInDepth(t claim.Table, act Act) (string, error) {
	every, all := iterations(t)
	at := accuracies(t, ofMuPC, all)
	var words []string
	for step := every; every > 0 && step <= all; step += every {
		then := accuracies(t, ofMuPC, step)
		words = append(words, fmt.Sprintf("after %d iterations %s", step, listed(then)))
	}
	b := bounds[act][t.Scale]
	var off claim.Off
	for _, h := range claim.Keys(at) {
		if at[h].Mean < b.floor {
			off.Add("H=%d: %s after %d iterations: want %s", h, claim.Percent(at[h].Mean), all, claim.Percent(b.floor))
		}
	}
	seeds := bySeed(t, ofMuPC)
	_, pooled := toBP(t)
	c := change(seeds)
	margin := c.Margin()
	if t.Scale == claim.Quick { // too few networks for an error
		margin = 0
	}
	if !(math.Abs(c.Mean)+margin <= b.change) {
		off.Add("from the least depth to the greatest accuracy changes by %s points, 95 %% interval +- %.2g: want %.2g at most", sloped(c), 100*margin, 100*b.change)
	}
	words = append(words, fmt.Sprintf("change from the least depth to the greatest %s points", sloped(c)))
	if pooled.N > 1 {
		words = append(words, fmt.Sprintf("muPC less BP, paired by seed, %s points", claim.Points(pooled)))
	}
	return strings.Join(words, "; "), off.Err()
}

// fallsAtEveryDepth is the check of mupc/sp-falls-with-depth.
func fallsAtEveryDepth(t claim.Table) (string, error) {
	sp := bySeed(t, ofSP(spLRs[1]))
	_, all := iterations(t)
	at := accuracies(t, ofSP(spLRs[1]), all)
	var off claim.Off
	var words []string
	hs := claim.Keys(sp)
	for i := 1; i < len(hs); i++ {
		d := claim.Paired(sp[hs[i-1]], sp[hs[i]])
		words = append(words, fmt.Sprintf("%s from %d to %d", claim.Points(d), hs[i-1], hs[i]))
		if fell := d.Above(0) || d.N < 2 && d.Mean >= .05; !fell {
			off.Add("from H=%d to H=%d accuracy falls by %s points", hs[i-1], hs[i], claim.Points(d))
		}
	}
	if t.Scale == claim.Full && len(hs) > 0 && at[hs[len(hs)-1]].Mean > .15 { // quick networks are not deep enough
		off.Add("H=%d: %s: want chance, at most 15 %%", hs[len(hs)-1], claim.Percent(at[hs[len(hs)-1]].Mean))
	}
	return fmt.Sprintf("%s; falls by points: %s", listed(at), strings.Join(words, ", ")), off.Err()
}

// spFallsCare is the care of mupc/sp-falls-with-depth.
func spFallsCare(t claim.Table) string {
	_, all := iterations(t)
	at := accuracies(t, ofSP(spLRs[0]), all)
	if len(at) == 0 {
		return ""
	}
	return fmt.Sprintf("At this rate of the weights. At ten times it, the least of the paper's grid, it is far worse and does not fall at every depth: %s. This is ReLU: tanh networks do not come to chance (see the picture of mupc/depth-tanh).", listed(at))
}

// asAccurateAsBackprop is the check of mupc/meets-backprop.
func asAccurateAsBackprop(t claim.Table) (string, error) {
	_, all := iterations(t)
	bp := accuracies(t, ofBP, all)
	mu := accuracies(t, ofMuPC, all)
	by, pooled := toBP(t)
	var off claim.Off
	var words []string
	most := bounds[ReLU][t.Scale].toBP
	for _, h := range claim.Keys(by) {
		words = append(words, fmt.Sprintf("%s at H = %d", claim.Points(by[h]), h))
		if !(math.Abs(by[h].Mean) <= most) {
			off.Add("H=%d: muPC %s, BP %s: %s points apart", h, claim.Percent(mu[h].Mean), claim.Percent(bp[h].Mean), claim.Points(by[h]))
		}
	}
	if t.Scale == claim.Full && !(math.Abs(pooled.Mean)+pooled.Margin() <= most) {
		off.Add("over all pairs muPC less BP is %s points", claim.Points(pooled))
	}
	return fmt.Sprintf("BP %s; muPC %s; muPC less BP in points %s", listed(bp), listed(mu), strings.Join(words, ", ")), off.Err()
}

// meetsBackpropCare is the care of mupc/meets-backprop.
func meetsBackpropCare(t claim.Table) string {
	by, pooled := toBP(t)
	var several, single []string
	for _, h := range claim.Keys(by) {
		if by[h].N > 1 {
			several = append(several, fmt.Sprint(h))
		} else {
			single = append(single, fmt.Sprint(h))
		}
	}
	return fmt.Sprintf("Within a point. Over the pairs of H = %s muPC less BP is %s points, which is %s; H = %s have a single pair each. At the paper's width of 512 and after hundreds of iterations: "+
		"narrow networks are far behind BP at first, because only their last layers learn (mupc/all-layers-learn).", strings.Join(several, ", "), claim.Points(pooled), beyondScatter(pooled), strings.Join(single, ", "))
}

// everyLayerMoves is the check of mupc/all-layers-learn.
func everyLayerMoves(t claim.Table) (string, error) {
	rows := results(t, func(s Setup) bool { return s.Method == PC && s.Scaling == MuPC })
	reach := claim.By(rows, func(s Setup) int { return s.Hidden }, func(r Run) float64 { return float64(r.Reach) })
	var words []string
	var off claim.Off
	for _, h := range claim.Keys(reach) {
		words = append(words, fmt.Sprintf("%.3g of %d", reach[h].Mean, h+1))
		if reach[h].Mean < float64(h+1) {
			off.Add("H=%d: %.3g of %d layers moved by more than 1 %%", h, reach[h].Mean, h+1)
		}
	}
	return "layers whose weights moved by more than 1 %: " + strings.Join(words, ", "), off.Err()
}

// reachCare is the care of mupc/all-layers-learn.
func reachCare(t claim.Table) string {
	rows := results(t, func(s Setup) bool { return s.Method == PC && s.Scaling == MuPC })
	reach := claim.By(rows, func(s Setup) int { return s.Hidden }, func(r Run) float64 { return float64(r.Reach) })
	hs := claim.Keys(reach)
	if len(hs) == 0 {
		return ""
	}
	batch, deepest := rows[0].Params.Batch, hs[len(hs)-1]
	return fmt.Sprintf("The published rate of %g is on the gradient of a batch mean, so that a step moves an activity by 1/%.0f of its own gradient, and an error "+
		"shrinks about that much with every layer that it passes. Within T = H steps it reaches %.3g of %d layers of the deepest networks. The rest stays the random residual "+
		"network that it was at the start, whose features the last layers read. mupc/inference-reaches shows what it takes to train them all.",
		publishedRate, 1/claim.PerSample(publishedRate, batch), reach[deepest].Mean, deepest+1)
}

// depthFigure shows accuracy against depth, and against iterations for muPC.
func depthFigure(t claim.Table, act Act) []claim.Figure {
	every, all := iterations(t)
	ends := claim.Panel{Title: fmt.Sprintf("after %d iterations", all), X: claim.Axis{Label: "hidden layers H", Log: true}, Y: claim.Axis{Label: "test accuracy", Min: 0, Max: 1}}
	for i, l := range []struct {
		name string
		variant
	}{{"muPC", ofMuPC}, {"BP, depth-muP", ofBP}, {fmt.Sprintf("SP, rate %g", spLRs[0]), ofSP(spLRs[0])}, {fmt.Sprintf("SP, rate %g", spLRs[1]), ofSP(spLRs[1])}} {
		at := accuracies(t, l.variant, all)
		if len(at) > 0 {
			ends.Lines = append(ends.Lines, claim.Curve(l.name, i+1, at))
		}
	}
	curves := claim.Panel{Title: "muPC", X: claim.Axis{Label: "iterations"}, Y: claim.Axis{Label: "test accuracy"}}
	byDepth := map[int]map[int]claim.Estimate{}
	for step := every; every > 0 && step <= all; step += every {
		at := accuracies(t, ofMuPC, step)
		for h, e := range at {
			if byDepth[h] == nil {
				byDepth[h] = map[int]claim.Estimate{}
			}
			byDepth[h][step] = e
		}
	}
	for _, h := range claim.Keys(byDepth) {
		curves.Lines = append(curves.Lines, claim.Curve(fmt.Sprintf("H = %d", h), 0, byDepth[h]))
	}
	return []claim.Figure{{
		Name:    "mupc-depth-" + string(act),
		Caption: fmt.Sprintf("Residual networks (%s) on MNIST: accuracy over depth. %s Bands: standard error over seeds.", act, describe(t)),
		Panels:  []claim.Panel{ends, curves},
	}}
}

// describe tells the width of a table's networks.
func describe(t claim.Table) string {
	rows := results(t, anySetup)
	if len(rows) == 0 {
		return ""
	}
	s := rows[0].Params
	return fmt.Sprintf("N = %d, batch %d, T = H.", s.Width, s.Batch)
}

// reachFigure shows how far the weights of each layer moved.
func reachFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "weights after training", X: claim.Axis{Label: "layers below the output", Log: false},
		Y: claim.Axis{Label: "|W - W(0)| / |W(0)|", Log: true, Min: 1e-8, Max: 10}}
	q := p
	p.Title, q.Title = "muPC: weights after training", "BP: weights after training"
	for _, m := range []Method{PC, BP} {
		rows := results(t, func(s Setup) bool { return s.Method == m && s.Scaling == MuPC && s.Seed == 1 })
		for _, r := range rows {
			l := claim.Line{Name: fmt.Sprintf("H = %d", r.Params.Hidden), Points: m == PC}
			n := len(r.Result.Moved)
			for i := range n {
				l.X, l.Y = append(l.X, float64(i)), append(l.Y, r.Result.Moved[n-1-i])
			}
			if m == PC {
				p.Lines = append(p.Lines, l)
			} else {
				q.Lines = append(q.Lines, l)
			}
		}
	}
	return []claim.Figure{{Name: "mupc-reach", Caption: "How far each layer's weights moved, from the output down. " + describe(t), Panels: []claim.Panel{p, q}}}
}
