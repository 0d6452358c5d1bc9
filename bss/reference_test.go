package bss

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"context"
	"gonum.org/v1/gonum/mat"
)

// A fixture is a case of an independent program.
type fixture struct {
	Kind, Name, Note string
	Options          map[string]any
	Inputs           []string
	Values           map[string]any
	Arrays           map[string]struct {
		Shape []int
		Data  []float64
	}
	used map[string]bool
	t    *testing.T
}

// data is an array, row-major.
func (f *fixture) data(name string) []float64 {
	f.t.Helper()
	a, ok := f.Arrays[name]
	if !ok {
		f.t.Fatalf("no array %q", name)
	}
	f.used[name] = true
	return a.Data
}

// dense is a matrix.
func (f *fixture) dense(name string) *mat.Dense {
	d := f.data(name)
	s := f.Arrays[name].Shape
	return mat.NewDense(s[0], s[1], d)
}

// samples is a matrix [rows, samples] as [samples, rows].
func (f *fixture) samples(name string) *mat.Dense { return mat.DenseCopyOf(f.dense(name).T()) }

func (f *fixture) ints(name string) []int {
	var out []int
	for _, v := range f.data(name) {
		out = append(out, int(v))
	}
	return out
}

func (f *fixture) num(name string) float64 {
	f.t.Helper()
	v, ok := f.Options[name].(float64)
	if !ok {
		f.t.Fatalf("option %q is %v", name, f.Options[name])
	}
	return v
}

func (f *fixture) text(name string) string { s, _ := f.Options[name].(string); return s }

// near compares with an expected array: absolute tolerance tol times scale, where 0 is the largest number of the array.
func (f *fixture) near(name string, got []float64, tol, scale float64) {
	f.t.Helper()
	want := f.data(name)
	if len(got) != len(want) {
		f.t.Errorf("%s: %d numbers, want %d", name, len(got), len(want))
		return
	}
	if scale == 0 {
		for _, v := range want {
			scale = max(scale, math.Abs(v))
		}
	}
	for i, v := range got {
		if !(math.Abs(v-want[i]) <= tol*scale) {
			f.t.Errorf("%s[%d] = %.17g, want %.17g", name, i, v, want[i])
			return
		}
	}
}

// part is slice k of an array of several.
func (f *fixture) part(name string, k int, got []float64, tol float64) {
	f.t.Helper()
	want := f.data(name)[k*len(got) : (k+1)*len(got)]
	for i, v := range got {
		if !(math.Abs(v-want[i]) <= tol) {
			f.t.Errorf("%s[%d][%d] = %.17g, want %.17g", name, k, i, v, want[i])
			return
		}
	}
}

func TestReference(t *testing.T) {
	files, _ := filepath.Glob("../testdata/papers/pem_*.json")
	if len(files) == 0 {
		t.Fatal("no fixtures")
	}
	if dir := os.Getenv("PCGRAPH_REFERENCE"); dir != "" { // absolute or from the repository's root
		if !filepath.IsAbs(dir) {
			dir = filepath.Join("..", dir)
		}
		more, _ := filepath.Glob(filepath.Join(dir, "pem_*.json"))
		files = append(files, more...)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			f := &fixture{used: map[string]bool{}, t: t}
			if err := json.Unmarshal(raw, f); err != nil {
				t.Fatal(err)
			}
			run, ok := map[string]func(*testing.T, *fixture){"online": online, "corinfomax": corinfomax, "ldmi": ldmi, "bsm": bsm, "nsm": nsm,
				"infomax": infomaxCase, "rates": rates, "taylor": taylor, "projections": projections, "generators": generators,
				"metrics": metrics, "mmse": mmse}[f.text("case")]
			if !ok {
				t.Fatalf("unknown case %q", f.text("case"))
			}
			run(t, f)
			for name := range f.Arrays {
				if !f.used[name] {
					t.Errorf("array %q is not checked", name)
				}
			}
		})
	}
}

