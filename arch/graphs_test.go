package arch_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// A sketch is a network as a user would write it, with what is clamped.
type sketch struct {
	name  string
	n     *arch.Network
	plan  arch.Plan      // Batch is set by the test
	sites map[string]int // units of every site
	loop  bool           // no feedforward pass but for a Start
}

// sketches are graphs of all kinds.
func sketches() []sketch {
	lin := func(in, out int) layers.Linear {
		return layers.Linear{In: in, Out: out, Act: layers.Tanh, Bias: true}
	}
	from := func(names ...string) []string { return names }
	two := []arch.Input{{Name: "left", Shape: []int{3}}, {Name: "right", Shape: []int{3}}}
	masked := map[string]arch.Hold{"x": arch.Masked, "y": arch.Masked}
	both := arch.Bidirectional{Chain: arch.Chain{Act: layers.Tanh, Widths: []int{3, 4, 4, 4, 2}, Bias: true, Skips: true}, Forward: 2, Backward: .5}
	bidirectional, err := both.Network()
	if err != nil {
		panic(err)
	}
	return []sketch{
		{name: "bidirectional", sites: map[string]int{"x": 3, "block1": 4, "block2": 4, "block3": 4, "block4": 2},
			plan: arch.Plan{Energy: both.Energy()}, n: bidirectional},
		{name: "two inputs side by side", sites: map[string]int{"left": 3, "right": 2, "h": 4, "y": 2},
			n: &arch.Network{Inputs: []arch.Input{{Name: "left", Shape: []int{3}}, {Name: "right", Shape: []int{2}}}, Blocks: []arch.Block{
				{Name: "h", Layer: lin(5, 4), From: from("left", "right"), Merge: layers.Concat{}},
				{Name: "y", Layer: lin(4, 2)}}}},
		{name: "an input beside x", sites: map[string]int{"x": 3, "context": 2, "h": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Inputs: []arch.Input{{Name: "context", Shape: []int{2}}}, Blocks: []arch.Block{
				{Name: "h", Layer: lin(3, 4), From: from("x")},
				{Name: "y", Layer: lin(4, 2), Skips: []arch.Skip{{From: "context", Layer: lin(2, 2)}}}}}},
		{name: "attention over three sites", sites: map[string]int{"x": 3, "a": 4, "b": 4, "c": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4)}, {Name: "b", Layer: lin(4, 4)}, {Name: "c", Layer: lin(4, 4)},
				{Name: "y", Layer: lin(4, 2), From: from("a", "b", "c"), Merge: layers.Attend{Width: 4}}}}},
		{name: "two outputs of two kinds", sites: map[string]int{"x": 3, "h": 4, "label": 2, "value": 1},
			plan: arch.Plan{Energy: energy.PC{Blocks: map[string]energy.Likelihood{"label": energy.Categorical{Precision: .5}}}},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "h", Layer: lin(3, 4)},
				{Name: "label", Layer: lin(4, 2), Output: true},
				{Name: "value", Layer: lin(4, 1), From: from("h"), Output: true}}}},
		{name: "an output on the way", sites: map[string]int{"x": 3, "early": 4, "h": 4, "late": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "early", Layer: lin(3, 4), Output: true},
				{Name: "h", Layer: lin(4, 4)},
				{Name: "late", Layer: lin(4, 2), Output: true}}}},
		{name: "diamond", sites: map[string]int{"x": 3, "a": 4, "b": 4, "c": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4)},
				{Name: "b", Layer: lin(4, 4), From: from("a")},
				{Name: "c", Layer: lin(4, 4), From: from("a")},
				{Name: "y", Layer: lin(4, 2), From: from("b", "c"), Merge: layers.Add{}}}}},
		{name: "siamese", sites: map[string]int{"left": 3, "right": 3, "a": 4, "b": 4, "y": 2},
			n: &arch.Network{Inputs: two, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4), From: from("left")},
				{Name: "b", Layer: lin(3, 4), From: from("right"), Shares: "a"},
				{Name: "y", Layer: lin(8, 2), From: from("a", "b"), Merge: layers.Concat{}}}}},
		{name: "one weight at every depth", sites: map[string]int{"x": 4, "a": 4, "b": 4, "c": 4, "y": 4},
			n: &arch.Network{Input: []int{4}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(4, 4), Shares: "c", Skips: []arch.Skip{{Layer: layers.Identity{}}}},
				{Name: "b", Layer: lin(4, 4), Shares: "c"}, {Name: "c", Layer: lin(4, 4)}, {Name: "y", Layer: lin(4, 4), Shares: "c"}}}},
		{name: "long skips", sites: map[string]int{"x": 3, "a": 4, "b": 4, "c": 3, "y": 3},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4)}, {Name: "b", Layer: lin(4, 4)}, {Name: "c", Layer: lin(4, 3), Skips: []arch.Skip{{From: "a", Layer: lin(4, 3)}}},
				{Name: "y", Layer: lin(3, 3), Skips: []arch.Skip{{From: "x", Layer: layers.Identity{}}, {From: "b", Layer: lin(4, 3)}}}}}},
		{name: "listed backwards", sites: map[string]int{"x": 3, "a": 4, "b": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "y", Layer: lin(4, 2), From: from("b"), Output: true},
				{Name: "b", Layer: lin(4, 4), From: from("a")},
				{Name: "a", Layer: lin(3, 4), From: from("x")}}}},
		{name: "loop with a start", loop: true, sites: map[string]int{"x": 3, "a": 4, "b": 5, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(8, 4), From: from("x", "b"), Merge: layers.Concat{}},
				{Name: "b", Layer: lin(4, 5), Start: &arch.Start{Init: arch.Init{Std: .5}, Seed: 3}},
				{Name: "y", Layer: lin(5, 2)}}}},
		{name: "a site that reads itself", loop: true, sites: map[string]int{"x": 3, "a": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: layers.Lateral{Width: 4, Act: layers.Tanh}, From: from("a"), Shape: []int{4}, Start: &arch.Start{}, Skips: []arch.Skip{{From: "x", Layer: lin(3, 4)}}},
				{Name: "y", Layer: lin(4, 2)}}}},
		{name: "lateral", sites: map[string]int{"x": 3, "a": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4)},
				{Name: "beside", Layer: layers.Lateral{Width: 4, Act: layers.Tanh, Bias: true}, From: from("a"), Predicts: "a"},
				{Name: "y", Layer: lin(4, 2)}}}},
		{name: "up and down", sites: map[string]int{"x": 3, "a": 4, "y": 2},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4)},
				{Name: "y", Layer: lin(4, 2)},
				{Name: "back to a", Layer: lin(2, 4), From: from("y"), Predicts: "a"},
				{Name: "back to x", Layer: lin(4, 3), From: from("a"), Predicts: "x"}}}},
		{name: "generative", sites: map[string]int{"cause": 2, "h": 4, "image": 5},
			plan: arch.Plan{FreeInput: true, Energy: energy.Sum{energy.PC{}, energy.ActivityDecay{Rate: .1}}},
			n: &arch.Network{Inputs: []arch.Input{{Name: "cause", Shape: []int{2}}}, Blocks: []arch.Block{
				{Name: "h", Layer: lin(2, 4)}, {Name: "image", Layer: lin(4, 5)}}}},
		{name: "masked ends", sites: map[string]int{"x": 3, "a": 4, "y": 2}, plan: arch.Plan{Hold: masked},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{{Name: "a", Layer: lin(3, 4)}, {Name: "y", Layer: lin(4, 2)}}}},
		{name: "masked labels", sites: map[string]int{"x": 3, "a": 4, "y": 2},
			plan: arch.Plan{Hold: map[string]arch.Hold{"y": arch.Masked}, Energy: energy.PC{Output: energy.Categorical{}}},
			n:    &arch.Network{Input: []int{3}, Blocks: []arch.Block{{Name: "a", Layer: lin(3, 4)}, {Name: "y", Layer: lin(4, 2)}}}},
		{name: "hidden sites clamped and masked", sites: map[string]int{"x": 3, "a": 4, "b": 4, "y": 2},
			plan: arch.Plan{Hold: map[string]arch.Hold{"a": arch.Clamped, "b": arch.Masked}},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4)}, {Name: "b", Layer: lin(4, 4)}, {Name: "y", Layer: lin(4, 2)}}}},
		{name: "learned precisions", sites: map[string]int{"x": 3, "a": 4, "b": 4, "y": 2},
			plan: arch.Plan{Energy: energy.Sum{energy.PC{Hidden: energy.Gaussian{Precision: 2}}, energy.WeightDecay{Rate: .1}}},
			n: &arch.Network{Input: []int{3}, Blocks: []arch.Block{
				{Name: "a", Layer: lin(3, 4), Precision: arch.ScalarPrecision},
				{Name: "b", Layer: lin(4, 4), Precision: arch.DiagonalPrecision},
				{Name: "y", Layer: lin(4, 2), Precision: arch.DiagonalPrecision},
				{Name: "down", Layer: lin(4, 4), From: from("b"), Predicts: "a", Precision: arch.ScalarPrecision}}}},
	}
}

