// Package infertest checks that a solver keeps the promises of package infer.
// The test of a solver is one call:
//
//	func TestDescent_Conforms(t *testing.T) {
//		infertest.Run(t, func() infer.Solver[float64] {
//			return &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: 0.5}}
//		})
//	}
//
// It is not for measuring the accuracy or the speed of a method.
package infertest

import (
	"encoding"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
)

// Size is the number of activities of the test problems.
const Size = 23

// Run checks the solvers that newSolver makes, each call a fresh one of the
// same configuration. It must be able to relax a convex quadratic with
// curvatures from 0.25 to 1 from distance 1 to a residual of 1e-3 within 1000
// moves, and must not stop by itself before that.
func Run[T infer.Float](t *testing.T, newSolver func() infer.Solver[T]) {
	t.Run("reaches the minimum of convex quadratics", func(t *testing.T) { descends(t, newSolver()) })
	t.Run("stops at once at a minimum", func(t *testing.T) { staysAtMinimum(t, newSolver()) })
	t.Run("moves z in place and nothing else", func(t *testing.T) { movesInPlace(t, newSolver()) })
	t.Run("evaluating does not move", func(t *testing.T) { evalKeepsZ(t, newSolver()) })
	t.Run("counts steps and evaluations", func(t *testing.T) { counts(t, newSolver()) })
	t.Run("a reset solver is a new one", func(t *testing.T) { resets(t, newSolver(), newSolver()) })
	t.Run("allocates nothing when warm", func(t *testing.T) { allocatesNothing(t, newSolver()) })
	t.Run("names what diverged", func(t *testing.T) { namesDivergence(t, newSolver()) })
	t.Run("passes on the error of the energy", func(t *testing.T) { passesErrors(t, newSolver()) })
}

// A Quadratic is the energy 1/2 sum_i c_i (z_i - m_i)^2, with couplings between
// neighbours that keep the curvatures within [0.25, 1].
type Quadratic[T infer.Float] struct {
	Minimum []T
	Calls   int // of the energy
}

// NewQuadratic returns a problem of n activities; seed selects its minimum.
func NewQuadratic[T infer.Float](n, seed int) *Quadratic[T] {
	q := &Quadratic[T]{Minimum: make([]T, n)}
	for i := range q.Minimum {
		q.Minimum[i] = T(math.Sin(float64(1 + seed + 3*i)))
	}
	return q
}

// Problem is the quadratic as a problem; its Where says "unit 3 of the test".
func (q *Quadratic[T]) Problem() infer.Problem[T] {
	return infer.Problem[T]{
		Energy: q.energy,
		Where:  func(i int) string { return fmt.Sprintf("unit %d of the test", i) },
	}
}

// energy has the Hessian with 0.625 on the diagonal and 0.1875 beside it, whose
// eigenvalues are 0.625 + 0.375 cos(k pi/(n+1)): within (0.25, 1).
func (q *Quadratic[T]) energy(grad, z []T) (float64, error) {
	q.Calls++
	n := len(q.Minimum)
	if len(grad) != n || len(z) != n {
		return 0, errors.Errorf("energy of %d activities called with z of length %d and grad of length %d", n, len(z), len(grad))
	}
	var energy float64
	for i := range z {
		d := z[i] - q.Minimum[i]
		g := 0.625 * d
		if i > 0 {
			g += 0.1875 * (z[i-1] - q.Minimum[i-1])
		}
		if i < n-1 {
			g += 0.1875 * (z[i+1] - q.Minimum[i+1])
		}
		grad[i] = g
		energy += 0.5 * float64(d) * float64(g)
	}
	return energy, nil
}

const tol = 1e-3