func (f *fixture) domain() Domain {
	switch f.text("domain") {
	case "polytope":
		p := Polytope{}
		list := func(v any) (out []int) {
			for _, x := range v.([]any) {
				out = append(out, int(x.(float64)))
			}
			return out
		}
		p.Signed, p.Nonneg = list(f.Options["signed"]), list(f.Options["nonneg"])
		for _, g := range f.Options["groups"].([]any) {
			p.Groups = append(p.Groups, list(g))
		}
		return p
	}
	for _, d := range Domains() {
		if d.String() == f.text("domain") {
			return d
		}
	}
	f.t.Fatalf("unknown domain %q", f.text("domain"))
	return nil
}

func (f *fixture) inference() Inference {
	step := Schedule{Rate: f.num("s0")}
	if rule, ok := f.Options["inner_rule"]; !ok || rule == "loop" {
		step.Law, step.Floor = Harmonic, f.num("smin")
	} else if rule == "slow" {
		step.Law, step.Floor, step.Time = Harmonic, f.num("smin"), 1/f.num("divider")
	}
	beta, _ := f.Options["beta"].(float64)
	return Inference{Step: step, Iterations: int(f.num("K")), Tol: f.num("tol"), Threshold: beta}
}

func (f *fixture) rate() Schedule {
	s := Schedule{Rate: f.num("eta"), Time: f.num("T"), Floor: 1e-8}
	switch f.text("eta_rule") {
	case "index":
		s.Law = Harmonic
	case "log":
		s.Law = Logarithmic
	case "constant":
		s.Floor = 0
	default:
		f.t.Fatalf("unknown rate %q", f.text("eta_rule"))
	}
	return s
}

func online(t *testing.T, f *fixture) {
	x, order, marks := f.samples("X"), f.ints("order"), f.ints("marks")
	for _, variant := range f.Options["variants"].([]any) {
		name := variant.(string)
		g := map[string]Gradient{"truncated": Truncated, "full": Full, "u": Unnormalised}[name]
		p := PEM{Domain: f.domain(), Gradient: g, Memory: f.num("memory"), Prediction: f.num("gamma"), Lateral: f.num("gamma_lat"),
			Eps: f.num("eps") + f.num("diag_extra"), Rate: f.rate(), Inference: f.inference()}
		net, err := p.StartFrom(f.dense("W0"), f.dense("C0"), f.data("mu0"))
		if err != nil {
			t.Fatal(err)
		}
		f.watch(net, x, order, marks, name+"_", func(k int) {
			f.part(name+"_C", k, net.c, 1e-9)
			f.part(name+"_mu", k, net.mu, 1e-9)
		}, func() int { return net.Iterations() })
	}
}

// watch feeds samples, and compares outputs, iterations and weights.
func (f *fixture) watch(net Separator, x *mat.Dense, order, marks []int, prefix string, mark func(k int), iterations func() int) {
	f.t.Helper()
	ys, counts := f.dense(prefix+"y"), f.ints(prefix+"iterations")
	k := 0
	for i, o := range order {
		y, err := net.Observe(x.RawRowView(o))
		if err != nil {
			f.t.Fatal(err)
		}
		for j, v := range y {
			if math.Abs(v-ys.At(j, i)) > 1e-9 {
				f.t.Fatalf("%sy[%d, %d] = %.17g, want %.17g", prefix, j, i, v, ys.At(j, i))
			}
		}
		if n := iterations(); n != counts[i] {
			f.t.Fatalf("%siterations[%d] = %d, want %d", prefix, i, n, counts[i])
		}
		if k < len(marks) && marks[k] == i+1 {
			if !f.has(prefix + "M") { // W of BSM is not the unmixing
				f.part(prefix+"W", k, net.Unmixing().RawMatrix().Data, 1e-9)
			}
			mark(k)
			k++
		}
	}
	if k != len(marks) {
		f.t.Errorf("%d marks seen of %d", k, len(marks))
	}
}

func (f *fixture) has(name string) bool { _, ok := f.Arrays[name]; return ok }

