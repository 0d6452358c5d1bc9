package bss

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// mixtures are three sources of a domain in five mixtures of 30 dB; of positive weights for the nonnegative domains.
func mixtures(t testing.TB, d Domain, samples int, seed uint64) (x, s *mat.Dense, rng *rand.Rand) {
	t.Helper()
	rng = rand.New(rand.NewPCG(seed, 3))
	src, err := SourcesOf(d)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Sources(src, samples, 3, rng); err != nil {
		t.Fatal(err)
	}
	a := Mixing(GaussianMixing, 5, 3, rng)
	if d != Antisparse && d != Sparse {
		a.Apply(func(i, j int, v float64) float64 { return math.Abs(v) + .1 }, a)
	}
	x, _ = Mix(s, a, 40, rng)
	if d != Antisparse && d != Sparse {
		x.Apply(func(_, _ int, v float64) float64 { return max(v, 0) }, x)
	}
	return x, s, rng
}

// sinr is that of the outputs, as they are.
func sinr(t testing.TB, r *Result, x, s *mat.Dense) float64 {
	t.Helper()
	score, err := Evaluate(r.Apply(x), s)
	if err != nil {
		t.Fatal(err)
	}
	return score.SINR
}

// TestSeparation_FindsDomainAndSources: of mixtures whose sources are known, with nothing said: the number of sources, their domain and the
// sources themselves. 20 dB is what the specification calls separated; the mixtures have 40 dB.
func TestSeparation_FindsDomainAndSources(t *testing.T) {
	for _, d := range Domains() {
		x, s, rng := mixtures(t, d, 8000, 1)
		r, err := Separation{Samples: 15000}.Separate(t.Context(), x, rng)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := r.Unmixing.Dims(); n != 3 || r.Domain != d {
			t.Errorf("%v: %d sources on the domain %v (%s), want 3", d, n, r.Domain, r.Choice.Why)
		}
		if got := sinr(t, r, x, s); got < 20 {
			t.Errorf("%v: SINR %.1f dB, want 20", d, got)
		}
	}
}

// TestSeparation_WithAnOffset: mixtures that were moved and scaled to [0, 1], each by itself, as pictures are when they are saved.
func TestSeparation_WithAnOffset(t *testing.T) {
	x, s, rng := mixtures(t, NonnegAntisparse, 8000, 2)
	_, m := x.Dims()
	for j := range m {
		col := mat.Col(nil, j, x)
		lo, hi := slices.Min(col), slices.Max(col)
		for i, v := range col {
			x.Set(i, j, (v-lo)/(hi-lo))
		}
	}
	r, err := Separation{Offset: true, Sources: 3, Samples: 30000}.Separate(t.Context(), x, rng)
	if err != nil {
		t.Fatal(err)
	}
	y := r.Apply(x)
	score, err := Evaluate(Centered(y), Centered(s)) // its offset is not known
	if err != nil || score.SINR < 20 || r.Domain != Projector(NonnegAntisparse) {
		t.Errorf("SINR %.1f dB on %v, want 20 on nnantisparse; %v", score.SINR, r.Domain, err)
	}
	if lo, hi := mat.Min(y), mat.Max(y); lo < -.3 || hi > 1.3 {
		t.Errorf("outputs from %.2f to %.2f, want about [0, 1]", lo, hi)
	}
}

// TestSeparation_SameBitsOnAnyNumberOfCores: runs go on at the same time; seeds are drawn before.
func TestSeparation_SameBitsOnAnyNumberOfCores(t *testing.T) {
	var results [2]*Result
	for i := range results {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(i + 1))
		x, _, rng := mixtures(t, Sparse, 2000, 3)
		var err error
		if results[i], err = (Separation{Samples: 3000, Restarts: 3}).Separate(t.Context(), x, rng); err != nil {
			t.Fatal(err)
		}
	}
	if !mat.Equal(results[0].Unmixing, results[1].Unmixing) || results[0].Best != results[1].Best {
		t.Error("another unmixing on another number of cores")
	}
}

