package ode_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/infer/ode"
)

func decay(dst, z []float64) error {
	for i, v := range z {
		dst[i] = -v
	}
	return nil
}

// script is a control that accepts or rejects as written and keeps what it was shown.
type script struct {
	first    float64
	verdicts []float64 // factors: below 1 rejects
	seen     *[]float64
}

func (s script) FirstStep() float64             { return s.first }
func (s script) Tolerances() (rel, abs float64) { return 0.1, 0.2 }
func (s script) Validate(*ode.Method) error     { return nil }
func (s script) Judge(e, _, _ float64, _ int) (bool, float64) {
	*s.seen = append(*s.seen, e)
	f := s.verdicts[min(len(*s.seen), len(s.verdicts))-1]
	return f >= 1, f
}

// The norm of a step is the plain formula over the whole state, of any length.
func TestStepper_ErrorIsOneNormOverTheState(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 7, 1023, 1024, 1025, 5000} {
		z, c := make([]float64, n), make([]float64, n)
		for i := range z {
			z[i], c[i] = rng.NormFloat64(), rng.Float64()
		}
		f := func(dst, z []float64) error {
			for i, v := range z {
				dst[i] = -c[i] * v
			}
			return nil
		}
		const h = 0.3
		var want float64
		for i, v := range z { // Heun: error h/2 (k2 - k1)
			k1 := -c[i] * v
			k2 := -c[i] * (v + h*k1)
			next := v + h/2*(k1+k2)
			q := h / 2 * (k2 - k1) / (0.2 + 0.1*max(math.Abs(v), math.Abs(next)))
			want += q * q
		}
		want = math.Sqrt(want / float64(n))
		var seen []float64
		if err := ode.Integrate(f, z, h, ode.Heun, script{h, []float64{1}, &seen}, nil); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 1 || math.Abs(seen[0]-want) > 1e-13*want {
			t.Errorf("%d elements: error %v, want %g", n, seen, want)
		}
	}
}

func TestStepper_Times(t *testing.T) {
	for _, test := range []struct {
		first, span float64
		verdicts    []float64
		want        []float64 // times of accepted steps
		reason      string
	}{
		{1, 2.5, []float64{1}, []float64{1, 2, 2.5}, "the last step is clipped"},
		{10, 2, []float64{1}, []float64{2}, "so is the first"},
		{1, 4, []float64{2, 1}, []float64{1, 3, 4}, "the factor is that of the step made"},
		{1, 4, []float64{0.5, 1}, []float64{0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4}, "a rejected step is made again, shorter"},
		{1, 1, []float64{0.999999999999, 1}, []float64{0.5, 1}, "a rejected step to the end is halved if it would end there again"},
		{0.5, 1, []float64{1, 1 - 1e-12, 1}, []float64{0.5, 0.75, 1}, "halved: what is left"},
		{1 - 1e-11, 1, []float64{1}, []float64{1}, "what is left within the tolerance is joined"},
		{1, -2.5, []float64{1}, []float64{-1, -2, -2.5}, "backward in time"},
	} {
		var times, seen []float64
		err := ode.Integrate(decay, []float64{1}, test.span, ode.Heun, script{test.first, test.verdicts, &seen},
			func(tm float64, _ []float64) { times = append(times, tm) })
		if err != nil || len(times) == 0 || !near(times[1:], test.want, 1e-15) {
			t.Errorf("%s: times %v, want %v, error %v", test.reason, times, test.want, err)
		}
	}
}

func near(a, b []float64, tol float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= tol*math.Abs(y) })
}

func TestStepper_ConstantStepsDoNotDrift(t *testing.T) {
	steps := 0
	err := ode.Integrate(decay, []float64{1}, 100, ode.Euler, ode.Constant{Step: 0.1}, func(tm float64, _ []float64) {
		if math.Abs(tm-0.1*float64(steps)) > 1e-11 {
			t.Fatalf("step %d ends at %.15g", steps, tm)
		}
		steps++
	})
	if err != nil || steps != 1001 {
		t.Errorf("%d steps, want 1000; error %v", steps-1, err)
	}
}

