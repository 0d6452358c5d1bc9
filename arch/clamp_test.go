package arch_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// descend relaxes activities by plain gradient descent until the gradient has gone.
func descend(t *testing.T, m *arch.Model[float64], rate float64) {
	t.Helper()
	dz := make([]float64, len(m.State()))
	for range 200000 {
		must(m.StateGrad(dz, m.State()))(t)
		largest := 0.
		for i, g := range dz {
			m.State()[i] -= rate * g
			largest = max(largest, math.Abs(g))
		}
		if largest < 1e-13 {
			return
		}
	}
	t.Fatal("inference did not come to an end")
}

// completion checks a linear network x -> h -> y given some units of x and of y against the closed form: with all activities
// in one vector u = (x, h, y), the energy is 1/2 |A u|^2, so the free units solve A_f^T A_f u_f = -A_f^T A_c u_c. The input
// has no prediction of its own: a unit of it that is free is what explains the rest best.
func completion(t *testing.T, c arch.Coordinates) {
	const nx, nh, ny, batch = 3, 4, 5, 6
	n := &arch.Network{Input: []int{nx}, Blocks: []arch.Block{
		{Name: "h", Layer: layers.Linear{In: nx, Out: nh}}, {Name: "y", Layer: layers.Linear{In: nh, Out: ny}},
	}}
	w := must(arch.NewWeights[float64](n, rng(1)))(t)
	copy(w.Data(), normal[float64](rng(2), len(w.Data())))
	m := must(arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: c, Hold: map[string]arch.Hold{"x": arch.Masked, "h": arch.Masked, "y": arch.Masked}}))(t)
	data := map[string][]float64{}
	mask := map[string][]float64{}
	r := rng(3)
	for name, width := range map[string]int{"x": nx, "h": nh, "y": ny} {
		data[name], mask[name] = normal[float64](rng(uint64(width)), width*batch), make([]float64, width*batch)
	}
	for i := range batch {
		for k := range nx {
			mask["x"][i*nx+k] = float64(r.IntN(2))
		}
		for k := range ny { // with x free no fewer than three units of y, or there is no unique completion
			mask["y"][i*ny+k] = when(k < 3 || r.IntN(2) == 0, 1., 0.)
		}
		mask["h"][i*nh+r.IntN(nh)] = 1
	}
	for name := range data {
		ok(t, m.ClampSite(name, data[name]))
		ok(t, m.Mask(name, mask[name]))
	}
	ok(t, m.Forward())
	descend(t, m, .01)

	a := mat.NewDense(nh+ny, nx+nh+ny, nil)
	for k := range nh {
		a.Set(k, nx+k, 1)
		for j := range nx {
			a.Set(k, j, -w.Field("h/W")[j*nh+k])
		}
	}
	for k := range ny {
		a.Set(nh+k, nx+nh+k, 1)
		for j := range nh {
			a.Set(nh+k, nx+j, -w.Field("y/W")[j*ny+k])
		}
	}
	total := 0.
	for i := range batch {
		var free []int
		u := mat.NewVecDense(nx+nh+ny, nil)
		at := 0
		for _, s := range []struct {
			name  string
			width int
		}{{"x", nx}, {"h", nh}, {"y", ny}} {
			for k := range s.width {
				if mask[s.name][i*s.width+k] != 0 {
					u.SetVec(at, data[s.name][i*s.width+k])
				} else {
					free = append(free, at)
				}
				at++
			}
		}
		af := mat.NewDense(nh+ny, len(free), nil)
		for j, f := range free {
			af.SetCol(j, mat.Col(nil, f, a))
		}
		var rhs, uf, e mat.VecDense
		rhs.MulVec(a, u)
		rhs.ScaleVec(-1, &rhs)
		ok(t, uf.SolveVec(af, &rhs)) // least squares
		for j, f := range free {
			u.SetVec(f, uf.AtVec(j))
		}
		e.MulVec(a, u)
		total += mat.Dot(&e, &e) / 2 / batch
		want := u.RawVector().Data
		near(t, "completed x", m.StateVector().Field("x/z")[i*nx:(i+1)*nx], want[:nx], 1e-10)
		if c == arch.Activities {
			near(t, "completed h", m.StateVector().Field("h/z")[i*nh:(i+1)*nh], want[nx:nx+nh], 1e-10)
		}
		near(t, "completed y", m.StateVector().Field("y/z")[i*ny:(i+1)*ny], want[nx+nh:], 1e-10)
	}
	near(t, "energy", []float64{must(m.Energy())(t)}, []float64{total}, 1e-10)
}

func when[V any](c bool, a, b V) V {
	if c {
		return a
	}
	return b
}

func TestMask_CompletesWhatIsMissing(t *testing.T) {
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		t.Run(c.String(), func(t *testing.T) { completion(t, c) })
	}
}