// first counts 0, 1, ...
func first(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func corinfomax(t *testing.T, f *fixture) {
	c := CorInfoMax{Domain: f.domain(), Memory: f.num("memory"), Prediction: f.num("gamma"), Rate: f.rate(), Inference: f.inference(),
		TwoGains: f.text("version") == "two", ErrorMemory: f.num("memory_e"), UpdateErrors: f.Options["update_be"].(bool)}
	if c.TwoGains {
		c.ErrorGain = f.data("Be0")[0]
	}
	net, err := c.StartFrom(f.dense("W0"), f.dense("B0"))
	if err != nil {
		t.Fatal(err)
	}
	if c.TwoGains {
		copy(net.gains, f.data("Be0"))
	}
	x := f.samples("X")
	n, _ := x.Dims()
	f.watch(net, x, first(n), f.ints("marks"), "", func(k int) {
		f.part("B", k, net.inverse, 1e-9)
		if c.TwoGains {
			f.part("Be", k, net.gains, 1e-9)
		}
	}, net.Iterations)
	m, err := net.ImplicitUnmixing()
	if err != nil {
		t.Fatal(err)
	}
	f.near("implicit_readout", m.RawMatrix().Data, 1e-9, 0)
}

func ldmi(t *testing.T, f *fixture) {
	l := LDMI{Domain: f.domain().(Projector), Eps: f.num("eps"), Regularise: f.Options["regularise"].(bool), Iterations: int(f.num("iterations"))}
	l.Moment = map[string]Moment{"correlation": Correlation, "covariance": Covariance, "covariance_released": CovarianceReleased}[f.text("mode")]
	l.Rate = map[string]Schedule{"sqrt": {Law: Sqrt}, "index": {Law: Harmonic}, "exp": {Law: Exponential, Decay: .995}, "constant": {}}[f.text("rule")]
	l.Rate.Rate = f.num("a0")
	f.near("rates", l.Rate.table(l.Iterations), 1e-10, 0)
	k := 0
	y := f.samples("Y0")
	res, err := l.from(context.Background(), f.samples("X"), y, func(w *mat.Dense) {
		f.part("W_trace", k, w.RawMatrix().Data, 1e-10*mat.Max(w))
		k++
	})
	if err != nil {
		t.Fatal(err)
	}
	f.near("Y", mat.DenseCopyOf(res.Outputs.T()).RawMatrix().Data, 1e-10, 0)
}

func bsm(t *testing.T, f *fixture) {
	b := BSM{Memory: f.num("gam"), Rate: f.num("eta"), Decay: f.num("beta"), Inference: f.inference(), Released: f.num("relaxation_sign") < 0}
	net, err := b.Start(f.dense("P"))
	if err != nil {
		t.Fatal(err)
	}
	x := f.samples("X")
	n, _ := x.Dims()
	p, err := Whiten(x, 3)
	if err != nil {
		t.Fatal(err)
	}
	f.data("eigenvalues")
	want := f.dense("P")
	for i := range 3 {
		if r := math.Abs(dot(p.RawRowView(i), want.RawRowView(i))) / dot(want.RawRowView(i), want.RawRowView(i)); math.Abs(r-1) > 1e-9 {
			t.Errorf("row %d of the whitening differs by a factor of %v", i, r)
		}
	}
	f.watch(net, x, first(n), f.ints("marks"), "", func(k int) {
		f.part("W", k, net.w, 1e-9)
		f.part("M", k, net.m, 1e-9)
		f.part("d", k, net.d, 1e-9)
	}, func() int { return net.made })
	f.near("readout", net.Unmixing().RawMatrix().Data, 1e-9, 0)
}

func nsm(t *testing.T, f *fixture) {
	net, err := NSM{Updates: int(f.num("updates")), Silence: int(f.num("silence")), RescueUntil: 1500}.Start(f.dense("P"), nil)
	if err != nil {
		t.Fatal(err)
	}
	x, y0, idx, marks, ys := f.samples("X"), f.dense("Y0"), f.dense("idx"), f.ints("marks"), f.dense("y")
	k := 0
	for i, o := range f.ints("perm") {
		copy(net.y, y0.RawRowView(i))
		for j, v := range idx.RawRowView(i) {
			net.order[j] = int(v)
		}
		y, err := net.learn(x.RawRowView(o), net.order)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range y {
			if math.Abs(v-ys.At(j, i)) > 1e-9 {
				t.Fatalf("y[%d, %d] = %.17g, want %.17g", j, i, v, ys.At(j, i))
			}
		}
		if k < len(marks) && marks[k] == i+1 {
			f.part("W1", k, net.w1, 1e-9)
			f.part("W2", k, net.w2, 1e-9)
			f.part("Dt", k, net.d, 1e-9)
			k++
		}
	}
	if want := int(f.Values["flips"].(float64)); net.flips != want {
		t.Errorf("%d rows negated, want %d", net.flips, want)
	}
	f.near("readout", net.Unmixing().RawMatrix().Data, 1e-9, 0)
}

func infomaxCase(t *testing.T, f *fixture) {
	r := newInfomax(f.samples("Z"), f.num("rate"))
	if r.block != int(f.num("block")) {
		t.Fatalf("blocks of %d, want %v", r.block, f.num("block"))
	}
	perms := f.dense("perms")
	for e := range int(f.num("epochs")) {
		var order []int
		for _, v := range perms.RawRowView(e) {
			order = append(order, int(v))
		}
		change, ok := r.epoch(order, nil)
		if !ok {
			t.Fatal("diverged")
		}
		f.part("W", e, r.w.RawMatrix().Data, 1e-10)
		f.part("b", e, r.b, 1e-10)
		f.part("signs", e, r.signs, 0)
		f.part("rate", e, []float64{r.rate}, 1e-12)
		f.part("change", e, []float64{change}, 1e-10)
		f.part("angle", e, []float64{r.angle}, 1e-8)
	}
}

func rates(t *testing.T, f *fixture) {
	ks, ts := f.ints("k"), f.ints("t")
	at := func(s Schedule, at []int) (out []float64) {
		for _, k := range at {
			out = append(out, s.At(k))
		}
		return out
	}
	s0, eta := f.num("s0"), f.num("eta")
	f.near("inner_constant", at(Schedule{Rate: s0}, ks), 1e-12, 0)
	f.near("inner_loop", at(Schedule{Law: Harmonic, Rate: s0, Floor: f.num("smin")}, ks), 1e-12, 0)
	f.near("inner_slow", at(Schedule{Law: Harmonic, Rate: s0, Time: 1 / f.num("divider"), Floor: f.num("smin")}, ks), 1e-12, 0)
	f.near("eta_constant", at(Schedule{Rate: eta}, ts), 1e-12, 0)
	f.near("eta_index", at(Schedule{Law: Harmonic, Rate: eta, Time: f.num("T"), Floor: 1e-8}, ts), 1e-12, 0)
	f.near("eta_log", at(Schedule{Law: Logarithmic, Rate: eta, Time: f.num("T"), Floor: 1e-8}, ts), 1e-12, 0)
	for name, s := range map[string]Schedule{"ldmi_sqrt": {Law: Sqrt}, "ldmi_index": {Law: Harmonic}, "ldmi_exp": {Law: Exponential, Decay: .995}, "ldmi_constant": {}} {
		s.Rate = f.data(name)[0]
		if ks[0] != 0 {
			t.Fatalf("k begins at %d", ks[0])
		}
		f.near(name, at(s, ks), 1e-12, 0)
	}
}

func taylor(t *testing.T, f *fixture) {
	got := map[string][]float64{}
	for i := range int(f.num("matrices")) {
		x, err := Expand(f.dense("C" + string(rune('0'+i))))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]float64{"logdet": x.LogDet, "surrogate": x.Surrogate, "remainder": x.Remainder, "tight": x.Tight, "loose": x.Loose,
			"frobenius_O": x.NormO, "frobenius_B": x.NormB, "spectral_B": x.SpectralB, "min_eigenvalue_C": x.SmallestC, "min_eigenvalue_B": x.SmallestB} {
			got[name] = append(got[name], v)
		}
	}
	for name, v := range got {
		f.near(name, v, 1e-10, 0)
	}
}

