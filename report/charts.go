package report

import (
	"image"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Training is what a figure shows of the training of one network: its loss at every step and its score on a test set now and then,
// each over the number of the step.
type Training struct {
	Name  string // "BP" is drawn dashed and vermillion, all others solid and blue
	Loss  plotter.XYs
	Score plotter.XYs
}

// LearningCurves draws training loss on the left and test score on the right. With percent the score is an accuracy in per cent,
// otherwise a loss, on a logarithmic axis.
func LearningCurves(percent bool, trainings ...Training) Drawing {
	return func() (io.WriterTo, error) {
		loss := NewPlot("Training loss (moving average; faint: every step)", "weight updates", "loss per sample")
		Grid(loss)
		LogAxis(&loss.Y)
		score := NewPlot("Test accuracy", "weight updates", "accuracy (%)")
		if !percent {
			score = NewPlot("Test loss", "weight updates", "loss per sample")
			LogAxis(&score.Y)
		}
		Grid(score)
		score.Legend.Top, loss.Legend.Top = !percent, true
		score.X.Tick.Marker, loss.X.Tick.Marker = CountTicks{}, CountTicks{}
		for _, t := range trainings {
			if average := Smoothed(loss, t.Loss, RuleColour(t.Name), RuleDash(t.Name)); average != nil {
				loss.Legend.Add(t.Name, average)
			}
			var xys plotter.XYs
			for _, xy := range t.Score {
				if percent || xy.Y > 0 {
					xys = append(xys, xy)
				}
			}
			if len(xys) > 0 {
				l, d := Line(xys, RuleColour(t.Name), 2, RuleDash(t.Name)), Dots(xys, RuleColour(t.Name), 3)
				score.Add(l, d)
				score.Legend.Add(t.Name, l, d)
			}
		}
		WholeDecades(&loss.Y)
		if math.IsInf(score.X.Min, 0) { // interrupted before the first evaluation
			return Picture(10.4, 3.9, loss), nil
		}
		if percent {
			score.Y.Max = math.Min(100, score.Y.Max+.5)
		} else {
			WholeDecades(&score.Y)
		}
		return Picture(5.2, 3.9, loss, score), nil
	}
}

// Smoothed adds a noisy curve to a plot whose Y axis is logarithmic: faint as it is, and its exponential moving average, which it
// returns for the legend; nil if no value is above zero.
func Smoothed(p *plot.Plot, curve plotter.XYs, c color.NRGBA, dash []vg.Length) *plotter.Line {
	decay := 1 - 1/math.Max(1, float64(len(curve))/40)
	average, weight := 0.0, 0.0
	var raw, mean plotter.XYs
	for _, xy := range curve {
		if !(xy.Y > 0) {
			continue
		}
		average, weight = decay*average+(1-decay)*xy.Y, decay*weight+(1-decay)
		raw, mean = append(raw, xy), append(mean, plotter.XY{X: xy.X, Y: average / weight})
	}
	if len(raw) == 0 {
		return nil
	}
	pale := c
	pale.A = 0x38
	l := Line(thinned(mean), c, 2, dash)
	p.Add(Line(thinned(raw), pale, .5, nil), l)
	return l
}

// mostPoints is about how many points of a curve are drawn: two for each pixel of its width.
const mostPoints = 1600

// thinned is a curve with at most mostPoints points that looks the same: of every run of neighbours that share a fraction of a pixel, the
// lowest and the highest. The time to draw a line grows with the square of its points.
func thinned(curve plotter.XYs) plotter.XYs {
	if len(curve) <= mostPoints {
		return curve
	}
	var few plotter.XYs
	for run := range slices.Chunk(curve, (2*len(curve)+mostPoints-1)/mostPoints) {
		low, high := 0, 0
		for i, xy := range run {
			if xy.Y < run[low].Y {
				low = i
			}
			if xy.Y > run[high].Y {
				high = i
			}
		}
		few = append(few, run[min(low, high)])
		if low != high {
			few = append(few, run[max(low, high)])
		}
	}
	return few
}

// A HeatMap is a table of numbers whose cells are coloured and have their values written in them, if they are wide enough to be read.
type HeatMap struct {
	Title, X, Y   string
	Rows, Columns []string  // their names, rows from the bottom
	Values        []float64 // row by row; NaN leaves a cell empty
	Dark          func(value float64) float64
}

// Plot draws the map. Dark is how dark a value is drawn, from 0 to 1; below zero the colour turns to vermillion.
func (m HeatMap) Plot() *plot.Plot {
	p := NewPlot(m.Title, m.X, m.Y)
	p.Add(cellsOf{m})
	p.NominalX(m.Columns...)
	p.NominalY(m.Rows...)
	p.X.Label.Text, p.Y.Label.Text = m.X, m.Y
	p.X.Tick.Length, p.Y.Tick.Length, p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0, 0, 0
	p.X.Padding, p.Y.Padding = 0, 0
	return p
}

// legible is the size of type, in points, below which values are left out.
const legible = 5

// cellsOf draws the cells of a map.
type cellsOf struct{ HeatMap }

var _ plot.DataRanger = cellsOf{}

// Plot is called by plot.
func (m cellsOf) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	size := math.Min(10, float64(c.Size().X)/(3*float64(len(m.Columns))))
	for i, v := range m.Values {
		if math.IsNaN(v) {
			continue
		}
		col, row := float64(i%len(m.Columns)), float64(i/len(m.Columns))
		x0, x1, y0, y1 := x(col-.48), x(col+.48), y(row-.46), y(row+.46)
		c.FillPolygon(Shade(m.Dark(v)), []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
		var paint color.Color = Ink
		if m.Dark(v) > .5 {
			paint = color.White
		}
		if size < legible {
			continue
		}
		c.FillText(TextStyle(size, paint), vg.Point{X: (x0 + x1) / 2, Y: (y0 + y1) / 2}, short(v))
	}
}

// DataRange is called by plot.
func (m cellsOf) DataRange() (xmin, xmax, ymin, ymax float64) {
	return -.5, float64(len(m.Columns)) - .5, -.5, float64(len(m.Rows)) - .5
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

// Shade is a colour between white, 0, and dark blue, 1; below zero towards vermillion.
func Shade(v float64) color.Color {
	dark := [3]float64{0x08, 0x3d, 0x77}
	if v < 0 {
		dark, v = [3]float64{0xd5, 0x5e, 0x00}, -v
	}
	v = math.Min(1, v)
	mix := func(d float64) uint8 { return uint8(245 + v*(d-245)) }
	return color.NRGBA{mix(dark[0]), mix(dark[1]), mix(dark[2]), 0xff}
}

// Note is a piece of text at a point of a plot.
func Note(x, y float64, s string, paint color.Color, align draw.XAlignment) *plotter.Labels {
	style := TextStyle(10, paint)
	style.XAlign = align
	return &plotter.Labels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{s}, TextStyle: []draw.TextStyle{style}, Offset: vg.Point{}}
}

// Bands of a picture of bands: each is half as high as the one above it, from 2^bandTop down to 2^(bandTop-bandCount).
const (
	bandCount = 10
	bandTop   = 4
)

// bandColour is the grey of a band, 0 is the lowest.
func bandColour(band float64) color.Gray { return color.Gray{Y: uint8(110 + 138*band/bandCount)} }

// bandOf is the band of a value.
func bandOf(v float64) float64 {
	return math.Max(0, math.Min(bandCount, math.Floor(math.Log2(v)+bandCount-bandTop)))
}

// Bands is a positive function of two numbers between -reach and reach as bands, each half as high as the one before, dark
// where it is low.
func Bands(value func(x, y float64) float64, reach float64) *plotter.Image {
	const n = 480
	img := image.NewGray(image.Rect(0, 0, n, n))
	for r := range n { // from the top, as pictures are stored
		for c := range n {
			img.SetGray(c, r, bandColour(bandOf(value(reach*(2*(float64(c)+.5)/n-1), reach*(1-2*(float64(r)+.5)/n)))))
		}
	}
	return plotter.NewImage(img, -reach, -reach, reach, reach)
}

// BandBar explains the greys of bands of a quantity.
func BandBar(quantity string) ColourBar {
	bar := ColourBar{Name: quantity, Colour: func(f float64) color.Color {
		return bandColour(math.Floor(f * (bandCount + 1)))
	}}
	for _, band := range []int{1, 3, 5, 7, 9} { // the lower border of a band
		bar.Labels = append(bar.Labels, BarLabel{float64(band) / (bandCount + 1), strconv.FormatFloat(math.Pow(2, float64(band-bandCount+bandTop)), 'g', 4, 64)})
	}
	return bar
}
