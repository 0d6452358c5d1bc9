package pcgraph_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// Tolerances of the saddles: Hessians to 1e-9 of their largest entry, and 1e-10 absolutely where all are 0; the rest to 1e-10.
const (
	saddleTol  = 1e-10
	hessianTol = 1e-9
)

// saddleOptions are those of a case of kind saddles.
type saddleOptions struct {
	Case, Point     string
	Sizes           []int
	OutputPrecision float64 `json:"output_precision"`
	Depth           int
	Rate, Threshold float64
	X, Y            float64
	Steps           int
	DT              float64
}

// A saddleCase is one file of kind saddles.
type saddleCase struct{ *paperCase[saddleOptions] }

// TestReference_Saddles compares the landscapes of linear networks with an independent program's: points of theorem 1 to 3 with
// their Hessians, the energy through unrolled inference, and descent away from the origin.
func TestReference_Saddles(t *testing.T) {
	type check = func(*testing.T, *paperCase[saddleOptions])
	of := func(f func(*testing.T, *saddleCase)) check {
		return func(t *testing.T, c *paperCase[saddleOptions]) { f(t, &saddleCase{c}) }
	}
	checkPapers(t, "saddles", func(o saddleOptions) string { return o.Case }, map[string]check{
		"point": of(checkSaddlePoint), "unrolled": of(checkUnrolled), "escape": of(checkEscape), "escape_wide": of(checkEscapeWide)})
}

// matrix is an array of two axes.
func (c *saddleCase) matrix(t *testing.T, name string) *mat.Dense {
	t.Helper()
	data, shape := c.array(t, name), c.Arrays[name].Shape
	return mat.NewDense(shape[0], shape[1], slices.Clone(data))
}

// weight is an array [out, in] of the case as [in, out].
func (c *saddleCase) weight(t *testing.T, name string) *mat.Dense {
	t.Helper()
	return mat.DenseCopyOf(c.matrix(t, name).T())
}

func (c *saddleCase) linear(t *testing.T) theory.Linear {
	t.Helper()
	n := theory.Linear{Precision: c.Options.OutputPrecision}
	for l := range len(c.Options.Sizes) - 1 {
		n.Weights = append(n.Weights, c.weight(t, fmt.Sprintf("W%d", l+1)))
	}
	return n
}

// hessianNear compares a Hessian over weights [in, out] with one over weights [out, in].
func (c *saddleCase) hessianNear(t *testing.T, what string, got *mat.SymDense, name string) {
	t.Helper()
	var ours []int // at the place of each of theirs
	at := 0
	for l := range len(c.Options.Sizes) - 1 {
		in, out := c.Options.Sizes[l], c.Options.Sizes[l+1]
		for o := range out {
			for i := range in {
				ours = append(ours, at+i*out+o)
			}
		}
		at += in * out
	}
	var flat []float64
	for _, i := range ours {
		for _, j := range ours {
			flat = append(flat, got.At(i, j))
		}
	}
	nearOrZero(t, what, flat, c.array(t, name), hessianTol)
}

// nearOrZero compares relative to the largest number, or absolutely with 1e-10 where all are 0.
func nearOrZero(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	largest := 0.
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	if largest > 1e-8 {
		reference.Near(t, what, got, want, tol)
		return
	}
	for i, v := range got {
		if len(got) != len(want) || math.Abs(v-want[i]) > 1e-10 {
			t.Errorf("%s[%d] = %g, want %g to 1e-10", what, i, v, want[i])
			return
		}
	}
}

