package pcgraph_test

import (
	"fmt"
	"github.com/pcgraph/pcgraph/internal/reference"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/theory"
)

// checkLinearTheory compares the equilibrium of a linear network, its energy, the weight gradients there, the Hessian of the energy
// by the activities of one sample with its eigenvalues, and the rescaling of the loss: once as package theory solves for them, in
// closed form, and, as far as it has them, as the compiled network evaluates them at the activities of the case.
func checkLinearTheory(t *testing.T, c *refCase) {
	if c.Net.Act != "linear" || c.Net.Bias || c.Net.Loss != "mse" {
		t.Fatalf("no linear theory of %+v", c.Net)
	}
	n := c.network(t)
	linear := theory.Linear{}
	if c.Net.OutputPrecision != nil {
		linear.Precision = *c.Net.OutputPrecision
	}
	for l, w := range n.Weights() {
		linear.Factors = append(linear.Factors, w.Factors.Forward)
		linear.Skips = append(linear.Skips, len(n.Blocks[l].Skips) > 0)
		linear.Weights = append(linear.Weights, mat.NewDense(w.Param.Shape[0], w.Param.Shape[1], c.weight(t, "", w.Name)))
	}
	x, y := c.array(t, "x"), c.array(t, "y")
	eq, err := linear.Equilibrium(mat.NewDense(c.Batch, c.Net.Sizes[0], x), mat.NewDense(c.Batch, c.Net.Sizes[c.depth()], y))
	if err != nil {
		t.Fatal(err)
	}
	hessian, err := linear.ActivityHessian()
	if err != nil {
		t.Fatal(err)
	}
	eigenvalues, err := theory.Eigenvalues(hessian)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "energy", []float64{eq.Energy}, []float64{*c.Energy}, referenceTol)
	reference.Near(t, "rescaling", rowMajor(eq.Rescaling), c.array(t, "rescaling"), referenceTol)
	reference.Near(t, "activity Hessian", rowMajor(hessian), c.array(t, "activity_hessian"), referenceTol)
	reference.Near(t, "eigenvalues", eigenvalues, slices.Sorted(slices.Values(c.array(t, "hessian_eigenvalues"))), referenceTol)
	checked := []string{"x", "y", "rescaling", "activity_hessian", "hessian_eigenvalues"}
	for l, g := range eq.Gradient().Dense() {
		reference.Near(t, fmt.Sprintf("theory's dW%d", l+1), rowMajor(g), c.transposed(t, fmt.Sprintf("dW%d", l+1)), referenceTol)
		checked = append(checked, fmt.Sprintf("dW%d", l+1), fmt.Sprintf("W%d", l+1))
	}
	for l, z := range eq.Activities {
		reference.Near(t, fmt.Sprintf("theory's z%d", l+1), rowMajor(z), c.array(t, fmt.Sprintf("z%d", l+1)), referenceTol)
		checked = append(checked, fmt.Sprintf("z%d", l+1))
	}
	for name := range c.Arrays {
		if !slices.Contains(checked, name) {
			t.Errorf("the array %s has not been looked at", name)
		}
	}

	m, w := refModel[float64](t, c, arch.Plan{Energy: energy.PC{Output: c.likelihood()}})
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	copy(m.State(), c.states(t, "z", 1))
	dz, dw := make([]float64, len(m.State())), make([]float64, len(w.Data()))
	f, err := m.StateGrad(dz, m.State())
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "the network's energy", []float64{f}, []float64{*c.Energy}, referenceTol)
	for i, g := range dz {
		if !(math.Abs(g) <= referenceTol) {
			t.Errorf("the network's activity gradient at %s is %g at equilibrium", m.StateVector().Where(i), g)
		}
	}
	if _, err := m.ParamGrad(dw); err != nil {
		t.Fatal(err)
	}
	for i, field := range w.Fields() {
		reference.Near(t, "the network's gradient of "+field.Name, w.Part(dw, i), c.weight(t, "d", field.Name), referenceTol)
	}
}

// rowMajor is a matrix row by row.
func rowMajor(m mat.Matrix) []float64 {
	rows, cols := m.Dims()
	all := make([]float64, 0, rows*cols)
	for i := range rows {
		for j := range cols {
			all = append(all, m.At(i, j))
		}
	}
	return all
}
