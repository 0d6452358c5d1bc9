package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

func TestBuilder_KeepsTheFirstErrorAndDoesNothingAfterIt(t *testing.T) {
	b := NewBuilder[float64]()
	x, w := b.Data("x", 2, 3), b.Param("W", 4, 5)
	b.Within("block1", func() {
		b.Within("inner", func() { b.Linear(x, w, nil, 1) })
	})
	first := b.Err()
	refused(t, first, "block1/inner", "(2, 3)", "(4, 5)", "gives 3 features", "expects 4")
	nodes := len(b.Graph().AllNodes())
	for i, n := range []*Node{
		b.Data("y", 2, 3), b.State("z", 2), b.Param("V", 1), b.Linear(x, w, nil, 1), b.MatMul(x, w, false, false), b.Act(Tanh, x),
		b.Combine([]float64{1}, x), b.Add(x, x), b.Sub(x, x), b.Scale(x, 2), b.Mul(x, x), b.SubIdentity(x), b.HalfSquare(x, 1, 1),
		b.Inner(x, x), b.CrossEntropy(x, x, 1, 1), b.Do("never", func() (*Node, error) { panic("called") }),
	} {
		if n != nil {
			t.Errorf("call %d adds a node after an error", i)
		}
	}
	b.Fail(errors.New("second"))
	if b.Err() != first || len(b.Graph().AllNodes()) != nodes {
		t.Error("the error or the graph has changed")
	}
}

