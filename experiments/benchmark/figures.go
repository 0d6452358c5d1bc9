package benchmark

import (
	"fmt"
	"slices"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Figures are the pictures of rows: the score over epochs and over seconds, with a panel for each data set and network.
func Figures(name string, rows []Row) []claim.Figure {
	overEpochs := claim.Figure{Name: "benchmark-" + name + "-epochs", Caption: "Score on the test set after every epoch, mean over seeds with a band of one standard error."}
	overTime := claim.Figure{Name: "benchmark-" + name + "-time", Caption: "The same against the seconds of training, evaluations not counted, on a machine that may be busy with other work."}
	var panels []string
	for _, r := range rows {
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

// panelOf names the data and the size of the network.
func panelOf(r Row) string {
	n := r.Net
	n.Act = "" // rows of one panel may differ in it
	return fmt.Sprintf("%s, %s", r.Data.Name, n.short())
}