func checkSaddlePoint(t *testing.T, c *saddleCase) {
	n, x, y := c.linear(t), c.matrix(t, "x"), c.matrix(t, "y")
	eq, err := n.Equilibrium(x, y)
	if err != nil {
		t.Fatal(err)
	}
	pass, err := n.Feedforward(x, y)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "F*", []float64{eq.Energy}, c.value(t, "energy"), saddleTol)
	reference.Near(t, "loss", []float64{pass.Loss}, c.value(t, "mse"), saddleTol)
	reference.Near(t, "S", rowMajor(eq.Rescaling), c.array(t, "S"), saddleTol)
	for l, z := range eq.Activities {
		nearOrZero(t, fmt.Sprintf("z%d", l+1), rowMajor(z), c.array(t, fmt.Sprintf("z%d", l+1)), saddleTol)
	}
	activity, err := n.ActivityHessian()
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "activity Hessian", rowMajor(activity), c.array(t, "activity_hessian"), saddleTol)
	for l, g := range eq.Gradient().Dense() {
		nearOrZero(t, fmt.Sprintf("dW%d", l+1), rowMajor(g), rowMajor(c.weight(t, fmt.Sprintf("dW%d", l+1))), saddleTol)
	}
	for l, g := range pass.Gradient().Dense() {
		nearOrZero(t, fmt.Sprintf("mse_dW%d", l+1), rowMajor(g), rowMajor(c.weight(t, fmt.Sprintf("mse_dW%d", l+1))), saddleTol)
	}
	h, err := eq.WeightHessian()
	if err != nil {
		t.Fatal(err)
	}
	c.spectrum(t, h, "hessian", "eigenvalues")
	c.spectrum(t, pass.WeightHessian(), "hessian_mse", "eigenvalues_mse")
	switch c.Options.Point {
	case "origin":
		checkOrigin(t, c, n, x, y)
	case "zero_rank":
		z, err := n.ZeroRank(x, y)
		if err != nil {
			t.Fatal(err)
		}
		width, out := z.A.SymmetricDim(), z.Syy.SymmetricDim()
		var block []float64 // theirs is by [out, in]
		for i := range out {
			for p := range width {
				for j := range out {
					for q := range width {
						block = append(block, z.Block.At(p*out+i, q*out+j))
					}
				}
			}
		}
		reference.Near(t, "A", rowMajor(z.A), c.array(t, "A"), saddleTol)
		reference.Near(t, "S_yy", rowMajor(z.Syy), c.array(t, "S_yy"), saddleTol)
		reference.Near(t, "block", block, c.array(t, "theory_block"), hessianTol)
		reference.Near(t, "eigenvalues of the block", z.Levels.Values(), c.array(t, "theory_block_eigenvalues"), hessianTol)
	case "counterexample":
		var near []float64
		for p := range c.Arrays["nearby"].Shape[0] {
			w := c.matrix(t, "nearby").RawRowView(p)
			at := theory.Linear{Weights: []*mat.Dense{mat.NewDense(1, 1, w[:1]), mat.NewDense(1, 1, w[1:])}}
			e, err := at.Equilibrium(x, y)
			if err != nil {
				t.Fatal(err)
			}
			near = append(near, e.Energy)
		}
		reference.Near(t, "energies nearby", near, c.array(t, "nearby_energies"), saddleTol)
	case "random", "minimum":
	default:
		t.Errorf("unknown point %q", c.Options.Point)
	}
}

// spectrum compares a Hessian and its eigenvalues.
func (c *saddleCase) spectrum(t *testing.T, h *theory.WeightHessian, hessian, eigenvalues string) {
	t.Helper()
	dense, err := h.Dense()
	if err != nil {
		t.Fatal(err)
	}
	c.hessianNear(t, hessian, dense, hessian)
	values, err := theory.Eigenvalues(dense)
	if err != nil {
		t.Fatal(err)
	}
	nearOrZero(t, eigenvalues, values, c.array(t, eigenvalues), hessianTol)
}

func checkOrigin(t *testing.T, c *saddleCase, n theory.Linear, x, y *mat.Dense) {
	o, err := n.Origin(x, y)
	if err != nil {
		t.Fatal(err)
	}
	c.hessianNear(t, "closed form of F*", o.Energy(), "theory_hessian")
	c.hessianNear(t, "closed form of the loss", o.Loss(), "theory_hessian_mse")
	nearOrZero(t, "levels of F*", o.EnergyLevels.Values(), c.array(t, "theory_eigenvalues"), hessianTol)
	nearOrZero(t, "levels of the loss", o.LossLevels.Values(), c.array(t, "theory_eigenvalues_mse"), hessianTol)
	var syx, syy mat.Dense
	syx.Mul(y.T(), x)
	syy.Mul(y.T(), y)
	syx.Scale(1/float64(len(x.RawMatrix().Data)/c.Options.Sizes[0]), &syx)
	syy.Scale(1/float64(len(x.RawMatrix().Data)/c.Options.Sizes[0]), &syy)
	reference.Near(t, "S_yx", rowMajor(&syx), c.array(t, "S_yx"), saddleTol)
	reference.Near(t, "S_yy", rowMajor(&syy), c.array(t, "S_yy"), saddleTol)
}

