package icl

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var alignment = claim.Claim{
	ID:        "icl/alignment",
	Source:    paper + ", figures of token alignment",
	Statement: "The changes of a first matrix at different positions of the context point the same way, in every block, before training and after.",
	Paper:     "positive alignment. An independent program, 5 blocks: mean cosines of .28 to .44 at step 1, .26 to .36 at step 100; with layer normalisation .39 to .49, then .15 to .41",
	Grid:      trainings,
	Bounds: []claim.Bound{
		{Text: "5 blocks without normalisation: the mean cosine between positions of the context is above .15 in every block before step 1 and before step 100, in the mean over seeds", Origin: claim.Independent, Note: "a numpy program: .26 and more"},
	},
	Check:    contextIsAligned,
	Verdict:  claim.WithCare,
	Care:     alignmentCare,
	Shuffled: "every training of the grid bears the sentence: which of them gave which cosines is nothing it asks",
	Plot:     alignmentFigure,
}

// byBlock are means over seeds of a list of looks, for the trainings that want admits.
func byBlock(t claim.Table, want func(training) bool, step int, value func(look) []float64) []claim.Estimate {
	var lists [][]float64
	for _, r := range claim.Where[training, history](t, want) {
		l, ok := r.Result.at(step)
		if !ok {
			continue
		}
		for k, v := range value(l) {
			if k == len(lists) {
				lists = append(lists, nil)
			}
			lists[k] = append(lists[k], v)
		}
	}
	var out []claim.Estimate
	for _, list := range lists {
		out = append(out, claim.Mean(list...))
	}
	return out
}

// ends are the steps of the first and the last look.
func endSteps() []int { return []int{1, 100} }

// said lists estimates.
func said(list []claim.Estimate) string {
	var words []string
	for _, e := range list {
		words = append(words, fmt.Sprintf("%.2f", e.Mean))
	}
	return strings.Join(words, ", ")
}

func within(l look) []float64  { return l.Context }
func outside(l look) []float64 { return l.Last }

// contextIsAligned is the check of icl/alignment.
func contextIsAligned(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	for _, step := range endSteps() {
		list := byBlock(t, func(c training) bool { return isReleased(t, c) }, step, within)
		for k, e := range list {
			if !(e.Mean > .15) {
				off.Add("step %d, block %d: %.3f", step, k+1, e.Mean)
			}
		}
		words = append(words, fmt.Sprintf("step %d: %s", step, said(list)))
	}
	return "mean cosines by block, " + strings.Join(words, "; "), off.Err()
}

// alignmentCare is the care of icl/alignment.
func alignmentCare(t claim.Table) string {
	normed := byBlock(t, func(c training) bool { return c.Norm == "layer" }, 100, within)
	s := "The cosines are of the order that has nothing to do with learning: with a residual connection all changes of the context contain -x, the query that is taken away, and would have a mean cosine of about .5 " +
		"if attention added nothing. They hardly change in training."
	if len(normed) > 0 {
		s += " With layer normalisation they fall to " + said(normed) + "."
	}
	return s
}

// alignmentFigure is the figure of icl/alignment.
func alignmentFigure(t claim.Table) []claim.Figure {
	rows := claim.Where[training, history](t, func(c training) bool { return isReleased(t, c) && c.Seed == 1 })
	if len(rows) == 0 || len(rows[0].Result.Map) == 0 {
		return nil
	}
	h := rows[0].Result
	p := claim.Panel{Title: "Cosine between the changes at two positions", X: claim.Axis{Label: "position (x: the query)"}, Y: claim.Axis{Label: "position in the context"}, Map: &claim.Map{Low: -1, High: 1, Values: h.Map}}
	for i := range h.Map {
		label := ""
		if i%5 == 0 {
			label = fmt.Sprint(i * max(2, 2*rows[0].Params.Pairs/50))
		}
		p.Map.Rows = append(p.Map.Rows, label)
		p.Map.Columns = append(p.Map.Columns, label)
	}
	p.Map.Columns = append(p.Map.Columns, "x")
	curves := claim.Panel{Title: "Mean over tasks and seeds, by block", X: claim.Axis{Label: "block"}, Y: claim.Axis{Label: "mean cosine"}}
	for _, step := range endSteps() {
		for _, of := range []struct {
			name  string
			value func(look) []float64
			dash  int
		}{{"between positions of the context", within, 0}, {"query to context", outside, 1}} {
			l := claim.Line{Name: fmt.Sprintf("%s, step %d", of.name, step), Points: true, Dash: of.dash}
			for k, e := range byBlock(t, func(c training) bool { return isReleased(t, c) }, step, of.value) {
				l.Append(float64(k+1), e)
			}
			if len(l.X) > 0 {
				curves.Lines = append(curves.Lines, l)
			}
		}
	}
	if len(curves.Lines) == 0 {
		return nil
	}
	return []claim.Figure{{Name: "icl-alignment", Panels: []claim.Panel{p, curves},
		Caption: "Alignment of the changes dW of a first matrix, the released defaults. Left: one task, last block, at the last look, every other position (dark: 1, light: -1). Right: means over 16 tasks and the seeds; band: standard error over seeds."}}
}