// TestSeparation_EveryMethod: each separates sources of the first of its domains, or uniform ones if it needs none; LDMI those of all.
func TestSeparation_EveryMethod(t *testing.T) {
	type run struct {
		m Method
		d Projector
	}
	var runs []run
	for _, m := range Methods() {
		switch {
		case m.Name == "ldmi":
			for _, d := range m.Domains {
				runs = append(runs, run{m, d})
			}
		case m.Domains != nil:
			runs = append(runs, run{m, m.Domains[0]})
		default:
			runs = append(runs, run{m, Antisparse})
		}
	}
	for _, c := range runs {
		m, d := c.m, c.d
		samples := 6000
		if m.Name == "ldmi" {
			samples = 1200 // 5000 iterations over all samples
		}
		x, s, rng := mixtures(t, d, samples, 4)
		sep := Separation{Method: m, Domain: d, Sources: 3, Samples: 20000}
		r, err := sep.Separate(t.Context(), x, rng)
		if err != nil {
			t.Errorf("%s, %v: %v", m.Name, d, err)
			continue
		}
		if got := sinr(t, r, x, s); got < 15 {
			t.Errorf("%s, %v: SINR %.1f dB, want 15", m.Name, d, got)
		}
	}
	if _, err := MethodNamed("pca"); err == nil || !strings.Contains(err.Error(), "fastica") {
		t.Errorf("an unknown method: %v", err)
	}
	if _, err := DomainNamed("cube"); err == nil || !strings.Contains(err.Error(), "nnsparse") {
		t.Errorf("an unknown domain: %v", err)
	}
}

