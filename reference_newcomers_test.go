package pcgraph_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// postChain is the chain of the papers' cases, h_l = act(W_l h_{l-1} + b_l) with a linear last block, and its weights.
func postChain[O any](t *testing.T, c *paperCase[O], act layers.Act, sizes []int) (*arch.Network, *graph.Vector[float64]) {
	t.Helper()
	n := &arch.Network{Input: sizes[:1]}
	for l := 1; l < len(sizes); l++ {
		layer := layers.Linear{In: sizes[l-1], Out: sizes[l], Post: act, Bias: true}
		if l == len(sizes)-1 {
			layer.Post = layers.LinearAct
		}
		n.Blocks = append(n.Blocks, arch.Block{Name: fmt.Sprintf("block%d", l), Layer: layer})
	}
	var fields []graph.Field
	for _, w := range n.Weights() {
		fields = append(fields, graph.Field{Name: w.Name, Shape: w.Param.Shape})
	}
	w := graph.NewVector[float64](fields...)
	for i, f := range fields {
		copy(w.Part(w.Data(), i), c.weight(t, "", f.Name))
	}
	return n, w
}

// weight is the array of weight "block3/W" as [in, out], or that of "block3/b", with a prefix of its kind: "run0_dW3".
func (c *paperCase[O]) weight(t *testing.T, prefix, name string) []float64 {
	t.Helper()
	l := strings.TrimPrefix(name, "block")
	if l, is := strings.CutSuffix(l, "/b"); is {
		return c.array(t, prefix+"b"+l)
	}
	return c.transposed(t, prefix+"W"+strings.TrimSuffix(l, "/W"))
}

// gradientNear compares a gradient with respect to all weights.
func (c *paperCase[O]) gradientNear(t *testing.T, what string, w *graph.Vector[float64], grad []float64, prefix string) {
	t.Helper()
	for i, f := range w.Fields() {
		reference.Near(t, what+" of "+f.Name, w.Part(grad, i), c.weight(t, prefix, f.Name), referenceTol)
	}
}

// likelihoodOf is that of an output with a cost by name.
func likelihoodOf(t *testing.T, cost string) energy.Likelihood {
	t.Helper()
	switch cost {
	case "mse":
		return energy.Gaussian{}
	case "ce":
		return energy.Categorical{}
	}
	t.Fatalf("unknown cost %q", cost)
	return nil
}

