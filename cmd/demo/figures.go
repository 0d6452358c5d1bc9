package main

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/train"
)

// curves are loss and test score of both pupils over training.
func curves(pupils []*pupil, classes bool) func() (io.WriterTo, error) {
	return func() (io.WriterTo, error) {
		loss := newPlot("Training loss (moving average; faint: every step)", "weight updates", "loss per sample")
		grid(loss)
		logAxis(&loss.Y)
		score := newPlot("Test accuracy", "weight updates", "accuracy (%)")
		value := func(e train.Eval) float64 { return 100 * e.Accuracy }
		if !classes {
			score = newPlot("Test loss", "weight updates", "loss per sample")
			logAxis(&score.Y)
			value = func(e train.Eval) float64 { return e.Loss }
		}
		grid(score)
		score.Legend.Top, loss.Legend.Top = !classes, true
		score.X.Tick.Marker, loss.X.Tick.Marker = counts{}, counts{}
		for _, p := range pupils {
			raw, mean := smooth(p.trace)
			if len(raw) == 0 {
				continue
			}
			c := ruleColour(p.name)
			pale := c
			pale.A = 0x38
			average := line(mean, c, 2, ruleDash(p.name))
			loss.Add(line(raw, pale, .5, nil), average)
			loss.Legend.Add(p.name, average)
			var xys plotter.XYs
			for _, e := range p.history.Evals {
				if v := value(e); classes || v > 0 {
					xys = append(xys, plotter.XY{X: float64(e.Step), Y: v})
				}
			}
			if len(xys) > 0 {
				l, d := line(xys, c, 2, ruleDash(p.name)), dots(xys, c, 3)
				score.Add(l, d)
				score.Legend.Add(p.name, l, d)
			}
		}
		snap(&loss.Y)
		if math.IsInf(score.X.Min, 0) { // interrupted before the first evaluation
			return picture(10.4, 3.9, loss), nil
		}
		if classes {
			score.Y.Max = math.Min(100, score.Y.Max+.5)
		} else {
			snap(&score.Y)
		}
		return picture(5.2, 3.9, loss, score), nil
	}
}

// smooth is the trace as points and its exponential average, for the eye; what is not above zero has no place on a
// logarithmic axis.
func smooth(trace []point) (raw, mean plotter.XYs) {
	keep := 1 - 1/math.Max(1, float64(len(trace))/40)
	average, weight := 0.0, 0.0
	for _, p := range trace {
		if !(p.loss > 0) {
			continue
		}
		average, weight = keep*average+(1-keep)*p.loss, keep*weight+(1-keep)
		raw = append(raw, plotter.XY{X: float64(p.step), Y: p.loss})
		mean = append(mean, plotter.XY{X: float64(p.step), Y: average / weight})
	}
	return raw, mean
}

// agreementMap is how far PC's gradient agrees with BP's in direction and altogether, layers by inference steps.
func agreementMap(a agreement) func() (io.WriterTo, error) {
	return func() (io.WriterTo, error) {
		direction := a.heat("Direction: cosine of the angle between PC's and BP's weight gradient",
			func(g train.Agreement) float64 { return g.Cosine },
			func(v float64) float64 { return 1 - math.Acos(math.Max(-1, math.Min(1, v)))/(math.Pi/2) })
		whole := a.heat("Direction and length: relative error |PC - BP| / |BP|",
			func(g train.Agreement) float64 { return g.Relative },
			func(v float64) float64 { return 1 - math.Min(1, v) })
		bar := colourBar{name: "Colour: agreement with BP", colour: shade,
			labels: []barLabel{{0, "cosine 0, error 1"}, {.5, "cosine 0.71, error 0.5"}, {1, "cosine 1, error 0"}}}
		return withBars(10.4, math.Min(9, 1.15+.42*float64(len(a.weights))), bar, [][]*plot.Plot{{direction}, {whole}}), nil
	}
}

// heat is a map of one number; dark says how dark it is drawn, from 0 to 1.
func (a agreement) heat(title string, number func(train.Agreement) float64, dark func(float64) float64) *plot.Plot {
	p := newPlot(title, "inference step", "")
	m := &heat{rows: len(a.weights), columns: len(a.rows), dark: dark}
	for i := range a.weights {
		for _, c := range a.rows {
			m.values = append(m.values, number(c.Params[a.params[i]]))
		}
	}
	p.Add(m)
	names := make([]string, len(a.rows))
	for i, c := range a.rows {
		names[i] = strconv.Itoa(c.Step)
	}
	p.NominalX(names...)
	p.NominalY(a.weights...)
	p.Y.Label.Text = "weight, input below"
	p.X.Tick.Length, p.Y.Tick.Length, p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0, 0, 0
	p.X.Padding, p.Y.Padding = 0, 0
	return p
}

// heat is a map of cells with their values written in them.
type heat struct {
	rows, columns int
	values        []float64 // by rows, from the bottom
	dark          func(float64) float64
}