// TestSeparation_WrongMixturesAreNamed.
func TestSeparation_WrongMixturesAreNamed(t *testing.T) {
	good, _, rng := mixtures(t, Antisparse, 500, 5)
	with := func(f func(i, j int, v float64) float64) *mat.Dense {
		x := mat.DenseCopyOf(good)
		x.Apply(f, x)
		return x
	}
	for _, c := range []struct {
		name string
		x    *mat.Dense
		o    Separation
		want string
	}{
		{"NaN", with(func(i, j int, v float64) float64 {
			if i == 7 && j == 2 {
				return math.NaN()
			}
			return v
		}), Separation{}, "sample 8 of mixture 3 is NaN"},
		{"constant", with(func(_, j int, v float64) float64 {
			if j == 1 {
				return .25
			}
			return v
		}), Separation{}, "mixture 2 is 0.25 in every sample"},
		{"too large", with(func(_, j int, v float64) float64 { return v * []float64{1, 1, 1e150, 1, 1}[j] }), Separation{}, "largest number of mixture 3 is"},
		{"too small", with(func(_, _ int, v float64) float64 { return v * 1e-150 }), Separation{}, "another unit"},
		{"rank", with(func(i, j int, _ float64) float64 { return good.At(i, j%2) }), Separation{Sources: 3, Domain: Antisparse}, "rank 2, and 3 sources"},
		{"too many sources", good, Separation{Sources: 6}, "6 sources in 5 mixtures"},
		{"few samples", mat.DenseCopyOf(good.Slice(0, 20, 0, 5)), Separation{}, "20 samples of 5 mixtures"},
		{"a domain that is not the method's", good, Separation{Method: Methods()[4], Domain: Sparse}, "not for the domain sparse"},
	} {
		if _, err := c.o.Separate(t.Context(), c.x, rng); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRun_ASourceTwiceFails: its outputs are counted as failed, and their surrogate is below that of the true unmixing.
func TestRun_ASourceTwiceFails(t *testing.T) {
	_, s, _ := mixtures(t, Antisparse, 2000, 6)
	good, bad := Run{w: mat.NewDense(3, 3, identity(3))}, Run{w: mat.NewDense(3, 3, []float64{1, 0, 0, 0, 1, 0, .1, .99, 0})}
	good.judge(Antisparse, s)
	bad.judge(Antisparse, s)
	if good.Failed() || !bad.Failed() || !(good.Surrogate > bad.Surrogate+.3) {
		t.Errorf("failed %v %v, surrogates %v and %v", good.Failed(), bad.Failed(), good.Surrogate, bad.Surrogate)
	}
	r := Result{Runs: []Run{good, bad, {Err: &DivergenceError{}}}}
	if r.Failed() != 2 {
		t.Errorf("%d runs failed, want 2", r.Failed())
	}
}

// TestSeparation_Interrupted: what the runs had by then is the result.
func TestSeparation_Interrupted(t *testing.T) {
	x, _, rng := mixtures(t, Sparse, 2000, 7)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Separation{Domain: Sparse, Sources: 3}.Separate(ctx, x, rng)
	if err != nil || r.Unmixing == nil || r.Runs[0].Samples != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestStream_GoesOnToTheBit: a stream that was kept and restored has the outputs of one that was not; it allocates nothing and separates.
func TestStream_GoesOnToTheBit(t *testing.T) {
	for _, o := range []Streaming{{}, {Separation: Separation{Method: Methods()[2], Domain: Sparse}}, {Separation: Separation{Offset: true, Domain: Antisparse}}} {
		o.Warmup, o.Every, o.Samples, o.Sources, o.Seed = 2000, 3, 6000, 3, 9
		d := o.Domain
		if d == nil {
			d = Sparse
		}
		x, s, _ := mixtures(t, d, 8000, 8)
		if o.Offset {
			x.Apply(func(_, j int, v float64) float64 { return v + float64(j) }, x)
		}
		stream, err := o.Start(5)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi := math.Inf(1), math.Inf(-1)
		y := mat.NewDense(8000, 3, nil)
		var other *Stream
		for i := range 8000 {
			out, err := stream.Observe(x.RawRowView(i))
			if err != nil {
				t.Fatal(err)
			}
			if out != nil {
				y.SetRow(i, out)
			}
			if held := stream.Held(); held != nil {
				y.Slice(0, 2000, 0, 3).(*mat.Dense).Copy(held)
			}
			switch {
			case i == 5000:
				text, err := stream.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if other, err = o.Start(5); err != nil {
					t.Fatal(err)
				}
				if err := other.UnmarshalBinary(text); err != nil {
					t.Fatal(err)
				}
			case i > 5000:
				again, err := other.Observe(x.RawRowView(i))
				if err != nil || !slices.Equal(again, out) {
					t.Fatalf("sample %d: %v after restoring, want %v; %v", i, again, out, err)
				}
			}
		}
		for _, v := range y.RawMatrix().Data {
			lo, hi = min(lo, v), max(hi, v)
		}
		if o.Offset && (lo < -1.5 || hi > 1.5) {
			t.Errorf("outputs from %v to %v, want about [-1, 1]", lo, hi)
		}
		score, err := Evaluate(Centered(y), Centered(s))
		if err != nil || score.SINR < 20 {
			t.Errorf("%v: SINR %.1f dB, want 20; %v", o.Method.Name, score.SINR, err)
		}
		u, b := stream.Unmixing()
		last := Apply(u, mat.DenseCopyOf(x.Slice(7999, 8000, 0, 5)))
		addOffset(last, b)
		got, _ := stream.Observe(x.RawRowView(7999))
		for j, v := range got {
			if math.Abs(v-last.At(0, j)) > 1e-12*(1+math.Abs(v)) {
				t.Errorf("output %d is %v, and Unmixing gives %v", j, v, last.At(0, j))
			}
		}
		k := 0
		if allocs := testing.AllocsPerRun(500, func() { stream.Observe(x.RawRowView(k)); k++ }); allocs > 0 {
			t.Errorf("%v allocations a sample", allocs)
		}
	}
}

// TestStream_Refuses: states of other streams, samples that are no numbers, and methods that need all samples.
func TestStream_Refuses(t *testing.T) {
	o := Streaming{Separation: Separation{Sources: 2, Samples: 1000}, Warmup: 500}
	s, err := o.Start(3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MarshalBinary(); err == nil || !strings.Contains(err.Error(), "nothing to keep") {
		t.Errorf("a stream without samples: %v", err)
	}
	if err := s.Finish(); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("a stream without samples: %v", err)
	}
	if _, err := s.Observe([]float64{1, 2, math.Inf(1)}); err == nil || !strings.Contains(err.Error(), "sample 1") {
		t.Errorf("an infinity: %v", err)
	}
	x, _, _ := mixtures(t, Antisparse, 500, 9)
	for i := range 500 {
		if _, err := s.Observe(x.RawRowView(i)[:3]); err != nil {
			t.Fatal(err)
		}
	}
	text, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o        Streaming
		mixtures int
		text     string
		want     string
	}{
		"other sizes":   {o, 4, string(text), "3 mixtures, and this one has 4"},
		"other method":  {Streaming{Separation: Separation{Method: Methods()[2]}, Warmup: 500}, 3, string(text), "corinfomax"},
		"other sources": {Streaming{Separation: Separation{Sources: 3}, Warmup: 500}, 3, string(text), "2 sources, and 3"},
		"cut":           {o, 3, string(text[:len(text)/2]), "state of a stream"},
		"no base":       {o, 3, strings.Replace(string(text), `"Base":[`, `"Base":[1,`, 1), "damaged"},
	} {
		other, err := c.o.Start(c.mixtures)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.UnmarshalBinary([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := (Streaming{Separation: Separation{Method: Methods()[3]}}).Start(3); err == nil || !strings.Contains(err.Error(), "online") {
		t.Errorf("LDMI on a stream: %v", err)
	}
}