func descends[T infer.Float](t *testing.T, s infer.Solver[T]) {
	for seed := range 5 {
		q := NewQuadratic[T](Size, seed)
		z := make([]T, Size)
		first := math.NaN()
		res, err := infer.Run(s, q.Problem(), z, infer.Any{infer.Stationary{Tol: tol}, infer.Steps(1000)},
			func(r infer.Reading) {
				if r.Step == 0 {
					first = r.Energy
				}
			})
		if err != nil || res.Status != infer.Converged {
			t.Fatalf("%v, error %v", res, err)
		}
		grad := make([]T, Size)
		energy, _ := q.energy(grad, z)
		residual := optim.Norm(grad) / math.Sqrt(Size)
		if residual > tol || energy >= first {
			t.Errorf("energy from %g to %g, residual %g really: %v", first, energy, residual, res)
		}
		// A solver may get its last gradient from a stage; it rounds like T.
		if math.Abs(residual-res.Residual) > 1e-5 || math.Abs(energy-res.Energy) > 1e-5 {
			t.Errorf("at the returned z: energy %g, residual %g; reported %v", energy, residual, res)
		}
		for i := range z {
			// |z - m| <= |gradient| / lowest curvature
			if d := math.Abs(float64(z[i] - q.Minimum[i])); d > tol*math.Sqrt(Size)/0.25 {
				t.Errorf("z[%d] is %g from the minimum", i, d)
			}
		}
	}
}

func staysAtMinimum[T infer.Float](t *testing.T, s infer.Solver[T]) {
	q := NewQuadratic[T](Size, 0)
	z := slices.Clone(q.Minimum)
	res, err := infer.Run(s, q.Problem(), z, infer.Any{infer.Stationary{Tol: tol}, infer.Steps(10)}, nil)
	if err != nil || res.Status != infer.Converged || res.Step != 0 {
		t.Errorf("%v, error %v: want converged after 0 steps", res, err)
	}
	if !slices.Equal(z, q.Minimum) {
		t.Error("z moved")
	}
}

func movesInPlace[T infer.Float](t *testing.T, s infer.Solver[T]) {
	const mark = 7
	slab := make([]T, Size+2)
	slab[0], slab[Size+1] = mark, mark
	z := slab[1 : Size+1]
	run(t, s, NewQuadratic[T](Size, 0).Problem(), z, infer.Steps(3))
	if slab[0] != mark || slab[Size+1] != mark {
		t.Error("memory around z changed")
	}
	if slices.Equal(z, make([]T, Size)) {
		t.Error("z did not move")
	}
}

func evalKeepsZ[T infer.Float](t *testing.T, s infer.Solver[T]) {
	p := NewQuadratic[T](Size, 0).Problem()
	z := make([]T, Size)
	s.Reset()
	for step := range 3 {
		before := slices.Clone(z)
		e, err := s.Eval(p, z)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(z, before) {
			t.Fatalf("step %d: Eval moved z", step)
		}
		if want := optim.Norm(e.Grad) / math.Sqrt(Size); len(e.Grad) != Size || math.Abs(e.Residual-want) > 1e-12*want {
			t.Errorf("step %d: residual %g of %d elements, the gradient has rms %g", step, e.Residual, len(e.Grad), want)
		}
		if _, err := s.Move(p, z); err != nil {
			t.Fatal(err)
		}
	}
}

func counts[T infer.Float](t *testing.T, s infer.Solver[T]) {
	for _, n := range []int{0, 1, 4} {
		q := NewQuadratic[T](Size, 0)
		var seen []int
		res, err := infer.Run(s, q.Problem(), make([]T, Size), infer.Steps(n),
			func(r infer.Reading) { seen = append(seen, r.Step) })
		if err != nil || res.Status != infer.StepLimit || res.Step != n {
			t.Errorf("%v, error %v: want the step limit after %d", res, err, n)
		}
		if res.Evals != q.Calls {
			t.Errorf("%d evaluations reported, %d made", res.Evals, q.Calls)
		}
		if len(seen) != n {
			t.Errorf("observed steps %v, want 0 to %d", seen, n-1)
		}
	}
}

