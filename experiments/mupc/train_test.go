package mupc

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
)

func small(m Method) Setup {
	s := Setup{Data: MNIST, Method: m, Scaling: MuPC, Act: Tanh, Hidden: 3, Width: 16, LR: .1, Batch: 32, Iterations: 20, EvalEvery: 8, Test: 200, Seed: 3}
	if m != BP {
		s.Steps, s.Rate = 3, .5
	}
	return s
}

// TestTrain_ResumesToTheSameBits: a training that is stopped and taken up again, twice, gives what one without interruption
// gives, exactly: weights, both moments and the count of Adam's steps, the order of the data and all sums are kept.
func TestTrain_ResumesToTheSameBits(t *testing.T) {
	for _, m := range []Method{PC, ErrorPC, BP} {
		s := small(m)
		want, err := s.train(t.Context(), "", ignore)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, stop := range []int{7, 19} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := s.train(ctx, dir, func(done, total int) {
				if done == stop {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: stopped at %d: error %v", m, stop, err)
			}
		}
		from := 0
		got, err := s.train(t.Context(), dir, func(done, total int) {
			if from == 0 {
				from = done
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if from != 20 {
			t.Errorf("%s: went on with iteration %d: want 20", m, from)
		}
		same(t, string(m), want, got)
	}
}

// TestTrain_RefusesDamage: a checkpoint that is damaged, or of another setup, is an error that names the file: never a wrong result.
func TestTrain_RefusesDamage(t *testing.T) {
	s := small(PC)
	dir := t.TempDir()
	file := filepath.Join(dir, "training.safetensors")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.train(ctx, dir, func(done, total int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string][]byte{"flipped bit": flipped, "cut": good[:len(good)/2], "tiny": good[:3], "empty": nil} {
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.train(t.Context(), dir, ignore); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := os.WriteFile(file, good, 0o644); err != nil {
		t.Fatal(err)
	}
	other := s
	other.Seed++
	if _, err := other.train(t.Context(), dir, ignore); err == nil || !strings.Contains(err.Error(), "another training") {
		t.Errorf("other seed: error %v", err)
	}
}

// ignore is a progress that nobody looks at.
func ignore(done, total int) {}

func same(t *testing.T, what string, want, got Run) {
	t.Helper()
	want.Seconds, got.Seconds = 0, 0
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: -want +got\n%s", what, d)
	}
}

// TestTrain_NamesMissingData: without the files the error says that data are missing, and where they were looked for.
func TestTrain_NamesMissingData(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PCGRAPH_FASHION_MNIST", dir)
	s := small(BP)
	s.Data = Fashion
	sets.Lock()
	delete(sets.loaded, Fashion)
	sets.Unlock()
	_, err := s.train(t.Context(), "", ignore)
	if !errors.Is(err, data.ErrNotFound) || !strings.Contains(err.Error(), "data missing: Fashion-MNIST") || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
}

// TestFront: with T r = 1 the 10th layer down is the first that moves by less than 1e-6, 1/10! being 2.8e-7; where inference goes
// far it reaches all. Recorded trainings at these settings moved the weights of 11 layers, the output's among them.
func TestFront(t *testing.T) {
	s := Setup{Hidden: 128, Steps: 128, Rate: .5, Batch: 64}
	if f := s.front(); f != 10 {
		t.Errorf("%g layers, want 10", f)
	}
	s.Rate = 500
	if f := s.front(); f != 128 {
		t.Errorf("%g layers at a rate of 500, want all 128", f)
	}
}

// TestPerSample: a step of the converted rate moves the activities as one of the paper's rate on the gradient of the mean
// energy does, taken by central differences of that energy: tolerance for their truncation and rounding in float64.
func TestPerSample(t *testing.T) {
	const rate, batch = .5, 3
	s := Setup{Scaling: MuPC, Act: Tanh, Hidden: 2, Width: 4}
	net, err := s.network(5, 2)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	w, err := arch.NewWeights[float64](net, rng)
	if err != nil {
		t.Fatal(err)
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	x, y := make([]float64, batch*5), make([]float64, batch*2)
	for _, v := range [][]float64{x, y, m.State()} {
		for i := range v {
			v[i] = rng.NormFloat64()
		}
	}
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	z := append([]float64(nil), m.State()...)
	grad := make([]float64, len(z))
	want := append([]float64(nil), z...)
	const h = 1e-5
	for i := range z {
		var f [2]float64
		for k, d := range []float64{h, -h} {
			p := append([]float64(nil), z...)
			p[i] += d
			if f[k], err = m.StateGrad(grad, p); err != nil {
				t.Fatal(err)
			}
		}
		want[i] -= rate * (f[0] - f[1]) / (2 * h)
	}
	if _, err := m.StateGrad(grad, z); err != nil {
		t.Fatal(err)
	}
	(&optim.SGD[float64]{Rate: claim.PerSample(rate, batch)}).Step(z, grad)
	for i := range z {
		if math.Abs(z[i]-want[i]) > 1e-9 {
			t.Errorf("activity %d: %.12g, want %.12g", i, z[i], want[i])
		}
	}
}

// TestSampleHessian: by differences the Hessian of a linear network is the closed form. Its energy is quadratic, so that
// only rounding counts: 1e-16 / 1e-4 times energies of order 10.
func TestSampleHessian(t *testing.T) {
	_, test, err := load(MNIST)
	if err != nil {
		t.Fatal(err)
	}
	s := Setup{Scaling: MuPC, Act: Linear, Hidden: 3, Width: 50} // more units than columns of one evaluation
	net, err := s.network(test.In(), test.Out())
	if err != nil {
		t.Fatal(err)
	}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	h, err := sampleHessian(net, w, test)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := linear(t, w, s).ActivityHessian()
	if err != nil {
		t.Fatal(err)
	}
	if h.SymmetricDim() != 150 || closed.SymmetricDim() != 150 {
		t.Fatalf("dimensions %d and %d: want 150", h.SymmetricDim(), closed.SymmetricDim())
	}
	for i := range 150 {
		for j := range 150 {
			if d := math.Abs(h.At(i, j) - closed.At(i, j)); d > 1e-9 {
				t.Fatalf("entry %d, %d: %.12g, closed form %.12g", i, j, h.At(i, j), closed.At(i, j))
			}
		}
	}
}

// linear is the closed forms' network with the weights of a model.
func linear(t *testing.T, w *graph.Vector[float32], s Setup) theory.Linear {
	t.Helper()
	net, err := family{s.Scaling, true}.spec(s.Hidden, s.Width).Sample(generator(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range w.Fields() {
		for j, v := range w.Field(f.Name) {
			net.Weights[i].RawMatrix().Data[j] = float64(v)
		}
	}
	return net
}
