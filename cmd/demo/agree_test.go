package main

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/layers"
)

// benchOf is a bench of moons for an activation, in float64.
func benchOf(t *testing.T, act layers.Act) *study.Comparison[float64] {
	t.Helper()
	f := cli.NetFlags{Arch: "mlp", Widths: []int{2, 16, 16, 2}, Act: cli.ActFlag{Act: act}, Gamma: 1, Precision: 1}
	if err := f.Scaling.UnmarshalText([]byte("sp")); err != nil {
		t.Fatal(err)
	}
	df := cli.DataFlags{Data: "moons"}
	set, _, err := df.Load(&cli.Console{Context: t.Context()}, 1, f.Widths)
	if err != nil {
		t.Fatal(err)
	}
	net, err := f.Network(set)
	if err != nil {
		t.Fatal(err)
	}
	w, err := cli.NewWeights[float64](net, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := study.NewComparison(net, f, w, set, 32)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEquilibrium_IsThatOfTheLinearTheory: energy and end of inference against the closed form, at every precision of the scan.
func TestEquilibrium_IsThatOfTheLinearTheory(t *testing.T) {
	for _, precision := range study.Precisions {
		b := benchOf(t, layers.LinearAct)
		b.Flags.Precision = precision
		a, err := b.Equilibrium(t.Context(), precision)
		if err != nil {
			t.Fatal(err)
		}
		twin, y, ok, err := study.LinearTwin(b.BP, b.X, b.Y, b.Flags)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		eq, err := twin.Equilibrium(study.DenseOf(b.X, b.Batch), y)
		if err != nil {
			t.Fatal(err)
		}
		last, ok := a.Last()
		if !ok || a.Rest != study.RestGradient || math.Abs(last.Energy/eq.Energy-1) > 1e-10 {
			t.Errorf("precision %g: energy %.15g (%s), theory %.15g", precision, last.Energy, a.Rest, eq.Energy)
		}
	}
}

// TestEquilibrium_OnKinks: a relu network's energy at rest is that of a long plain descent on the activities, within its own
// accuracy, and every row of the scan says that inference came to rest.
func TestEquilibrium_OnKinks(t *testing.T) {
	b := benchOf(t, layers.ReLU)
	for _, precision := range study.Precisions {
		a, err := b.Equilibrium(t.Context(), precision)
		if err != nil {
			t.Fatal(err)
		}
		m, err := arch.Compile(b.Net, b.Weights, arch.Plan{Batch: b.Batch, Energy: b.Flags.Energy(precision)})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Clamp(b.X, b.Y); err != nil {
			t.Fatal(err)
		}
		if err := m.Forward(); err != nil {
			t.Fatal(err)
		}
		var energy float64
		g := make([]float64, len(m.State()))
		for k := range 3000 {
			if energy, err = m.StateGrad(g, m.State()); err != nil {
				t.Fatal(err)
			}
			kernel.Axpby(m.State(), 1, m.State(), -.1*math.Pow(.998, float64(k)), g)
		}
		last, ok := a.Last()
		if !ok || a.Rest != study.RestGradient && a.Rest != study.RestEnergy || math.Abs(last.Energy/energy-1) > 1e-3*precision {
			t.Errorf("precision %g: energy %.12g after %d steps (%q), plain descent has %.12g", precision, last.Energy, last.Step, a.Rest, energy)
		}
	}
}

// TestEquilibrium_TellsEveryStep: what a progress bar needs, and an end when the context is done.
func TestEquilibrium_TellsEveryStep(t *testing.T) {
	b := benchOf(t, layers.Tanh)
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	b.OnStep = func(int) { told++ }
	a, err := b.Equilibrium(ctx, 1)
	if last, ok := a.Last(); err != nil || !ok || told < last.Step {
		t.Errorf("told of %d steps of %d, error %v", told, last.Step, err)
	}
	cancel()
	if a, err := b.Equilibrium(ctx, 1); err != nil || len(a.Rows) != 0 {
		t.Errorf("cancelled: %d rows, error %v", len(a.Rows), err)
	}
}

// TestTables_ExplainThemselves: every column of the comparison has its legend beside it.
func TestTables_ExplainThemselves(t *testing.T) {
	b := benchOf(t, layers.Tanh)
	a, err := b.Equilibrium(t.Context(), .1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		note string
		want []string
	}{
		{study.AlongTable(a, "here").Note, []string{"cosine", "|PC - BP| / |BP|", "block1 is the lowest layer", "feedforward"}},
		{study.PrecisionTable([]study.PrecisionPoint{{Precision: .1, Agreement: a}}, "here").Note, []string{"|PC / precision - BP| / |BP|", "block1 is the lowest layer", "L-BFGS", study.RestGradient, study.RestEnergy}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.note, want) {
				t.Errorf("%q is not in %q", want, c.note)
			}
		}
	}
}
