package theory_test

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/theory"
)

// The smallest network, z = 2x and y = 3z of numbers, clamped to x = 1 and y = 1: F = 1/2 (z - 2)^2 + 1/2 (1 - 3z)^2 is least at
// z = 1/2. The squared residual 1 - 6 is divided by the rescaling 1 + 3^2.
func ExampleLinear_Equilibrium() {
	number := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	n := theory.Linear{Weights: []*mat.Dense{number(2), number(3)}}
	e, err := n.Equilibrium(number(1), number(1))
	if err != nil {
		panic(err)
	}
	fmt.Printf("z %.2f, F %.2f, rescaling %.0f\n", e.Activities[0].At(0, 0), e.Energy, e.Rescaling.At(0, 0))
	// Output: z 0.50, F 1.25, rescaling 10
}

// A network at its initialisation, and what its rescaling is in the mean over draws: muPC's is near 1.
func ExampleSpec() {
	spec := theory.Spec{Scaling: theory.MuPC, Inputs: 8, Width: 64, Outputs: 2, Depth: 4, Skips: true}
	n, err := spec.Sample(rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	s, err := spec.ExpectedRescaling()
	fmt.Printf("%d weights, factors %.4f, S %.3f, %v\n", len(n.Weights), n.Factors, s, err)
	// Output: 4 weights, factors [0.3536 0.0625 0.0625 0.0156], S 1.060, <nil>
}

// The condition number of the activity Hessian says how slow inference is; that of orthogonal weights has a closed form.
func ExampleLinear_Condition() {
	n, err := theory.Spec{Scaling: theory.Orthogonal, Inputs: 4, Width: 6, Outputs: 2, Depth: 5}.Sample(rand.New(rand.NewPCG(3, 0)))
	if err != nil {
		panic(err)
	}
	kappa, err := n.Condition()
	fmt.Printf("%.3f %.3f %v\n", kappa, theory.OrthogonalCondition(4), err)
	// Output: 29.997 29.997 <nil>
}

// The gradients of predictive coding at equilibrium and of backprop, compared.
func ExampleGradient_Cosine() {
	number := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	n := theory.Linear{Weights: []*mat.Dense{number(2), number(3)}}
	e, _ := n.Equilibrium(number(1), number(1))
	pass, _ := n.Feedforward(number(1), number(1))
	cosine, err := e.Gradient().Cosine(pass.Gradient())
	fmt.Printf("%.3f %v\n", cosine, err)
	// Output: 0.912 <nil>
}

// Inference in continuous time: F falls to its equilibrium.
func ExampleLinear_Flow() {
	number := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	n := theory.Linear{Weights: []*mat.Dense{number(2), number(3)}}
	flow, err := n.Flow(number(1), number(1), nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f %.3f, rates %.0f\n", flow.Energy(0), flow.Energy(1), flow.Rates)
	// Output: 12.500 1.250, rates [10]
}

// The ends of a spectrum, of a matrix that is known by its products alone.
func ExampleLanczos_Extremes() {
	product := func(dst, v []float64) error {
		for i := range v {
			dst[i] = float64(1+i) * v[i]
		}
		return nil
	}
	low, high, err := theory.Lanczos{}.Extremes(5, product)
	fmt.Printf("%.3f %.3f %v\n", low.Value, high.Value, err)
	// Output: 1.000 5.000 <nil>
}

func ExampleCG_Solve() {
	product := func(dst, v []float64) error { dst[0], dst[1] = 2*v[0], 4*v[1]; return nil }
	x := make([]float64, 2)
	steps, err := theory.CG{}.Solve(x, []float64{2, 8}, product)
	fmt.Printf("%.3f in %d steps, %v\n", x, steps, err)
	// Output: [1.000 2.000] in 2 steps, <nil>
}

// Learning of an infinitely wide network, one hidden layer, from two samples.
func ExampleMeanField_Solve() {
	x := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	l, err := theory.MeanField{Hidden: 1, Rate: .5}.Solve(x, []float64{1, -1}, 4)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f\n", l.Losses)
	// Output: [0.500 0.281 0.152 0.070]
}

// The origin of a chain of two weights for x = 1, y = -1: the loss has the curvatures -1 and 1 there, the equilibrated energy falls more
// steeply and rises less. With three weights the loss is flat, and the energy still falls.
func ExampleLinear_Origin() {
	zero := mat.NewDense(1, 1, nil)
	x, y := mat.NewDense(1, 1, []float64{1}), mat.NewDense(1, 1, []float64{-1})
	for _, weights := range [][]*mat.Dense{{zero, zero}, {zero, zero, zero}} {
		o, err := theory.Linear{Weights: weights}.Origin(x, y)
		if err != nil {
			panic(err)
		}
		fmt.Printf("loss %.3f, energy %.3f\n", o.LossLevels.Values(), o.EnergyLevels.Values())
	}
	// Output:
	// loss [-1.000 1.000], energy [-1.618 0.618]
	// loss [0.000 0.000 0.000], energy [-1.000 0.000 0.000]
}

// The lowest eigenvalue of the energy's Hessian where only the third of four weights is not zero: -<y^2> (1 + w_3^2).
func ExampleLinear_ZeroRank() {
	n := theory.Linear{Weights: []*mat.Dense{mat.NewDense(1, 1, nil), mat.NewDense(1, 1, nil), mat.NewDense(1, 1, []float64{2}), mat.NewDense(1, 1, nil)}}
	x, y := mat.NewDense(1, 1, []float64{1}), mat.NewDense(1, 1, []float64{-1})
	z, err := n.ZeroRank(x, y)
	if err != nil {
		panic(err)
	}
	eq, err := n.Equilibrium(x, y)
	if err != nil {
		panic(err)
	}
	h, err := eq.WeightHessian()
	if err != nil {
		panic(err)
	}
	low, high, err := theory.Lanczos{}.Extremes(h.Dim(), h.Mul)
	fmt.Printf("closed form %.1f, by products from %.1f to %.1f, %v\n", z.Levels[0].Value, low.Value, high.Value, err)
	// Output: closed form -5.0, by products from -5.0 to 0.0, <nil>
}

// Ten steps of inference are not yet the equilibrium, and neither is the curvature through them.
func ExampleLinear_Unrolled() {
	n := theory.Linear{Weights: []*mat.Dense{mat.NewDense(1, 1, nil), mat.NewDense(1, 1, nil)}}
	x, y := mat.NewDense(1, 1, []float64{1}), mat.NewDense(1, 1, []float64{-1})
	for _, steps := range []int{10, 100} {
		u, err := n.Unrolled(x, y, steps, .1)
		if err != nil {
			panic(err)
		}
		h, err := u.WeightHessian().Dense()
		if err != nil {
			panic(err)
		}
		values, err := theory.Eigenvalues(h)
		fmt.Printf("%d steps: %.4f, %v\n", steps, values, err)
	}
	// Output:
	// 10 steps: [-1.5314 0.6530], <nil>
	// 100 steps: [-1.6180 0.6180], <nil>
}

// The origin of one hidden unit: the energy's saddle has a weaker attraction and a stronger repulsion than the loss's.
func ExampleOneHidden() {
	o := theory.OneHidden{X: 1, Y: -1}
	loss, _ := theory.Eigenvalues(o.LossHessian())
	energy, _ := theory.Eigenvalues(o.EnergyHessian())
	fmt.Printf("loss %.3f, energy at equilibrium %.3f\n", loss, energy)
	// Output: loss [-1.000 1.000], energy at equilibrium [-1.618 0.618]
}