// held is how a site of a sketch is held.
func (s sketch) held(name string) arch.Hold {
	if h, said := s.plan.Hold[name]; said {
		return h
	}
	input := slices.ContainsFunc(s.n.Inputs, func(in arch.Input) bool { return in.Name == name }) || name == "x"
	marked := slices.ContainsFunc(s.n.Blocks, func(b arch.Block) bool { return b.Output })
	output := !marked && s.last() == name || slices.ContainsFunc(s.n.Blocks, func(b arch.Block) bool { return b.Name == name && b.Output })
	if input && !s.plan.FreeInput || output {
		return arch.Clamped
	}
	return arch.Free
}

func (s sketch) last() string {
	for i := len(s.n.Blocks) - 1; ; i-- {
		if s.n.Blocks[i].Predicts == "" {
			return s.n.Blocks[i].Name
		}
	}
}

// siteData and siteMask are what a test clamps; targets are distributions.
func siteData[T graph.Float](name string, width, batch int) []T {
	xs := normal[T](rng(uint64(len(name)+int(name[0]))), width*batch)
	for i := 0; i < len(xs); i += width {
		sum := T(0)
		for k := range width {
			xs[i+k] *= xs[i+k]
			sum += xs[i+k]
		}
		for k := range width {
			xs[i+k] /= sum
		}
	}
	return xs
}

