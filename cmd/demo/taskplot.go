package main

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// An inference is what one run of it was like.
type inference struct {
	name    string // in the legend, where there are several
	terms   []string
	moments []analysis.Moment
	timed   bool    // by time rather than by steps
	trained float64 // where inference ends in training
}

// at is where a moment stands on the axis.
func (in inference) at(m analysis.Moment) float64 {
	if in.timed {
		return m.Time
	}
	return float64(m.Step)
}

// from is where a logarithmic axis of time or steps begins: well before training ends inference.
func (in inference) from() float64 {
	if in.timed {
		return in.trained / 64
	}
	return 1
}

// until marks where training ends inference.
func (in inference) until(p *plot.Plot) {
	p.X.Min = in.from()
	p.Add(report.Line(plotter.XYs{{X: in.trained, Y: p.Y.Min}, {X: in.trained, Y: p.Y.Max}}, report.Soft, 1, nil),
		report.Note(in.trained*.9, p.Y.Min*1.7, "training ends here", report.Soft, draw.XRight))
}

// axis names it.
func (in inference) axis() string {
	if in.timed {
		return "inference time, per sample"
	}
	return "inference step"
}

// curve is one energy along inference; what is too small for the axis is left out.
func (in inference) curve(least float64, energy func(analysis.Moment) float64) plotter.XYs {
	var xys plotter.XYs
	for _, m := range in.moments {
		if e := energy(m); e > least && !math.IsInf(e, 0) && in.at(m) >= in.from() {
			xys = append(xys, plotter.XY{X: in.at(m), Y: e})
		}
	}
	return xys
}

// most is the largest energy.
func (in inference) most() float64 {
	most := 0.
	for _, m := range in.moments {
		most = math.Max(most, m.Energy)
	}
	return most
}

// maxLines is how many layers have a line each with a name; of deeper networks lines are shaded by depth.
const maxLines = 6

// layerEnergies is the energy of every layer along inference, one panel per inference.
func layerEnergies(ins ...inference) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		lo, hi := math.Inf(1), 0.
		for _, in := range ins {
			p := report.NewPlot(in.name, in.axis(), "energy per sample")
			report.Grid(p)
			report.LogAxis(&p.Y)
			report.LogAxis(&p.X)
			least := 1e-6 * in.most()
			deep, named := len(in.terms) > maxLines, false
			for i, name := range in.terms {
				c, dash := color.Color(report.Colour(i)), report.Dash(i)
				if deep {
					c, dash = report.Shade(.15+.85*float64(i)/float64(len(in.terms)-1)), nil
				}
				xys := in.curve(least, func(m analysis.Moment) float64 { return m.Terms[i] })
				if len(xys) == 0 {
					continue
				}
				l := report.Line(xys, c, 2, dash)
				p.Add(l)
				if !deep || i == len(in.terms)-1 || !named {
					p.Legend.Add(name, l)
					named = true
				}
			}
			sum := report.Line(in.curve(least, func(m analysis.Moment) float64 { return m.Energy }), report.Ink, 1.2, report.Dash(2))
			p.Add(sum)
			p.Legend.Add("sum", sum)
			report.WholeDecades(&p.Y)
			lo, hi = math.Min(lo, p.Y.Min), math.Max(hi, p.Y.Max)
			plots = append(plots, p)
		}
		for i, p := range plots {
			p.Y.Min, p.Y.Max = lo, hi
			p.X.Max *= 6 // the legend's place
			p.Legend.Top, p.Legend.YOffs = true, -20
			ins[i].until(p)
		}
		return report.Picture(10.4/float64(len(plots)), 4, plots...), nil
	}
}

// alongTraining is the energy of every layer along inference at several times of training: a panel per layer, the later
// the darker.
func alongTraining(ins []inference) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for i, name := range ins[0].terms {
			p := report.NewPlot(name, ins[0].axis(), "energy per sample")
			report.Grid(p)
			report.LogAxis(&p.Y)
			for k, in := range ins {
				xys := in.curve(1e-6*in.most(), func(m analysis.Moment) float64 { return m.Terms[i] })
				if len(xys) == 0 {
					continue
				}
				l := report.Line(xys, report.Shade(.25+.75*float64(k)/math.Max(1, float64(len(ins)-1))), 1.6, nil)
				p.Add(l)
				if i == 0 && (k == 0 || k == len(ins)-1 || k == len(ins)/2) {
					p.Legend.Add(in.name, l)
				}
			}
			p.Legend.Top = false
			report.WholeDecades(&p.Y)
			plots = append(plots, p)
		}
		return report.Picture(10.4/float64(len(plots)), 3.6, plots...), nil
	}
}