func projections(t *testing.T, f *fixture) {
	for name, d := range map[string]Projector{"l1ball": Sparse, "simplex": Simplex, "nnsparse": NonnegSparse, "clip": Antisparse, "clip_nonneg": NonnegAntisparse} {
		v := f.samples("V")
		n, m := v.Dims()
		for i := range n {
			d.Project(v.RawRowView(i), make([]float64, m))
		}
		f.near(name, mat.DenseCopyOf(v.T()).RawMatrix().Data, 1e-12, 0)
	}
}

func generators(t *testing.T, f *fixture) {
	var cdf []float64
	for _, v := range f.data("t") {
		cdf = append(cdf, studentCDF(v))
	}
	f.near("cdf", cdf, 1e-12, 0)
	w := f.data("w")
	for name, c := range map[string]Copula{"copula": {Rho: f.num("rho")}, "copula_toeplitz": {Rho: f.num("rho"), Toeplitz: true}} {
		g := f.samples("g")
		for i := range w {
			c.transform(g.RawRowView(i), w[i])
		}
		f.near(name, mat.DenseCopyOf(g.T()).RawMatrix().Data, 1e-10, 0)
		if !c.Toeplitz {
			signed := f.samples("g")
			c.Signed = true
			for i := range w {
				c.transform(signed.RawRowView(i), w[i])
			}
			x := Apply(f.dense("A"), signed)
			addNoise(x, f.samples("z"), f.num("snr"))
			f.near("mixed", mat.DenseCopyOf(x.T()).RawMatrix().Data, 1e-10, 0)
		}
	}
	for name, b := range map[string]Ball{"sparse": {Sparse, 4}, "nnsparse": {NonnegSparse, 2}, "simplex": {Simplex, 4}} {
		u := f.samples("U")
		n, m := u.Dims()
		for i := range n {
			row := u.RawRowView(i)
			for j := range row {
				row[j] = 2*b.Width*row[j] - b.Width
			}
			b.Domain.Project(row, make([]float64, m))
		}
		f.near(name, mat.DenseCopyOf(u.T()).RawMatrix().Data, 1e-12, 0)
	}
	u := f.samples("U")
	n, m := u.Dims()
	pam, accept := mat.NewDense(n, m, nil), make([]float64, n)
	p := Polytope{Signed: []int{0, 1}, Nonneg: []int{2}, Groups: [][]int{{0, 1}, {1, 2}}}
	for i := range n {
		row := u.RawRowView(i)
		for j, v := range row {
			pam.Set(i, j, PAM{4}.level(v))
		}
		if p.Contains([]float64{2*row[0] - 1, 2*row[1] - 1, row[2]}) {
			accept[i] = 1
		}
	}
	f.near("pam", mat.DenseCopyOf(pam.T()).RawMatrix().Data, 0, 0)
	f.near("polytope_accept", accept, 0, 0)
}