func siteMask[T graph.Float](name string, width, batch int) []T {
	r := rng(uint64(width))
	mask := make([]T, width*batch)
	for i := range mask {
		mask[i] = T(r.IntN(2))
	}
	if name == "y" { // labels are there or not
		for i := range mask {
			mask[i] = T(i / width % 2)
		}
	}
	return mask
}

// compileSketch compiles a sketch and clamps everything.
func compileSketch[T graph.Float](t *testing.T, s sketch, w *graph.Vector[T], c arch.Coordinates, batch int) *arch.Model[T] {
	t.Helper()
	p := s.plan
	p.Batch, p.Coordinates = batch, c
	m := must(arch.Compile(s.n, w, p))(t)
	for name, width := range s.sites {
		if s.held(name) != arch.Free {
			ok(t, m.ClampSite(name, siteData[T](name, width, batch)))
		}
		if s.held(name) == arch.Masked {
			ok(t, m.Mask(name, siteMask[T](name, width, batch)))
		}
	}
	return m
}

// coordinates that a sketch has.
func (s sketch) coordinates() []arch.Coordinates {
	if s.loop {
		return []arch.Coordinates{arch.Activities}
	}
	for name := range s.sites {
		input := name == "x" || slices.ContainsFunc(s.n.Inputs, func(in arch.Input) bool { return in.Name == name })
		if input && s.held(name) != arch.Clamped {
			return []arch.Coordinates{arch.Activities, arch.Errors}
		}
	}
	return []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward}
}

// forSketches runs a test on every sketch in every coordinates that it has.
func forSketches(t *testing.T, f func(t *testing.T, s sketch, c arch.Coordinates)) {
	for _, s := range sketches() {
		for _, c := range s.coordinates() {
			t.Run(fmt.Sprintf("%s/%v", s.name, c), func(t *testing.T) { f(t, s, c) })
		}
	}
}

// TestGraphs_GradientsAreThoseOfTheEnergy: finite differences by activities, weights and precisions.
func TestGraphs_GradientsAreThoseOfTheEnergy(t *testing.T) {
	forSketches(t, func(t *testing.T, s sketch, c arch.Coordinates) {
		m := compileSketch(t, s, weightsOf[float64](t, s.n, 3), c, 3)
		copy(m.State(), normal[float64](rng(4), len(m.State())))
		differences(t, m)
	})
}

