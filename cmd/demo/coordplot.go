package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/train"
)

// coordPanels draws sweeps side by side: sizes of activities above, of their changes below.
func coordPanels(sweeps []*sweep, step int, band float64) func() (io.WriterTo, error) {
	return func() (io.WriterTo, error) {
		var rows [][]*plot.Plot
		for k, what := range []struct {
			label string
			of    func(train.Coord) float64
		}{
			{"activity (rms)", func(c train.Coord) float64 { return c.Activity }},
			{"change since the start (rms)", func(c train.Coord) float64 { return c.Change }},
		} {
			var row []*plot.Plot
			lo, hi := math.Inf(1), math.Inf(-1)
			for i, w := range sweeps {
				title := ""
				if k == 0 {
					title = fmt.Sprintf("%s: %s", w.scaling, w.verdict(band))
				}
				p := newPlot(title, w.label, "")
				if i == 0 {
					p.Y.Label.Text = what.label
				}
				grid(p)
				logAxis(&p.X)
				logAxis(&p.Y)
				p.X.Tick.Marker = sizeTicks(w.sizes)
				p.X.Min, p.X.Max = float64(slices.Min(w.sizes))*.87, float64(slices.Max(w.sizes))*1.15
				drawCoords(p, w, step, what.of, i == 0 && k == 0)
				p.Legend.Top, p.Legend.Left = true, true
				if i == 0 && k == 0 && slices.ContainsFunc(w.coords, func(c train.Coord) bool { return c.Relaxed }) {
					p.Legend.Add("end of inference", line(nil, soft, 1.6, dashes(2)))
				}
				if p.Y.Min > 0 && p.Y.Min <= p.Y.Max {
					lo, hi = math.Min(lo, p.Y.Min), math.Max(hi, p.Y.Max)
				}
				row = append(row, p)
			}
			for _, p := range row {
				p.Y.Min, p.Y.Max = lo, hi
				snap(&p.Y)
				if k == 0 {
					p.Y.Max *= 30 // room for the legend
				}
			}
			rows = append(rows, row)
		}
		return panels(3.3, 3.1, rows), nil
	}
}

// drawCoords draws the lines of one panel.
func drawCoords(p *plot.Plot, w *sweep, step int, of func(train.Coord) float64, legend bool) {
	for i, place := range train.Places() {
		for k, relaxed := range []bool{false, true} {
			var mean plotter.XYs
			for _, size := range w.sizes {
				logs, low, high := 0., math.Inf(1), 0.
				n := 0
				for _, c := range w.coords {
					if v := of(c); c.Size == size && c.Step == step && c.Relaxed == relaxed && c.At(place) && v > 0 && !math.IsInf(v, 1) {
						logs += math.Log(v)
						low, high = math.Min(low, v), math.Max(high, v)
						n++
					}
				}
				if n == 0 {
					continue
				}
				mean = append(mean, plotter.XY{X: float64(size), Y: math.Exp(logs / float64(n))})
				if !relaxed && high > low {
					p.Add(line(plotter.XYs{{X: float64(size), Y: low}, {X: float64(size), Y: high}}, nth(i), .8, nil))
				}
			}
			if len(mean) == 0 {
				continue
			}
			l := line(mean, nth(i), 1.6, dashes(2*k))
			p.Add(l)
			name := place.String()
			if !relaxed {
				d := dots(mean, nth(i), 2)
				p.Add(d)
				if legend {
					p.Legend.Add(name, l, d)
				}
			}
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