func metrics(t *testing.T, f *fixture) {
	s, y := f.samples("S"), f.samples("Y")
	got, err := Evaluate(y, s)
	if err != nil {
		t.Fatal(err)
	}
	c := mat.NewDense(3, 3, nil)
	sy, ss := squares(y), squares(s)
	c.Mul(y.T(), s)
	c.Apply(func(i, j int, v float64) float64 { return math.Abs(v) / math.Sqrt(sy[i]*ss[j]) }, c)
	f.near("correlations", c.RawMatrix().Data, 1e-10, 0)
	var order []float64
	for _, i := range got.Order {
		order = append(order, float64(i))
	}
	f.near("perm", order, 0, 0)
	f.near("sign", got.Sign, 0, 0)
	f.near("gain", got.Gain, 1e-10, 0)
	f.near("aligned", mat.DenseCopyOf(got.Aligned.T()).RawMatrix().Data, 1e-10, 0)
	f.near("snr", got.SNR, 1e-8, 1)
	centred, err := Evaluate(Centered(y), Centered(s))
	if err != nil {
		t.Fatal(err)
	}
	f.near("centred_snr", centred.SNR, 1e-8, 1)
	for name, v := range map[string]float64{"msnr": got.MeanSNR, "sinr_realigned": got.SINR, "centred_sinr": centred.SINR} {
		if want := f.Values[name].(float64); math.Abs(v-want) > 1e-8 {
			t.Errorf("%s = %v, want %v", name, v, want)
		}
	}
}

func mmse(t *testing.T, f *fixture) {
	s, e, a := f.samples("S"), f.samples("E"), f.dense("A")
	w, err := MMSE(a, s, e)
	if err != nil {
		t.Fatal(err)
	}
	f.near("W", w.RawMatrix().Data, 1e-10, 0)
	x := Apply(a, s)
	x.Add(x, e)
	f.near("estimate", mat.DenseCopyOf(Apply(w, x).T()).RawMatrix().Data, 1e-10, 0)
	f.near("R_s", covariance(s, s, nil, nil).RawMatrix().Data, 1e-10, 0)
	f.near("R_n", covariance(e, e, nil, nil).RawMatrix().Data, 1e-10, 0)
}