// resets compares a used solver with a fresh one; what a solver remembers over Reset by its MarshalBinary is taken back.
func resets[T infer.Float](t *testing.T, used, fresh infer.Solver[T]) {
	run(t, used, NewQuadratic[T](Size, 3).Problem(), make([]T, Size), infer.Steps(7))
	if to, is := used.(encoding.BinaryUnmarshaler); is {
		memory, err := fresh.(encoding.BinaryMarshaler).MarshalBinary()
		if err == nil {
			err = to.UnmarshalBinary(memory)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got, want := make([]T, Size), make([]T, Size)
	p := NewQuadratic[T](Size, 1).Problem()
	run(t, used, p, got, infer.Steps(7))
	run(t, fresh, p, want, infer.Steps(7))
	if !slices.Equal(got, want) {
		t.Errorf("used solver went to %v\nfresh solver to %v", got, want)
	}
}

func allocatesNothing[T infer.Float](t *testing.T, s infer.Solver[T]) {
	p := NewQuadratic[T](Size, 0).Problem()
	z := make([]T, Size)
	var stop infer.Stop = infer.Any{infer.Stationary{Tol: 1e-30}, infer.Steps(5)}
	once := func() {
		clear(z)
		if _, err := infer.Run(s, p, z, stop, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, once); n != 0 {
		t.Errorf("%g allocations per run", n)
	}
}

func namesDivergence[T infer.Float](t *testing.T, s infer.Solver[T]) {
	nan := math.NaN()
	tests := []struct {
		name  string
		spoil func(grad []T, energy *float64)
		want  []string
	}{
		{"gradient", func(grad []T, _ *float64) { grad[5], grad[9] = T(nan), T(nan) },
			[]string{"gradient NaN", "unit 5 of the test"}},
		{"infinite gradient", func(grad []T, _ *float64) { grad[2] = T(math.Inf(-1)) },
			[]string{"gradient -Inf", "unit 2 of the test"}},
		{"energy", func(_ []T, energy *float64) { *energy = math.Inf(1) },
			[]string{"energy +Inf", "unit "}},
	}
	for _, test := range tests {
		q := NewQuadratic[T](Size, 0)
		p := q.Problem()
		p.Energy = func(grad, z []T) (float64, error) {
			energy, err := q.energy(grad, z)
			test.spoil(grad, &energy)
			return energy, err
		}
		z := make([]T, Size)
		res, err := infer.Run(s, p, z, infer.Steps(100), nil)
		if err != nil || res.Status != infer.Diverged || res.Step != 0 || !slices.Equal(z, make([]T, Size)) {
			t.Errorf("%s: %v, error %v, z %v: want diverged at step 0 and z untouched", test.name, res, err, z)
		}
		for _, part := range test.want {
			if !strings.Contains(res.Detail, part) {
				t.Errorf("%s: detail %q does not say %q", test.name, res.Detail, part)
			}
		}
	}
	t.Run("state", func(t *testing.T) {
		z := make([]T, Size)
		z[3] = T(math.Inf(1))
		res, err := infer.Run(s, NewQuadratic[T](Size, 0).Problem(), z, infer.Steps(100), nil)
		if err != nil || res.Status != infer.Diverged || !strings.Contains(res.Detail, "activity +Inf at unit 3 of the test") {
			t.Errorf("%v, error %v: want activity +Inf at unit 3 named", res, err)
		}
	})
}

func passesErrors[T infer.Float](t *testing.T, s infer.Solver[T]) {
	broken := errors.New("broken on purpose")
	for _, good := range []int{0, 1, 2, 5} { // evaluations before the failing one
		q := NewQuadratic[T](Size, 0)
		p := q.Problem()
		p.Energy = func(grad, z []T) (float64, error) {
			if q.Calls >= good {
				return 0, broken
			}
			return q.energy(grad, z)
		}
		res, err := infer.Run(s, p, make([]T, Size), infer.Steps(100), nil)
		if !errors.Is(err, broken) || res.Status != infer.Running {
			t.Errorf("after %d evaluations: %v, error %v: want %q", good, res, err, broken)
		}
		if !strings.Contains(fmt.Sprint(err), fmt.Sprintf("step %d", res.Step)) {
			t.Errorf("error %q does not say step %d", err, res.Step)
		}
	}
}

func run[T infer.Float](t *testing.T, s infer.Solver[T], p infer.Problem[T], z []T, stop infer.Stop) {
	t.Helper()
	if res, err := infer.Run(s, p, z, stop, nil); err != nil || res.Status == infer.Diverged {
		t.Fatalf("%v, error %v", res, err)
	}
}
