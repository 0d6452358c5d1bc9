package theory

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func normals(rng *rand.Rand, n int) []float64 { return random(rng, 1, n).RawRowView(0) }

// product makes a Product of a matrix held in full.
func product(a mat.Matrix) Product {
	return func(dst, v []float64) error {
		mat.NewVecDense(len(dst), dst).MulVec(a, mat.NewVecDense(len(v), v))
		return nil
	}
}

// distance is the largest difference of two vectors.
func distance(a, b []float64) float64 { return floats.Distance(a, b, math.Inf(1)) }

// Oracle: the dense Hessian, for any widths, skips, factors, precision and decay.
// Tolerances: rounding of products, and the condition number for solutions.
func TestHessian_OperatorEqualsDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		if len(n.Weights) == 1 {
			return
		}
		op := must(n.Hessian())(t)
		blocks := must(n.HessianBlocks())(t)
		dense := must(n.ActivityHessian())(t)
		dim := op.Dim()
		if blocks.Dim() != dim || dense.SymmetricDim() != dim {
			t.Fatal("sizes", blocks.Dim(), dense.SymmetricDim(), dim)
		}
		v := normals(rand.New(rand.NewPCG(3, 3)), dim)
		want, got := make([]float64, dim), make([]float64, dim)
		_ = product(dense)(want, v)
		scale := scaleOf(n, x, y)
		for name, a := range map[string]Product{"operator": op.Mul, "blocks": blocks.Mul} {
			if err := a(got, v); err != nil {
				t.Fatal(err)
			}
			if d := distance(got, want); d > 1e-13*scale {
				t.Errorf("%s: H v is off by %g", name, d)
			}
		}
		factor := must(blocks.Cholesky())(t)
		for name, solve := range map[string]Product{"operator": op.Solve, "blocks": factor.Solve} {
			if err := solve(got, want); err != nil {
				t.Fatal(err)
			}
			if d := distance(got, v); d > 1e-12*scale*scale {
				t.Errorf("%s: H^-1 H v is off by %g", name, d)
			}
		}
	})
}

// Oracle: a dense solution. The blocks are of any sizes and of no network.
func TestBlockTridiagonal_CholeskySolves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		sizes := rapid.SliceOfN(rapid.IntRange(1, 6), 1, 5).Draw(t, "sizes")
		var a BlockTridiagonal
		for k, n := range sizes {
			r := random(rng, n, n)
			d := mat.NewSymDense(n, nil)
			d.SymOuterK(1, r)
			for i := range n {
				d.SetSym(i, i, d.At(i, i)+20) // dominates its neighbours
			}
			a.Diagonal = append(a.Diagonal, d)
			if k > 0 {
				a.Upper = append(a.Upper, random(rng, sizes[k-1], n))
			}
		}
		dense := a.Dense()
		b := normals(rng, a.Dim())
		var want mat.VecDense
		if err := want.SolveVec(dense, mat.NewVecDense(len(b), b)); err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(b)
		_ = must(a.Cholesky())(t).Solve(got, got) // in place
		if d := distance(got, want.RawVector().Data); d > 1e-13 {
			t.Errorf("solution is off by %g", d)
		}
		product := make([]float64, len(b))
		_ = a.Mul(product, got)
		if d := distance(product, b); d > 1e-13*floats.Norm(b, 2) {
			t.Errorf("A A^-1 b is off by %g", d)
		}
	})
}

// withSpectrum is Q diag(values) Q^T for a random Q.
func withSpectrum(rng *rand.Rand, values []float64) *mat.SymDense {
	n := len(values)
	q := orthogonal(rng, n, n)
	var qd mat.Dense
	qd.Mul(q, mat.NewDiagDense(n, values))
	var a mat.Dense
	a.Mul(&qd, q.T())
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, a.At(i, j))
		}
	}
	return s
}

