package graph

import "testing"

// The machine can be run again on other inputs, and what it computes is what a program does: the same kernels, without
// fusion, in float64.
func TestTape_ComputesWhatAProgramDoes(t *testing.T) {
	n := build[float64](twoLayers)
	outs := append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...)
	m := must(Tape(n.b, outs...))(t)
	defer m.Close()
	for seed := range uint64(3) {
		vs := randomInputs(rng(seed), n.b)
		for i, in := range n.b.Inputs() {
			copy(in.Node.Value().Data().([]float64), vs[i])
		}
		m.Reset()
		ok(t, m.RunAll())
		var got [][]float64
		for _, out := range outs {
			got = append(got, elements[float64](out.Value()))
		}
		p := build[float64](twoLayers)
		want := evaluate[float64](t, p.b, vs, append([]*Node{p.energy}, must(Grad(p.energy, p.free()...))(t)...)...)
		near(t, "tape machine", got, want, 1e-13)
	}
}

func TestTape_LeavesOutInputsThatNothingDependsOn(t *testing.T) {
	n := build[float32](twoLayers)
	n.b.Data("stray", 2, 2)
	m := must(Tape(n.b, n.energy))(t)
	defer m.Close()
	ok(t, m.RunAll())
	if v := elements[float32](n.energy.Value()); v[0] != 0 {
		t.Errorf("energy of zeros is %v", v[0])
	}
}

func TestTape_RefusesNothingAndBrokenGraphs(t *testing.T) {
	b := NewBuilder[float64]()
	_, err := Tape(b)
	refused(t, err, "no outputs")
	b.MatMul(b.Data("x", 2, 3), b.Param("W", 2, 3), false, false)
	_, err = Tape(b, b.Data("y", 1, 1))
	if err == nil || err != b.Err() {
		t.Errorf("error %v, want the builder's", err)
	}
}
