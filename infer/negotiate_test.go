package infer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/infertest"
)

// cooled is a solver as a user writes it: steps of gradient descent, at half the rate after the first Hot ones.
type cooled struct {
	Rate float64
	Hot  int

	grad  []float64
	moves int
}

func (c *cooled) Reset() { c.moves = 0 }

func (c *cooled) Eval(p infer.Problem[float64], z []float64) (infer.Evaluation[float64], error) {
	if len(c.grad) != len(z) {
		c.grad = make([]float64, len(z))
	}
	return infer.Evaluate(p, c.grad, z)
}

func (c *cooled) rate(move int) float64 {
	if move < c.Hot {
		return c.Rate
	}
	return c.Rate / 2
}

func (c *cooled) Move(_ infer.Problem[float64], z []float64) (infer.Motion, error) {
	for i, g := range c.grad {
		z[i] -= c.rate(c.moves) * g
	}
	c.moves++
	return infer.Motion{}, nil
}

func (c *cooled) Uses(has infer.Available) (infer.Available, error) {
	return infer.Available{FusedSteps: has.FusedSteps}, nil
}

func (c *cooled) MoveFused(p infer.Problem[float64], z []float64, n int) (e infer.Evaluation[float64], ok bool, err error) {
	if p.FusedSteps == nil {
		return e, false, nil
	}
	e = infer.Evaluation[float64]{Grad: c.grad, Evals: n - 1}
	for _, part := range [][2]int{{0, min(n, c.Hot)}, {c.Hot, n}} {
		if part[1] <= part[0] {
			continue
		}
		if e.Energy, ok, err = p.FusedSteps(c.grad, z, c.rate(part[0]), part[1]-part[0]); !ok || err != nil {
			return e, ok, err
		}
	}
	e.Residual = infer.RMS(c.grad)
	c.moves = n
	return e, true, nil
}

var (
	_ infer.Solver[float64] = (*cooled)(nil)
	_ infer.Negotiator      = (*cooled)(nil)
	_ infer.Fuser[float64]  = (*cooled)(nil)
)

func TestOwnSolver_Conforms(t *testing.T) {
	infertest.Run(t, func() infer.Solver[float64] { return &cooled{Rate: .5, Hot: 20} })
}

// fusing is a quadratic whose steps can be fused; calls counts how often they were.
func fusing(calls *int) infer.Problem[float64] {
	p := infertest.NewQuadratic[float64](9, 1).Problem()
	p.FusedSteps = func(grad, z []float64, rate float64, n int) (energy float64, ok bool, err error) {
		*calls++
		for range n {
			if energy, err = p.Energy(grad, z); err != nil {
				return 0, false, err
			}
			for i := range z {
				z[i] -= rate * grad[i]
			}
		}
		return energy, true, nil
	}
	return p
}

// A solver of another package fuses its steps, with the result of single ones to the bit, and is not asked to where somebody looks
// at each.
func TestRun_FusesTheMovesOfAnOwnSolver(t *testing.T) {
	calls := 0
	p := fusing(&calls)
	single := p
	single.FusedSteps = nil
	for _, n := range []int{0, 1, 3, 4, 11} {
		calls = 0
		z, want := make([]float64, 9), make([]float64, 9)
		got, err := infer.Run[float64](&cooled{Rate: .5, Hot: 3}, p, z, infer.Steps(n), nil)
		one, _ := infer.Run[float64](&cooled{Rate: .5, Hot: 3}, single, want, infer.Steps(n), nil)
		got.Elapsed, one.Elapsed = 0, 0
		parts := min(n, 1)
		if n > 3 {
			parts = 2
		}
		if err != nil || got != one || !slices.Equal(z, want) || calls != parts {
			t.Errorf("%d steps: %+v with %d calls, error %v: want %+v with %d", n, got, calls, err, one, parts)
		}
	}
	calls = 0
	z := make([]float64, 9)
	if _, err := infer.Run[float64](&cooled{Rate: .5}, p, z, infer.Steps(5), func(infer.Reading) {}); err != nil || calls != 0 {
		t.Errorf("observed: %d fused calls, error %v: want none", calls, err)
	}
}

// looks is a solver that notes what the problem it is given has.
type looks struct {
	cooled
	uses infer.Available
	seen infer.Available
}

func (l *looks) Uses(infer.Available) (infer.Available, error) { return l.uses, nil }

func (l *looks) MoveFused(p infer.Problem[float64], _ []float64, _ int) (e infer.Evaluation[float64], ok bool, err error) {
	l.seen = p.Available()
	return e, false, nil
}

// A solver is given what it said that it uses, and nothing else; to use what is not there is a mistake of the solver.
func TestRun_GivesASolverWhatItUses(t *testing.T) {
	calls := 0
	p := fusing(&calls)
	p.Newton = func(step, grad, z []float64) (int, error) { copy(step, grad); return 1, nil }
	for _, uses := range []infer.Available{{}, {FusedSteps: true}, {Newton: true}, {FusedSteps: true, Newton: true}} {
		l := &looks{uses: uses}
		if _, err := infer.Run[float64](l, p, make([]float64, 9), infer.Steps(2), nil); err != nil || l.seen != uses {
			t.Errorf("%+v: sees %+v, error %v", uses, l.seen, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a solver that uses what the problem does not have: want a panic")
		}
	}()
	p.Newton = nil
	_, _ = infer.Run[float64](&looks{uses: infer.Available{Newton: true}}, p, make([]float64, 9), infer.Steps(2), nil)
}

// Without a curvature Newton ends before anything moves, by an error that can be asked for and says the reason.
func TestNewton_ReportsErrNoCurvature(t *testing.T) {
	p := bowl(1)
	p.NoNewton = errors.New("a bowl is not for this")
	z := []float64{3}
	res, err := infer.Run[float64](&infer.Newton[float64]{}, p, z, nil, nil)
	if !errors.Is(err, infer.ErrNoCurvature) || !strings.Contains(err.Error(), "not for this") || res.Evals != 0 || z[0] != 3 {
		t.Errorf("%v, error %v at %v", res, err, z)
	}
	if _, err := (&infer.Newton[float64]{}).Move(bowl(1), z); !errors.Is(err, infer.ErrNoCurvature) {
		t.Errorf("Move: error %v", err)
	}
}