// TestMask_ClampedUnitsDoNotMove: their gradient is exactly zero, their value the data to the last bit, whatever the slab
// held before and whatever point is asked for.
func TestMask_ClampedUnitsDoNotMove(t *testing.T) {
	const batch = 35
	n := mlp(t, nil, layers.Tanh, 5, 4, 3)
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		hold := map[string]arch.Hold{"x": arch.Masked, "block1": arch.Masked, "block2": arch.Masked}
		m := must(arch.Compile(n, weightsOf[float32](t, n, 1), arch.Plan{Batch: batch, Coordinates: c, Hold: hold}))(t)
		widths := map[string]int{"x": 5, "block1": 4, "block2": 3}
		for name, width := range widths {
			ok(t, m.ClampSite(name, siteData[float32](name, width, batch)))
			ok(t, m.Mask(name, siteMask[float32](name, width, batch)))
		}
		for round := range 3 {
			copy(m.State(), normal[float32](rng(uint64(round)), len(m.State())))
			dz := make([]float32, len(m.State()))
			must(m.StateGrad(dz, m.State()))(t)
			free := 0
			for i, f := range m.StateVector().Fields() {
				name, _, _ := strings.Cut(f.Name, "/")
				for k, v := range siteMask[float32](name, widths[name], batch) {
					g := m.StateVector().Part(dz, i)[k]
					if v != 0 && g != 0 {
						t.Fatalf("%v: a clamped unit of %s has the gradient %v", c, name, g)
					}
					if v == 0 && g != 0 {
						free++
					}
				}
			}
			if free == 0 {
				t.Fatal("no free unit has a gradient")
			}
			ok(t, m.Forward())
			for name, width := range widths {
				z := m.StateVector().Field(name + "/z")
				for k, v := range siteMask[float32](name, width, batch) {
					if z != nil && v != 0 && z[k] != siteData[float32](name, width, batch)[k] {
						t.Fatalf("%v: unit %d of %s is %v after Forward, its data %v", c, k, name, z[k], siteData[float32](name, width, batch)[k])
					}
				}
			}
		}
	}
}

// TestMask_OfOneAndOfNothing: all units clamped is Clamped, none is Free, to the last bit.
func TestMask_OfOneAndOfNothing(t *testing.T) {
	const batch = 33
	n := tangled(layers.Tanh)
	w := weightsOf[float64](t, n, 1)
	x, y := samples[float64](5, 3, batch)
	masked := must(arch.Compile(n, w, arch.Plan{Batch: batch, Hold: map[string]arch.Hold{"x": arch.Masked, "e": arch.Masked}}))(t)
	ok(t, masked.Clamp(x, y))
	ok(t, masked.Forward())
	clamped := compile(t, n, w, arch.Plan{Batch: batch})
	ok(t, clamped.Forward())
	field := masked.StateVector().Field
	sameBits(t, "x", field("x/z"), x)
	sameBits(t, "y", field("e/z"), y)
	a, b := evaluate(t, masked), evaluate(t, clamped)
	if a.f != b.f || !slices.Equal(a.dw, b.dw) {
		t.Error("a mask of ones is not a clamp")
	}
	ok(t, masked.Mask("x", make([]float64, 5)))
	ok(t, masked.Mask("e", make([]float64, 3)))
	free := compile(t, n, w, arch.Plan{Batch: batch, FreeInput: true, FreeOutput: true})
	copy(free.StateVector().Field("x"), x)
	ok(t, free.Forward())
	ok(t, masked.Forward())
	sameBits(t, "free x", field("x/z"), x)
	sameBits(t, "predicted y", field("e/z"), free.StateVector().Field("e/y"))
	if a, b := evaluate(t, masked), evaluate(t, free); a.f != b.f || !slices.Equal(a.dw, b.dw) {
		t.Error("a mask of zeros is not free")
	}
	r := must(masked.Resized(7))(t)
	ok(t, r.Clamp(x[:35], y[:21]))
	must(r.Energy())(t)
	if dz := evaluate(t, r).dz; slices.Max(dz) == 0 {
		t.Error("the mask of one sample is not that of a resized model")
	}
	ok(t, masked.Mask("x", []float64{1, 1, 1, 1, 1}))
	sameBits(t, "x clamped again", field("x/z"), x)
}

