package report

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Colours that stay apart for every kind of colour blindness (Okabe and Ito 2008).
var (
	Blue       = color.NRGBA{0x00, 0x72, 0xb2, 0xff} // PC
	Vermillion = color.NRGBA{0xd5, 0x5e, 0x00, 0xff} // BP, and what is wrong
	Green      = color.NRGBA{0x00, 0x9e, 0x73, 0xff}
	Purple     = color.NRGBA{0xcc, 0x79, 0xa7, 0xff}
	Sky        = color.NRGBA{0x56, 0xb4, 0xe9, 0xff}
	Amber      = color.NRGBA{0xe6, 0x9f, 0x00, 0xff}
	Ink        = color.NRGBA{0x1d, 0x27, 0x33, 0xff}
	Soft       = color.NRGBA{0x5b, 0x68, 0x78, 0xff}
	Faint      = color.NRGBA{0xe3, 0xe8, 0xed, 0xff}
)

// Colours are the colours of lines that stand for layers or classes.
var Colours = []color.NRGBA{Blue, Vermillion, Green, Purple, Amber, Sky, Ink}

// Colour is the colour of line i.
func Colour(i int) color.NRGBA { return Colours[i%len(Colours)] }

// RuleColour is the colour of "BP" or of the rule beside it.
func RuleColour(name string) color.NRGBA {
	if name == "BP" {
		return Vermillion
	}
	return Blue
}

// Dash tell lines apart without colours: solid first.
func Dash(i int) []vg.Length {
	return [][]vg.Length{nil, {vg.Points(7), vg.Points(3)}, {vg.Points(2), vg.Points(2)}, {vg.Points(9), vg.Points(2), vg.Points(2), vg.Points(2)}}[i%4]
}

// RuleDash is the dash of "BP", or of the rule beside it: PC is solid and BP dashed in every picture.
func RuleDash(name string) []vg.Length {
	if name == "BP" {
		return Dash(1)
	}
	return nil
}

// DPI is the resolution of pictures, in dots per inch. The default is sharp on today's screens; a lower one draws faster.
var DPI = 144

// Face is the font of all text.
func Face(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
}

// TextStyle is text of a size and a colour.
func TextStyle(size float64, c color.Color) text.Style {
	return text.Style{Color: c, Font: Face(size), Handler: plot.DefaultTextHandler, XAlign: draw.XCenter, YAlign: draw.YCenter}
}

// NewPlot is an empty plot in the style of all figures: labels with units, light grid.
func NewPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = Face(12), Ink
	p.Title.Padding = vg.Points(6)
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = Face(10), Ink
	p.Legend.ThumbnailWidth, p.Legend.Padding = vg.Points(24), vg.Points(3)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = Face(11), Ink
		a.Tick.Label.Font, a.Tick.Label.Color = Face(10), Soft
		a.LineStyle.Color, a.Tick.LineStyle.Color = Soft, Soft
		a.LineStyle.Width, a.Tick.LineStyle.Width = vg.Points(.6), vg.Points(.6)
		a.Padding = vg.Points(4)
	}
	return p
}

// Grid adds a light grid; first, so that everything else is on top of it.
func Grid(p *plot.Plot) {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = Faint, Faint
	g.Vertical.Width, g.Horizontal.Width = vg.Points(.6), vg.Points(.6)
	p.Add(g)
}

// Line is a polyline in the style of all figures.
func Line(xys plotter.XYs, c color.Color, width float64, dash []vg.Length) *plotter.Line {
	return &plotter.Line{XYs: xys, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(width), Dashes: dash}}
}

// Dots are points in the style of all figures.
func Dots(xys plotter.XYs, c color.Color, radius float64) *plotter.Scatter {
	return &plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(radius), Shape: draw.CircleGlyph{}}}
}

// LogAxis makes an axis logarithmic, with ticks at the powers of ten.
func LogAxis(a *plot.Axis) {
	a.Scale, a.Tick.Marker = LogScale{}, decades{}
}