// TestGraphs_AreTheirPlainLoops: energies at errors drawn at random equal those of plain loops that know nothing of graphs,
// in all coordinates; with no error, where nothing is free, that is the loss of backprop.
func TestGraphs_AreTheirPlainLoops(t *testing.T) {
	const batch = 3
	for _, s := range sketches() {
		if s.loop {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			w := weightsOf[float64](t, s.n, 3)
			for _, c := range s.coordinates() {
				m := compileSketch(t, s, w, c, batch)
				copy(m.State(), normal[float64](rng(4), len(m.State())))
				field := m.StateVector().Field
				p := plainGraph{s: s, w: w, batch: batch, mu: map[string][]float64{}, z: map[string][]float64{}}
				p.state = func(name string, mu []float64) []float64 {
					z := slices.Clone(mu)
					for _, end := range []string{"", "/z", "/y"} {
						if f := field(name + end); f != nil {
							z = slices.Clone(f)
						}
					}
					for k, e := range field(name + "/e") {
						z[k] += e
					}
					return z
				}
				want := p.terms(t)
				got := evaluate(t, m)
				exact := 0.
				for _, block := range s.n.Blocks {
					at := slices.Index(m.Terms(), block.Name)
					if at < 0 {
						if want[block.Name] != 0 && block.Precision == arch.FixedPrecision {
							t.Errorf("%v: no term for %s, whose energy is %v", c, block.Name, want[block.Name])
						}
						continue
					}
					exact++
					near(t, fmt.Sprintf("%v: energy of %s", c, block.Name), got.terms[at:at+1], []float64{want[block.Name]}, 1e-13)
				}
				if exact == 0 {
					t.Error("no term was compared")
				}
			}
		})
	}
}

// TestGraphs_ForwardLeavesTheLossOfBackprop: after Forward the energy is that of the feedforward coordinates, to rounding of
// sums in another order; precisions are at their start, for a site that costs nothing has no log-determinant either.
func TestGraphs_ForwardLeavesTheLossOfBackprop(t *testing.T) {
	forSketches(t, func(t *testing.T, s sketch, c arch.Coordinates) {
		w := must(arch.NewWeights[float64](s.n, rng(3)))(t)
		m := compileSketch(t, s, w, c, 3)
		for i := range m.State() { // from anywhere
			m.State()[i] = float64(i%5) - 2
		}
		ok(t, m.Forward())
		e := must(m.Energy())(t)
		if !slices.Contains(s.coordinates(), arch.Feedforward) {
			return
		}
		loss := must(compileSketch(t, s, w, arch.Feedforward, 3).Energy())(t)
		if math.Abs(e-loss) > 1e-14*math.Abs(loss) {
			t.Errorf("energy after Forward %v, loss %v", e, loss)
		}
	})
}

// TestGraphs_AllocateNothing: the steps of training, on every sketch.
func TestGraphs_AllocateNothing(t *testing.T) {
	forSketches(t, func(t *testing.T, s sketch, c arch.Coordinates) {
		m := compileSketch(t, s, weightsOf[float32](t, s.n, 3), c, 64)
		dz, dw := make([]float32, len(m.State())), make([]float32, len(m.Weights().Data()))
		type step struct {
			name string
			call func() error
		}
		steps := []step{
			{"Forward", m.Forward},
			{"StateGrad", func() error { _, err := m.StateGrad(dz, m.State()); return err }},
			{"ParamGrad", func() error { _, err := m.ParamGrad(dw); return err }},
			{"Energy", func() error { _, err := m.Energy(); return err }},
		}
		for name, width := range s.sites {
			values, mask := siteData[float32](name, width, 64), siteMask[float32](name, width, 64)
			if s.held(name) != arch.Free {
				steps = append(steps, step{"ClampSite", func() error { return m.ClampSite(name, values) }})
			}
			if s.held(name) == arch.Masked {
				steps = append(steps, step{"Mask", func() error { return m.Mask(name, mask) }})
			}
		}
		for _, st := range steps {
			var failed error
			allocs := testing.AllocsPerRun(5, func() {
				for i := range m.State() {
					m.State()[i] += 1e-3
				}
				if err := st.call(); err != nil {
					failed = err
				}
			})
			if allocs != 0 || failed != nil {
				t.Errorf("%s: %g allocations, error %v", st.name, allocs, failed)
			}
		}
	})
}

