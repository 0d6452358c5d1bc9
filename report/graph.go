package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/graph/formats/dot"
	"gonum.org/v1/gonum/graph/formats/dot/ast"

	"github.com/pcgraph/pcgraph/internal/layered"
)

// Graph draws a graph in Graphviz's language, as arch.Model.Dot writes it, as SVG under a title: from the inputs at the top to the
// outputs at the bottom, with a frame around each of the outermost clusters and a legend. It returns an error if the text is no such graph
// or is too large to be laid out.
func Graph(dot []byte, title string) ([]byte, error) {
	d, err := readDot(dot)
	if err != nil {
		return nil, err
	}
	return d.svg(title)
}

// A graphBox is a node of a drawing.
type graphBox struct {
	lines []string
	attrs map[string]string
	size  layered.Node
}

// A graphArrow is an edge of a drawing.
type graphArrow struct{ attrs map[string]string }

// A graphDrawing is a graph in Graphviz's language, as far as arch.Model writes it, ready to be laid out: nodes in the order of
// the text, a column for each of the outermost clusters and one for what is in none.
type graphDrawing struct {
	boxes   []graphBox
	arrows  []graphArrow
	columns []string // names; empty: no frame
	graph   layered.Graph
	id      map[string]int
}

// readDot reads a graph as arch.Model writes it.
func readDot(text []byte) (*graphDrawing, error) {
	file, err := dot.ParseBytes(text)
	if err != nil {
		return nil, errors.Wrap(err, "read the graph")
	}
	d := &graphDrawing{id: make(map[string]int), columns: []string{""}}
	for _, g := range file.Graphs {
		d.read(g.Stmts, 0, "")
	}
	for _, g := range file.Graphs {
		if err := d.connect(g.Stmts); err != nil {
			return nil, err
		}
	}
	d.graph.ColumnPad, d.graph.ColumnGap = 12, 14
	return d, nil
}

// read takes the nodes of some statements into a column; within is the path of inner clusters, which the names of inputs begin with.
func (d *graphDrawing) read(stmts []ast.Stmt, column int, within string) {
	for _, s := range stmts {
		switch s := s.(type) {
		case *ast.NodeStmt:
			b := graphBox{attrs: attributes(s.Attrs)}
			label := b.attrs["label"]
			if b.input() {
				label = within + label
			}
			b.lines = Wrap(label, 26)
			b.measure(column)
			d.id[s.Node.ID] = len(d.boxes)
			d.boxes, d.graph.Nodes = append(d.boxes, b), append(d.graph.Nodes, b.size)
		case *ast.Subgraph:
			name := ""
			for _, in := range s.Stmts {
				if a, ok := in.(*ast.Attr); ok && a.Key == "label" {
					name = unquoted(a.Val)
				}
			}
			if column > 0 {
				d.read(s.Stmts, column, within+name+"/")
				continue
			}
			d.columns = append(d.columns, name)
			d.read(s.Stmts, len(d.columns)-1, "")
		}
	}
}

// connect takes the edges of some statements.
func (d *graphDrawing) connect(stmts []ast.Stmt) error {
	for _, s := range stmts {
		e, ok := s.(*ast.EdgeStmt)
		if !ok {
			continue
		}
		from, isNode := e.From.(*ast.Node)
		to, alsoNode := e.To.Vertex.(*ast.Node)
		if !isNode || !alsoNode || e.To.To != nil {
			return errors.Errorf("read the graph: edge %v: want one from a node to a node", e)
		}
		a, known := d.id[from.ID]
		b, alsoKnown := d.id[to.ID]
		if !known || !alsoKnown {
			return errors.Errorf("read the graph: edge %v: an end is no node of the graph", e)
		}
		d.arrows = append(d.arrows, graphArrow{attributes(e.Attrs)})
		d.graph.Edges = append(d.graph.Edges, layered.Edge{From: a, To: b})
	}
	return nil
}

// attributes are those of a node or an edge without quotes.
func attributes(list []*ast.Attr) map[string]string {
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[a.Key] = unquoted(a.Val)
	}
	return m
}

// unquoted is a value of an attribute.
func unquoted(s string) string {
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return strings.Trim(s, `"`)
}

// input reports whether a box is data, an activity or a weight.
func (b graphBox) input() bool {
	return b.attrs["shape"] != "plaintext" && b.attrs["style"] == "filled"
}

// Sizes of a drawing in pixels.
const (
	graphFont  = 12.
	graphLine  = 14.5 // from line to line
	graphSmall = 10.5
)

