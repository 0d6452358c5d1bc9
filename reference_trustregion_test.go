package pcgraph_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/curvature"
	"github.com/pcgraph/pcgraph/experiments/trustregion"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// trustRegionOptions are those of cases of kind trustregion.
type trustRegionOptions struct {
	Case       string
	Sizes      []int
	Order, Act string
	OutputAct  bool `json:"output_act"`
	Rate       float64
	Methods    []string
}

type trustRegionCase = paperCase[trustRegionOptions]

// TestReference_TrustRegion compares predictive coding as a trust-region method with an independent program: one hidden unit in closed
// form, steps in both metrics of networks of this library, directions to the nearest minimum.
func TestReference_TrustRegion(t *testing.T) {
	checkPapers(t, "trustregion", func(o trustRegionOptions) string { return o.Case }, map[string]func(*testing.T, *trustRegionCase){
		"onehidden": checkOneHidden, "step": checkTrustRegionStep, "direction": checkDirection,
	})
}

func checkOneHidden(t *testing.T, c *trustRegionCase) {
	got := map[string][]float64{}
	add := func(name string, values ...float64) { got[name] = append(got[name], values...) }
	for p := range slices.Chunk(c.array(t, "points"), 4) {
		o := theory.OneHidden{W1: p[0], W2: p[1], X: p[2], Y: p[3]}
		add("z", o.Activity())
		add("energy", o.Energy())
		add("loss", o.Loss())
		df, dl := o.EnergyGradient(), o.LossGradient()
		add("dF", df[:]...)
		add("dL", dl[:]...)
		for name, h := range map[string]*mat.SymDense{"": o.EnergyHessian(), "_loss": o.LossHessian()} {
			add("hessian"+name, rowMajor(h)...)
			values, err := theory.Eigenvalues(h)
			if err != nil {
				t.Fatal(err)
			}
			add("eigenvalues"+name, values...)
		}
	}
	for name, values := range got {
		reference.Near(t, name, values, c.array(t, name), 1e-10)
	}
}

// trustRegionNetwork is the case's network with its weights.
func trustRegionNetwork(t *testing.T, c *trustRegionCase) (*arch.Network, *graph.Vector[float64]) {
	t.Helper()
	o := c.Options
	act, err := layers.ParseAct(o.Act)
	if err != nil {
		t.Fatal(err)
	}
	n, depth := &arch.Network{Input: o.Sizes[:1]}, len(o.Sizes)-1
	var fields []graph.Field
	for l := range depth {
		layer := layers.Linear{In: o.Sizes[l], Out: o.Sizes[l+1]}
		switch {
		case o.Order == "weight_then_act" && (l < depth-1 || o.OutputAct):
			layer.Post = act
		case o.Order == "act_then_weight" && l > 0:
			layer.Act = act
		case o.Order != "weight_then_act" && o.Order != "act_then_weight":
			t.Fatalf("unknown order %q", o.Order)
		}
		name := fmt.Sprintf("block%d", l+1)
		n.Blocks = append(n.Blocks, arch.Block{Name: name, Layer: layer})
		fields = append(fields, graph.Field{Name: name + "/W", Shape: []int{o.Sizes[l], o.Sizes[l+1]}})
	}
	w := graph.NewVector[float64](fields...)
	for l := range depth {
		copy(w.Part(w.Data(), l), c.transposed(t, fmt.Sprintf("W%d", l+1)))
	}
	return n, w
}

// settled is the equilibrium from the feedforward pass that a model is at.
func settled(t *testing.T, m *arch.Model[float64], region *curvature.TrustRegion) []float64 {
	t.Helper()
	z := slices.Clone(region.Feedforward)
	problem := train.ProblemOf(m)
	problem.Newton = region.Newton
	if _, err := infer.Run(&infer.Newton[float64]{}, problem, z, infer.Stationary{Tol: 1e-16}, nil); err != nil {
		t.Fatal(err)
	}
	return z
}