// Oracle: the spectrum that the matrix was made of, among them repeated ends, an
// indefinite one, a zero matrix and one of one row.
func TestLanczos_FindsTheEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	even := make([]float64, 120)
	for i := range even {
		even[i] = 1 + float64(i)/10
	}
	for name, values := range map[string][]float64{
		"even":       even,
		"indefinite": {-3, -1, 0, 0.5, 2, 7},
		"negative":   {-9, -5, -4, -1},
		"repeated":   {1, 1, 1, 2, 5, 5},
		"one":        {4},
		"identity":   {1, 1, 1, 1, 1},
		"zero":       {0, 0, 0},
		"singular":   {0, 1, 2, 3},
	} {
		low, high, err := Lanczos{}.Extremes(len(values), product(withSpectrum(rng, values)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		scale := max(math.Abs(values[0]), math.Abs(values[len(values)-1]))
		for _, end := range []struct {
			got  Eigenvalue
			want float64
		}{{low, values[0]}, {high, values[len(values)-1]}} {
			// the error of a Rayleigh quotient is the square of its vector's
			if d := math.Abs(end.got.Value - end.want); d > 1e-13*scale {
				t.Errorf("%s: %.16g, want %g", name, end.got.Value, end.want)
			}
			if end.got.Bound > 1e-8*max(math.Abs(end.want), 1e-6*scale) || len(end.got.Vector) != len(values) {
				t.Errorf("%s: %g is said to be good to %g only", name, end.got.Value, end.got.Bound)
			}
		}
	}
}

// Bound is a bound: with few steps the values are far off, and an eigenvalue of
// the dense matrix lies within it all the same, and not within a tenth of it
// always.
func TestLanczos_BoundHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	n := must(Spec{Scaling: SP, Inputs: 5, Width: 20, Outputs: 3, Depth: 5, Skips: true}.Sample(rng))(t)
	h := must(n.Hessian())(t)
	eig := must(Eigenvalues(must(n.ActivityHessian())(t)))(t)
	loose := 0
	for steps := range 12 {
		low, high, err := Lanczos{Steps: steps + 1}.Extremes(h.Dim(), h.Mul)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []Eigenvalue{low, high} {
			nearest := math.Inf(1)
			for _, v := range eig {
				nearest = min(nearest, math.Abs(v-e.Value))
			}
			if nearest > e.Bound+1e-13*eig[len(eig)-1] {
				t.Errorf("%d steps: nearest eigenvalue to %g is %g away, bound %g", steps+1, e.Value, nearest, e.Bound)
			}
			if nearest > 0.1*e.Bound {
				loose++
			}
		}
	}
	if loose == 0 {
		t.Error("all bounds are ten times too wide: this test would pass for any")
	}
}

// Oracle: the dense spectrum; both inverses, the exact one and that by conjugate
// gradients. Condition numbers here go up to 1e5.
func TestLanczos_ConditionEqualsDense(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 2))
	for _, scaling := range []Scaling{SP, NTP, MuPC, MuP, Orthogonal} {
		for _, skips := range []bool{false, true} {
			for _, decay := range []float64{0, 0.1} {
				n := must(Spec{Scaling: scaling, Inputs: 8, Width: 12, Outputs: 4, Depth: 8, Skips: skips}.Sample(rng))(t)
				n.ActivityDecay = decay
				want := must(Condition(must(n.ActivityHessian())(t)))(t)
				h := must(n.Hessian())(t)
				for name, got := range map[string]float64{
					"exact inverse": must(n.Condition())(t),
					"gradients":     must(Lanczos{Seed: 1}.Condition(h.Dim(), h.Mul, CG{}.Inverse(h.Mul)))(t),
					"no inverse":    must(Lanczos{Seed: 2}.Condition(h.Dim(), h.Mul, nil))(t),
				} {
					if d := math.Abs(got/want - 1); d > 1e-9 {
						t.Errorf("%v skips=%v decay=%g: condition %.12g with %s, want %.12g", scaling, skips, decay, got, name, want)
					}
				}
			}
		}
	}
}

// A network whose Hessian of 4096 rows would fill 128 MB: the closed form of
// orthogonal weights, to its 1e-6.
func TestLanczos_LargeOrthogonal(t *testing.T) {
	t.Parallel()
	const hidden = 64
	n := must(Spec{Scaling: Orthogonal, Inputs: 10, Width: 64, Outputs: 10, Depth: hidden + 1}.Sample(rand.New(rand.NewPCG(6, 2))))(t)
	got := must(n.Condition())(t)
	if want := OrthogonalCondition(hidden); math.Abs(got/want-1) > 1e-6 {
		t.Errorf("condition %.10g, want %.10g", got, want)
	}
}