// gradientOf is that of a rule that must have nothing to complain of.
func gradientOf(t *testing.T, r train.Rule[float64], x, y []float64, batch int) ([]float64, train.Report) {
	t.Helper()
	if v, has := r.(interface{ Validate() error }); has {
		if err := v.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	g := make([]float64, len(r.Subject().Weights.Data()))
	report, err := r.Gradient(g, x, y, batch)
	if err != nil {
		t.Fatal(err)
	}
	return g, report
}

// distance is |a - b|, and relative the same over |b|.
func distance(a, b []float64) (absolute, relative float64) {
	var d, n float64
	for i := range a {
		d, n = d+(a[i]-b[i])*(a[i]-b[i]), n+b[i]*b[i]
	}
	return math.Sqrt(d), math.Sqrt(d / n)
}

// redBlackOptions are those of kind redblack.
type redBlackOptions struct {
	Case  string
	Sizes []int
	Cost  string
	Beta  float64
	Runs  []struct {
		Iterations        int
		Scheme, Traversal string
	}
}

// TestReference_RedBlack compares red-black projected nudging with an independent program's states, energies and gradients.
func TestReference_RedBlack(t *testing.T) {
	checkPapers(t, "redblack", func(o redBlackOptions) string { return o.Case }, map[string]func(*testing.T, *paperCase[redBlackOptions]){"run": checkRedBlack})
}

func checkRedBlack(t *testing.T, c *paperCase[redBlackOptions]) {
	o := c.Options
	n, w := postChain(t, c, layers.ReLU, o.Sizes)
	x, y := c.array(t, "x"), c.array(t, "y")
	batch, depth := len(x)/o.Sizes[0], len(o.Sizes)-1
	m, err := arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward, Energy: energy.PC{Output: likelihoodOf(t, o.Cost)}})
	if err != nil {
		t.Fatal(err)
	}
	free, loss := gradientOf(t, &train.Backprop[float64]{Model: m}, x, y, batch)
	c.gradientNear(t, "free gradient", w, free, "free_d")
	reference.Near(t, "cost", []float64{loss.Loss}, c.value(t, "cost"), referenceTol)
	rule := func(iterations int, scheme, traversal string) *rules.RedBlack[float64] {
		r := &rules.RedBlack[float64]{Model: m, Beta: o.Beta, Iterations: iterations}
		switch scheme {
		case "modpgd":
		case "pgd":
			r.Projection = rules.ProjectOutput
		default:
			t.Fatalf("unknown scheme %q", scheme)
		}
		switch traversal {
		case "redblack":
		case "synchronous":
			r.Order = rules.AllAtOnce
		default:
			t.Fatalf("unknown traversal %q", traversal)
		}
		return r
	}
	states := func(what, prefix string, v *graph.Vector[float64]) {
		t.Helper()
		for k := range depth {
			reference.Near(t, what, v.Part(v.Data(), k), c.array(t, fmt.Sprintf("%sh%d", prefix, k+1)), referenceTol)
		}
	}
	for i, run := range o.Runs {
		prefix := fmt.Sprintf("run%d_", i)
		var energies []float64
		for k := 1; k <= run.Iterations; k++ {
			_, report := gradientOf(t, rule(k, run.Scheme, run.Traversal), x, y, batch)
			energies = append(energies, report.Energy)
			reference.Near(t, "loss", []float64{report.Loss}, []float64{loss.Loss}, 1e-12)
		}
		reference.Near(t, prefix+"energies", energies, c.array(t, prefix+"energies"), referenceTol)
		r := rule(run.Iterations, run.Scheme, run.Traversal)
		g, _ := gradientOf(t, r, x, y, batch)
		states(prefix+"states", prefix, r.Activities())
		c.gradientNear(t, prefix+"gradient", w, g, prefix+"d")
		r.Sign = rules.Negative
		gradientOf(t, r, x, y, batch)
		states(prefix+"states away from the target", prefix+"minus_", r.Activities())
		r.Sign = rules.Centred
		g, _ = gradientOf(t, r, x, y, batch)
		c.gradientNear(t, prefix+"centred gradient", w, g, prefix+"centred_d")
	}
	ladder := int(c.value(t, "ladder_iterations")[0])
	var oneSided, centred []float64
	for _, beta := range c.array(t, "betas") {
		r := rule(ladder, "modpgd", "redblack")
		r.Beta = beta
		g, _ := gradientOf(t, r, x, y, batch)
		d, _ := distance(g, free)
		oneSided = append(oneSided, d)
		r.Sign = rules.Centred
		g, _ = gradientOf(t, r, x, y, batch)
		d, _ = distance(g, free)
		centred = append(centred, d)
	}
	eachNear(t, "errors", oneSided, c.array(t, "error_one_sided"), 1e-6)
	eachNear(t, "errors, centred", centred, c.array(t, "error_centred"), 1e-6)
	settled, _ := gradientOf(t, rule(ladder, "modpgd", "redblack"), x, y, batch)
	for _, traversal := range []string{"redblack", "synchronous"} {
		var ds []float64
		for k := 1; k <= depth+2; k++ {
			g, _ := gradientOf(t, rule(k, "modpgd", traversal), x, y, batch)
			_, d := distance(g, settled)
			ds = append(ds, d)
		}
		eachNear(t, traversal+": errors by iteration", ds, c.array(t, "iteration_errors_"+traversal), 1e-6)
	}
	states("free states", "free_", freeStates(t, rule(1, "modpgd", "redblack"), x, y, batch))
}

// freeStates are those of the feedforward pass: of a nudge too small to be seen.
func freeStates(t *testing.T, r *rules.RedBlack[float64], x, y []float64, batch int) *graph.Vector[float64] {
	t.Helper()
	r.Beta = 1e-300
	gradientOf(t, r, x, y, batch)
	return r.Activities()
}

// eachNear compares each number relative to itself.
func eachNear(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*math.Abs(want[i])) {
			t.Errorf("%s[%d] = %.15g, want %.15g", what, i, got[i], want[i])
		}
	}
}

