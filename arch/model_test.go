package arch_test

import (
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// TestCoordinates_AgreeAtEqualActivities: z = mu + e, block by block in plain loops, puts both models at one point; all
// energies there equal those of the loops.
func TestCoordinates_AgreeAtEqualActivities(t *testing.T) {
	const batch = 3
	n := tangled(layers.Tanh)
	w := weightsOf[float64](t, n, 1)
	x, y := samples[float64](5, 3, batch)
	em := compile(t, n, w, arch.Plan{Batch: batch, Coordinates: arch.Errors})
	am := compile(t, n, w, arch.Plan{Batch: batch})
	copy(em.State(), normal[float64](rng(2), len(em.State())))
	p := plainForward(n, w, x, batch, func(b string) []float64 { return em.StateVector().Field(b + "/e") })
	var want []float64
	for _, b := range n.Blocks[:4] {
		copy(am.StateVector().Field(b.Name+"/z"), p.z[b.Name])
		want = append(want, halfSquare(p.z[b.Name], p.mu[b.Name], batch))
	}
	want = append(want, halfSquare(y, p.mu["e"], batch))
	near(t, "terms in activities", evaluate(t, am).terms, want, 1e-14)
	near(t, "terms in errors", evaluate(t, em).terms, want, 1e-14)

	f, g := everything, everything // and with every term there is
	a := compile(t, n, w, arch.Plan{Batch: batch, Energy: f})
	e := compile(t, n, w, arch.Plan{Batch: batch, Energy: g, Coordinates: arch.Errors})
	copy(a.State(), am.State())
	copy(e.State(), em.State())
	near(t, "terms of everything", evaluate(t, a).terms, evaluate(t, e).terms, 1e-14)
}

// TestForward_IsTheFeedforwardPass holds activities and output against plain loops.
func TestForward_IsTheFeedforwardPass(t *testing.T) {
	const batch = 4
	n := tangled(layers.Tanh)
	w := weightsOf[float64](t, n, 1)
	x, y := samples[float64](5, 3, batch)
	p := plainForward(n, w, x, batch, nil)
	m := compile(t, n, w, arch.Plan{Batch: batch})
	ok(t, m.Forward())
	for _, b := range n.Blocks[:4] {
		near(t, b.Name, m.StateVector().Field(b.Name+"/z"), p.z[b.Name], 1e-14)
	}
	near(t, "loss", []float64{must(m.Energy())(t)}, []float64{halfSquare(y, p.mu["e"], batch)}, 1e-14)

	free := compile(t, n, w, arch.Plan{Batch: batch, FreeInput: true, FreeOutput: true})
	copy(free.StateVector().Field("x"), x)
	ok(t, free.Forward())
	near(t, "free input", free.StateVector().Field("x"), x, 0)
	near(t, "free output", free.StateVector().Field("e/y"), p.mu["e"], 1e-14)
}

func forwardIsExact[T graph.Float](t *testing.T) {
	for _, n := range []*arch.Network{tangled(layers.GELU), mlp(t, nil, layers.Sigmoid, 5, 4, 7, 3), resMLP(t, arch.MuPC{}, layers.SELU, 5, 9, 9, 9, 9, 3)} {
		w := weightsOf[T](t, n, 1)
		for _, p := range plans() {
			p.Batch = 33
			m := compile(t, n, w, p)
			for i := range m.State() { // from anywhere
				m.State()[i] = T(i%7) - 3
			}
			ok(t, m.Forward())
			e := evaluate(t, m)
			for i, f := range e.terms {
				if last := i == len(e.terms)-1; f != 0 && !last || last && (f == 0) != p.FreeOutput {
					t.Errorf("%s: after Forward the energy of %s is %v", planName(p), m.Terms()[i], f)
				}
			}
			if p.FreeInput {
				continue
			}
			bp := compile(t, n, w, arch.Plan{Batch: 33, Coordinates: arch.Feedforward})
			if f := must(bp.Energy())(t); !p.FreeOutput && f != e.f[0] {
				t.Errorf("%s: energy at the feedforward pass %v, loss %v", planName(p), e.f[0], f)
			}
		}
	}
}

// TestForward_GivesHiddenEnergiesOfExactlyZero: the activities are the very bits that the energies predict.
func TestForward_GivesHiddenEnergiesOfExactlyZero(t *testing.T) {
	forBoth(t, forwardIsExact[float32], forwardIsExact[float64])
}

// TestStateGrad_AtAnotherPoint leaves State alone, and ParamGrad and Energy stay those of State.
func TestStateGrad_AtAnotherPoint(t *testing.T) {
	n := tangled(layers.Tanh)
	for _, p := range plans() {
		p.Batch = 35
		m := compile(t, n, weightsOf[float64](t, n, 1), p)
		copy(m.State(), normal[float64](rng(2), len(m.State())))
		here, at := evaluate(t, m), slices.Clone(m.State())
		z := normal[float64](rng(3), len(at))
		dz := make([]float64, len(z))
		f := must(m.StateGrad(dz, z))(t)
		sameBits(t, "State", m.State(), at)
		dw := make([]float64, len(m.Weights().Data()))
		if g := must(m.ParamGrad(dw))(t); g != here.f[1] {
			t.Errorf("%s: energy at State %v, after a look elsewhere %v", planName(p), here.f[1], g)
		}
		sameBits(t, "ParamGrad", dw, here.dw)
		copy(m.State(), normal[float64](rng(3), len(at)))
		there := evaluate(t, m)
		sameBits(t, "gradient there", there.dz, dz)
		if there.f[0] != f {
			t.Errorf("%s: energy there %v, as State %v", planName(p), f, there.f[0])
		}
	}
}

// unitsOfTheBatch: dF_i/dz_i of a sample has the same bits in any batch.
func unitsOfTheBatch[T graph.Float](t *testing.T) {
	for _, n := range []*arch.Network{tangled(layers.SiLU), resMLP(t, arch.MuPC{}, layers.Tanh, 5, 6, 6, 6, 3)} {
		w := weightsOf[T](t, n, 1)
		for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
			const large = 70
			whole := compile(t, n, w, arch.Plan{Batch: large, Coordinates: c, Energy: everything})
			copy(whole.State(), normal[T](rng(4), len(whole.State())))
			want := evaluate(t, whole).dz
			in, out := ends(n)
			x, y := samples[T](in, out, large)
			for _, batch := range []int{1, 3, 32, 33} {
				m := must(arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: c, Energy: everything}))(t)
				order := rng(5).Perm(large)[:batch]
				var xs, ys []T
				for _, i := range order {
					xs, ys = append(xs, x[i*in:(i+1)*in]...), append(ys, y[i*out:(i+1)*out]...)
				}
				ok(t, m.Clamp(xs, ys))
				row := func(v *graph.Vector[T], data []T, field, i, rows int) []T {
					part := v.Part(data, field)
					width := len(part) / rows
					return part[i*width : (i+1)*width]
				}
				for f := range m.StateVector().Fields() {
					for k, i := range order {
						copy(row(m.StateVector(), m.State(), f, k, batch), row(whole.StateVector(), whole.State(), f, i, large))
					}
				}
				got := evaluate(t, m).dz
				for f := range m.StateVector().Fields() {
					for k, i := range order {
						sameBits(t, "dF_i/dz_i", row(m.StateVector(), got, f, k, batch), row(whole.StateVector(), want, f, i, large))
					}
				}
			}
		}
	}
}

