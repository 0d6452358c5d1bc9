package inspect

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// A coordRow is one row of panels: a quantity of the feedforward pass or at the end of inference.
type coordRow struct {
	label   string
	of      func(analysis.Coord) float64
	relaxed bool
}

// coordRows are the rows for some sweeps; without inference two of them are empty and left out.
func coordRows(sweeps []*ScalingCheck) []coordRow {
	activity, change := func(c analysis.Coord) float64 { return c.Activity }, func(c analysis.Coord) float64 { return c.Change }
	rows := []coordRow{{"activity, feedforward", activity, false}, {"change, feedforward", change, false}}
	if slices.ContainsFunc(sweeps, func(w *ScalingCheck) bool {
		return slices.ContainsFunc(w.coords, func(c analysis.Coord) bool { return c.Relaxed })
	}) {
		rows = append(rows, coordRow{"activity, after inference", activity, true}, coordRow{"change, after inference", change, true})
	}
	return rows
}

// placeLook is how the line of a place is drawn: those below are wider, so that lines that lie on one another are all seen.
func placeLook(i int) (draw.LineStyle, draw.GlyphStyle) {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}}
	widths, sizes := []float64{5.2, 3.4, 2, 1.1}, []float64{4, 3.2, 2.8, 2.6}
	return draw.LineStyle{Color: report.Colour(i), Width: vg.Points(widths[i])}, draw.GlyphStyle{Color: report.Colour(i), Radius: vg.Points(sizes[i]), Shape: shapes[i]}
}

// coordPanels draws sweeps side by side, with a row for each quantity; all of a row have one scale.
func coordPanels(sweeps []*ScalingCheck, step int, band float64) report.Drawing {
	return func() (io.WriterTo, error) {
		var rows [][]*plot.Plot
		for k, what := range coordRows(sweeps) {
			var row []*plot.Plot
			lo, hi := math.Inf(1), math.Inf(-1)
			for i, w := range sweeps {
				title := ""
				if k == 0 {
					title = fmt.Sprintf("%s: %s", w.Scaling, w.verdict(band))
				}
				p := report.NewPlot(title, w.label, "")
				if i == 0 {
					p.Y.Label.Text = what.label + " (rms)"
				}
				report.Grid(p)
				report.LogAxis(&p.X)
				report.LogAxis(&p.Y)
				p.X.Tick.Marker = sizeTicks(w.sizes)
				p.X.Min, p.X.Max = float64(slices.Min(w.sizes))*.87, float64(slices.Max(w.sizes))*1.15
				drawCoords(p, w, step, what)
				if p.Y.Min > 0 && p.Y.Min <= p.Y.Max {
					lo, hi = math.Min(lo, p.Y.Min), math.Max(hi, p.Y.Max)
				}
				row = append(row, p)
			}
			for _, p := range row {
				p.Y.Min, p.Y.Max = lo, hi
				report.WholeDecades(&p.Y)
			}
			rows = append(rows, row)
		}
		var keys []report.Key
		for i, place := range analysis.Places() {
			look, glyph := placeLook(i)
			name := map[analysis.Place]string{analysis.FirstHidden: "first hidden site (near the input)", analysis.MiddleHidden: "middle hidden site", analysis.LastHidden: "last hidden site", analysis.AtOutput: "output"}[place]
			keys = append(keys, report.Key{Name: name, Line: look, Glyph: &glyph})
		}
		return report.WithKeys(math.Max(2.7, 10.4/float64(len(sweeps))), 2.6, rows, keys, len(keys)), nil
	}
}

// drawCoords draws the lines of one panel.
func drawCoords(p *plot.Plot, w *ScalingCheck, step int, what coordRow) {
	for i, place := range analysis.Places() {
		look, glyph := placeLook(i)
		var mean plotter.XYs
		for _, size := range w.sizes {
			logs, low, high := 0., math.Inf(1), 0.
			n := 0
			for _, c := range w.coords {
				if v := what.of(c); c.Size == size && c.Step == step && c.Relaxed == what.relaxed && c.At(place) && v > 0 && !math.IsInf(v, 1) {
					logs += math.Log(v)
					low, high = math.Min(low, v), math.Max(high, v)
					n++
				}
			}
			if n == 0 {
				continue
			}
			mean = append(mean, plotter.XY{X: float64(size), Y: math.Exp(logs / float64(n))})
			if high > low {
				p.Add(report.Line(plotter.XYs{{X: float64(size), Y: low}, {X: float64(size), Y: high}}, report.Colour(i), .8, nil))
			}
		}
		if len(mean) > 0 {
			p.Add(&plotter.Line{XYs: mean, LineStyle: look}, &plotter.Scatter{XYs: mean, GlyphStyle: glyph})
		}
	}
}

// sizeTicks are ticks at the sizes, labelled with them.
func sizeTicks(sizes []int) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, s := range sizes {
		ticks = append(ticks, plot.Tick{Value: float64(s), Label: strconv.Itoa(s)})
	}
	return ticks
}