func checkTrustRegionStep(t *testing.T, c *trustRegionCase) {
	n, w := trustRegionNetwork(t, c)
	x, y := c.array(t, "x"), c.array(t, "y")
	batch, out := c.Arrays["x"].Shape[0], c.Arrays["y"].Shape[1]
	m, err := arch.Compile(n, w, arch.Plan{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	region, err := curvature.NewTrustRegion(m, x, y)
	if err != nil {
		t.Fatal(err)
	}
	dim := len(region.Gradient) / batch
	// rows are a slab [field][sample] by samples
	rows := func(slab []float64) []float64 {
		var all []float64
		v := m.StateVector()
		for s := range batch {
			for i := range v.Fields() {
				part := v.Part(slab, i)
				width := len(part) / batch
				all = append(all, part[s*width:(s+1)*width]...)
			}
		}
		return all
	}
	slab := func(rows []float64) []float64 {
		all, v := make([]float64, len(rows)), m.StateVector()
		for s := range batch {
			at := s * dim
			for i := range v.Fields() {
				part := v.Part(all, i)
				width := len(part) / batch
				copy(part[s*width:], rows[at:at+width])
				at += width
			}
		}
		return all
	}
	predicted, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	z := settled(t, m, region)
	near := func(name string, got []float64) { t.Helper(); reference.Near(t, name, got, c.array(t, name), 1e-10) }
	near("feedforward_hidden", rows(region.Feedforward))
	near("feedforward_output", predicted)
	near("gradient", rows(region.Gradient))
	near("equilibrium", rows(z))
	metrics := map[string]curvature.Metric{"exact": curvature.ExactHessian, "fisher": curvature.Fisher}
	for name, metric := range metrics {
		var all []float64
		for s := range batch {
			all = append(all, rowMajor(region.Hessian(metric, s))...)
		}
		near("hessian_"+name, all)
		step, err := region.Step(metric)
		if err != nil {
			t.Fatal(err)
		}
		near("step_"+name, rows(step))
	}

	bp, err := arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := region.Decompose(bp, x, y, z, curvature.Fisher)
	if err != nil {
		t.Fatal(err)
	}
	for l := range w.Fields() {
		name := fmt.Sprintf("dW%d", l+1)
		for prefix, all := range map[string][]float64{"pc_": parts.PC, "bp_": parts.BP, "tr_": parts.TrustRegion} {
			reference.Near(t, prefix+name, w.Part(all, l), c.transposed(t, prefix+name), 1e-10)
		}
	}
	if c.has("tr_term_W1") {
		reference.Near(t, "tr_term_W1", w.Part(parts.Literal, 0), c.transposed(t, "tr_term_W1"), 1e-10)
		reference.Near(t, "partial_W2", w.Part(parts.Partial, 1), c.transposed(t, "partial_W2"), 1e-10)
	}
	if c.Options.Act == "linear" {
		checkLinearRegion(t, c, w, x, y, rows)
	}

	// errors of the quadratic models, sample by sample, along a direction
	energies := func(z []float64) []float64 {
		one, err := m.Resized(1)
		if err != nil {
			t.Fatal(err)
		}
		in, all, each := len(x)/batch, make([]float64, batch), rows(z)
		for s := range all {
			if err := one.Clamp(x[s*in:(s+1)*in], y[s*out:(s+1)*out]); err != nil {
				t.Fatal(err)
			}
			copy(one.State(), each[s*dim:(s+1)*dim])
			if all[s], err = one.Energy(); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	scales, direction := c.array(t, "model_scales"), slab(c.array(t, "direction"))
	start := energies(region.Feedforward)
	for name, metric := range metrics {
		errs := make([]float64, batch*len(scales))
		for k, scale := range scales {
			dz, at := make([]float64, len(direction)), slices.Clone(region.Feedforward)
			for i, u := range direction {
				dz[i] = scale * u
				at[i] += dz[i]
			}
			for s, change := range region.Quadratic(metric, dz) {
				errs[s*len(scales)+k] = energies(at)[s] - start[s] - change
			}
		}
		absolutely(t, "model_error_"+name, errs, c.array(t, "model_error_"+name), 5e-15)
	}

	// relative errors of the steps at smaller residuals
	scales = c.array(t, "residual_scales")
	errs := map[string][]float64{"exact": make([]float64, batch*len(scales)), "fisher": make([]float64, batch*len(scales))}
	for k, scale := range scales {
		target := make([]float64, len(y))
		for i, p := range predicted {
			target[i] = p + scale*(y[i]-p)
		}
		region, err := curvature.NewTrustRegion(m, x, target)
		if err != nil {
			t.Fatal(err)
		}
		z := settled(t, m, region)
		for name, metric := range metrics {
			step, err := region.Step(metric)
			if err != nil {
				t.Fatal(err)
			}
			off, whole := make([]float64, len(z)), make([]float64, len(z))
			for i := range z {
				whole[i] = z[i] - region.Feedforward[i]
				off[i] = step[i] - whole[i]
			}
			a, b := rows(off), rows(whole)
			for s := range batch {
				errs[name][s*len(scales)+k] = mat.Norm(mat.NewVecDense(dim, a[s*dim:(s+1)*dim]), 2) / mat.Norm(mat.NewVecDense(dim, b[s*dim:(s+1)*dim]), 2)
			}
		}
	}
	for name, got := range errs {
		absolutely(t, "relative_error_"+name, got, c.array(t, "relative_error_"+name), 1e-10)
	}
}

// checkLinearRegion holds the closed form of linear networks against the same case.
func checkLinearRegion(t *testing.T, c *trustRegionCase, w *graph.Vector[float64], x, y []float64, rows func([]float64) []float64) {
	t.Helper()
	var n theory.Linear
	for l, f := range w.Fields() {
		n.Weights = append(n.Weights, mat.NewDense(f.Shape[0], f.Shape[1], w.Part(w.Data(), l)))
	}
	batch := c.Arrays["x"].Shape[0]
	region, err := n.TrustRegion(mat.NewDense(batch, len(x)/batch, x), mat.NewDense(batch, len(y)/batch, y))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(list []*mat.Dense) []float64 {
		var all []float64
		for _, m := range list {
			all = append(all, rowMajor(m)...)
		}
		return rows(all)
	}
	reference.Near(t, "theory's step", flat(region.Step), c.array(t, "step_exact"), 1e-10)
	reference.Near(t, "theory's gradient", flat(region.Gradient), c.array(t, "gradient"), 1e-10)
	reference.Near(t, "theory's equilibrium", flat(region.Activities()), c.array(t, "equilibrium"), 1e-10)
	d := region.Decompose()
	for l := range n.Weights {
		name := fmt.Sprintf("dW%d", l+1)
		for prefix, all := range map[string][]*mat.Dense{"pc_": d.PC, "bp_": d.BP, "tr_": d.TrustRegion} {
			reference.Near(t, "theory's "+prefix+name, rowMajor(all[l]), c.transposed(t, prefix+name), 1e-10)
		}
	}
	reference.Near(t, "theory's tr_term_W1", rowMajor(d.Literal[0]), c.transposed(t, "tr_term_W1"), 1e-10)
	reference.Near(t, "theory's partial_W2", rowMajor(d.Literal[1]), c.transposed(t, "partial_W2"), 1e-10)
}

// absolutely compares with an absolute tolerance.
func absolutely(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= tol) {
			t.Errorf("%s[%d] = %.17g, want %.17g", what, i, got[i], v)
			return
		}
	}
}

func checkDirection(t *testing.T, c *trustRegionCase) {
	batches := c.Arrays["x"].Shape[0]
	x, y := slices.Collect(slices.Chunk(c.array(t, "x"), c.Arrays["x"].Shape[1])), slices.Collect(slices.Chunk(c.array(t, "y"), c.Arrays["y"].Shape[1]))
	var paths []*trustregion.Path
	for _, name := range c.Options.Methods {
		method := map[string]trustregion.Method{"sgd": trustregion.SGD, "pc": trustregion.PC, "tr_newton": trustregion.TrustRegionNewton}[name]
		w0 := c.array(t, "w0")
		p, err := trustregion.Follow(context.Background(), method, [2]float64{w0[0], w0[1]}, c.Options.Rate, batches, func(step int) (_, _ []float64) { return x[step-1], y[step-1] })
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	var weights, optimal, cosines, on []float64
	for k := range batches + 1 {
		for _, p := range paths {
			weights = append(weights, p.Weights[k][:]...)
			if k < batches {
				optimal = append(optimal, p.Optimal[k][:]...)
				cosines = append(cosines, p.Cosines[k])
			}
		}
		if k < batches {
			for _, method := range []trustregion.Method{trustregion.SGD, trustregion.PC, trustregion.TrustRegionNewton} {
				at := paths[0].Weights[k]
				d, err := trustregion.Direction(method, at, x[k], y[k])
				if err != nil {
					t.Fatal(err)
				}
				on = append(on, trustregion.Cosine(d, trustregion.ToMinimum(at)))
			}
		}
	}
	for name, got := range map[string][]float64{"weights": weights, "optimal": optimal, "cosines": cosines, "cosines_sgd": on} {
		reference.Near(t, name, got, c.array(t, name), 1e-10)
	}
}
