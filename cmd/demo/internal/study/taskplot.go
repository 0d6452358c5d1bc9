package study

import (
	"image"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// axisStart is where a logarithmic axis of time or steps begins: well before training ends inference.
func axisStart(t notebooks.Trace) float64 {
	if t.Timed {
		return t.Trained / 64
	}
	return 1
}

// energyPlot is a plot with energies of inference on logarithmic axes.
func energyPlot(title string, t notebooks.Trace, y string) *plot.Plot {
	x := "inference step"
	if t.Timed {
		x = "inference time, per sample"
	}
	p := report.NewPlot(title, x, y)
	report.Grid(p)
	report.LogAxis(&p.X)
	report.LogAxis(&p.Y)
	return p
}

// until marks where training ends inference.
func until(p *plot.Plot, t notebooks.Trace) {
	p.X.Min = axisStart(t)
	p.Add(report.Line(plotter.XYs{{X: t.Trained, Y: p.Y.Min}, {X: t.Trained, Y: p.Y.Max}}, report.Soft, 1, nil),
		report.Note(t.Trained*.9, p.Y.Min*1.7, "training ends here", report.Soft, draw.XRight))
}

// along is one energy along inference; what is not above least, which is too small for the axis, is left out.
func along(t notebooks.Trace, least float64, energy func(analysis.Moment) float64) (xys plotter.XYs) {
	for _, m := range t.Moments {
		if e := energy(m); e > least && !math.IsInf(e, 0) && t.At(m) >= axisStart(t) {
			xys = append(xys, plotter.XY{X: t.At(m), Y: e})
		}
	}
	return xys
}

// least is the smallest energy that is drawn of a trace.
func least(t notebooks.Trace) float64 {
	most := 0.
	for _, m := range t.Moments {
		most = math.Max(most, m.Energy)
	}
	return 1e-6 * most
}

func whole(m analysis.Moment) float64 { return m.Energy }

func term(i int) func(analysis.Moment) float64 {
	return func(m analysis.Moment) float64 { return m.Terms[i] }
}

// addNamed adds a line with its name in the legend.
func addNamed(p *plot.Plot, name string, xys plotter.XYs, c color.Color, width float64, dash []vg.Length) {
	l := report.Line(xys, c, width, dash)
	p.Add(l)
	p.Legend.Add(name, l)
}

// maxLines is how many layers have a line each with a name; of deeper networks lines are shaded by depth.
const maxLines = 6

// layerEnergies is the energy of every layer along inference, one panel per trace.
func layerEnergies(traces ...notebooks.Trace) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		lo, hi := math.Inf(1), 0.
		for _, t := range traces {
			p := energyPlot(t.Name, t, "energy per sample")
			deep, named := len(t.Terms) > maxLines, false
			for i, name := range t.Terms {
				xys := along(t, least(t), term(i))
				switch {
				case len(xys) == 0:
				case !deep:
					addNamed(p, name, xys, report.Colour(i), 2, report.Dash(i))
				default:
					c := report.Shade(.15 + .85*float64(i)/float64(len(t.Terms)-1))
					if named && i < len(t.Terms)-1 {
						p.Add(report.Line(xys, c, 2, nil))
						continue
					}
					addNamed(p, name, xys, c, 2, nil)
					named = true
				}
			}
			addNamed(p, "sum", along(t, least(t), whole), report.Ink, 1.2, report.Dash(2))
			report.WholeDecades(&p.Y)
			lo, hi = math.Min(lo, p.Y.Min), math.Max(hi, p.Y.Max)
			plots = append(plots, p)
		}
		for i, p := range plots {
			p.Y.Min, p.Y.Max = lo, hi
			p.X.Max *= 6 // room for the legend
			p.Legend.Top, p.Legend.YOffs = true, -20
			until(p, traces[i])
		}
		return report.Picture(10.4/float64(len(plots)), 4, plots...), nil
	}
}

// alongTraining is the energy of every layer along inference at several times of training: a panel per layer, the later the darker.
func alongTraining(traces []notebooks.Trace) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for i, name := range traces[0].Terms {
			p := energyPlot(name, traces[0], "energy per sample")
			p.X.Scale, p.X.Tick.Marker = plot.LinearScale{}, plot.DefaultTicks{}
			for k, t := range traces {
				xys := along(t, least(t), term(i))
				if len(xys) == 0 {
					continue
				}
				l := report.Line(xys, report.Shade(.25+.75*float64(k)/math.Max(1, float64(len(traces)-1))), 1.6, nil)
				p.Add(l)
				if i == 0 && (k == 0 || k == len(traces)-1 || k == len(traces)/2) {
					p.Legend.Add(t.Name, l)
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
func startEnergies(traces []notebooks.Trace) report.Drawing {
	return func() (io.WriterTo, error) {
		p := energyPlot("", traces[0], "energy per sample")
		for i, t := range traces {
			addNamed(p, t.Name, along(t, 0, whole), report.Colour(i), 2, report.Dash(i))
		}
		p.Legend.Top = true
		report.WholeDecades(&p.Y)
		p.X.Min = axisStart(traces[0])
		return report.Picture(10.4, 3.9, p), nil
	}
}

// energyAndTheory are the energies of every update.
func energyAndTheory(updates []notebooks.Energies) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("", "weight updates", "energy per sample")
		report.Grid(p)
		var loss, energy, closed plotter.XYs
		for i, u := range updates {
			x := float64(i + 1)
			loss, energy, closed = append(loss, plotter.XY{X: x, Y: u.Loss}), append(energy, plotter.XY{X: x, Y: u.Energy}), append(closed, plotter.XY{X: x, Y: u.Theory})
		}
		addNamed(p, "loss", loss, report.Soft, 1.2, report.Dash(2))
		addNamed(p, "energy where inference ends", energy, report.Sky, 5, nil)
		addNamed(p, "closed form F*", closed, report.Ink, 1.4, report.Dash(1))
		p.Legend.Top = true
		p.Y.Min = 0
		return report.Picture(10.4, 4.2, p), nil
	}
}

// approach is how far the energy is from its closed form along inference; ends are those of the traces.
func approach(traces []notebooks.Trace, ends []float64) report.Drawing {
	return func() (io.WriterTo, error) {
		p := energyPlot("", traces[0], "F/F* - 1")
		for i, t := range traces {
			if xys := along(t, 1e-9, func(m analysis.Moment) float64 { return m.Energy/ends[i] - 1 }); len(xys) > 0 {
				addNamed(p, t.Name, xys, report.Colour(i), 2, report.Dash(i))
			}
		}
		report.WholeDecades(&p.Y)
		until(p, traces[0])
		p.Legend.Top = true
		return report.Picture(10.4, 4, p), nil
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

// each makes images of the first n of pictures [.., in].
func each(pixels []float32, in, n int, draw func(pixels []float32) image.Image) (images []image.Image) {
	for i := range min(n, len(pixels)/in) {
		images = append(images, draw(pixels[i*in:(i+1)*in]))
	}
	return images
}

// shown are the first n of pictures as images.
func (s *study) shown(pixels []float32, n int) []image.Image {
	return each(pixels, s.Test.In(), n, func(pixels []float32) image.Image { return shown(s.Test, pixels, nil) })
}