func TestBuilder_ErrorsNameOperationShapesAndScope(t *testing.T) {
	type nodes struct{ m23, m34, m33, v3, v4, t222 *Node }
	for _, c := range []struct {
		why   string
		build func(b *Builder, n nodes)
		says  []string
	}{
		{"bias of another width", func(b *Builder, n nodes) { b.Linear(n.m23, n.m34, n.v3, 1) }, []string{"bias", "(3)", "[4]"}},
		{"right side of three dimensions", func(b *Builder, n nodes) { b.MatMul(n.m23, n.t222, false, false) }, []string{"(2, 2, 2)", "right side must be a matrix"}},
		{"transpose of three dimensions", func(b *Builder, n nodes) { b.MatMul(n.m23, n.t222, false, true) }, []string{"(2, 2, 2)", "only a matrix"}},
		{"both transposed, tokens", func(b *Builder, n nodes) { b.MatMul(n.t222, n.m23, true, true) }, []string{"(2, 2, 2)", "only a matrix"}},
		{"summed over unequal rows", func(b *Builder, n nodes) { b.MatMul(n.t222, n.m34, true, false) }, []string{"(2, 2, 2)", "must be equal"}},
		{"features of tokens", func(b *Builder, n nodes) { b.MatMul(n.t222, n.m34, false, false) }, []string{"2 features", "expects 3"}},
		{"product of a vector", func(b *Builder, n nodes) { b.Linear(n.m33, n.v3, nil, 1) }, []string{"(3)", "matrices"}},
		{"inner dimensions, transposed", func(b *Builder, n nodes) { b.MatMul(n.m23, n.m34, true, false) }, []string{"2 features", "expects 3"}},
		{"sum of unequal shapes", func(b *Builder, n nodes) { b.Add(n.m23, n.m33) }, []string{"sum", "(2, 3)", "(3, 3)"}},
		{"broadcast by accident", func(b *Builder, n nodes) { b.Sub(n.m33, n.v3) }, []string{"nothing is broadcast"}},
		{"product by element", func(b *Builder, n nodes) { b.Mul(n.m23, n.m34) }, []string{"product by element"}},
		{"inner product", func(b *Builder, n nodes) { b.Inner(n.m23, n.m34) }, []string{"inner product"}},
		{"cross-entropy", func(b *Builder, n nodes) { b.CrossEntropy(n.m23, n.m33, 1, 2) }, []string{"cross-entropy"}},
		{"cross-entropy of scalars", func(b *Builder, n nodes) { s := b.HalfSquare(n.m23, 1, 1); b.CrossEntropy(s, s, 1, 2) }, []string{"cross-entropy of a scalar"}},
		{"repeated row of another width", func(b *Builder, n nodes) { b.AddRow(n.m23, n.v4) }, []string{"sum of", "(2, 3)", "(4)", "last dimensions"}},
		{"repeated row that is no smaller", func(b *Builder, n nodes) { b.MulRow(n.m23, n.m23) }, []string{"product of", "fewer"}},
		{"norm of a vector", func(b *Builder, n nodes) { b.LayerNorm(n.v3, 1e-5) }, []string{"layerNorm", "(3)"}},
		{"norm without eps", func(b *Builder, n nodes) { b.RMSNorm(n.m23, 0) }, []string{"rmsNorm", "eps 0", "positive"}},
		{"attention without tokens", func(b *Builder, n nodes) { b.Attention(n.m23, nil, 1, 1, false) }, []string{"attention", "(2, 3)", "[batch, tokens, 3 width]"}},
		{"attention on no thirds", func(b *Builder, n nodes) { b.Attention(n.t222, nil, 1, 1, false) }, []string{"(2, 2, 2)", "3 width"}},
		{"heads", func(b *Builder, n nodes) { b.Attention(b.Param("qkv", 2, 2, 9), nil, 2, 1, false) }, []string{"2 heads", "width of 3"}},
		{"infinite scale", func(b *Builder, n nodes) { b.Attention(b.Param("qkv", 2, 2, 9), nil, 3, math.Inf(1), false) }, []string{"scale +Inf"}},
		{"padding of another length", func(b *Builder, n nodes) { b.Attention(b.Param("qkv", 2, 2, 9), n.m23, 3, 1, false) }, []string{"mask", "(2, 3)"}},
		{"gradient of attention", func(b *Builder, n nodes) {
			b.add(attentionGrad{multiHead{heads: 1, scale: 1}}, b.Param("qkv", 2, 2, 9), n.t222)
		}, []string{"operand 1", "(2, 2, 2)", "(2, 2, 3)"}},
		{"table that is none", func(b *Builder, n nodes) { b.Lookup(n.m23, n.v3) }, []string{"(3)", "matrix"}},
		{"identity of an oblong", func(b *Builder, n nodes) { b.SubIdentity(n.m23) }, []string{"(2, 3)", "square"}},
		{"coefficients", func(b *Builder, n nodes) { b.Combine([]float64{1}, n.m23, n.m23) }, []string{"2 operands", "1 coefficients"}},
		{"nothing to combine", func(b *Builder, n nodes) { b.Combine(nil) }, []string{"0 operands"}},
		{"missing summand", func(b *Builder, n nodes) { b.Add(n.m23, nil) }, []string{"missing operand"}},
		{"missing factor", func(b *Builder, n nodes) { b.MatMul(n.m23, nil, false, false) }, []string{"missing operand"}},
		{"missing operand", func(b *Builder, n nodes) { b.Act(Tanh, nil) }, []string{"tanh", "operand 0 is missing"}},
		{"batch of none", func(b *Builder, n nodes) { b.HalfSquare(n.m23, 1, 0) }, []string{"batch of 0"}},
		{"negative batch", func(b *Builder, n nodes) { b.CrossEntropy(n.m23, n.m23, 1, -1) }, []string{"batch of -1"}},
		{"no such activation", func(b *Builder, n nodes) { b.Act(Activation(99), n.m23) }, []string{"Activation(99)"}},
		{"zero width", func(b *Builder, n nodes) { b.Param("W", 3, 0) }, []string{`"block2/W"`, "[3 0]", "positive"}},
		{"no shape", func(b *Builder, n nodes) { b.State("z") }, []string{`"block2/z"`, "no dimensions"}},
		{"two of one name", func(b *Builder, n nodes) { b.State("z", 1); b.Param("z", 2) }, []string{`two inputs are named "block2/z"`}},
		{"Do without a node", func(b *Builder, n nodes) { b.Do("nothing", func() (*Node, error) { return nil, nil }) }, []string{"nothing", "no node"}},
		{"Do with an error", func(b *Builder, n nodes) { b.Do("odd", func() (*Node, error) { return nil, errors.New("why") }) }, []string{"odd", "why"}},
		{"an error of the caller's", func(b *Builder, n nodes) { b.Fail(errors.New("mine")) }, []string{"mine"}},
	} {
		b := NewBuilder[float64]()
		n := nodes{b.Param("m23", 2, 3), b.Param("m34", 3, 4), b.Param("m33", 3, 3), b.Param("v3", 3), b.Param("v4", 4), b.Param("t222", 2, 2, 2)}
		b.Within("block2", func() { c.build(b, n) })
		if b.Err() == nil {
			t.Errorf("%s: no error", c.why)
			continue
		}
		refused(t, b.Err(), append(c.says, "block2")...)
	}
}