// scheduleOptions are those of kinds forwardupdate and schedules.
type scheduleOptions struct {
	Case     string
	Sizes    []int
	Act      string
	Steps    int
	Rate     float64
	Schedule string
	T, N     int
	Alpha    float64
}

// scheduleOf is a schedule by name.
func scheduleOf(t *testing.T, name string, alpha float64) rules.Schedule {
	t.Helper()
	switch name {
	case "pc":
		return rules.Constant{}
	case "spiking":
		return rules.Spiking{Rest: alpha}
	case "decaying":
		return rules.Decaying{}
	}
	t.Fatalf("unknown schedule %q", name)
	return nil
}

// TestReference_Schedules compares the weights of energies over the steps of inference.
func TestReference_Schedules(t *testing.T) {
	checkPapers(t, "schedules", func(o scheduleOptions) string { return o.Case }, map[string]func(*testing.T, *paperCase[scheduleOptions]){"weights": func(t *testing.T, c *paperCase[scheduleOptions]) {
		o := c.Options
		active := make([]float64, o.T*o.N)
		for i := range active {
			if rules.Reached(i/o.N, o.N-1-i%o.N) {
				active[i] = 1
			}
		}
		reference.Near(t, "active", active, c.array(t, "active"), 0)
		for _, name := range []string{"pc", "spiking", "decaying"} {
			w, effective := make([]float64, len(active)), make([]float64, len(active))
			for i := range w {
				w[i] = scheduleOf(t, name, o.Alpha).Weight(i/o.N, o.T, o.N-1-i%o.N)
				effective[i] = w[i] * active[i]
			}
			eachNear(t, name, w, c.array(t, name), referenceTol)
			eachNear(t, "effective "+name, effective, c.array(t, "effective_"+name), referenceTol)
		}
	}})
}

// TestReference_ForwardUpdate compares inference on scheduled energies, and both updates.
func TestReference_ForwardUpdate(t *testing.T) {
	checkPapers(t, "forwardupdate", func(o scheduleOptions) string { return o.Schedule }, map[string]func(*testing.T, *paperCase[scheduleOptions]){
		"pc": checkForwardUpdate, "spiking": checkForwardUpdate, "decaying": checkForwardUpdate})
}

func checkForwardUpdate(t *testing.T, c *paperCase[scheduleOptions]) {
	o := c.Options
	act, err := layers.ParseAct(o.Act)
	if err != nil {
		t.Fatal(err)
	}
	n, w := postChain(t, c, act, o.Sizes)
	x, y := c.array(t, "x"), c.array(t, "y")
	batch, depth := len(x)/o.Sizes[0], len(o.Sizes)-1
	var models [2]*arch.Model[float64]
	for i, coordinates := range []arch.Coordinates{arch.Activities, arch.Feedforward} {
		if models[i], err = arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: coordinates}); err != nil {
			t.Fatal(err)
		}
	}
	m := models[0]
	r := &rules.Scheduled[float64]{Schedule: scheduleOf(t, o.Schedule, o.Alpha), PC: train.PC[float64]{Model: m,
		Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: o.Rate}}, Stop: infer.Steps(o.Steps)}}
	activities := func(prefix string) {
		t.Helper()
		for l := 1; l < depth; l++ {
			reference.Near(t, prefix, m.StateVector().Part(m.State(), l-1), c.array(t, fmt.Sprintf("%s%d", prefix, l)), referenceTol)
		}
	}
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	if err := m.Forward(); err != nil {
		t.Fatal(err)
	}
	activities("h0_")
	out, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "output", out, c.array(t, fmt.Sprintf("h0_%d", depth)), referenceTol)
	var energies []float64
	look := func() {
		terms := make([]float64, depth)
		if _, err := m.Energy(); err != nil {
			t.Fatal(err)
		}
		m.TermEnergies(terms)
		energies = append(energies, terms...)
	}
	if _, err := r.Infer(x, y, batch, func(now infer.Reading) {
		if now.Step > 0 {
			look()
		}
	}); err != nil {
		t.Fatal(err)
	}
	look()
	reference.Near(t, "energies", energies, c.array(t, "layer_energies"), referenceTol)
	activities("hT_")
	g, _ := gradientOf(t, r, x, y, batch)
	activities("hT_")
	c.gradientNear(t, "usual update", w, g, "pc_d")
	r.Update = rules.ForwardUpdate
	g, _ = gradientOf(t, r, x, y, batch)
	c.gradientNear(t, "forward update", w, g, "fu_d")
	g, _ = gradientOf(t, &train.Backprop[float64]{Model: models[1]}, x, y, batch)
	c.gradientNear(t, "backprop", w, g, "bp_d")
}