// startEnergies is the energy along several inferences.
func startEnergies(ins []inference) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("", ins[0].axis(), "energy per sample")
		report.Grid(p)
		report.LogAxis(&p.X)
		report.LogAxis(&p.Y)
		for i, in := range ins {
			l := report.Line(in.curve(0, func(m analysis.Moment) float64 { return m.Energy }), report.Colour(i), 2, report.Dash(i))
			p.Add(l)
			p.Legend.Add(in.name, l)
		}
		p.Legend.Top = true
		report.WholeDecades(&p.Y)
		p.X.Min = ins[0].from()
		return report.Picture(10.4, 3.9, p), nil
	}
}

// A strip is a row of pictures with its name.
type strip struct {
	name     string
	pictures []image.Image
	captions []string // under them; may be empty
	wrong    []bool   // framed; may be empty
}

// strips draws rows of pictures.
func strips(rows []strip) report.Drawing {
	return func() (io.WriterTo, error) {
		columns, captions := 0, false
		for _, r := range rows {
			columns = max(columns, len(r.pictures))
			captions = captions || len(r.captions) > 0
		}
		pitch := 1.04
		if captions {
			pitch = 1.32
		}
		const left = 1.9
		p := report.NewPlot("", "", "")
		p.HideAxes()
		for r, row := range rows {
			y := -float64(r) * pitch
			p.Add(report.Note(left-.12, y+.44, row.name, report.Ink, draw.XRight))
			for k, img := range row.pictures {
				x := left + float64(k)
				p.Add(plotter.NewImage(img, x+.03, y, x+.97, y+.94))
				paint := color.Color(report.Soft)
				if len(row.wrong) > k && row.wrong[k] {
					paint = report.Vermillion
					p.Add(report.Line(plotter.XYs{{X: x + .01, Y: y - .02}, {X: x + .99, Y: y - .02}, {X: x + .99, Y: y + .96}, {X: x + .01, Y: y + .96}, {X: x + .01, Y: y - .02}}, report.Vermillion, 1.6, nil))
				}
				if len(row.captions) > k {
					p.Add(report.Note(x+.5, y-.17, row.captions[k], paint, draw.XCenter))
				}
			}
		}
		p.X.Min, p.X.Max = 0, left+float64(columns)
		p.Y.Min, p.Y.Max = -float64(len(rows)-1)*pitch-.35, 1
		if !captions {
			p.Y.Min = -float64(len(rows)-1)*pitch - .06
		}
		width := 10.4
		return report.Picture(width, width/p.X.Max*(p.Y.Max-p.Y.Min)+.1, p), nil
	}
}

// shown is a picture of normalised pixels, dark on white; blank pixels, if not nil, are those of no value, in pale blue.
func shown(set *data.Set, pixels []float32, blank func(i int) bool) image.Image {
	shape, norm := set.Shape(), set.Norm(0)
	const zoom = 4
	img := image.NewNRGBA(image.Rect(0, 0, shape.Width*zoom, shape.Height*zoom))
	for y := range shape.Height * zoom {
		for x := range shape.Width * zoom {
			i := y/zoom*shape.Width + x/zoom
			v := 255 - norm.Pixel(float64(pixels[i]))
			c := color.NRGBA{v, v, v, 255}
			if blank != nil && blank(i) {
				c = color.NRGBA{0xcf, 0xe3, 0xf3, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// shownAll are the first n pictures of many.
func shownAll(set *data.Set, pixels []float32, n int) []image.Image {
	var imgs []image.Image
	for i := range min(n, len(pixels)/set.In()) {
		imgs = append(imgs, shown(set, pixels[i*set.In():(i+1)*set.In()], nil))
	}
	return imgs
}

// numbers writes labels.
func numbers(n int, label func(i int) int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = strconv.Itoa(label(i))
	}
	return s
}

// percent writes a fraction.
func percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }
