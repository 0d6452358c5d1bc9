package arch

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Describe writes a description as text, equal for equal ones: a network, a plan, a solver, an optimiser, any value made of
// exported fields.
//
//	layers.Linear{In: 784, Out: 300, Act: relu, Bias: true}
//
// Fields that are zero are left out, so that a field that is added later, with a zero value that means what was before,
// changes no text. So are unexported ones, which are memory, and functions, which have no text.
func Describe(v any) string {
	var b strings.Builder
	left := mostParts
	describe(&b, reflect.ValueOf(v), &left)
	return b.String()
}

// A describer describes itself, where that takes more than its exported fields.
type describer interface{ Describe() string }

// Describe says what the model was compiled from, but for the batch size, which a model has many of.
func (m *Model[T]) Describe() string {
	m.there("Describe")
	p := m.plan
	p.Batch = 0
	return Describe(p) + " of " + Describe(m.net)
}

// Lines describe a network part by part: its inputs and scaling, then its blocks.
func (n *Network) lines() []string {
	head := *n
	head.Blocks, head.Scaling = nil, n.scaling()
	lines := []string{Describe(head)}
	for _, b := range n.Blocks {
		lines = append(lines, Describe(b))
	}
	return lines
}

// mostParts is how many values a description has at most: more is a loop of pointers.
const mostParts = 1 << 16

func describe(b *strings.Builder, v reflect.Value, left *int) {
	if !v.IsValid() {
		b.WriteString("nil")
		return
	}
	if *left--; *left < 0 {
		b.WriteString("...")
		return
	}
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
		if k := v.Kind(); v.Type().PkgPath() != "" && k != reflect.Struct { // which of the types that fit: infer.Any or another list
			b.WriteString(v.Type().String())
			if k == reflect.Func {
				return
			}
			b.WriteByte('(')
			defer b.WriteByte(')')
		}
	}
	if v.CanInterface() && !(v.Kind() == reflect.Pointer && v.IsNil()) {
		switch d := v.Interface().(type) {
		case describer:
			b.WriteString(d.Describe())
			return
		case fmt.Stringer:
			if k := v.Kind(); k != reflect.Struct && k != reflect.Pointer {
				b.WriteString(d.String())
				return
			}
		}
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		describe(b, v.Elem(), left)
	case reflect.Struct:
		describeStruct(b, v, left)
	case reflect.Slice, reflect.Array:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(' ')
			}
			describe(b, v.Index(i), left)
		}
		b.WriteByte(']')
	case reflect.Map:
		var pairs []string
		for k, value := range v.Seq2() {
			var p strings.Builder
			describe(&p, k, left)
			p.WriteString(": ")
			describe(&p, value, left)
			pairs = append(pairs, p.String())
		}
		slices.Sort(pairs)
		b.WriteString("{" + strings.Join(pairs, ", ") + "}")
	case reflect.String:
		b.WriteString(strconv.Quote(v.String()))
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		b.WriteString(v.Type().String())
	default: // numbers and bool
		fmt.Fprint(b, v)
	}
}

// describeStruct writes Type{Field: value, ...}.
func describeStruct(b *strings.Builder, v reflect.Value, left *int) {
	b.WriteString(v.Type().String())
	b.WriteByte('{')
	first := true
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Type.Kind() == reflect.Func || v.Field(i).IsZero() {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(f.Name + ": ")
		describe(b, v.Field(i), left)
	}
	b.WriteByte('}')
}

var _ describer = (*Model[float32])(nil)

// A View is a part of a model's graph to look at.
type View int

const (
	EnergyView View = iota // the energy's terms
	StateView              // with each sample's gradient with respect to the free activities
	ParamView              // with the gradient with respect to the weights
)

// Dot writes a part of the model's graph as a Graphviz graph, see graph.Builder.Dot.
func (m *Model[T]) Dot(w io.Writer, v View) error {
	m.there("Dot")
	var outputs []*graph.Node
	for _, t := range m.terms {
		outputs = append(outputs, t.Node)
	}
	switch v {
	case EnergyView:
	case StateView:
		outputs = append(outputs, m.dz...)
	case ParamView:
		outputs = append(outputs, seen(m.dw)...)
	default:
		return errors.Errorf("arch: no view %d of a model", int(v))
	}
	return m.u.b.Dot(w, outputs...)
}
