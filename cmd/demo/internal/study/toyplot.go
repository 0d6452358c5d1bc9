package study

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// filled returns all samples of a set and a learner's predictions.
func filled(p *learner, set *data.Set) (x, y, predicted []float32, err error) {
	n := set.Len()
	x, y = make([]float32, n*set.In()), make([]float32, n*set.Out())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(set, x, y, idx)
	}
	predicted, err = p.rule.Subject().Predict(x)
	return x, y, predicted, err
}

// boundary is the plane coloured by class, one panel per learner.
func boundary(learners []*learner, set *data.Set) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for _, p := range learners {
			b, err := boundaryOf(p, set)
			if err != nil {
				return nil, err
			}
			plots = append(plots, b)
		}
		var keys []report.Key
		for k := range set.Classes() {
			keys = append(keys, report.Key{Name: fmt.Sprintf("class %d", k), Glyph: &draw.GlyphStyle{Color: report.Colour(k), Radius: vg.Points(3), Shape: draw.CircleGlyph{}}})
		}
		keys = append(keys, report.Key{Name: "predicted wrongly", Glyph: &draw.GlyphStyle{Color: color.Black, Radius: vg.Points(4.6), Shape: draw.RingGlyph{}}})
		const columns = 3
		for len(keys)%columns != 0 {
			keys = append(keys, report.Key{})
		}
		keys = append(keys, report.Key{Name: "background: the predicted class, the paler the nearer the next one"})
		return report.WithKeys(5.2, 5, [][]*plot.Plot{plots}, keys, columns), nil
	}
}

// cells is the resolution of the plane.
const cells = 240

func boundaryOf(p *learner, set *data.Set) (*plot.Plot, error) {
	x, _, predicted, err := filled(p, set)
	if err != nil {
		return nil, err
	}
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i, v := range x {
		lo[i%2], hi[i%2] = math.Min(lo[i%2], float64(v)), math.Max(hi[i%2], float64(v))
	}
	for d := range lo {
		margin := .12 * (hi[d] - lo[d])
		lo[d], hi[d] = lo[d]-margin, hi[d]+margin
	}
	plane := make([]float32, 0, 2*cells*cells)
	for r := range cells { // from the top, as pictures are stored
		for c := range cells {
			u, v := (float64(c)+.5)/cells, (float64(r)+.5)/cells
			plane = append(plane, float32(lo[0]+u*(hi[0]-lo[0])), float32(hi[1]-v*(hi[1]-lo[1])))
		}
	}
	out, err := p.rule.Subject().Predict(plane)
	if err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, cells, cells))
	k := set.Out()
	for i := range cells * cells {
		img.SetNRGBA(i%cells, i/cells, region(out[i*k:(i+1)*k]))
	}
	q := report.NewPlot(fmt.Sprintf("%s: %.1f %% of the test samples right", p.name, 100*p.history.Last().Accuracy), "input 1", "input 2")
	q.Add(plotter.NewImage(img, lo[0], lo[1], hi[0], hi[1]))
	for i := range set.Len() {
		at := plotter.XYs{{X: float64(x[2*i]), Y: float64(x[2*i+1])}}
		rim, radius := color.NRGBA{255, 255, 255, 255}, 3.2
		if train.Largest(predicted[i*k:(i+1)*k]) != set.Label(i) {
			rim, radius = color.NRGBA{0, 0, 0, 255}, 4.6
		}
		q.Add(report.Dots(at, rim, radius), report.Dots(at, report.Colour(set.Label(i)), 2.4))
	}
	q.X.Padding, q.Y.Padding = 0, 0
	return q, nil
}

// region is the colour of the largest output, the paler the nearer the second.
func region(out []float32) color.NRGBA {
	best := train.Largest(out)
	if best < 0 {
		return color.NRGBA{0, 0, 0, 255}
	}
	second := math.Inf(-1)
	for i, v := range out {
		if i != best {
			second = math.Max(second, float64(v))
		}
	}
	sure := math.Min(1, float64(out[best])-second)
	c, mix := report.Colour(best), func(v uint8) uint8 { return uint8(255 - (.12+.38*sure)*(255-float64(v))) }
	return color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

// fit is a function of one input, with the samples that it was learned from.
func fit(learners []*learner, set *data.Set) report.Drawing {
	return func() (io.WriterTo, error) {
		q := report.NewPlot("", "input x", "output")
		report.Grid(q)
		x, y, _, err := filled(learners[0], set)
		if err != nil {
			return nil, err
		}
		points := make(plotter.XYs, len(x))
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range x {
			points[i] = plotter.XY{X: float64(x[i]), Y: float64(y[i])}
			lo, hi = math.Min(lo, points[i].X), math.Max(hi, points[i].X)
		}
		samples := report.Dots(points, color.NRGBA{0x5b, 0x68, 0x78, 0x60}, 1.6)
		q.Add(samples)
		q.Legend.Add("samples", samples)
		const n = 400
		at := make([]float32, n)
		for i := range at {
			at[i] = float32(lo + (hi-lo)*float64(i)/(n-1))
		}
		for _, p := range learners {
			out, err := p.rule.Subject().Predict(at)
			if err != nil {
				return nil, err
			}
			curve := make(plotter.XYs, n)
			for k := range curve {
				curve[k] = plotter.XY{X: float64(at[k]), Y: float64(out[k])}
			}
			l := report.Line(curve, report.RuleColour(p.name), 2.4, report.RuleDash(p.name))
			q.Add(l)
			q.Legend.Add(p.name, l)
		}
		q.Legend.Top, q.Legend.Left, q.Legend.XOffs = true, true, vg.Points(8)
		return report.Picture(10.4, 4.4, q), nil
	}
}

// scatter is predicted against true, one panel per learner.
func scatter(learners []*learner, set *data.Set) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for _, p := range learners {
			_, y, predicted, err := filled(p, set)
			if err != nil {
				return nil, err
			}
			q := report.NewPlot(fmt.Sprintf("%s: test loss %.4g", p.name, p.history.Last().Loss), "true", "predicted")
			report.Grid(q)
			points := make(plotter.XYs, len(y))
			lo, hi := math.Inf(1), math.Inf(-1)
			for i := range y {
				points[i] = plotter.XY{X: float64(y[i]), Y: float64(predicted[i])}
				lo, hi = math.Min(lo, points[i].X), math.Max(hi, points[i].X)
			}
			c := report.RuleColour(p.name)
			c.A = 0x70
			q.Add(report.Line(plotter.XYs{{X: lo, Y: lo}, {X: hi, Y: hi}}, report.Soft, 1, report.Dash(2)), report.Dots(points, c, 2))
			plots = append(plots, q)
		}
		return report.Picture(5.2, 5, plots...), nil
	}
}
