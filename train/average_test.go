package train_test

import (
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// TestAverage_StartsAtTheMeanOfItsLabel: plain and exponential, label by label, and at the feedforward pass where there is none.
func TestAverage_StartsAtTheMeanOfItsLabel(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, true, 1)
	m := k.model(t, arch.Activities, 1)
	out := len(k.y) / k.batch
	label := func(y []float64, i, l int) {
		clear(y[i*out : (i+1)*out])
		y[i*out+l] = 1
	}
	units := len(m.State()) / k.batch
	sample := func(z []float64, i int) (one []float64) {
		v := m.StateVector()
		for f := range v.Fields() {
			part := v.Part(z, f)
			n := len(part) / k.batch
			one = append(one, part[i*n:(i+1)*n]...)
		}
		return one
	}
	for _, rate := range []float64{0, .4} {
		start := &train.Average[float64]{Rate: rate}
		mean, seen := make([][]float64, out), make([]int, out)
		for l := range mean {
			mean[l] = make([]float64, units)
		}
		for step := range 4 {
			x, y := slices.Clone(k.x), slices.Clone(k.y)
			for i := range x {
				x[i] += .1 * float64(step)
			}
			for i := range k.batch {
				label(y, i, (i+step)%2) // label 2 is never seen
			}
			if step == 3 {
				label(y, 0, 2)
			}
			rule := &train.PC[float64]{Model: m, Solver: descent[float64](), Stop: infer.Steps(0), Start: start}
			gradient(t, rule, x, y, k.batch)
			began := slices.Clone(m.State())
			ok(t, m.Forward())
			forward := slices.Clone(m.State())
			for i := range k.batch {
				l := slices.Index(y[i*out:(i+1)*out], 1)
				want := mean[l]
				if seen[l] == 0 {
					want = sample(forward, i)
				}
				for j, z := range sample(began, i) {
					if math.Abs(z-want[j]) > 1e-14 {
						t.Fatalf("rate %g, step %d, sample %d: %g, want %g", rate, step, i, z, want[j])
					}
				}
			}
			for i := range m.State() { // where inference is taken to end
				m.State()[i] = math.Sin(float64(i + 100*step))
			}
			for i := range k.batch {
				l := slices.Index(y[i*out:(i+1)*out], 1)
				seen[l]++
				r := max(rate, 1/float64(seen[l]))
				for j, z := range sample(m.State(), i) {
					mean[l][j] += r * (z - mean[l][j])
				}
			}
		}
	}
}

// TestRecall_IsItsFormula: from the second batch on the mean of what is remembered, by likeness of inputs, and a narrow likeness finds a
// sample that was seen itself.
func TestRecall_IsItsFormula(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	m := k.model(t, arch.Activities, 1)
	in := len(k.x) / k.batch
	for _, width := range []float64{.01, 1.3} {
		start := &train.Recall[float64]{Capacity: k.batch, Width: width}
		rule := &train.PC[float64]{Model: m, Solver: descent[float64](), Stop: infer.Steps(0), Start: start}
		gradient(t, rule, k.x, k.y, k.batch)
		for i := range m.State() {
			m.State()[i] = math.Sin(float64(i))
		}
		settled := slices.Clone(m.State())
		gradient(t, rule, k.x, k.y, k.batch)
		v := m.StateVector()
		for f := range v.Fields() {
			from, got := v.Part(settled, f), v.Part(m.State(), f)
			n := len(got) / k.batch
			for i := range k.batch {
				sum, want := 0., make([]float64, n)
				for j := range k.batch {
					d := 0.
					for c := range in {
						d += math.Pow(k.x[i*in+c]-k.x[j*in+c], 2)
					}
					a := math.Exp(-d / (2 * width * width))
					sum += a
					for u := range want {
						want[u] += a * from[j*n+u]
					}
				}
				for u := range want {
					if math.Abs(got[i*n+u]-want[u]/sum) > 1e-13 {
						t.Fatalf("width %g: %g, want %g", width, got[i*n+u], want[u]/sum)
					}
					if width < .1 && math.Abs(got[i*n+u]-from[i*n+u]) > 1e-13 {
						t.Fatal("a sample does not recall itself")
					}
				}
			}
		}
	}
}

// TestStarts_RefuseWhatTheyDoNotFit with errors that say what does.
func TestStarts_RefuseWhatTheyDoNotFit(t *testing.T) {
	acts, errs := toyModel[float64](t, arch.Activities, 2, 3, 2), toyModel[float64](t, arch.Errors, 2, 3, 2)
	rule := func(m *arch.Model[float64], s train.Start[float64]) error {
		return (&train.PC[float64]{Model: m, Solver: descent[float64](), Stop: infer.Steps(1), Start: s}).Validate()
	}
	ok(t, rule(acts, &train.Average[float64]{}))
	says(t, "errors", rule(errs, &train.Average[float64]{}), "Average", "arch.Activities")
	says(t, "errors", rule(errs, &train.Recall[float64]{Capacity: 1, Width: 1}), "Recall", "arch.Activities")
	says(t, "rate", rule(acts, &train.Average[float64]{Rate: 2}), "Rate 2")
	says(t, "no labels", rule(toyModel[float64](t, arch.Activities, 2, 3, 1), &train.Average[float64]{}), "no labels", "Recall")
	says(t, "capacity", rule(acts, &train.Recall[float64]{Width: 1}), "Capacity 0")
	says(t, "width", rule(acts, &train.Recall[float64]{Capacity: 1}), "Width 0")
}
