package study

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// curves are loss and test score of both learners over training.
func curves(learners []*learner, classes bool) report.Drawing {
	var all []report.Training
	for _, p := range learners {
		t := report.Training{Name: p.name, Loss: p.losses()}
		for _, e := range p.history.Evals {
			v := e.Loss
			if classes {
				v = 100 * e.Accuracy
			}
			t.Score = append(t.Score, plotter.XY{X: float64(e.Step), Y: v})
		}
		all = append(all, t)
	}
	return report.LearningCurves(classes, all...)
}

// agreementMap is how far PC's gradient agrees with BP's in direction and altogether, layers by inference steps.
func agreementMap(a Agreement) report.Drawing {
	return func() (io.WriterTo, error) {
		direction := a.heat("Direction: cosine of the angle between PC's and BP's weight gradient",
			func(g analysis.Agreement) float64 { return g.Cosine },
			func(v float64) float64 { return 1 - math.Acos(math.Max(-1, math.Min(1, v)))/(math.Pi/2) })
		whole := a.heat("Direction and length: relative error |PC - BP| / |BP|",
			func(g analysis.Agreement) float64 { return g.Relative },
			func(v float64) float64 { return 1 - math.Min(1, v) })
		bar := report.ColourBar{Name: "Colour: agreement with BP", Colour: report.Shade,
			Labels: []report.BarLabel{{At: 0, Text: "cosine 0, error 1"}, {At: .5, Text: "cosine 0.71, error 0.5"}, {At: 1, Text: "cosine 1, error 0"}}}
		return report.WithBars(10.4, math.Min(9, 1.15+.42*float64(len(a.weights))), bar, [][]*plot.Plot{{direction}, {whole}}), nil
	}
}

// heat is a map of one number; dark says how dark it is drawn, from 0 to 1.
func (a Agreement) heat(title string, number func(analysis.Agreement) float64, dark func(float64) float64) *plot.Plot {
	m := report.HeatMap{Title: title, X: "inference step", Y: "weight, input below", Rows: a.weights, Dark: dark}
	for i := range a.weights {
		for _, c := range a.Rows {
			m.Values = append(m.Values, number(c.Params[a.params[i]]))
		}
	}
	for _, c := range a.Rows {
		m.Columns = append(m.Columns, strconv.Itoa(c.Step))
	}
	return m.Plot()
}

// decay is the energy of every layer along inference.
func decay(a Agreement) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("Energy by layer along inference", "inference step + 1", "energy per sample (mean of the batch)")
		report.Grid(p)
		report.LogAxis(&p.X)
		report.LogAxis(&p.Y)
		most := 0.0
		for _, c := range a.Rows {
			most = math.Max(most, c.Energy)
		}
		show := func(name string, i int, c color.Color, width float64, energy func(analysis.Comparison) float64) {
			var xys plotter.XYs
			for _, row := range a.Rows {
				if e := energy(row); e > 1e-6*most { // hidden layers start at zero, which a logarithm does not show
					xys = append(xys, plotter.XY{X: float64(row.Step + 1), Y: e})
				}
			}
			if len(xys) > 0 {
				l, d := report.Line(xys, c, width, report.Dash(i)), report.Dots(xys, c, 1.2*width)
				p.Add(l, d)
				p.Legend.Add(name, l, d)
			}
		}
		show("sum", 2, report.Ink, 1.2, func(c analysis.Comparison) float64 { return c.Energy })
		for i, name := range a.terms {
			show(name, i, report.Colour(i), 2, func(c analysis.Comparison) float64 { return c.Terms[i] })
		}
		report.WholeDecades(&p.Y)
		report.WholeDecades(&p.X)
		if len(a.Rows) > 0 {
			p.X.Max = float64(a.Rows[len(a.Rows)-1].Step+1) * 1.05
		}
		return report.Picture(10.4, 3.9, p), nil
	}
}

// A PrecisionPoint is how near PC's gradient comes to BP's at equilibrium with an output precision.
type PrecisionPoint struct {
	Precision float64
	Agreement
}

// againstPrecision is the relative error by precision.
func againstPrecision(points []PrecisionPoint) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("Distance of PC's equilibrium gradient from BP's", "output precision", "relative error |PC / precision - BP| / |BP|")
		report.Grid(p)
		report.LogAxis(&p.X)
		report.LogAxis(&p.Y)
		p.X.Scale = plot.InvertedScale{Normalizer: report.LogScale{}}
		p.Legend.Top = true
		first := points[0]
		for i, name := range first.weights {
			var xys plotter.XYs
			for _, pt := range points {
				if c, ok := pt.Last(); ok && c.Params[pt.params[i]].Relative > 0 {
					xys = append(xys, plotter.XY{X: pt.Precision, Y: c.Params[pt.params[i]].Relative})
				}
			}
			if len(xys) > 0 {
				l, d := report.Line(xys, report.Colour(i), 2, report.Dash(i)), report.Dots(xys, report.Colour(i), 3)
				p.Add(l, d)
				p.Legend.Add(name, l, d)
			}
		}
		if c, ok := points[len(points)-1].Last(); ok && c.Whole.Relative > 0 {
			end := points[len(points)-1].Precision
			guide := report.Line(plotter.XYs{{X: 1, Y: c.Whole.Relative / end}, {X: end, Y: c.Whole.Relative}}, report.Soft, 1, report.Dash(2))
			p.Add(guide)
			p.Legend.Add("slope 1", guide)
		}
		report.WholeDecades(&p.X)
		report.WholeDecades(&p.Y)
		return report.Picture(10.4, 3.9, p), nil
	}
}
