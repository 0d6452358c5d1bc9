package benchmark

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Figures are the pictures of rows: the score over epochs and over seconds, with a panel for each data set and network; of networks that
// differ in depth, the last score and the price over depth.
func Figures(name string, rows []Row) []claim.Figure {
	if f, is := overDepth(name, rows); is {
		return []claim.Figure{f}
	}
	overEpochs := claim.Figure{Name: "benchmark-" + name + "-epochs", Caption: "Score on the test set after every epoch, mean over seeds with a band of one standard error."}
	overTime := claim.Figure{Name: "benchmark-" + name + "-time", Caption: "The same against the seconds of training, evaluations not counted, on a machine that may be busy with other work."}
	var panels []string
	for _, r := range rows {
		if r.Measure == "" {
			continue
		}
		if p := panelOf(r); !slices.Contains(panels, p) {
			panels = append(panels, p)
		}
	}
	for _, p := range panels {
		y, title := claim.Axis{Label: "accuracy (%)"}, p
		epochs, times := claim.Panel{Title: title, X: claim.Axis{Label: "epochs"}}, claim.Panel{Title: title, X: claim.Axis{Label: "seconds of training", Log: true}}
		series := 0
		for _, r := range rows {
			if panelOf(r) != p || len(r.Curve) == 0 {
				continue
			}
			if r.Measure != "accuracy" {
				y = claim.Axis{Label: r.Measure + " on the test set", Log: true}
			}
			series++
			a := claim.Line{Name: r.Row, Series: series, Dash: (series - 1) / 7, Points: len(r.Curve) < 3}
			b := a
			for _, at := range r.Curve {
				a.Append(at.Epoch, at.Score)
				b.Append(at.Seconds, at.Score)
			}
			epochs.Lines, times.Lines = append(epochs.Lines, a), append(times.Lines, b)
		}
		if len(epochs.Lines) == 0 {
			continue
		}
		epochs.Y, times.Y = y, y
		overEpochs.Panels, overTime.Panels = append(overEpochs.Panels, epochs), append(overTime.Panels, times)
	}
	if len(overEpochs.Panels) == 0 {
		return nil
	}
	return []claim.Figure{overEpochs, overTime}
}

// overDepth draws rows whose networks differ in depth and in nothing else.
func overDepth(name string, rows []Row) (claim.Figure, bool) {
	depths := map[int]bool{}
	var lines, prices []claim.Line
	index := map[string]int{}
	for _, r := range rows {
		if r.Measure == "" {
			continue
		}
		if r.Net.Kind != "resmlp" || r.Measure != "accuracy" || r.Data.Name != rows[0].Data.Name || r.Net.Width != rows[0].Net.Width {
			return claim.Figure{}, false
		}
		depths[r.Net.Depth] = true
		_, rule, _ := strings.Cut(r.Row, "/")
		i, known := index[rule]
		if !known {
			i = len(lines)
			index[rule] = i
			l := claim.Line{Name: rule, Series: i + 1, Dash: i / 7, Points: true}
			lines, prices = append(lines, l), append(prices, l)
		}
		lines[i].Append(float64(r.Net.Depth), r.Last)
		prices[i].Append(float64(r.Net.Depth), r.Ratio)
	}
	x := claim.Axis{Label: "layers", Log: true}
	return claim.Figure{Name: "benchmark-" + name, Caption: "Accuracy on the test set after the last epoch, and the time of a training step over that of backprop, by depth; mean over seeds with a band of one standard error.",
		Panels: []claim.Panel{
			{Title: panelOf(rows[0].withoutDepth()), X: x, Y: claim.Axis{Label: "accuracy (%)"}, Lines: lines},
			{Title: "price", X: x, Y: claim.Axis{Label: "step over backprop's", Log: true}, Lines: prices},
		}}, len(depths) > 1
}

// withoutDepth is the row of a network of no depth.
func (r Row) withoutDepth() Row {
	r.Net.Depth = 0
	return r
}

// panelOf names the data and the size of the network.
func panelOf(r Row) string {
	n := r.Net
	n.Act = "" // rows of one panel may differ in it
	return fmt.Sprintf("%s, %s", r.Data.Name, n.short())
}