// LogScale is plot.LogScale but for the middle of the range: gonum/plot asks for it to place the axis' label, means the
// middle of the axis, and otherwise leaves a gap above the plot.
type LogScale struct{}

// Normalize is called by plot.
func (LogScale) Normalize(lo, hi, x float64) float64 {
	if x == .5*(lo+hi) {
		return .5
	}
	return plot.LogScale{}.Normalize(lo, hi, x)
}

// decades are ticks at powers of ten, fewer labels when there are many.
type decades struct{}

// Ticks is called by plot.
func (decades) Ticks(lo, hi float64) []plot.Tick {
	from, to := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	step := 1 + (to-from)/9
	var ticks []plot.Tick
	for e := from; e <= to; e++ {
		t := plot.Tick{Value: math.Pow10(e)}
		if (e-from)%step == 0 {
			t.Label = power(e)
		}
		ticks = append(ticks, t)
	}
	inside := ticks[:0]
	for _, t := range ticks {
		if t.Value >= lo*(1-1e-9) && t.Value <= hi*(1+1e-9) {
			inside = append(inside, t)
		}
	}
	return inside
}

// power writes 10^e for people.
func power(e int) string {
	if e >= -2 && e <= 3 {
		return strconv.FormatFloat(math.Pow10(e), 'f', -1, 64)
	}
	return "1e" + strconv.Itoa(e)
}

// WholeDecades widens a logarithmic axis to whole decades, so that it has labels at its ends, and gives one without data a range.
func WholeDecades(a *plot.Axis) {
	if !(a.Min > 0 && a.Max >= a.Min && a.Max <= math.MaxFloat64) {
		a.Min, a.Max = .1, 1
	}
	a.Min, a.Max = math.Pow(10, math.Floor(math.Log10(a.Min)+1e-9)), math.Pow(10, math.Ceil(math.Log10(a.Max)-1e-9))
	if a.Min == a.Max {
		a.Max *= 10
	}
}

// Picture draws plots side by side, each so wide and so high in inches.
func Picture(width, height float64, plots ...*plot.Plot) io.WriterTo {
	return Panels(width, height, [][]*plot.Plot{plots})
}

// Panels draws rows of equally many plots, each plot so wide and so high in inches.
func Panels(width, height float64, rows [][]*plot.Plot) io.WriterTo {
	columns := len(rows[0])
	w, h := vg.Length(width)*vg.Inch, vg.Length(height)*vg.Inch
	img := vgimg.NewWith(vgimg.UseWH(w*vg.Length(columns), h*vg.Length(len(rows))), vgimg.UseDPI(DPI))
	drawPanels(draw.New(img), rows)
	return vgimg.PngCanvas{Canvas: img}
}

// drawPanels draws rows of equally many plots on a canvas.
func drawPanels(canvas draw.Canvas, rows [][]*plot.Plot) {
	tiles := draw.Tiles{Rows: len(rows), Cols: len(rows[0]), PadX: vg.Points(24), PadY: vg.Points(14),
		PadTop: vg.Points(6), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(14)}
	for i, row := range rows {
		for k, p := range row {
			p.Draw(tiles.At(canvas, k, i))
		}
	}
}

// A Key is an entry of a legend beside the panels.
type Key struct {
	Name  string
	Line  draw.LineStyle
	Glyph *draw.GlyphStyle // nil: none
}