func checkUnrolled(t *testing.T, c *saddleCase) {
	n, x, y := c.linear(t), c.matrix(t, "x"), c.matrix(t, "y")
	for _, prefix := range []string{"", "origin_"} {
		if prefix != "" {
			for _, w := range n.Weights {
				w.Zero()
			}
		}
		u, err := n.Unrolled(x, y, c.Options.Steps, c.Options.DT)
		if err != nil {
			t.Fatal(err)
		}
		reference.Near(t, prefix+"energy", []float64{u.Energy}, c.value(t, prefix+"energy"), saddleTol)
		c.spectrum(t, u.WeightHessian(), prefix+"hessian", prefix+"eigenvalues")
	}
}

// escape descends until the loss is below the threshold, and returns the losses after every number of updates.
func escape(t *testing.T, n theory.Linear, method closedform.Method, rate, threshold float64, x, y []float64) (losses, weights []float64) {
	t.Helper()
	rule, err := closedform.New(n, method)
	if err != nil {
		t.Fatal(err)
	}
	last := slices.Clone(rule.Subject().Weights.Data())
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: rate}, MaxSteps: 1e6,
		Feed: func(int) (_, _ []float64) { return x, y }}
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if losses = append(losses, step.Loss); step.Loss < threshold {
			return losses, last // the step that the trainer has made since is not of the case
		}
		copy(last, rule.Subject().Weights.Data())
	}
	t.Fatal("it does not escape")
	return nil, nil
}

// at picks the losses after marks updates, and the last.
func lossesAt(losses, marks []float64) []float64 {
	var list []float64
	for _, m := range marks {
		list = append(list, losses[min(int(m), len(losses)-1)])
	}
	return append(list, losses[len(losses)-1])
}

func checkEscape(t *testing.T, c *saddleCase) {
	o := c.Options
	starts, steps, final, losses := c.matrix(t, "w0"), c.array(t, "steps"), c.array(t, "final_w"), c.array(t, "losses")
	marks := c.array(t, "marks")
	runs, _ := starts.Dims()
	for run := range runs {
		for k, method := range []closedform.Method{closedform.Backprop, closedform.PC} {
			var n theory.Linear
			for _, w := range starts.RawRowView(run) {
				n.Weights = append(n.Weights, mat.NewDense(1, 1, []float64{w}))
			}
			got, w := escape(t, n, method, o.Rate, o.Threshold, []float64{o.X}, []float64{o.Y})
			at := 2*run + k
			if int(steps[at]) != len(got)-1 {
				t.Errorf("run %d, method %d: %d steps, want %g", run, k, len(got)-1, steps[at])
			}
			reference.Near(t, "final weights", w, final[at*o.Depth:(at+1)*o.Depth], 1e-8)
			reference.Near(t, "losses", lossesAt(got, marks), losses[at*(len(marks)+1):(at+1)*(len(marks)+1)], 1e-8)
		}
	}
}

func checkEscapeWide(t *testing.T, c *saddleCase) {
	x, y, marks := c.array(t, "x"), c.array(t, "y"), c.array(t, "marks")
	for k, name := range []string{"bp", "pc"} {
		n := c.linear(t)
		got, w := escape(t, n, []closedform.Method{closedform.Backprop, closedform.PC}[k], c.Options.Rate, c.Options.Threshold, x, y)
		if want := c.value(t, "steps_"+name)[0]; int(want) != len(got)-1 {
			t.Errorf("%s: %d steps, want %g", name, len(got)-1, want)
		}
		reference.Near(t, "losses", lossesAt(got, marks), c.array(t, "losses_"+name), 1e-8)
		for l := range n.Weights {
			want := rowMajor(c.weight(t, fmt.Sprintf("final_%s_W%d", name, l+1)))
			reference.Near(t, fmt.Sprintf("W%d", l+1), w[:len(want)], want, 1e-8)
			w = w[len(want):]
		}
	}
}