// plainGraph evaluates a sketch in plain loops: activities in an order in which all that is read is there.
type plainGraph struct {
	s     sketch
	w     *graph.Vector[float64]
	batch int
	mu, z map[string][]float64
	state func(name string, mu []float64) []float64 // the activity of a free site, given its prediction
}

// activity of a site by how it is held.
func (p plainGraph) activity(name string, mu []float64) []float64 {
	width := p.s.sites[name]
	h := p.s.held(name)
	if h == arch.Clamped {
		return siteData[float64](name, width, p.batch)
	}
	z := p.state(name, mu)
	if h == arch.Masked {
		for i, m := range siteMask[float64](name, width, p.batch) {
			if m != 0 {
				z[i] = siteData[float64](name, width, p.batch)[i]
			}
		}
	}
	return z
}

// terms are the energies by block.
func (p plainGraph) terms(t *testing.T) map[string]float64 {
	inputs := slices.Clone(p.s.n.Inputs)
	if p.s.n.Input != nil {
		inputs = append(inputs, arch.Input{Name: "x", Shape: p.s.n.Input})
	}
	for _, in := range inputs {
		p.z[in.Name] = p.activity(in.Name, make([]float64, in.Shape[0]*p.batch))
	}
	for range p.s.n.Blocks { // as many passes as it takes
		for i, b := range p.s.n.Blocks {
			if p.mu[b.Name] != nil || !p.ready(i) {
				continue
			}
			p.mu[b.Name] = p.predict(i)
			if b.Predicts == "" {
				p.z[b.Name] = p.activity(b.Name, p.mu[b.Name])
			}
		}
	}
	fs := map[string]float64{}
	for _, b := range p.s.n.Blocks {
		target := b.Name
		if b.Predicts != "" {
			target = b.Predicts
		}
		fs[b.Name] = p.score(b, target, p.z[target], p.mu[b.Name])
	}
	return fs
}

func (p plainGraph) ready(i int) bool {
	for _, name := range p.s.n.From(i) {
		if p.z[name] == nil {
			return false
		}
	}
	for _, s := range p.s.n.Blocks[i].Skips {
		if s.From != "" && p.z[s.From] == nil {
			return false
		}
	}
	return true
}

// score is the energy of a prediction.
func (p plainGraph) score(b arch.Block, target string, z, mu []float64) float64 {
	pc, _ := p.s.plan.Energy.(energy.PC)
	if sum, is := p.s.plan.Energy.(energy.Sum); is {
		pc = sum[0].(energy.PC)
	}
	output := target == p.s.last() || slices.ContainsFunc(p.s.n.Blocks, func(o arch.Block) bool { return o.Name == target && o.Output })
	lik := pc.Hidden
	if output {
		lik = pc.Output
	}
	if own := pc.Blocks[b.Name]; own != nil {
		lik = own
	}
	n := len(z) / p.batch
	if c, is := lik.(energy.Categorical); is {
		precision := c.Precision
		if precision == 0 {
			precision = 1
		}
		f := 0.
		for i := 0; i < len(z); i += n {
			norm := 0.
			for k := range n {
				norm += math.Exp(mu[i+k])
			}
			for k := range n {
				if p.s.held(target) != arch.Masked || siteMask[float64](target, n, p.batch)[i+k] != 0 {
					f -= precision * z[i+k] * math.Log(math.Exp(mu[i+k])/norm) / float64(p.batch)
				}
			}
		}
		return f
	}
	precision, f := 1., 0.
	if g, is := lik.(energy.Gaussian); is {
		precision = g.Precision
	}
	logs := make([]float64, n)
	if s := p.w.Field(b.Name + "/precision"); s != nil {
		for k := range logs {
			logs[k] = s[k%len(s)]
			f -= logs[k] / 2
		}
	}
	for i := range z {
		e := z[i] - mu[i]
		f += precision / 2 * math.Exp(logs[i%n]) * e * e / float64(p.batch)
	}
	return f
}