var lastToken = claim.Claim{
	ID:        "icl/last-token",
	Source:    paper + ", figures of token alignment: the last token",
	Statement: "The change at the query is the odd one out: it is less aligned with those of the context than they are with each other, with no sign of its own.",
	Paper:     "the last token is anomalous. An independent program: signed means of -.16 to .44",
	Grid:      trainings,
	Bounds: []claim.Bound{
		{Text: "before step 1 and before step 100 the mean cosine of the query's change with those of the context is below that among the context, by .05 or more, in the mean over blocks and seeds", Origin: claim.Derived, Note: "the term -x, common to all changes of the context, is not in it"},
		{Text: "over blocks and seeds it lies from -.4 to .6", Origin: claim.Independent, Note: "a numpy program: -.16 to .44, and a margin"},
	},
	Check:    queryIsOdd,
	Shuffled: "every training of the grid bears the sentence: which of them gave which cosines is nothing it asks",
}

// queryIsOdd is the check of icl/last-token.
func queryIsOdd(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	for _, step := range endSteps() {
		var inside, odd []float64
		low, high := math.Inf(1), math.Inf(-1)
		for _, r := range claim.Where[training, history](t, func(c training) bool { return isReleased(t, c) }) {
			l, ok := r.Result.at(step)
			if !ok {
				continue
			}
			inside, odd = append(inside, l.Context...), append(odd, l.Last...)
			for _, v := range l.Last {
				low, high = min(low, v), max(high, v)
			}
		}
		if len(inside) == 0 {
			continue
		}
		a, b := claim.Mean(inside...).Mean, claim.Mean(odd...).Mean
		words = append(words, fmt.Sprintf("step %d: %.3f to the context, %.3f within it (single blocks and seeds %.2f to %.2f)", step, b, a, low, high))
		if !(b < a-.05) || !(low > -.4 && high < .6) {
			off.Add("step %d: %.3f to the context, %.3f within it, from %.2f to %.2f", step, b, a, low, high)
		}
	}
	return strings.Join(words, "; "), off.Err()
}

var blockAlignment = claim.Claim{
	ID:        "icl/block-alignment",
	Source:    paper + ", figure of block alignment",
	Statement: "The changes at the query of different blocks are hardly aligned.",
	Paper:     "small cosines. An independent program: means within ±.28 at step 1, ±.15 at step 100",
	Grid:      trainings,
	Bounds: []claim.Bound{
		{Text: "5 blocks: the mean cosine over pairs of blocks is within ±.4 in every seed, before step 1 and before step 100", Origin: claim.Independent, Note: "a numpy program: ±.28 and ±.15 at most"},
	},
	Check:    blocksAreApart,
	Shuffled: "every training of the grid bears the sentence: which of them gave which cosines is nothing it asks",
	Plot:     blocksFigure,
}

// between is the mean cosine over pairs of blocks.
func between(l look) float64 {
	n := int(math.Round(math.Sqrt(float64(len(l.Between)))))
	var list []float64
	for i := range n {
		for j := range i {
			list = append(list, l.Between[i*n+j])
		}
	}
	return claim.Mean(list...).Mean
}

// blocksAreApart is the check of icl/block-alignment.
func blocksAreApart(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	for _, step := range endSteps() {
		var list []float64
		for _, r := range claim.Where[training, history](t, func(c training) bool { return isReleased(t, c) }) {
			l, ok := r.Result.at(step)
			if !ok {
				continue
			}
			v := between(l)
			if list = append(list, v); !(math.Abs(v) < .4) {
				off.Add("step %d, seed %d: %.3f", step, r.Params.Seed, v)
			}
		}
		words = append(words, fmt.Sprintf("step %d: %s", step, listed("%.3f", list)))
	}
	return "mean cosine over pairs of blocks, by seed, " + strings.Join(words, "; "), off.Err()
}