// Evaluations: one before the first step; then each trial takes those of the stages but the first, and a method that is not
// FSAL one more after an accepted step. A rejected step keeps its first slope.
func TestStepper_EvaluatesNothingTwice(t *testing.T) {
	for _, m := range methods {
		calls := 0
		f := func(dst, z []float64) error { calls++; return decay(dst, z) }
		var seen []float64
		control := ode.Control(script{0.1, []float64{1, 0.5, 0.5, 1, 1}, &seen})
		rejected := 2
		if !m.Adaptive() {
			control, rejected = ode.Constant{Step: 0.1}, 0
		}
		s, err := ode.NewStepper[float64](m.Method)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(control, 1, 1); err != nil {
			t.Fatal(err)
		}
		z := []float64{1}
		for range 3 {
			if err := s.Step(f, z); err != nil {
				t.Fatal(err)
			}
		}
		want := (3+rejected)*(m.Stages()-1) + 3
		if m.FSAL() {
			want -= 2
		}
		if calls != want || s.Accepted != 3 || s.Rejected != rejected {
			t.Errorf("%s: %d evaluations, want %d; %d accepted, %d rejected", m.Name, calls, want, s.Accepted, s.Rejected)
		}
		calls = 0
		grad, err := s.Slope(f, z)
		if err != nil || grad[0] != -z[0] || m.FSAL() != (calls == 0) {
			t.Errorf("%s: slope %v at %v after %d evaluations, error %v", m.Name, grad, z, calls, err)
		}
	}
}

// Backward along f is forward along -f, with the same bits.
func TestStepper_BackwardIsAlongTheNegative(t *testing.T) {
	minus := func(dst, z []float64) error {
		if err := kepler(dst, z); err != nil {
			return err
		}
		for i := range dst {
			dst[i] = -dst[i]
		}
		return nil
	}
	for _, m := range methods {
		control := ode.Control(ode.PID{RTol: 1e-4, ATol: 1e-4})
		if !m.Adaptive() {
			control = ode.Constant{Step: 0.01}
		}
		a, b := keplerAt(0), keplerAt(0)
		err := errors.WithMessage(ode.Integrate(kepler, a, -2, m.Method, control, nil), "backward")
		if err == nil {
			err = ode.Integrate(minus, b, 2, m.Method, control, nil)
		}
		if err != nil || !slices.Equal(a, b) {
			t.Errorf("%s: %v and %v, error %v", m.Name, a, b, err)
		}
	}
}

// The error of the path is of the size of the tolerance: between a hundredth and a hundred times, over 3 units of time.
func TestPID_ErrorFollowsTheTolerance(t *testing.T) {
	for _, m := range methods {
		if !m.Adaptive() {
			continue
		}
		for _, tol := range []float64{1e-5, 1e-7} {
			z := keplerAt(0)
			if err := ode.Integrate(kepler, z, 3, m.Method, ode.PID{RTol: tol, ATol: tol}, nil); err != nil {
				t.Fatal(err)
			}
			if d := distance(z, keplerAt(3)); d > 100*tol || d < tol/100 {
				t.Errorf("%s at tolerance %g: error %g", m.Name, tol, d)
			}
		}
	}
}

func TestStepper_Float32FollowsFloat64(t *testing.T) {
	single := func(dst, z []float32) error {
		var d, w [4]float64
		for i, v := range z {
			w[i] = float64(v)
		}
		err := kepler(d[:], w[:])
		for i, v := range d {
			dst[i] = float32(v)
		}
		return err
	}
	for _, m := range methods {
		steps := 0
		z := make([]float32, 4)
		for i, v := range keplerAt(0) {
			z[i] = float32(v)
		}
		w := keplerAt(0)
		control := ode.Constant{Step: 0.01}
		err := ode.Integrate(single, z, 1, m.Method, control, func(float64, []float32) { steps++ })
		if err == nil {
			err = ode.Integrate(kepler, w, 1, m.Method, control, nil)
		}
		if err != nil || steps != 101 {
			t.Fatalf("%d steps, error %v", steps-1, err)
		}
		for i := range z { // 100 steps, each rounding a few numbers of order 1 to 6e-8
			if d := math.Abs(float64(z[i]) - w[i]); d > 3e-6 {
				t.Errorf("%s: off by %g", m.Name, d)
			}
		}
	}
}