// TestClamp_TakesSitesSideBySide: inputs and outputs of a sample are one row; Predict reads and writes such rows too.
func TestClamp_TakesSitesSideBySide(t *testing.T) {
	const batch = 4
	lin := func(in, out int) layers.Linear { return layers.Linear{In: in, Out: out, Act: layers.Tanh} }
	n := &arch.Network{Input: []int{3}, Inputs: []arch.Input{{Name: "more", Shape: []int{2}}}, Blocks: []arch.Block{
		{Name: "a", Layer: lin(5, 4), From: []string{"x", "more"}, Merge: layers.Concat{}, Output: true},
		{Name: "b", Layer: lin(4, 2), Output: true},
	}}
	w := must(arch.NewWeights[float64](n, rng(1)))(t)
	rows := normal[float64](rng(2), 5*batch)
	targets := normal[float64](rng(3), 6*batch)
	together := must(arch.Compile(n, w, arch.Plan{Batch: batch}))(t)
	ok(t, together.Clamp(rows, targets))
	apart := must(arch.Compile(n, w, arch.Plan{Batch: batch}))(t)
	cut := func(rows []float64, total, lo, hi int) (part []float64) {
		for i := range batch {
			part = append(part, rows[i*total+lo:i*total+hi]...)
		}
		return part
	}
	ok(t, apart.ClampSite("x", cut(rows, 5, 0, 3)))
	ok(t, apart.ClampSite("more", cut(rows, 5, 3, 5)))
	ok(t, apart.ClampSite("a", cut(targets, 6, 0, 4)))
	ok(t, apart.ClampSite("b", cut(targets, 6, 4, 6)))
	evaluate(t, together).same(t, "side by side", evaluate(t, apart))

	for _, samples := range []int{1, 4, 6} {
		x := normal[float64](rng(9), 5*samples)
		var want []float64
		for i := range samples { // both blocks are linear behind tanh
			var a, b [6]float64
			for k := range 4 {
				for j := range 5 {
					a[k] += math.Tanh(x[5*i+j]) * w.Field("a/W")[4*j+k]
				}
			}
			for k := range 2 {
				for j := range 4 {
					b[k] += math.Tanh(a[j]) * w.Field("b/W")[2*j+k]
				}
			}
			want = append(append(want, a[:4]...), b[:2]...)
		}
		near(t, "predictions", must(together.Predict(x))(t), want, 1e-14)
	}
}

// TestStart_IsWhereInferenceBegins: zeros or draws, the same at every Forward, a sample's own in a batch of any size, and the
// blocks behind begin at their predictions from it.
func TestStart_IsWhereInferenceBegins(t *testing.T) {
	loop := func(s *arch.Start) *arch.Network {
		return &arch.Network{Input: []int{3}, Blocks: []arch.Block{
			{Name: "a", Layer: layers.Linear{In: 4, Out: 4}, From: []string{"b"}, Skips: []arch.Skip{{From: "x", Layer: layers.Linear{In: 3, Out: 4}}}},
			{Name: "b", Layer: layers.Linear{In: 4, Out: 4, Act: layers.Tanh}, From: []string{"a"}, Start: s},
			{Name: "y", Layer: layers.Linear{In: 4, Out: 2}},
		}}
	}
	begin := func(n *arch.Network, batch int) *graph.Vector[float64] {
		m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: batch}))(t)
		x, y := samples[float64](3, 2, batch)
		ok(t, m.Clamp(x, y))
		for range 2 {
			copy(m.State(), normal[float64](rng(2), len(m.State())))
			ok(t, m.Forward())
		}
		var e [3]float64
		must(m.Energy())(t)
		m.TermEnergies(e[:])
		if e[slices.Index(m.Terms(), "a")] != 0 || e[slices.Index(m.Terms(), "b")] == 0 {
			t.Errorf("energies %v of %v: want that of a, behind the start, to be zero", e, m.Terms())
		}
		return m.StateVector()
	}
	if z := begin(loop(&arch.Start{}), 5).Field("b/z"); slices.Max(z) != 0 || slices.Min(z) != 0 {
		t.Errorf("started at %v, want zeros", z)
	}
	s := &arch.Start{Init: arch.Init{Mean: 3, Std: .5}, Seed: 4}
	many, few := begin(loop(s), 500).Field("b/z"), begin(loop(s), 3).Field("b/z")
	sameBits(t, "start of the first samples", many[:12], few)
	mean, square := 0., 0.
	for _, z := range many {
		mean += z / 2000
		square += z * z / 2000
	}
	if math.Abs(mean-3) > .06 || math.Abs(math.Sqrt(square-mean*mean)-.5) > .04 { // five standard errors
		t.Errorf("mean %v and std %v of the start, want 3 and .5", mean, math.Sqrt(square-mean*mean))
	}

	n := loop(nil)
	m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2}))(t)
	x, y := samples[float64](3, 2, 2)
	ok(t, m.Clamp(x, y))
	err := m.Forward()
	for _, part := range []string{"loop", "a -> b -> a", "Start", "State"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Forward of a loop without a start: error %v, want %q in it", err, part)
		}
	}
	copy(m.State(), normal[float64](rng(2), len(m.State())))
	differences(t, m) // and yet it is a model
	if _, err := m.Predict(x); err == nil || !strings.Contains(err.Error(), "a -> b -> a") {
		t.Errorf("Predict of a loop: error %v", err)
	}
}
