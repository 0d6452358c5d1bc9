package graph

import (
	"maps"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// plainOps builds every operation of Gorgonia's that the tests know, by name.
func plainOps() map[string]func(x, m, v, im *Node) (*Node, error) {
	one := func(f func(*Node) (*Node, error)) func(x, m, v, im *Node) (*Node, error) {
		return func(x, _, _, _ *Node) (*Node, error) { return f(x) }
	}
	pair := func(f func(a, b *Node) (*Node, error)) func(x, m, v, im *Node) (*Node, error) {
		return func(x, _, _, _ *Node) (*Node, error) { return f(x, x) }
	}
	ops := map[string]func(x, m, v, im *Node) (*Node, error){
		"Abs": one(G.Abs), "Sign": one(G.Sign), "Ceil": one(G.Ceil), "Floor": one(G.Floor), "Sin": one(G.Sin), "Cos": one(G.Cos),
		"Exp": one(G.Exp), "Log": one(G.Log), "Log2": one(G.Log2), "Neg": one(G.Neg), "Square": one(G.Square), "Sqrt": one(G.Sqrt),
		"Inverse": one(G.Inverse), "InverseSqrt": one(G.InverseSqrt), "Cube": one(G.Cube), "Tanh": one(G.Tanh),
		"Sigmoid": one(G.Sigmoid), "Log1p": one(G.Log1p), "Expm1": one(G.Expm1), "Softplus": one(G.Softplus), "Rectify": one(G.Rectify),
		"Add": pair(G.Add), "Sub": pair(G.Sub), "HadamardProd": pair(G.HadamardProd), "HadamardDiv": pair(G.HadamardDiv), "Pow": pair(G.Pow),
		"Gt":         func(x, _, _, _ *Node) (*Node, error) { return G.Gt(x, x, true) },
		"Eq":         func(x, _, _, _ *Node) (*Node, error) { return G.Eq(x, x, true) },
		"Sum":        func(x, _, _, _ *Node) (*Node, error) { return G.Sum(x) },
		"Sum axis 1": func(x, _, _, _ *Node) (*Node, error) { return G.Sum(x, 1) },
		"Mean":       func(x, _, _, _ *Node) (*Node, error) { return G.Mean(x, 0) },
		"Max":        func(x, _, _, _ *Node) (*Node, error) { return G.Max(x, 1) },
		"Mul":        func(x, m, _, _ *Node) (*Node, error) { return G.Mul(x, m) },
		"Mul vector": func(x, _, v, _ *Node) (*Node, error) { return G.Mul(x, v) },
		"Dot":        func(_, _, v, _ *Node) (*Node, error) { return G.Mul(v, v) },
		"OuterProd":  func(_, _, v, _ *Node) (*Node, error) { return G.OuterProd(v, v) },
		"Transpose":  func(x, _, _, _ *Node) (*Node, error) { return G.Transpose(x, 1, 0) },
		"Reshape":    func(x, _, _, _ *Node) (*Node, error) { return G.Reshape(x, tensor.Shape{8, 2}) },
		"Slice":      func(x, _, _, _ *Node) (*Node, error) { return G.Slice(x, G.S(0, 2)) },
		"Concat":     func(x, _, _, _ *Node) (*Node, error) { return G.Concat(0, x, x) },
		"SoftMax":    func(x, _, _, _ *Node) (*Node, error) { return G.SoftMax(x) },
		"LogSoftMax": func(_, m, _, _ *Node) (*Node, error) { return G.LogSoftMax(m) },
		"BroadcastAdd": func(x, _, v, _ *Node) (*Node, error) {
			r, err := G.Reshape(v, tensor.Shape{1, 4})
			if err != nil {
				return nil, err
			}
			return G.BroadcastAdd(x, r, nil, []byte{0})
		},
		"At":      func(x, _, _, _ *Node) (*Node, error) { return G.At(x, 1, 1) },
		"Dropout": func(x, _, _, _ *Node) (*Node, error) { return G.Dropout(x, .3) },
		"MaxPool2D": func(_, _, _, im *Node) (*Node, error) {
			return G.MaxPool2D(im, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		},
		"AveragePool2D": func(_, _, _, im *Node) (*Node, error) {
			return G.AveragePool2D(im, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		},
		"GlobalAveragePool2D": func(_, _, _, im *Node) (*Node, error) { return G.GlobalAveragePool2D(im) },
		"Upsample2D":          func(_, _, _, im *Node) (*Node, error) { return G.Upsample2D(im, 2) },
		"Im2Col": func(_, _, _, im *Node) (*Node, error) {
			return G.Im2Col(im, tensor.Shape{3, 3}, tensor.Shape{1, 1}, tensor.Shape{1, 1}, tensor.Shape{1, 1})
		},
		"Sum axis 2 of 4": func(_, _, _, im *Node) (*Node, error) { return G.Sum(im, 2) },
		"Sum axis 3 of 4": func(_, _, _, im *Node) (*Node, error) { return G.Sum(im, 3) },
		"Max axis 2 of 4": func(_, _, _, im *Node) (*Node, error) { return G.Max(im, 2) },
		"Mean(2,3) of 4":  func(_, _, _, im *Node) (*Node, error) { return G.Mean(im, 2, 3) },
		"BatchNorm": func(_, _, _, im *Node) (*Node, error) {
			ones := func(name string) *Node { return operand(im.Graph(), name, make([]float64, 2), 1, 2, 1, 1) }
			y, _, _, _, err := G.BatchNorm(im, ones("scale"), ones("shift"), .9, 1e-5)
			return y, err
		},
		"GroupNorm": func(_, _, _, im *Node) (*Node, error) {
			ones := func(name string) *Node { return operand(im.Graph(), name, make([]float64, 2), 1, 2, 1, 1) }
			return G.GroupNorm(im, ones("scale"), ones("shift"), 1, 2, 1e-5)
		},
	}
	return ops
}

// replacements are what the error of each operation that is refused must name; all others must pass.
var replacements = map[string]string{
	"InverseSqrt": "Inverse(Sqrt(x))", "Log2": "ln 2", "Dropout": "mask", "AveragePool2D": "Reshape", "GlobalAveragePool2D": "Mean over the last axis",
	"OuterProd": "[n,1] by a [1,m]", "At": "mask", "BatchNorm": "normalisation", "GroupNorm": "normalisation",
	"Sum axis 2 of 4": "Reshape to three dimensions", "Max axis 2 of 4": "Reshape to three dimensions", "Mean(2,3) of 4": "Reshape to three dimensions",
}

func TestBuilder_DoRefusesUnsoundOperationsAndNoOthers(t *testing.T) {
	left := maps.Clone(replacements)
	for name, build := range plainOps() {
		b := NewBuilder[float64]()
		x, m, v, im := b.Data("x", 4, 4), b.Param("m", 4, 4), b.Param("v", 4), b.Data("im", 1, 2, 4, 4)
		b.names["scale"], b.names["shift"] = true, true // that is not the point here
		var y *Node
		b.Within("block2", func() { y = b.Do(name, func() (*Node, error) { return build(x, m, v, im) }) })
		instead, bad := replacements[name]
		if !bad {
			if b.Err() != nil {
				t.Errorf("%s is sound, but refused: %v", name, b.Err())
			}
			continue
		}
		refused(t, b.Err(), "block2", name, "unsound", instead)
		if y != nil {
			t.Errorf("%s: a node is returned beside the error", name)
		}
		delete(left, name)
	}
	if len(left) != 0 {
		t.Errorf("refusals that were not tested: %v", left)
	}
}

// Grad and Compile refuse them too, however they came into the graph.
func TestGrad_RefusesUnsoundOperations(t *testing.T) {
	g := G.NewGraph()
	x := operand(g, "x", make([]float64, 4), 2, 2)
	f := must(G.Sum(must(G.InverseSqrt(x))(t)))(t)
	_, err := Grad(f, x)
	refused(t, err, "differentiating", "invSqrt", "Inverse(Sqrt(x))")
	_, err = Compile[float64](f)
	refused(t, err, "compile", "invSqrt")
}

// What may be evaluated but not differentiated a second time.
func TestGrad_RefusesUnsoundSecondDerivatives(t *testing.T) {
	for name, instead := range map[string]string{"SoftMax": "CrossEntropy", "Slice": "selection matrix", "MaxPool2D": "Max over an axis", "Im2Col": "reshaped slices"} {
		b := NewBuilder[float64]()
		x, im := b.Param("x", 4, 4), b.Param("im", 1, 2, 4, 4)
		y := b.Do(name, func() (*Node, error) { return plainOps()[name](x, nil, nil, im) })
		wrt := x
		if name == "MaxPool2D" || name == "Im2Col" {
			wrt = im
		}
		f := b.HalfSquare(y, 1, 1)
		ok(t, b.Err())
		gs, err := Grad(f, wrt)
		if err != nil {
			t.Fatalf("%s: first derivative: %v", name, err)
		}
		checkSlopes(t, b, append([]*Node{f}, gs...), []*Node{wrt})
		_, err = Grad(asScalarAlways(b, gs[0]), wrt)
		refused(t, err, "second derivatives", instead)
	}
}