func TestPID_Judge(t *testing.T) {
	for _, test := range []struct {
		c               ode.PID
		e, last, before float64
		order           int
		accept          bool
		factor          float64
		reason          string
	}{
		{ode.PID{}, 0.01, 1, 1, 2, true, 9, "0.9 E^(-1/2)"},
		{ode.PID{}, 0.001, 1, 1, 3, true, 9, "0.9 E^(-1/3)"},
		{ode.PID{}, 1e-9, 1, 1, 2, true, 10, "at most 10"},
		{ode.PID{}, 0, 1, 1, 2, true, 10, "no error at all"},
		{ode.PID{}, 0.99, 1, 1, 2, true, 1, "an accepted step shortens nothing"},
		{ode.PID{}, 1, 1, 1, 2, false, 0.9, "1 is rejected"},
		{ode.PID{}, 4, 1, 1, 2, false, 0.45, "0.9 E^(-1/2)"},
		{ode.PID{}, 1e9, 1, 1, 2, false, 0.2, "at least 0.2"},
		{ode.PID{}, math.Inf(1), 1, 1, 2, false, 0.2, "not finite"},
		{ode.PID{MaxFactor: 3}, 1e-9, 1, 1, 2, true, 3, "bound as given"},
		{ode.PID{MinFactor: 0.5}, 1e9, 1, 1, 2, false, 0.5, "bound as given"},
		{ode.PID{Safety: 0.5}, 4, 1, 1, 2, false, 0.25, "safety as given"},
		{ode.PID{P: 1, I: 1}, 0.25, 0.25, 7, 2, true, 0.9 * 4 * 0.5, "PI: E^(-(P+I)/p) E_1^(P/p)"},
		{ode.PID{I: 1, D: 1}, 0.25, 0.25, 0.25, 2, true, 0.9 * 4 * 0.25 * 2, "ID: E^(-(I+D)/p) E_1^(2D/p) E_2^(-D/p)"},
	} {
		accept, factor := test.c.Judge(test.e, test.last, test.before, test.order)
		if accept != test.accept || math.Abs(factor-test.factor) > 1e-15*factor {
			t.Errorf("%+v at E %g: %v, %g, want %v, %g: %s", test.c, test.e, accept, factor, test.accept, test.factor, test.reason)
		}
	}
}

// Beyond z = 1 the field is not finite. Trial steps that touch it are rejected, until the step is lost in rounding.
func TestPID_NotFiniteIsAnInfiniteError(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		wall := func(dst, z []float64) error {
			dst[0] = 1
			if !(z[0] <= 1) {
				dst[0] = bad
			}
			return nil
		}
		for _, m := range methods {
			if !m.Adaptive() {
				continue
			}
			z := []float64{0}
			err := ode.Integrate(wall, z, 3, m.Method, ode.PID{RTol: 1e-3, ATol: 1e-3}, nil)
			if !errors.Is(err, ode.ErrUnderflow) || !strings.Contains(err.Error(), m.Name+" from time 0.99") && !strings.Contains(err.Error(), m.Name+" from time 1") {
				t.Errorf("%s: error %v, want an underflow near time 1", m.Name, err)
			}
			limit := 1.
			if m.Method == ode.Midpoint || m.Method == ode.Ralston { // they do not look at the end of their last step
				limit = 1.2
			}
			if !(z[0] <= limit) || z[0] < 0.99 {
				t.Errorf("%s: left at %g, want the last accepted point, near 1", m.Name, z[0])
			}
		}
	}
}