func TestBuilder_ElementTypesDoNotMix(t *testing.T) {
	b, other := NewBuilder[float64](), NewBuilder[float32]()
	b.Add(b.Data("x", 2, 3), other.Data("x", 2, 3))
	refused(t, b.Err(), "float32", "float64", "one element type")
	f := NewBuilder[float32]().HalfSquare(other.Data("w", 2), 1, 1)
	_, err := Compile[float64](f)
	refused(t, err, "float32", "float64")
}

func TestBuilder_NodesOfOneOperationAreOne(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 2, 3)
	if again := b.Act(Tanh, x); b.Act(Tanh, x) != again {
		t.Error("tanh x is computed twice")
	}
	if b.HalfSquare(x, 1, 2) == b.HalfSquare(x, 1, 3) || b.Scale(x, .1) == b.Scale(x, math.Nextafter(.1, 1)) || b.Act(Tanh, x) == b.Act(ReLU, x) {
		t.Error("operations of different parameters are one node")
	}
	if b.Scale(x, 1) != x || b.Act(Linear, x) != x || b.Scale(b.Scale(x, 2), .5) != x {
		t.Error("what does nothing adds a node")
	}
}

func TestBuilder_InputsAreListed(t *testing.T) {
	b := NewBuilder[float64]()
	b.Data("x", 2, 3)
	b.Within("block1", func() { b.Param("W", 3, 4); b.State("z", 2, 4) })
	want := "x (2, 3) 0, block1/W (3, 4) 2, block1/z (2, 4) 1, "
	got := ""
	for _, in := range b.Inputs() {
		got += fmt.Sprintf("%s %v %d, ", in.Name, in.Node.Shape(), in.Kind)
	}
	if got != want {
		t.Errorf("inputs %s, want %s", got, want)
	}
}

func TestCompile_Refuses(t *testing.T) {
	b := NewBuilder[float64]()
	x, y := b.Data("x", 1, 3), b.Data("y", 5, 3)
	f := b.Add(b.HalfSquare(x, 1, 1), b.HalfSquare(y, 1, 1))
	ok(t, b.Err())
	for _, pl := range []struct {
		Plan
		says string
	}{
		{Plan{}, "no outputs"},
		{Plan{Targets: [][]*Node{{f, nil}}}, "nil"},
		{Plan{Targets: [][]*Node{{f}}, Batched: []*Node{x, y}}, "y has 5 rows, other batched inputs have 1"},
		{Plan{Targets: [][]*Node{{f}}, Batched: []*Node{y, x}}, "x has 1 rows, other batched inputs have 5"},
		{Plan{Targets: [][]*Node{{f}}, Batched: []*Node{nil}}, "no input"},
		{Plan{Targets: [][]*Node{{f}}, Batched: []*Node{f}}, "no input"},
	} {
		_, err := CompilePlan[float64](pl.Plan)
		refused(t, err, "graph:", pl.says)
	}
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{{f}, {b.Add(y, y)}}, Batched: []*Node{y}}))(t)
	_, err := p.Chain([]Link[float64]{{Target: 0, From: f, To: y}})
	refused(t, err, "cannot be computed sample by sample")
	for what, call := range map[string]func(){
		"Load of another length":         func() { p.Load(y, make([]float64, 4)) },
		"Store of another length":        func() { p.Store(b.Add(y, y), make([]float64, 4)) },
		"Store of what is not batched":   func() { p.Store(f, nil) },
		"Into of another length":         func() { p.Into(f, make([]float64, 2)) },
		"Into of an input":               func() { p.Into(x, make([]float64, 3)) },
		"Value of a node it has not":     func() { p.Value(b.Act(Tanh, x)) },
		"Scalar of a node that is inner": func() { p.Scalar(children(f)[0]) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is accepted", what)
				}
			}()
			call()
		}()
	}
	p.Load(b.Data("unused", 1, 1), nil) // no target depends on it
}