var _ plot.DataRanger = (*heat)(nil)

// Plot draws the cells.
func (m *heat) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	size := math.Min(10, float64(c.Size().X)/(3*float64(m.columns)))
	for i, v := range m.values {
		if math.IsNaN(v) {
			continue
		}
		col, row := float64(i%m.columns), float64(i/m.columns)
		x0, x1, y0, y1 := x(col-.48), x(col+.48), y(row-.46), y(row+.46)
		c.FillPolygon(shade(m.dark(v)), []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
		var paint color.Color = ink
		if m.dark(v) > .5 {
			paint = color.White
		}
		c.FillText(textStyle(size, paint), vg.Point{X: (x0 + x1) / 2, Y: (y0 + y1) / 2}, short(v))
	}
}

// short writes a number in four places.
func short(v float64) string {
	switch {
	case v == 0 || v == 1:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case math.Abs(v) < .001 || math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'e', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// shade is a colour between white and dark blue; below zero towards vermillion.
func shade(v float64) color.Color {
	dark := [3]float64{0x08, 0x3d, 0x77}
	if v < 0 {
		dark, v = [3]float64{0xd5, 0x5e, 0x00}, -v
	}
	v = math.Min(1, v)
	mix := func(d float64) uint8 { return uint8(245 + v*(d-245)) }
	return color.NRGBA{mix(dark[0]), mix(dark[1]), mix(dark[2]), 0xff}
}

// DataRange is called by plot.
func (m *heat) DataRange() (xmin, xmax, ymin, ymax float64) {
	return -.5, float64(m.columns) - .5, -.5, float64(m.rows) - .5
}

// decay is the energy of every layer along inference.
func decay(a agreement) func() (io.WriterTo, error) {
	return func() (io.WriterTo, error) {
		p := newPlot("Energy by layer along inference", "inference step + 1", "energy per sample (mean of the batch)")
		grid(p)
		logAxis(&p.X)
		logAxis(&p.Y)
		most := 0.0
		for _, c := range a.rows {
			most = math.Max(most, c.Energy)
		}
		show := func(name string, i int, c color.Color, width float64, energy func(train.Comparison) float64) {
			var xys plotter.XYs
			for _, row := range a.rows {
				if e := energy(row); e > 1e-6*most { // hidden layers start at zero, which a logarithm does not show
					xys = append(xys, plotter.XY{X: float64(row.Step + 1), Y: e})
				}
			}
			if len(xys) > 0 {
				l, d := line(xys, c, width, dashes(i)), dots(xys, c, 1.2*width)
				p.Add(l, d)
				p.Legend.Add(name, l, d)
			}
		}
		show("sum", 2, ink, 1.2, func(c train.Comparison) float64 { return c.Energy })
		for i, name := range a.terms {
			show(name, i, nth(i), 2, func(c train.Comparison) float64 { return c.Terms[i] })
		}
		snap(&p.Y)
		snap(&p.X)
		if len(a.rows) > 0 {
			p.X.Max = float64(a.rows[len(a.rows)-1].Step+1) * 1.05
		}
		return picture(10.4, 3.9, p), nil
	}
}

// A precisionPoint is how near PC's gradient comes to BP's at equilibrium with an output precision.
type precisionPoint struct {
	precision float64
	agreement
}

// againstPrecision is the relative error by precision.
func againstPrecision(points []precisionPoint) func() (io.WriterTo, error) {
	return func() (io.WriterTo, error) {
		p := newPlot("Distance of PC's equilibrium gradient from BP's", "output precision", "relative error |PC / precision - BP| / |BP|")
		grid(p)
		logAxis(&p.X)
		logAxis(&p.Y)
		p.X.Scale = plot.InvertedScale{Normalizer: logScale{}}
		p.Legend.Top = true
		first := points[0]
		for i, name := range first.weights {
			var xys plotter.XYs
			for _, pt := range points {
				if c, ok := pt.last(); ok && c.Params[pt.params[i]].Relative > 0 {
					xys = append(xys, plotter.XY{X: pt.precision, Y: c.Params[pt.params[i]].Relative})
				}
			}
			if len(xys) > 0 {
				l, d := line(xys, nth(i), 2, dashes(i)), dots(xys, nth(i), 3)
				p.Add(l, d)
				p.Legend.Add(name, l, d)
			}
		}
		if c, ok := points[len(points)-1].last(); ok && c.Whole.Relative > 0 {
			end := points[len(points)-1].precision
			guide := line(plotter.XYs{{X: 1, Y: c.Whole.Relative / end}, {X: end, Y: c.Whole.Relative}}, soft, 1, dashes(2))
			p.Add(guide)
			p.Legend.Add("slope 1", guide)
		}
		snap(&p.X)
		snap(&p.Y)
		return picture(10.4, 3.9, p), nil
	}
}