func TestStepper_PassesOnTheErrorOfTheField(t *testing.T) {
	broken := errors.New("broken on purpose")
	for _, m := range methods {
		for after := range 20 {
			calls := 0
			f := func(dst, z []float64) error {
				if calls++; calls > after {
					return broken
				}
				return decay(dst, z)
			}
			z := []float64{1}
			if err := ode.Integrate(f, z, 100, m.Method, ode.Constant{Step: 0.1}, nil); !errors.Is(err, broken) {
				t.Errorf("%s after %d: error %v", m.Name, after, err)
			}
		}
	}
}

// The interpolant within steps converges at its order plus 1, the order of a step's local error: the worst of several
// places, over halved steps.
func TestStepper_DenseFollowsThePath(t *testing.T) {
	for _, m := range methods {
		worst := func(h float64) float64 {
			s, err := ode.NewStepper[float64](m.Method)
			if err != nil {
				t.Fatal(err)
			}
			s.KeepPath = true
			if err := s.Start(ode.Constant{Step: h}, 4, -3); err != nil { // backward, as Flow does
				t.Fatal(err)
			}
			z, at := keplerAt(0), make([]float64, 4)
			var e float64
			for !s.Done() {
				if err := s.Step(kepler, z); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Slope(kepler, z); err != nil {
					t.Fatal(err)
				}
				from, to := s.Interval()
				for _, theta := range []float64{0, 0.1, 0.3, 0.5, 0.7, 0.9, 1} {
					tm := from + theta*(to-from)
					if theta == 1 {
						tm = to
					}
					s.Dense(at, z, tm)
					if theta == 1 && !slices.Equal(at, z) {
						t.Errorf("%s: at the end of a step %v, want %v", m.Name, at, z)
					}
					e = max(e, distance(at, keplerAt(tm)))
				}
			}
			return e
		}
		h := map[int]float64{1: 3. / 1000, 2: 3. / 400, 3: 3. / 200, 4: 3. / 200, 5: 3. / 60, 8: 3. / 24}[m.order]
		a, b := worst(h), worst(h/2)
		slope, want := math.Log2(a/b), float64(min(m.order, m.dense+1))
		t.Logf("%s: errors %.2e, %.2e, slope %.2f, want %g", m.Name, a, b, slope, want)
		if math.Abs(slope-want) > 0.5 {
			t.Errorf("%s: errors of the path %g, %g: slope %.3f, want %g", m.Name, a, b, slope, want)
		}
	}
}

func TestStepper_AllocatesNothingWhenWarm(t *testing.T) {
	for _, m := range methods {
		s, err := ode.NewStepper[float32](m.Method)
		if err != nil {
			t.Fatal(err)
		}
		s.KeepPath = true
		control := ode.Control(ode.PID{RTol: 1e-3, ATol: 1e-3})
		if !m.Adaptive() {
			control = ode.Constant{Step: 0.1}
		}
		z, at := make([]float32, 3000), make([]float32, 3000)
		f := func(dst, z []float32) error {
			for i, v := range z {
				dst[i] = -v * v * v
			}
			return nil
		}
		once := func() {
			for i := range z {
				z[i] = float32(i%7) / 3
			}
			if err := s.Start(control, len(z), 1); err != nil {
				t.Fatal(err)
			}
			for !s.Done() {
				if err := s.Step(f, z); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Slope(f, z); err != nil {
					t.Fatal(err)
				}
				from, to := s.Interval()
				s.Dense(at, z, (from+to)/2)
			}
		}
		if n := testing.AllocsPerRun(3, once); n != 0 {
			t.Errorf("%s: %g allocations", m.Name, n)
		}
	}
}