// What depends on weights alone is not computed again, but must be when it is wanted elsewhere.
func TestProgram_IntoAnotherPlaceComputesAgain(t *testing.T) {
	b := NewBuilder[float64]()
	w := b.Param("W", 2, 2)
	y := b.Act(Tanh, w)
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{{y}}, Cache: true}))(t)
	copy(p.Value(w), []float64{1, 2, 3, 4})
	for range 2 {
		dst := make([]float64, 4)
		p.Into(y, dst)
		ok(t, p.Run(0))
		near(t, "tanh W", [][]float64{dst}, interpret(t, b, [][]float64{{1, 2, 3, 4}}, y), 1e-15)
	}
}

// An output may be an input, whose rows are then passed through.
func TestProgram_StoresAnInput(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 40, 2)
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{{x}}, Batched: []*Node{x}, Cache: true}))(t)
	src, dst := random(rng(1), 80), make([]float64, 80)
	p.Load(x, src)
	p.Store(x, dst)
	ok(t, p.Run(0))
	same(t, "x", [][]float64{dst}, [][]float64{src})
}

func TestVector_FieldsAreViewsOfTheSlab(t *testing.T) {
	v := NewVector[float32](Field{"a/W", []int{2, 3}}, Field{"a/b", []int{3}})
	for i := range v.Data() {
		v.Data()[i] = float32(i)
	}
	v.Field("a/b")[0] = 60
	if v.Data()[6] != 60 || len(v.Field("a/W")) != 6 || v.Field("c") != nil || cap(v.Field("a/W")) != 6 {
		t.Error("a field is no view of its part of the slab")
	}
	if lo, hi := v.Span(1); lo != 6 || hi != 9 {
		t.Errorf("span %d to %d", lo, hi)
	}
	if v.Where(4) != "a/W[1 1]" || v.Where(8) != "a/b[2]" || v.Where(9) != "element 9" {
		t.Error(v.Where(4), v.Where(8), v.Where(9))
	}
	before := v.Version()
	v.Touch()
	if v.Version() == before {
		t.Error("Touch does not count")
	}
	defer func() {
		if recover() == nil {
			t.Error("two fields of one name are accepted")
		}
	}()
	NewVector[float32](Field{"a", []int{1}}, Field{"a", []int{1}})
}

// Shapes of one element are not scalars.
func TestProgram_ShapesOfOneElement(t *testing.T) {
	b := NewBuilder[float64]()
	x, y := b.Data("x", 1), b.Data("y", 1, 1)
	f := b.Add(b.HalfSquare(b.Act(Tanh, x), 2, 1), b.Inner(y, y))
	checkSlopes(t, b, append([]*Node{f}, must(Grad(f, x, y))(t)...), []*Node{x, y})
	if !x.Shape().Eq(tensor.Shape{1}) {
		t.Errorf("shape %v", x.Shape())
	}
}

// TestBuilder_RandomIsDataWithADraw: the input is clamped data like any other, and keeps how it is drawn.
func TestBuilder_RandomIsDataWithADraw(t *testing.T) {
	b := NewBuilder[float64]()
	b.Within("block2", func() {
		b.Random("noise", func(*rand.Rand) float64 { return 7 }, 3, 4)
		b.Data("mask", 3, 4)
	})
	ins := b.Inputs()
	if b.Err() != nil || len(ins) != 2 || ins[0].Name != "block2/noise" || ins[0].Kind != Data || ins[0].Draw(nil) != 7 || ins[1].Draw != nil {
		t.Errorf("inputs %+v, error %v", ins, b.Err())
	}
	if b.Random("block2/noise", nil, 3, 4); b.Err() == nil || !strings.Contains(b.Err().Error(), `"block2/noise"`) {
		t.Errorf("a name twice: error %v", b.Err())
	}
	if n := b.Random("more", nil, 1); n != nil {
		t.Error("a builder with an error gives a node")
	}
}