func TestCG_Solves(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 2))
	values := []float64{1, 2, 3, 3, 10, 400}
	a := withSpectrum(rng, values)
	want := normals(rng, len(values))
	b, got := make([]float64, len(values)), make([]float64, len(values))
	_ = product(a)(b, want)
	steps, err := CG{Tol: 1e-13}.Solve(got, b, product(a))
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(got, want); d > 1e-12*400 || steps < 4 || steps > 8 { // 5 eigenvalues differ
		t.Errorf("off by %g after %d steps", d, steps)
	}
	if steps, err := (CG{}).Solve(got, make([]float64, len(values)), product(a)); err != nil || steps != 0 || floats.Norm(got, 2) != 0 {
		t.Errorf("zero right-hand side: %v after %d steps, error %v", got, steps, err)
	}
}

func TestOperators_ReportWhatIsWrong(t *testing.T) {
	failed := func(dst, v []float64) error { return fmt.Errorf("no graph") }
	nan := func(dst, v []float64) error { dst[0] = math.NaN(); return nil }
	skew := product(mat.NewDense(3, 3, []float64{1, 2, 3, 0, 1, 5, 0, 0, 2}))
	indefinite := product(mat.NewDiagDense(3, []float64{-1, 2, 3}))
	spread := make([]float64, 200)
	for i := range spread {
		spread[i] = math.Pow(10, -6*float64(i)/199)
	}
	b, x := []float64{1, 1, 1}, make([]float64, 3)
	one := mat.NewSymDense(1, []float64{1})
	block := BlockTridiagonal{Diagonal: []*mat.SymDense{one, one}, Upper: []*mat.Dense{mat.NewDense(1, 1, []float64{2})}}
	low := func(_, _ Eigenvalue, err error) error { return err }
	for want, err := range map[string]error{
		"no graph":               low(Lanczos{}.Extremes(3, failed)),
		"product 1 is not":       low(Lanczos{}.Extremes(3, nan)),
		"not that of a symm":     low(Lanczos{}.Extremes(3, skew)),
		"0 rows":                 low(Lanczos{}.Extremes(0, nan)),
		"tolerance -1":           low(Lanczos{Tol: -1}.Extremes(3, nan)),
		"not above 0":            second(Lanczos{}.Condition(3, indefinite, nil)),
		"allow more steps, or":   second(Lanczos{Steps: 9}.Condition(200, product(mat.NewDiagDense(200, spread)), nil)),
		"inverse: no graph":      second(Lanczos{}.Smallest(3, indefinite, failed)),
		"not positive definite,": second(CG{}.Solve(x, b, indefinite)),
		"p^T A p = NaN":          second(CG{}.Solve(x, b, nan)),
		"after 1 steps":          second(CG{Steps: 1}.Solve(x, b, product(mat.NewDiagDense(3, []float64{1, 2, 3})))),
		"0 unknowns for 3":       second(CG{}.Solve(nil, b, nan)),
		"tolerance 1 and":        second(CG{Tol: 1}.Solve(x, b, nan)),
		"right-hand side is not": second(CG{}.Solve(x, []float64{math.NaN(), 0, 0}, indefinite)),
		"at block 2 of 2":        second(block.Cholesky()),
		"one fewer above":        BlockTridiagonal{Diagonal: block.Diagonal}.Validate(),
		"block 1 of the diag":    BlockTridiagonal{Diagonal: []*mat.SymDense{nil}}.Validate(),
		"block 1 above the":      BlockTridiagonal{Diagonal: block.Diagonal, Upper: []*mat.Dense{nil}}.Validate(),
		"is [1,2], its neigh":    BlockTridiagonal{Diagonal: block.Diagonal, Upper: []*mat.Dense{mat.NewDense(1, 2, nil)}}.Validate(),
		"without hidden layers":  second((Linear{Weights: []*mat.Dense{mat.NewDense(2, 2, nil)}}).Condition()),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func BenchmarkHessian(b *testing.B) {
	rng := rand.New(rand.NewPCG(8, 2))
	n, err := Spec{Scaling: MuPC, Inputs: 16, Width: 256, Outputs: 10, Depth: 17, Skips: true}.Sample(rng)
	if err != nil {
		b.Fatal(err)
	}
	h, err := n.Hessian()
	if err != nil {
		b.Fatal(err)
	}
	dst, v := make([]float64, h.Dim()), normals(rng, h.Dim())
	b.Run("product", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = h.Mul(dst, v)
		}
	})
	b.Run("solution", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := h.Solve(dst, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("condition", func(b *testing.B) {
		for b.Loop() {
			if _, err := n.Condition(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