// predict is the prediction of block i.
func (p plainGraph) predict(i int) []float64 {
	b := p.s.n.Blocks[i]
	var xs [][]float64
	for _, name := range p.s.n.From(i) {
		xs = append(xs, p.z[name])
	}
	x := p.merge(b, xs)
	owner := b.Name
	if b.Shares != "" {
		owner = b.Shares
	}
	mu := p.apply(b.Layer, owner+"/", x)
	for j, s := range b.Skips {
		from := x
		if s.From != "" {
			from = p.z[s.From]
		}
		for k, v := range p.apply(s.Layer, numbered(b.Name+"/skip", j+1)+"/", from) {
			mu[k] += v
		}
	}
	return mu
}

func (p plainGraph) merge(b arch.Block, xs [][]float64) []float64 {
	if len(xs) == 1 {
		return xs[0]
	}
	var out []float64
	for i := range p.batch {
		rows := make([][]float64, len(xs))
		for j, x := range xs {
			n := len(x) / p.batch
			rows[j] = x[i*n : (i+1)*n]
		}
		weight := make([]float64, len(xs))
		switch b.Merge.(type) {
		case layers.Concat:
			for _, r := range rows {
				out = append(out, r...)
			}
			continue
		case layers.Add:
			for j := range weight {
				weight[j] = 1
			}
		case layers.Attend:
			v, norm := p.w.Field(b.Name+"/merge/v"), 0.
			for j, r := range rows {
				s := 0.
				for k := range r {
					s += r[k] * v[k]
				}
				weight[j] = math.Exp(s / math.Sqrt(float64(len(r))))
				norm += weight[j]
			}
			for j := range weight {
				weight[j] /= norm
			}
		}
		for k := range rows[0] {
			s := 0.
			for j := range rows {
				s += weight[j] * rows[j][k]
			}
			out = append(out, s)
		}
	}
	return out
}

func (p plainGraph) apply(l layers.Layer, prefix string, x []float64) []float64 {
	var in, out int
	var act layers.Act
	lateral := false
	switch l := l.(type) {
	case layers.Linear:
		in, out, act = l.In, l.Out, l.Act
	case layers.Lateral:
		in, out, act, lateral = l.Width, l.Width, l.Act, true
	default:
		return slices.Clone(x)
	}
	weight, bias := p.w.Field(prefix+"W"), p.w.Field(prefix+"b")
	y := make([]float64, p.batch*out)
	for i := range y {
		k, row := i%out, i/out
		if bias != nil {
			y[i] = bias[k]
		}
		for j := range in {
			if !lateral || j != k {
				y[i] += tanhOrNot(act, x[row*in+j]) * weight[j*out+k]
			}
		}
	}
	return y
}

// TestGraphs_DescendIsOneByOneToTheBit: the fast way through several steps, where there is one, on every sketch.
func TestGraphs_DescendIsOneByOneToTheBit(t *testing.T) {
	forSketches(t, func(t *testing.T, s sketch, c arch.Coordinates) {
		if c == arch.Feedforward {
			return
		}
		const rate, moves = .05, 7
		sgd := &optim.SGD[float64]{Rate: rate}
		w := weightsOf[float64](t, s.n, 3)
		fast, slow := compileSketch(t, s, w, c, 35), compileSketch(t, s, w, c, 35)
		ok(t, fast.Forward())
		ok(t, slow.Forward())
		got, want := make([]float64, len(fast.State())), make([]float64, len(fast.State()))
		f, done, err := fast.FusedSteps(got, fast.State(), rate, moves)
		ok(t, err)
		if !done {
			t.Fatal("no descent: samples are taken to depend on each other")
		}
		terms := make([]float64, len(fast.Terms()))
		fast.TermEnergies(terms)
		var g float64
		for range moves {
			g = must(slow.StateGrad(want, slow.State()))(t)
			sgd.Step(slow.State(), want)
		}
		slowTerms := make([]float64, len(terms))
		slow.TermEnergies(slowTerms)
		if f != g || !slices.Equal(terms, slowTerms) {
			t.Errorf("energy %v, one by one %v", f, g)
		}
		sameBits(t, "gradient", got, want)
		sameBits(t, "activities", fast.State(), slow.State())
	})
}
