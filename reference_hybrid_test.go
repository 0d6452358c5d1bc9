package pcgraph_test

import (
	"github.com/pcgraph/pcgraph/internal/reference"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train/rules"
)

// checkHybrid: the amortiser's guesses, which the rule's inference begins at, and its energy and gradient at given activities
// of the generator. An inference that moves to those activities and no further makes the rule see them.
func checkHybrid(t *testing.T, c *refCase) {
	chain := func(s refNet) arch.Chain {
		act, err := layers.ParseAct(s.Act)
		if err != nil {
			t.Fatal(err)
		}
		if s.Scaling != "sp" || s.Skip || s.Gamma != nil || s.OutputPrecision != nil || s.Loss != "mse" {
			t.Fatalf("a network of a kind that hybrid cases do not have: %+v", s)
		}
		return arch.Chain{Act: act, Widths: s.Sizes, Bias: s.Bias}
	}
	g, a := chain(c.Generator), chain(c.Amortiser)
	mirror := slices.Clone(g.Widths)
	slices.Reverse(mirror)
	if !slices.Equal(mirror, a.Widths) {
		t.Fatalf("the amortiser's widths %v are not the generator's %v backwards", a.Widths, g.Widths)
	}
	gen, err := g.Network()
	if err != nil {
		t.Fatal(err)
	}
	amo, err := arch.Amortiser(g)
	if err != nil {
		t.Fatal(err)
	}
	w, parts, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "generator", Network: gen}, arch.Member{Name: "amortiser", Network: amo})
	if err != nil {
		t.Fatal(err)
	}
	depth := len(g.Widths) - 1
	name := func(prefix, field string) (array string, matrix bool) { // "amortiser/block2/b" is "Ab1" of three, "amortiser/x/W" "A3"
		path := strings.Split(field, "/")
		l, _ := strconv.Atoi(strings.TrimPrefix(path[1], "block")) // 0 for x
		kind := "W"
		if path[0] == "amortiser" {
			kind, l = "A", depth-l
		}
		if path[2] == "b" {
			return prefix + kind + "b" + strconv.Itoa(l), false
		}
		return prefix + kind + strconv.Itoa(l), true
	}
	value := func(prefix, field string) []float64 {
		array, matrix := name(prefix, field)
		if matrix {
			return c.transposed(t, array)
		}
		return c.array(t, array)
	}
	for i, f := range w.Fields() {
		copy(w.Part(w.Data(), i), value("", f.Name))
	}
	gm, err := arch.Compile(gen, parts[0], arch.Plan{Batch: c.Batch})
	if err != nil {
		t.Fatal(err)
	}
	square := energy.Gaussian{Precision: 2} // no factor of 1/2 there
	am, err := arch.Compile(amo, parts[1], arch.Plan{Batch: c.Batch, Coordinates: arch.Feedforward, Energy: energy.PC{Hidden: square, Output: square}})
	if err != nil {
		t.Fatal(err)
	}
	var z []float64
	for l := 1; l < depth; l++ {
		z = append(z, c.array(t, "z"+strconv.Itoa(l))...)
	}
	solver := &arrives{to: z}
	rule := &rules.Hybrid[float64]{Generator: gm, Amortiser: am, Solver: solver, Stop: infer.Steps(1)}
	if err := rule.Validate(); err != nil {
		t.Fatal(err)
	}
	grad := make([]float64, len(w.Data()))
	if _, err := rule.Gradient(grad, c.array(t, "observation"), c.array(t, "cause"), c.Batch); err != nil {
		t.Fatal(err)
	}
	var guess []float64
	for l := 1; l < depth; l++ {
		guess = append(guess, c.array(t, "guess"+strconv.Itoa(l))...)
	}
	reference.Near(t, "guesses", solver.from, guess, referenceTol)
	cause, err := rule.Subject().Predict(c.array(t, "observation"))
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "guess of the cause", cause, c.array(t, "guess0"), referenceTol)
	terms := make([]float64, len(rule.Subject().Terms))
	rule.Subject().TermEnergies(terms)
	e := 0.
	for i, term := range rule.Subject().Terms {
		if strings.HasPrefix(term, "amortiser/") {
			e += terms[i]
		}
	}
	reference.Near(t, "amortiser's energy", []float64{e}, []float64{*c.AmortiserEnergy}, referenceTol)
	for i, f := range w.Fields() {
		if strings.HasPrefix(f.Name, "amortiser/") {
			reference.Near(t, "gradient of "+f.Name, w.Part(grad, i), value("d", f.Name), referenceTol)
		}
	}
}

// arrives is a solver that goes to a point in its first move.
type arrives struct{ from, to []float64 }

func (a *arrives) Eval(p infer.Problem[float64], z []float64) (infer.Evaluation[float64], error) {
	return infer.Evaluate(p, make([]float64, len(z)), z)
}

func (a *arrives) Move(_ infer.Problem[float64], z []float64) (infer.Motion, error) {
	a.from = append(a.from, z...)
	copy(z, a.to)
	return infer.Motion{}, nil
}

func (a *arrives) Reset() {}
