package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
)

// A solver is a row of the table of solvers that -solver chooses from.
type solver struct {
	name   string
	method *ode.Method // nil: gradient descent
	flags  []string    // that it reads
}

// solvers is the one table of solvers.
var solvers = []solver{
	{"heun", ode.Heun, []string{"time", "tol"}},
	{"bosh3", ode.Bosh3, []string{"time", "tol"}},
	{"tsit5", ode.Tsit5, []string{"time", "tol"}},
	{"euler", ode.Euler, []string{"time", "rate"}},
	{"sgd", nil, []string{"steps", "rate"}},
}

// SolverFlags describe inference, by integration of the flow or by descent; what is zero is what suits the task.
type SolverFlags struct {
	Solver string  `placeholder:"NAME" help:"Inference: ${solvers}: the first three integrate with adaptive steps, euler with steps of -rate, sgd descends (default: what suits the task)." json:"solver"`
	Time   float64 `placeholder:"T" help:"Time to integrate to, per sample: JPC's max_t1 divided by the batch." json:"time,omitempty"`
	Steps  int     `placeholder:"N" help:"Inference steps of sgd." json:"steps,omitempty"`
	Rate   float64 `placeholder:"R" help:"Rate of sgd's steps, and length of euler's, per sample." json:"rate,omitempty"`
	Tol    float64 `placeholder:"E" help:"Relative and absolute tolerance of adaptive steps (default: 0.001)." json:"tol,omitempty"`
}

// row is the solver's row of the table.
func (f SolverFlags) row() solver {
	return solvers[max(0, slices.IndexFunc(solvers, func(s solver) bool { return s.name == f.Solver }))]
}

func (f SolverFlags) Check() error {
	if f.Solver != "" {
		if err := knownRow("solver", f.Solver, solvers, func(s solver) string { return s.name }); err != nil {
			return err
		}
	}
	reads := f.Or(SolverFlags{Solver: "sgd"}).row()
	for _, n := range []struct {
		flag string
		v    float64
	}{{"time", f.Time}, {"steps", float64(f.Steps)}, {"rate", f.Rate}, {"tol", f.Tol}} {
		if n.v == 0 {
			continue
		}
		if err := Positive(n.flag, n.v); err != nil {
			return err
		}
		if !slices.Contains(reads.flags, n.flag) {
			return errors.Errorf("-%s means nothing to -solver %s, which has -%s", n.flag, reads.name, strings.Join(reads.flags, " and -"))
		}
	}
	return Count("steps", f.Steps, 0)
}

// Or takes what is missing from what suits the task. A flag that means one kind of solver chooses it.
func (f SolverFlags) Or(d SolverFlags) SolverFlags {
	if f.Solver == "" {
		switch {
		case f.Time != 0 && f.Rate != 0:
			f.Solver = "euler"
		case f.Steps != 0 || f.Rate != 0:
			f.Solver = "sgd"
		case d.Solver == "sgd" && (f.Time != 0 || f.Tol != 0):
			f.Solver = "heun"
		default:
			f.Solver = d.Solver
		}
	}
	or := func(v *float64, task, otherwise float64) {
		if *v == 0 {
			if *v = task; *v == 0 {
				*v = otherwise
			}
		}
	}
	if f.Steps == 0 {
		if f.Steps = d.Steps; f.Steps == 0 {
			f.Steps = 20
		}
	}
	or(&f.Rate, d.Rate, .05)
	or(&f.Time, d.Time, float64(f.Steps)*f.Rate)
	or(&f.Tol, d.Tol, 1e-3)
	return f
}

// New is a new solver, and what ends it.
func (f SolverFlags) New() (infer.Solver[float32], infer.Stop) {
	switch f.Solver {
	case "sgd":
		return Descent[float32](f.Rate), infer.Steps(f.Steps)
	case "euler":
		return &infer.Flow[float32]{Method: ode.Euler, Control: ode.Constant{Step: f.Rate}, Horizon: f.Time}, nil
	}
	return &infer.Flow[float32]{Method: f.row().method, Control: ode.PID{RTol: f.Tol, ATol: f.Tol}, Horizon: f.Time}, nil
}

func (f SolverFlags) String() string {
	switch f.Solver {
	case "sgd":
		return fmt.Sprintf("%d steps of rate %.4g", f.Steps, f.Rate)
	case "euler":
		return fmt.Sprintf("Euler steps of %.4g to time %.4g", f.Rate, f.Time)
	}
	return fmt.Sprintf("%s to time %.4g, tolerance %g", f.row().method.Name, f.Time, f.Tol)
}