func TestStateGrad_IsPerSampleInAnyBatch(t *testing.T) {
	forBoth(t, unitsOfTheBatch[float32], unitsOfTheBatch[float64])
}

// TestPredict_ForAnyNumberOfSamples equals the feedforward pass of plain loops, and disturbs nothing.
func TestPredict_ForAnyNumberOfSamples(t *testing.T) {
	n := tangled(layers.Tanh)
	w := weightsOf[float64](t, n, 1)
	m := compile(t, n, w, arch.Plan{Batch: 8})
	copy(m.State(), normal[float64](rng(2), len(m.State())))
	before := evaluate(t, m)
	for _, samplesN := range []int{0, 1, 7, 8, 9, 40, 41} {
		x, _ := samples[float64](5, 3, samplesN)
		got := must(m.Predict(x))(t)
		near(t, "prediction", got, plainForward(n, w, x, samplesN, nil).mu["e"], 1e-14)
	}
	evaluate(t, m).same(t, "after Predict", before)
	for i := range w.Data() { // without Touch: Predict always reads the weights
		w.Data()[i] *= 1.5
	}
	x, _ := samples[float64](5, 3, 9)
	near(t, "prediction of changed weights", must(m.Predict(x))(t), plainForward(n, w, x, 9, nil).mu["e"], 1e-14)
}

// TestResized_SharesTheWeights: one model per batch size, over the same slab.
func TestResized_SharesTheWeights(t *testing.T) {
	n := tangled(layers.Tanh)
	m := compile(t, n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 4, Coordinates: arch.Errors})
	r := must(m.Resized(3))(t)
	if again := must(m.Resized(3))(t); again != r || must(m.Resized(4))(t) != m {
		t.Error("Resized compiles anew")
	}
	if r.Plan().Batch != 3 || r.Plan().Coordinates != arch.Errors || r.Weights() != m.Weights() {
		t.Errorf("plan %+v", r.Plan())
	}
	if _, err := m.Resized(0); err == nil {
		t.Error("no error for a batch of 0")
	}
}

// TestModel_TermEnergiesBeforeAnyEvaluation are zero, and nothing is wrong with them.
func TestModel_TermEnergiesBeforeAnyEvaluation(t *testing.T) {
	n := mlp(t, nil, layers.Tanh, 4, 3, 2)
	m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2}))(t)
	terms := []float64{7, 7}
	if m.TermEnergies(terms); terms[0] != 0 || terms[1] != 0 || m.Locate() != "" {
		t.Errorf("terms %v, located %q", terms, m.Locate())
	}
}