// WithKeys is rows of panels, each so wide and so high in inches, with the names of lines above them, where they hide nothing.
func WithKeys(width, height float64, rows [][]*plot.Plot, keys []Key, columns int) io.WriterTo {
	const high = .24
	strip := vg.Length(high*math.Ceil(float64(len(keys))/float64(columns))+.1) * vg.Inch
	w, h := vg.Length(width)*vg.Inch*vg.Length(len(rows[0])), vg.Length(height)*vg.Inch*vg.Length(len(rows))
	img := vgimg.NewWith(vgimg.UseWH(w, h+strip), vgimg.UseDPI(DPI))
	canvas := draw.New(img)
	for i, k := range keys {
		x, y := w*(vg.Length(i%columns)+.06)/vg.Length(columns), h+strip-vg.Length(high*(float64(i/columns)+.7))*vg.Inch
		if k.Line.Width > 0 {
			canvas.StrokeLine2(k.Line, x, y, x+vg.Points(30), y)
		}
		if k.Glyph != nil {
			canvas.DrawGlyph(*k.Glyph, vg.Point{X: x + vg.Points(15), Y: y})
		}
		text := TextStyle(10, Ink)
		text.XAlign = draw.XLeft
		canvas.FillText(text, vg.Point{X: x + vg.Points(36), Y: y}, k.Name)
	}
	drawPanels(draw.Crop(canvas, 0, 0, 0, -strip), rows)
	return vgimg.PngCanvas{Canvas: img}
}

// A ColourBar is the legend of a map: a bar of its colours, numbers under some of them, and the name of the quantity.
type ColourBar struct {
	Name   string
	Colour func(fraction float64) color.Color // from 0, at the left, to 1
	Labels []BarLabel
}

// A BarLabel is a number beside a colour bar.
type BarLabel struct {
	At   float64 // from 0 to 1
	Text string
}

// barHigh is how high a colour bar with its numbers is, in inches.
const barHigh = .55

// WithBar is plots side by side with a colour bar under them.
func WithBar(width, height float64, bar ColourBar, plots ...*plot.Plot) io.WriterTo {
	return WithBars(width, height, bar, [][]*plot.Plot{plots})
}

// WithBars is rows of plots with a colour bar under them.
func WithBars(width, height float64, bar ColourBar, rows [][]*plot.Plot) io.WriterTo {
	w, h, strip := vg.Length(width)*vg.Inch*vg.Length(len(rows[0])), vg.Length(height)*vg.Inch*vg.Length(len(rows)), barHigh*vg.Inch
	img := vgimg.NewWith(vgimg.UseWH(w, h+strip), vgimg.UseDPI(DPI))
	canvas := draw.New(img)
	bar.draw(draw.Crop(canvas, 0, 0, 0, -h))
	drawPanels(draw.Crop(canvas, 0, 0, strip, 0), rows)
	return vgimg.PngCanvas{Canvas: img}
}

// draw draws the bar in the middle of a strip.
func (b ColourBar) draw(c draw.Canvas) {
	const parts = 128
	left, right := c.X(.34), c.X(.92)
	top, bottom := c.Y(.85), c.Y(.5)
	for i := range parts { // each over the ones before, so that no seams are seen
		x := left + (right-left)*vg.Length(i)/parts
		c.FillPolygon(b.Colour((float64(i)+.5)/parts), []vg.Point{{X: x, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: x, Y: top}})
	}
	c.StrokeLines(draw.LineStyle{Color: Soft, Width: vg.Points(.6)}, []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}, {X: left, Y: bottom}})
	text := TextStyle(10, Ink)
	for _, l := range b.Labels {
		x := left + (right-left)*vg.Length(l.At)
		c.StrokeLine2(draw.LineStyle{Color: Soft, Width: vg.Points(.6)}, x, bottom, x, bottom-vg.Points(3))
		c.FillText(text, vg.Point{X: x, Y: bottom - vg.Points(10)}, l.Text)
	}
	text.XAlign = draw.XRight
	c.FillText(text, vg.Point{X: left - vg.Points(10), Y: (top + bottom) / 2}, b.Name)
}

// CountTicks are ticks at whole numbers, for axes that count.
type CountTicks struct{}

// Ticks is called by plot.
func (CountTicks) Ticks(lo, hi float64) []plot.Tick {
	step := math.Max(1, math.Pow(10, math.Floor(math.Log10((hi-lo)/8))))
	for _, k := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(k*step) <= 8 {
			step *= k
			break
		}
	}
	var ticks []plot.Tick
	for v := math.Ceil(lo/step) * step; v <= hi; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', 0, 64)})
	}
	return ticks
}
