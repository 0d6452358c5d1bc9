package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

// Operations of Gorgonia v0.9.18 that are not to be trusted, by what opName gives, with what to use instead.
// gorgonia_test.go shows each of them fail.
var (
	// unsound give wrong values or first derivatives.
	unsound = map[string]string{
		"invSqrt":           "Inverse(Sqrt(x)): its gradient is wrong",
		"log2":              "Log(x) divided by ln 2: its gradient is wrong",
		"Dropout":           "a product with a clamped mask: its gradient is wrong unless p = 0.5",
		"AvgPool":           "Reshape and Sum, twice: its gradient is wrong",
		"GlobalAveragePool": "Reshape and Mean over the last axis: it has no gradient",
		"⊗":                 "the product of an [n,1] by a [1,m] matrix: the gradient of the outer product fails",
		"GroupNorm":         "a normalisation from Mean, Square and Sqrt: it prints at every run",
		"batchnorm":         "a normalisation from Mean, Square and Sqrt: its second derivative drops terms, and two of them on one operand become one",
		"At":                "a product with a mask and a Sum: its gradient panics",
	}
	// unsoundTwice have a sound value, but wrong or crashing derivatives. They are first derivatives themselves.
	unsoundTwice = map[string]string{
		"SoftmaxDiff":     "a softmax from Exp, Sum and HadamardDiv, or CrossEntropy",
		"T[]+=":           "a product with a selection matrix instead of Slice",
		"col2im":          "products of reshaped slices instead of a convolution",
		"ByIndicesOpDiff": "a product with a selection matrix instead of ByIndices",
		"MaxPoolDiff":     "Max over an axis of a reshaped operand",
	}
)

// sound refuses a node whose operation is known to give a wrong value or gradient without an error.
func sound(n *Node) error {
	name, foreign := opName(n.Op())
	if !foreign {
		return nil
	}
	if instead, bad := unsound[name]; bad {
		return errors.Errorf("Gorgonia's %s is unsound: use %s", n.Op(), instead)
	}
	if name == "Σ" || name == "MaxAlong" {
		if x := children(n)[0]; wrongAlong(axes(n.Op()), x.Dims()) {
			return errors.Errorf("Gorgonia's %s of shape %v is unsound: Reshape to three dimensions first: its value is wrong", n.Op(), x.Shape())
		}
	}
	return nil
}

// differentiable refuses to differentiate a node whose operation has a wrong derivative.
func differentiable(n *Node) error {
	if err := sound(n); err != nil {
		return err
	}
	if name, foreign := opName(n.Op()); foreign {
		if instead, bad := unsoundTwice[name]; bad {
			return errors.Errorf("Gorgonia's %s has no sound derivative: for second derivatives use %s", n.Op(), instead)
		}
	}
	return nil
}

// opName is the name of one of Gorgonia's own operations without its parameters, such as "tanh", "×" for "A × Bᵀ" and
// "Σ" for "Σ[0 1]"; foreign is false for any other package's.
func opName(o gorgonia.Op) (name string, foreign bool) {
	if !strings.HasPrefix(strings.TrimPrefix(fmt.Sprintf("%T", o), "*"), "gorgonia.") {
		return "", false
	}
	s := o.String()
	if f := strings.Fields(s); len(f) == 3 && (strings.HasPrefix(f[0], "A") || strings.HasPrefix(f[0], "a")) {
		return f[1], true
	}
	if strings.HasPrefix(s, "T[") {
		if strings.Contains(s, "+=") {
			return "T[]+=", true
		}
		return "T[]", true
	}
	if end := strings.IndexAny(s, "([{ "); end > 0 {
		s = s[:end]
	}
	if norm, _, is := strings.Cut(s, "-"); is && norm != "" {
		s = norm // "batchnorm-0.9-0.0"
	}
	if comparison := strings.TrimRight(s, "<"); comparison != "" {
		s = comparison // "im2col<(3,3), ..."
	}
	return s, true
}

// axes are those of a reduction: "Σ[0 2]".
func axes(o gorgonia.Op) []int {
	_, list, _ := strings.Cut(strings.TrimSuffix(o.String(), "]"), "[")
	var along []int
	for _, f := range strings.Fields(list) {
		if a, err := strconv.Atoi(f); err == nil {
			along = append(along, a)
		}
	}
	return along
}

// wrongAlong reports whether a reduction of Gorgonia's along some axes is wrong. They go axis by axis; a step that has four dimensions or more
// before it is wrong for an axis that is neither among the first two nor the last.
func wrongAlong(along []int, dims int) bool {
	for done, axis := range slices.Sorted(slices.Values(along)) {
		if dims-done >= 4 && axis-done >= 2 && axis < dims-1 {
			return true
		}
	}
	return false
}

// constantAlmostEverywhere reports whether the derivative of an operation is zero wherever it exists.
func constantAlmostEverywhere(o gorgonia.Op) bool {
	name, foreign := opName(o)
	if strings.HasPrefix(name, "SizeOf") {
		return true
	}
	return foreign && slices.Contains([]string{"<", ">", "<=", ">=", "==", "!=", "sign", "ceil", "floor"}, name)
}