// blocksFigure is the figure of icl/block-alignment.
func blocksFigure(t claim.Table) []claim.Figure {
	rows := claim.Where[training, history](t, func(c training) bool { return isReleased(t, c) && c.Seed == 1 })
	if len(rows) == 0 {
		return nil
	}
	f := claim.Figure{Name: "icl-blocks", Caption: "Cosine of the changes dW at the query between blocks, mean over 128 tasks, the released defaults, seed 1."}
	for _, step := range endSteps() {
		l, ok := rows[0].Result.at(step)
		if !ok {
			continue
		}
		n := int(math.Round(math.Sqrt(float64(len(l.Between)))))
		p := claim.Panel{Title: fmt.Sprintf("Before step %d", step), X: claim.Axis{Label: "block"}, Y: claim.Axis{Label: "block"}, Map: &claim.Map{Low: -1, High: 1}}
		for i := range n {
			p.Map.Rows, p.Map.Columns = append(p.Map.Rows, fmt.Sprint(i+1)), append(p.Map.Columns, fmt.Sprint(i+1))
			p.Map.Values = append(p.Map.Values, l.Between[i*n:(i+1)*n])
		}
		f.Panels = append(f.Panels, p)
	}
	if len(f.Panels) == 0 {
		return nil
	}
	return []claim.Figure{f}
}

var norms = claim.Claim{
	ID:        "icl/norms",
	Source:    paper + ", figures of Frobenius and spectral norms of the last token's update",
	Statement: "The change at the query grows as the transformer learns to use its context.",
	Paper:     "norms over training. An independent program, one block: from .26 to .35 at step 1 to 1.5 to 1.8 at step 100",
	Grid:      trainings,
	Bounds: []claim.Bound{
		{Text: "one block: from .15 to .6 before step 1 in every seed, and at least 3 times that before step 100", Origin: claim.After, Note: "the independent program's grow by 5 times; before, a bound of 1 to 3 at step 100 stood here, its 1.5 to 1.8 and a margin"},
	},
	Shuffled: "the changes grow in every training of the grid: others in the place of those of one block bear the sentence as well",
	Check:    normsGrow,
	Verdict:  claim.WithCare,
	Care:     normsCare,
	Plot:     normsFigure,
}

// normsGrow is the check of icl/norms.
func normsGrow(t claim.Table) (string, error) {
	var off claim.Off
	var firsts, lasts []float64
	for _, r := range claim.Where[training, history](t, func(c training) bool { return t.Scale == claim.Quick || c.Blocks == 1 }) {
		a, ok := r.Result.at(1)
		b := r.Result.end()
		if !ok || len(a.Norm) == 0 || len(b.Norm) == 0 {
			continue
		}
		firsts, lasts = append(firsts, a.Norm[0]), append(lasts, b.Norm[0])
		full := a.Norm[0] > .15 && a.Norm[0] < .6 && b.Norm[0] >= 3*a.Norm[0]
		if t.Scale == claim.Full && !full || !(b.Norm[0] > a.Norm[0]) {
			off.Add("seed %d: from %.3g to %.3g", r.Params.Seed, a.Norm[0], b.Norm[0])
		}
	}
	return fmt.Sprintf("first block, by seed: %s before step 1, %s at the end", listed("%.3g", firsts), listed("%.3g", lasts)), off.Err()
}

// normsCare is the care of icl/norms.
func normsCare(t claim.Table) string {
	var lasts []float64
	for _, r := range claim.Where[training, history](t, func(c training) bool { return c.Blocks == 1 }) {
		if b := r.Result.end(); len(b.Norm) > 0 {
			lasts = append(lasts, b.Norm[0])
		}
	}
	return fmt.Sprintf("How much it grows is not a figure of the transformer: |dW| is |c| / |v_x|, and a few queries near zero carry the mean over tasks. One block, by seed: %s at the end, where the independent program has 1.5 to 1.8.", listed("%.3g", lasts))
}

// normsFigure is the figure of icl/norms.
func normsFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "Change of the first matrix at the query", X: claim.Axis{Label: "step"}, Y: claim.Axis{Label: "mean |dW|, Frobenius and spectral", Log: true}}
	rows := claim.Where[training, history](t, func(c training) bool { return isReleased(t, c) && c.Seed == 1 || c.Blocks == 1 && c.Seed == 1 })
	for _, r := range rows {
		for k := range r.Params.Blocks {
			l := claim.Line{Name: fmt.Sprintf("block %d of %d", k+1, r.Params.Blocks), Points: true}
			for _, at := range r.Result.Looks {
				if k < len(at.Norm) {
					l.X, l.Y = append(l.X, float64(at.Step)), append(l.Y, at.Norm[k])
				}
			}
			if len(l.X) > 0 {
				p.Lines = append(p.Lines, l)
			}
		}
	}
	if len(p.Lines) == 0 {
		return nil
	}
	return []claim.Figure{{Name: "icl-norms", Panels: []claim.Panel{p}, Caption: "Mean over 128 tasks of the norm of the change at the query, seed 1; the Frobenius norm is the spectral one, since the rank is 1."}}
}