// measure gives a box the size of its text.
func (b *graphBox) measure(column int) {
	w := 0.
	for _, l := range b.lines {
		w = math.Max(w, textWidth(l, graphFont))
	}
	w, h := w+16, graphLine*float64(len(b.lines))+9
	switch b.attrs["shape"] {
	case "ellipse":
		w, h = 1.3*w, h+8
	case "hexagon":
		w += 14
	}
	b.size = layered.Node{Width: math.Max(w, 34), Height: h, Column: column}
}

// helvetica are the widths of the characters from space to ~ in thousandths of the font's size (Adobe's font metrics).
var helvetica = [...]int{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

// textWidth is the width of a text in Helvetica, with something to spare for fonts that take its place.
func textWidth(s string, size float64) float64 {
	w := 0
	for _, r := range s {
		switch {
		case r >= ' ' && r <= '~':
			w += helvetica[r-' ']
		case r < 0x2e80:
			w += 667
		default: // ideographs
			w += 1000
		}
	}
	return 1.06 * size * float64(w) / 1000
}

// A graphKey is an entry of the legend.
type graphKey struct{ shape, fill, stroke, dash, text string }

// graphKeys explain shapes and colours; they are those of graph.Builder's Dot.
var graphKeys = []graphKey{
	{shape: "box", fill: "#cfe2f3", text: "data"},
	{shape: "ellipse", fill: "#ffe599", text: "free activity"},
	{shape: "hexagon", fill: "#d9ead3", text: "weight"},
	{shape: "rounded", fill: "#ffffff", text: "operation"},
	{shape: "rounded", fill: "#f4cccc", text: "energy"},
	{shape: "rounded", fill: "#f3e8fd", stroke: "#7b3fb5", dash: "4 3", text: "gradient"},
}

// svg lays the graph out and draws it, with a legend above.
func (d *graphDrawing) svg(title string) ([]byte, error) {
	l, err := layered.Place(d.graph)
	if err != nil {
		return nil, err
	}
	const margin, laneHead = 16., 22.
	var keys bytes.Buffer
	width := math.Max(l.Width, 760)
	x, y := 0., 40.
	for _, k := range graphKeys {
		if w := 46 + textWidth(k.text, graphFont); x+w > width {
			x, y = 0, y+24
		}
		drawShape(&keys, k.shape, layered.Rect{X: x, Y: y - 8, Width: 26, Height: 16}, k.fill, k.stroke, k.dash, 1)
		drawText(&keys, x+33, y+4, "start", graphFont, "#1d2733", k.text)
		x += 56 + textWidth(k.text, graphFont)
	}
	y += 24
	for _, line := range Wrap("a, b, c: the operands of the formula in the box. Thick frame: an output of the graph. "+
		"Frames with a name: the network's blocks. Brackets: the shape, batch first. Values run downwards.", int(width/6)) {
		drawText(&keys, 0, y, "start", graphSmall, "#5b6878", line)
		y += 15
	}
	head := y + 4
	var b bytes.Buffer
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"%g %g %.0f %.0f\" font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">\n",
		width+2*margin, head+laneHead+l.Height+2*margin, -margin, -margin, width+2*margin, head+laneHead+l.Height+2*margin)
	fmt.Fprintf(&b, "<title>%s</title>\n", xmlText(title))
	for _, m := range []struct{ id, colour string }{{"plain", "#555555"}, {"gradient", "#7b3fb5"}} {
		fmt.Fprintf(&b, "<marker id=\"%s\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 10 5 0 10z\" fill=\"%s\"/></marker>\n", m.id, m.colour)
	}
	fmt.Fprintf(&b, "<rect x=\"%g\" y=\"%g\" width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n", -margin, -margin, width+2*margin, head+laneHead+l.Height+2*margin)
	drawText(&b, 0, 14, "start", 16, "#1d2733", title)
	b.Write(keys.Bytes())
	fmt.Fprintf(&b, "<g transform=\"translate(0 %.1f)\">\n", head+laneHead)
	for i, name := range d.columns {
		if name == "" || i >= len(l.Columns) || l.Columns[i].Width == 0 {
			continue
		}
		r := l.Columns[i]
		fmt.Fprintf(&b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"8\" fill=\"#f7f7f7\" stroke=\"#cccccc\"/>\n", r.X, r.Y-laneHead, r.Width, r.Height+laneHead)
		drawText(&b, r.X+r.Width/2, r.Y-6, "middle", 13, "#5b6878", name)
	}
	for e, points := range l.Edges {
		d.arrows[e].draw(&b, points)
	}
	for i, r := range l.Nodes {
		d.boxes[i].draw(&b, r)
	}
	for e, points := range l.Edges { // above the boxes and the edges
		if letter := strings.TrimSpace(d.arrows[e].attrs["headlabel"]); letter != "" {
			end := points[len(points)-1]
			fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" fill=\"#333333\" stroke=\"#f7f7f7\" stroke-width=\"3\" paint-order=\"stroke\">%s</text>\n",
				end.X+3, end.Y-7, graphSmall, xmlText(letter))
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes(), nil
}

// draw draws a box with its text.
func (b graphBox) draw(w *bytes.Buffer, r layered.Rect) {
	shape, dash, border, width := b.attrs["shape"], "", "#1d2733", 1.
	style := b.attrs["style"]
	if strings.Contains(style, "rounded") {
		shape = "rounded"
	}
	if strings.Contains(style, "dashed") {
		dash = "4 3"
	}
	if c := b.attrs["color"]; c != "" {
		border = c
	}
	if v, err := strconv.ParseFloat(b.attrs["penwidth"], 64); err == nil {
		width = v
	}
	drawShape(w, shape, r, b.attrs["fillcolor"], border, dash, width)
	ink := "#1d2733"
	if c := b.attrs["fontcolor"]; c != "" {
		ink = c
	}
	y := r.Y + r.Height/2 - graphLine*float64(len(b.lines)-1)/2 + .36*graphFont
	for _, line := range b.lines {
		drawText(w, r.X+r.Width/2, y, "middle", graphFont, ink, line)
		y += graphLine
	}
}

// drawShape draws the frame of a box.
func drawShape(w *bytes.Buffer, shape string, r layered.Rect, fill, stroke, dash string, width float64) {
	if stroke == "" {
		stroke = "#1d2733"
	}
	if fill == "" {
		fill = "none"
	}
	look := fmt.Sprintf("fill=\"%s\" stroke=\"%s\" stroke-width=\"%g\"", xmlText(fill), xmlText(stroke), width)
	if dash != "" {
		look += fmt.Sprintf(" stroke-dasharray=\"%s\"", dash)
	}
	switch shape {
	case "plaintext":
	case "ellipse":
		fmt.Fprintf(w, "<ellipse cx=\"%.1f\" cy=\"%.1f\" rx=\"%.1f\" ry=\"%.1f\" %s/>\n", r.X+r.Width/2, r.Y+r.Height/2, r.Width/2, r.Height/2, look)
	case "hexagon":
		c := math.Min(10, r.Width/4)
		fmt.Fprintf(w, "<polygon points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f\" %s/>\n",
			r.X, r.Y+r.Height/2, r.X+c, r.Y, r.X+r.Width-c, r.Y, r.X+r.Width, r.Y+r.Height/2, r.X+r.Width-c, r.Y+r.Height, r.X+c, r.Y+r.Height, look)
	default:
		round := 0.
		if shape == "rounded" {
			round = 6
		}
		fmt.Fprintf(w, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%g\" %s/>\n", r.X, r.Y, r.Width, r.Height, round, look)
	}
}

// drawText writes a line of text.
func drawText(w *bytes.Buffer, x, y float64, anchor string, size float64, colour, s string) {
	fmt.Fprintf(w, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%g\" fill=\"%s\">%s</text>\n", x, y, anchor, size, xmlText(colour), xmlText(s))
}

// draw draws the route of an edge: curves between layers, straight lines across them.
func (a graphArrow) draw(w *bytes.Buffer, points []layered.Point) {
	var path strings.Builder
	for i, p := range points {
		switch {
		case i == 0:
			fmt.Fprintf(&path, "M%.1f %.1f", p.X, p.Y)
		case i%2 == 0: // from one layer to the next
			q := points[i-1]
			m := (q.Y + p.Y) / 2
			fmt.Fprintf(&path, "C%.1f %.1f %.1f %.1f %.1f %.1f", q.X, m, p.X, m, p.X, p.Y)
		default:
			fmt.Fprintf(&path, "L%.1f %.1f", p.X, p.Y)
		}
	}
	colour, marker, dash := "#555555", "plain", ""
	if strings.Contains(a.attrs["style"], "dashed") {
		colour, marker, dash = "#7b3fb5", "gradient", " stroke-dasharray=\"4 3\""
	}
	fmt.Fprintf(w, "<path d=\"%s\" fill=\"none\" stroke=\"%s\"%s marker-end=\"url(#%s)\"/>\n", path.String(), colour, dash, marker)
}

// xmlText is a text in XML.
func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}