// metaOptions are those of kind metapcn.
type metaOptions struct {
	Case    string
	Sizes   []int
	Act     string
	Loss    string
	Eta     float64
	Budgets []int
}

// TestReference_MetaPCN compares its normalisation of weights, and its inference: that of fixed predictions.
func TestReference_MetaPCN(t *testing.T) {
	checkPapers(t, "metapcn", func(o metaOptions) string { return o.Case }, map[string]func(*testing.T, *paperCase[metaOptions]){"norm": checkMetaNorm, "inference": checkMetaInference})
}

func checkMetaNorm(t *testing.T, c *paperCase[metaOptions]) {
	for i := 0; c.has(fmt.Sprintf("W%d", i)); i++ {
		name := fmt.Sprintf("W%d", i)
		shape := c.Arrays[name].Shape // [out, in] or [out, in, height, width]; where a number lies does not matter to its deviation
		var layer layers.Layer = layers.Linear{In: shape[1], Out: shape[0]}
		input := shape[1:2]
		if len(shape) == 4 {
			layer = layers.Conv2D{In: shape[1], Out: shape[0], Kernel: [2]int{shape[2], shape[3]}}
			input = []int{shape[2], shape[3], shape[1]}
		}
		n := &arch.Network{Input: input, Blocks: []arch.Block{{Name: "block1", Layer: layer}}}
		w := graph.NewVector[float64](graph.Field{Name: "block1/W", Shape: n.Weights()[0].Param.Shape})
		for kind, sample := range map[string]bool{"normalised": false, "unbiased": true} {
			copy(w.Data(), c.array(t, name))
			o := &optim.Standardize[float64]{Opt: &optim.SGD[float64]{Rate: 1}, Parts: train.MetaPCNDeviations(n, w), Sample: sample}
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				o.Step(w.Data(), make([]float64, len(w.Data())))
				reference.Near(t, kind+" "+name, w.Data(), c.array(t, fmt.Sprintf("%s%d", kind, i)), referenceTol)
			}
		}
	}
}

func checkMetaInference(t *testing.T, c *paperCase[metaOptions]) {
	o := c.Options
	act, err := layers.ParseAct(o.Act)
	if err != nil {
		t.Fatal(err)
	}
	n, w := postChain(t, c, act, o.Sizes)
	x, y := c.array(t, "x"), c.array(t, "y")
	batch, depth := len(x)/o.Sizes[0], len(o.Sizes)-1
	plan := arch.Plan{Batch: batch, Energy: energy.PC{Output: likelihoodOf(t, o.Loss)}}
	m, err := arch.Compile(n, w, plan)
	if err != nil {
		t.Fatal(err)
	}
	plan.Coordinates = arch.Feedforward
	bp, err := arch.Compile(n, w, plan)
	if err != nil {
		t.Fatal(err)
	}
	for i, steps := range o.Budgets {
		prefix := fmt.Sprintf("run%d_", i)
		r := &rules.FixedPrediction[float64]{PC: train.PC[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: o.Eta}}, Stop: infer.Steps(steps)}}
		g, _ := gradientOf(t, r, x, y, batch)
		for l := 1; l < depth; l++ {
			reference.Near(t, prefix+"errors", r.Errors(fmt.Sprintf("block%d", l)), c.array(t, fmt.Sprintf("%sd%d", prefix, l)), referenceTol)
		}
		c.gradientNear(t, prefix+"gradient", w, g, prefix+"d")
	}
	g, _ := gradientOf(t, &train.Backprop[float64]{Model: bp}, x, y, batch)
	c.gradientNear(t, "backprop", w, g, "bp_d")
}
