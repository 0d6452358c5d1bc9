package graph

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Dot writes what outputs depend on as a Graphviz graph: inputs by kind, operations as formulas of their operands a, b
// and c, each with its shape, in a box per scope. What Grad has added is dashed; outputs have a thick border, and gradients name
// the node that they are the gradient with respect to. The same graph gives the same text.
func (b *Builder) Dot(w io.Writer, outputs ...*Node) error {
	if slices.Contains(outputs, nil) {
		return errors.New("graph: draw: an output is nil: look at the Builder's Err first")
	}
	d := drawing{id: make(map[*Node]int), kind: make(map[*Node]Kind), output: make(map[*Node]bool), root: &cluster{}, first: make(map[string]int)}
	for _, in := range b.inputs {
		d.kind[in.Node] = in.Kind
	}
	for _, n := range outputs {
		d.output[n] = true
	}
	order := topological(outputs...)
	for i, n := range order {
		d.id[n] = i
		scope := scopeOf(n)
		if _, known := d.first[scope]; !known {
			d.first[scope] = i
		}
		c := d.root.at(scope)
		c.nodes = append(c.nodes, n)
	}
	d.buf.WriteString("digraph pcgraph {\n\trankdir=LR; nodesep=0.25; ranksep=0.45; fontname=\"Helvetica\";\n" +
		"\tnode [fontname=\"Helvetica\", fontsize=11, margin=\"0.09,0.05\", height=0.3];\n\tedge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.6, labeldistance=1.5, color=\"#555555\"];\n")
	d.cluster(d.root, "", "\t")
	for _, n := range order {
		d.edges(n)
	}
	d.buf.WriteString("}\n")
	_, err := w.Write(d.buf.Bytes())
	return errors.Wrap(err, "graph: draw")
}

// drawing is a picture under construction.
type drawing struct {
	buf    bytes.Buffer
	id     map[*Node]int
	kind   map[*Node]Kind
	output map[*Node]bool
	root   *cluster
	first  map[string]int // node that a scope begins with
}

// A cluster is a scope: its nodes and the scopes in it, in the order in which they appear.
type cluster struct {
	name  string
	nodes []*Node
	parts []*cluster
}

// at is the cluster of a scope such as "block2/skip".
func (c *cluster) at(scope string) *cluster {
	if scope == "" {
		return c
	}
	name, rest, _ := strings.Cut(scope, "/")
	i := slices.IndexFunc(c.parts, func(p *cluster) bool { return p.name == name })
	if i < 0 {
		i = len(c.parts)
		c.parts = append(c.parts, &cluster{name: name})
	}
	return c.parts[i].at(rest)
}

func (d *drawing) cluster(c *cluster, path, indent string) {
	for _, n := range c.nodes {
		fmt.Fprintf(&d.buf, "%sn%d [%s];\n", indent, d.id[n], d.look(n))
	}
	for _, p := range c.parts {
		inner := path + "/" + p.name
		fmt.Fprintf(&d.buf, "%ssubgraph %s {\n%s\tlabel=%s; style=\"rounded,filled\"; color=\"#cccccc\"; fillcolor=\"#f7f7f7\"; fontsize=12;\n",
			indent, strconv.Quote("cluster"+inner), indent, strconv.Quote(p.name))
		d.cluster(p, inner, indent+"\t")
		fmt.Fprintf(&d.buf, "%s}\n", indent)
	}
}

// inputLooks are the shapes and colours of inputs by kind.
var inputLooks = [...]string{
	Data:       `shape=box, style="filled", fillcolor="#cfe2f3"`,
	Multiplier: `shape=ellipse, style="filled", fillcolor="#d9ead3"`,
	State:      `shape=ellipse, style="filled", fillcolor="#ffe599"`,
	Param:      `shape=hexagon, style="filled", fillcolor="#d9ead3"`,
}

// look is the attributes of a node.
func (d *drawing) look(n *Node) string {
	o, fused := n.Op().(*op)
	name, style := n.Name(), `shape=box, style="rounded,filled", fillcolor="#ffffff"`
	switch kind, input := d.kind[n]; {
	case input:
		name, style = name[strings.LastIndexByte(name, '/')+1:], inputLooks[kind]
	case isConstant(n):
		style = "shape=plaintext"
	case fused && o.grad:
		name, style = formula(o.spec), `shape=box, style="rounded,filled,dashed", fillcolor="#f3e8fd", color="#7b3fb5", fontcolor="#5b2a8a"`
	case fused && o.out.IsScalar():
		name, style = formula(o.spec), `shape=box, style="rounded,filled", fillcolor="#f4cccc"`
	case fused:
		name = formula(o.spec)
	case n.Op() != nil:
		name = n.Op().String()
	}
	if fused && d.output[n] && o.by != "" {
		name += "\nd/d " + o.by
	}
	if n.Dims() > 0 {
		name += "\n" + strings.ReplaceAll(fmt.Sprint([]int(n.Shape())), " ", ", ")
	}
	if d.output[n] {
		style += ", penwidth=2.5"
	}
	return "label=" + strconv.Quote(name) + ", " + style
}

// edges draws the operands of n, with their letters where the formula needs them.
func (d *drawing) edges(n *Node) {
	kids := children(n)
	for i, k := range kids {
		var attrs []string
		if len(kids) > 1 && !symmetric(n) {
			attrs = append(attrs, fmt.Sprintf("headlabel=\" %c \"", 'a'+i%26))
		}
		if o, fused := n.Op().(*op); fused && o.grad {
			attrs = append(attrs, `style=dashed, color="#7b3fb5"`)
			if s := scopeOf(k); s != "" && d.first[s] > d.first[scopeOf(n)] { // back to an earlier scope: only what goes forward orders them
				attrs = append(attrs, "constraint=false")
			}
		}
		fmt.Fprintf(&d.buf, "\tn%d -> n%d", d.id[k], d.id[n])
		if len(attrs) > 0 {
			fmt.Fprintf(&d.buf, " [%s]", strings.Join(attrs, ", "))
		}
		d.buf.WriteString(";\n")
	}
}

// symmetric reports whether the operands of n may be exchanged.
func symmetric(n *Node) bool {
	if o, fused := n.Op().(*op); fused {
		s, is := o.spec.(commutative)
		return is && s.symmetric()
	}
	return false
}

// formula writes an operation as a formula of its operands a, b, c.
func formula(s spec) string {
	if f, has := s.(formulaic); has {
		return f.formula()
	}
	return s.String()
}

// biased adds the bias of an operation.
func biased(f string, bias bool) string {
	if bias {
		return f + " + c"
	}
	return f
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// factor is c in front of what it multiplies.
func factor(c float64) string {
	switch c {
	case 1:
		return ""
	case -1:
		return "-"
	}
	return short(c) + " "
}

// over is the division by a batch size.
func over(batch int) string {
	if batch == 1 {
		return ""
	}
	return fmt.Sprintf(" / %d", batch)
}