func TestStart_ReportsBadInput(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	ok := ode.PID{RTol: 1e-3, ATol: 1e-3}
	with := func(f func(*ode.PID)) ode.Control { c := ok; f(&c); return c }
	for _, test := range []struct {
		m    *ode.Method
		c    ode.Control
		span float64
		want string
	}{
		{ode.Heun, ok, 1, ""},
		{ode.Euler, ode.Constant{Step: 0.1}, -1, ""},
		{ode.Heun, nil, 1, "Control is missing"},
		{ode.Heun, ok, 0, "span 0"},
		{ode.Heun, ok, nan, "span NaN"},
		{ode.Heun, ok, -inf, "span -Inf"},
		{ode.Heun, ode.Constant{}, 1, "Step 0"},
		{ode.Heun, ode.Constant{Step: -1}, 1, "Step -1"},
		{ode.Heun, ode.Constant{Step: inf}, 1, "Step +Inf"},
		{ode.Heun, ode.Constant{Step: nan}, 1, "Step NaN"},
		{ode.Heun, ode.PID{}, 1, "RTol 0"},
		{ode.Heun, ode.PID{RTol: -1, ATol: 1}, 1, "RTol -1"},
		{ode.Heun, ode.PID{RTol: 1e-3}, 1, "ATol 0"},
		{ode.Heun, ode.PID{RTol: 1e-3, ATol: nan}, 1, "ATol NaN"},
		{ode.Heun, with(func(c *ode.PID) { c.Step = -1 }), 1, "Step -1"},
		{ode.Heun, with(func(c *ode.PID) { c.Step = inf }), 1, "Step +Inf"},
		{ode.Heun, with(func(c *ode.PID) { c.P = -1 }), 1, "P -1"},
		{ode.Heun, with(func(c *ode.PID) { c.D = nan }), 1, "D NaN"},
		{ode.Heun, with(func(c *ode.PID) { c.I = inf }), 1, "I +Inf"},
		{ode.Heun, with(func(c *ode.PID) { c.Safety = 1 }), 1, "Safety 1"},
		{ode.Heun, with(func(c *ode.PID) { c.Safety = -1 }), 1, "Safety -1"},
		{ode.Heun, with(func(c *ode.PID) { c.MinFactor = 0.95 }), 1, "MinFactor 0.95"},
		{ode.Heun, with(func(c *ode.PID) { c.MaxFactor = 1 }), 1, "MaxFactor 1"},
		{ode.Euler, ok, 1, "Euler gives no error estimate: use Constant"},
		{ode.RK4, ok, 1, "RK4 gives no error estimate"},
		{ode.Euler, script{first: 1}, 1, "script measures errors and Euler gives no estimate"},
	} {
		s, err := ode.NewStepper[float64](test.m)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Start(test.c, 1, test.span)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%#v to %g: error %v, want %q", test.c, test.span, err, test.want)
		}
	}
}

func TestStepper_RefusesAControlThatRejectsForever(t *testing.T) {
	var c stubborn
	err := ode.Integrate(decay, []float64{1}, 1, ode.Heun, c, nil)
	if err == nil || !strings.Contains(err.Error(), "want a factor below 1") {
		t.Errorf("error %v", err)
	}
}

type stubborn struct{ ode.Constant }

func (stubborn) FirstStep() float64                                    { return 1 }
func (stubborn) Validate(*ode.Method) error                            { return nil }
func (stubborn) Judge(_, _, _ float64, _ int) (accept bool, f float64) { return false, 1 }

func TestStepper_WrongCallsPanic(t *testing.T) {
	started := func(keep bool) *ode.Stepper[float64] {
		s, err := ode.NewStepper[float64](ode.Heun)
		if err != nil {
			t.Fatal(err)
		}
		s.KeepPath = keep
		if err := s.Start(ode.Constant{Step: 0.1}, 2, 1); err != nil {
			t.Fatal(err)
		}
		return s
	}
	z := []float64{1, 1}
	for want, call := range map[string]func(){
		"ode: Stepper used before Start":                                                  func() { new(ode.Stepper[float64]).Slope(decay, z) },
		"ode: state has another length than at Start":                                     func() { started(false).Step(decay, z[:1]) },
		"ode: Dense needs Stepper.KeepPath before Start":                                  func() { started(false).Dense(z, z, 0) },
		"ode: Dense into a slice of another length than the state":                        func() { started(true).Dense(z[:1], z, 0) },
		"ode: Dense asked outside the last step, or before the slope at its end is known": func() { started(true).Dense(z, z, 0) },
	} {
		func() {
			defer func() {
				if p := recover(); p != want {
					t.Errorf("panic %v, want %q", p, want)
				}
			}()
			call()
		}()
	}
}
