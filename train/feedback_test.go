package train_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// localTol is rounding of some hundred float64 operations.
const localTol = 1e-12

// aligned is the gradient of plain loops whose errors come back by a rule: before gives the error of site l (from 0, the
// input's site) of that of site l+1 and of the output's.
func (k *task) aligned(before func(l int, z [][]float64, delta, top []float64) []float64) (loss float64, dw []float64) {
	p := k.plain
	grads := make([][]float64, 2*p.depth())
	for l := range p.depth() {
		grads[2*l], grads[2*l+1] = make([]float64, p.sizes[l]*p.sizes[l+1]), make([]float64, p.sizes[l+1])
	}
	in, out := p.sizes[0], p.sizes[p.depth()]
	for i := range k.batch {
		z := p.forward(k.x[i*in:(i+1)*in], nil)
		top, e := p.outputError(k.y[i*out:(i+1)*out], z[p.depth()])
		loss += e / float64(k.batch)
		delta := top
		for l := p.depth() - 1; l >= 0; l-- {
			for c, d := range delta {
				for j, v := range z[l] {
					h, _ := f(p.actOf(l), v)
					grads[2*l][j*len(delta)+c] += p.factors[l] * h * d / float64(k.batch)
				}
				grads[2*l+1][c] += p.factors[l] * d / float64(k.batch)
			}
			if l > 0 {
				delta = before(l, z, delta, top)
			}
		}
	}
	return loss, k.slab(grads)
}

// slab puts gradients by layer in the order of the network's weights; zero for those that are not the chain's.
func (k *task) slab(grads [][]float64) []float64 {
	var dw []float64
	for i, p := range k.net.Weights() {
		if !strings.HasPrefix(p.Name, "block") {
			lo, hi := k.w.Span(i)
			dw = append(dw, make([]float64, hi-lo)...)
			continue
		}
		l := int(p.Name[len("block")] - '1')
		if strings.HasSuffix(p.Name, "/b") {
			dw = append(dw, grads[2*l+1]...)
		} else {
			dw = append(dw, grads[2*l]...)
		}
	}
	return dw
}

// same compares a rule's gradient and loss with those of plain loops.
func (k *task) same(t *testing.T, rule train.Rule[float64], loss float64, dw []float64) {
	t.Helper()
	if v, is := rule.(interface{ Validate() error }); is {
		ok(t, v.Validate())
	}
	grad := make([]float64, len(k.w.Data()))
	for i := range grad {
		grad[i] = 9 // to be overwritten
	}
	r, err := rule.Gradient(grad, k.x, k.y, k.batch)
	ok(t, err)
	if d := r.Loss/loss - 1; !(d < localTol && d > -localTol) {
		t.Errorf("loss %.15g, plain loops have %.15g", r.Loss, loss)
	}
	for i, fld := range k.w.Fields() {
		want := k.w.Part(dw, i)
		if slices.ContainsFunc(want, func(v float64) bool { return v != 0 }) {
			if d := relative(k.w.Part(grad, i), want); !(d <= localTol) {
				t.Errorf("gradient of %s is off by %.1e", fld.Name, d)
			}
		} else if !slices.Equal(k.w.Part(grad, i), want) {
			t.Errorf("gradient of %s is not zero", fld.Name)
		}
	}
}

// TestFeedbackAlignment_IsItsPlainLoops, and with its own weights on the way back it is backprop.
func TestFeedbackAlignment_IsItsPlainLoops(t *testing.T) {
	everyTask(t, []layers.Act{layers.Tanh, layers.GELU}, func(t *testing.T, c arch.Chain, softmax bool) {
		for _, scaling := range []arch.Scaling{arch.SP{}, arch.MuPC{}} {
			c.Scaling = scaling
			k := newTask(t, c, softmax, 1)
			rule := &rules.FeedbackAlignment[float64]{Model: k.model(t, arch.Feedforward, 1), Seed: 4}
			back, err := rule.Feedback()
			ok(t, err)
			loss, dw := k.aligned(func(l int, z [][]float64, delta, _ []float64) []float64 {
				b := back.Field(fmt.Sprintf("block%d/W", l+1))
				before := make([]float64, len(z[l]))
				for j, v := range z[l] {
					_, slope := f(k.plain.actOf(l), v)
					for c, d := range delta {
						before[j] += slope * k.plain.factors[l] * b[j*len(delta)+c] * d
					}
					if k.plain.skip(l) {
						before[j] += delta[j]
					}
				}
				return before
			})
			k.same(t, rule, loss, dw)
			if _, bp := k.plainGrad(); relative(dw, bp) < .1 {
				t.Error("the weights on the way back are those of the network")
			}
			copy(back.Data(), k.w.Data())
			back.Touch()
			k.w.Touch()
			loss, dw = k.plainGrad()
			k.same(t, rule, loss, dw)
		}
	})
}

// TestDirectFeedback_IsItsPlainLoops.
func TestDirectFeedback_IsItsPlainLoops(t *testing.T) {
	everyTask(t, []layers.Act{layers.Tanh, layers.LinearAct, layers.GELU}, func(t *testing.T, c arch.Chain, softmax bool) {
		if c.Skips {
			return
		}
		k := newTask(t, c, softmax, 1)
		rule := &rules.DirectFeedback[float64]{Model: k.model(t, arch.Feedforward, 1), Seed: 4}
		back := rule.Feedback()
		loss, dw := k.aligned(func(l int, z [][]float64, _, top []float64) []float64 {
			b := back.Field(fmt.Sprintf("block%d", l))
			before := make([]float64, len(z[l]))
			for j, v := range z[l] {
				_, slope := f(k.plain.actOf(l), v)
				for c, d := range top {
					before[j] += slope * d * b[c*len(z[l])+j]
				}
			}
			return before
		})
		k.same(t, rule, loss, dw)
	})
}

// bothWays is a task whose network has blocks backwards too.
func bothWays(t *testing.T, c arch.Chain, softmax bool, seed uint64) *task {
	t.Helper()
	k := newTask(t, c, softmax, seed)
	c.Widths = k.plain.sizes
	n, err := arch.Bidirectional{Chain: c}.Network()
	ok(t, err)
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(seed, 5)))
	ok(t, err)
	copy(w.Data(), k.w.Data()) // the chain's come first
	k.net, k.w, k.plain.w, k.plain.c = n, w, nil, nil
	for i, p := range n.Weights() {
		switch {
		case !strings.HasPrefix(p.Name, "block"):
		case p.Param.Bias:
			k.plain.c = append(k.plain.c, w.Part(w.Data(), i))
		default:
			k.plain.w = append(k.plain.w, w.Part(w.Data(), i))
		}
	}
	return k
}

// TestTargetProp_IsItsPlainLoops: targets, forward gradients and those of the inverses, with noise of the same draws.
func TestTargetProp_IsItsPlainLoops(t *testing.T) {
	const step, sigma, seed = .3, .2, 6
	everyTask(t, []layers.Act{layers.Tanh, layers.GELU}, func(t *testing.T, c arch.Chain, softmax bool) {
		k := bothWays(t, c, softmax, 1)
		p := k.plain
		depth := p.depth()
		factor := map[string]float64{}
		for _, w := range k.net.Weights() {
			factor[w.Name] = w.Factors.Forward
		}
		back := func(l int, z []float64) []float64 { // from site l to site l-1, from 1
			w, c := k.w.Field(fmt.Sprintf("back%d/W", l)), k.w.Field(fmt.Sprintf("back%d/b", l))
			mu := slices.Clone(c)
			for i := range mu {
				for j, v := range z {
					h, _ := f(p.act, v)
					mu[i] += h * w[j*len(mu)+i]
				}
				mu[i] *= factor[fmt.Sprintf("back%d/W", l)]
				if p.skip(l - 1) {
					mu[i] += z[i]
				}
			}
			return mu
		}
		targets := map[int][]float64{}
		_, dw := k.aligned(func(l int, z [][]float64, delta, _ []float64) []float64 {
			if l == depth-1 { // by the gradient through the readout
				targets[l] = make([]float64, len(z[l]))
				for j, v := range z[l] {
					_, slope := f(p.actOf(l), v)
					g := 0.
					for c, d := range delta {
						g += slope * p.factors[l] * p.w[l][j*len(delta)+c] * d
					}
					targets[l][j] = v - step*g
				}
			} else {
				now, wanted := back(l+1, z[l+1]), back(l+1, targets[l+1])
				targets[l] = make([]float64, len(z[l]))
				for j, v := range z[l] {
					targets[l][j] = v - now[j] + wanted[j]
				}
			}
			d := make([]float64, len(z[l]))
			for j, v := range z[l] {
				d[j] = (v - targets[l][j]) / step
			}
			return d
		})
		loss, _ := k.plainGrad2()
		// the inverses: noise is drawn for the whole batch, the last inverse first
		r := rand.New(rand.NewPCG(seed, 0))
		inverse := 0.
		for l := depth - 1; l >= 2; l-- {
			gw, gb := k.w.Part(dw, index(k.w, fmt.Sprintf("back%d/W", l))), k.w.Part(dw, index(k.w, fmt.Sprintf("back%d/b", l)))
			factor := factor[fmt.Sprintf("back%d/W", l)]
			for i := range k.batch {
				u := slices.Clone(p.forward(k.x[i*p.sizes[0]:(i+1)*p.sizes[0]], nil)[l-1])
				for j := range u {
					u[j] += sigma * r.NormFloat64()
				}
				z := p.predict(l-1, u)
				for j, g := range back(l, z) {
					e := (g - u[j]) / float64(k.batch)
					inverse += e * (g - u[j]) / 2
					for c, v := range z {
						h, _ := f(p.act, v)
						gw[c*len(u)+j] += factor * h * e
					}
					gb[j] += factor * e
				}
			}
		}
		rule := &rules.TargetProp[float64]{Model: k.model2(t), Step: step, Noise: sigma, Seed: seed}
		k.same(t, rule, loss, dw)
		terms := make([]float64, len(rule.Subject().Terms))
		rule.Subject().TermEnergies(terms)
		sum := 0.
		for _, e := range terms[1:] {
			sum += e
		}
		if want := []string{"block4", "back3", "back2"}; !slices.Equal(rule.Subject().Terms, want) || !(relative([]float64{sum}, []float64{inverse}) < localTol) {
			t.Errorf("terms %v, want %v; of the inverses %v, plain loops have %v", rule.Subject().Terms, want, sum, inverse)
		}
	})
}

// index finds a field.
func index(w *graph.Vector[float64], name string) int {
	return slices.IndexFunc(w.Fields(), func(f graph.Field) bool { return f.Name == name })
}

// plainGrad2 is plainGrad of a network with blocks backwards.
func (k *task) plainGrad2() (loss float64, dw []float64) {
	loss, grads := k.plain.backprop(k.x, k.y, k.batch)
	return loss, k.slab(grads)
}

// model2 is the model in feedforward coordinates whose energy is the loss of the output.
func (k *task) model2(t *testing.T) *arch.Model[float64] {
	t.Helper()
	return compiled(t, k.net, k.w, arch.Plan{Batch: k.batch, Coordinates: arch.Feedforward, Energy: k.likelihood(1)})
}

// TestLocalRules_RegularisersCount: weight decay adds Rate W to the gradient of every block's weights, backwards too.
func TestLocalRules_RegularisersCount(t *testing.T) {
	const rate = .7
	k := bothWays(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	decayed := compiled(t, k.net, k.w, arch.Plan{Batch: k.batch, Coordinates: arch.Feedforward, Energy: energy.Sum{energy.PC{}, energy.WeightDecay{Rate: rate}}})
	for name, rule := range map[string]func(m *arch.Model[float64]) train.Rule[float64]{
		"feedback": func(m *arch.Model[float64]) train.Rule[float64] { return &rules.FeedbackAlignment[float64]{Model: m} },
		"direct":   func(m *arch.Model[float64]) train.Rule[float64] { return &rules.DirectFeedback[float64]{Model: m} },
		"targets": func(m *arch.Model[float64]) train.Rule[float64] {
			return &rules.TargetProp[float64]{Model: m, Step: .1}
		},
	} {
		with, without := make([]float64, len(k.w.Data())), make([]float64, len(k.w.Data()))
		_, err := rule(decayed).Gradient(with, k.x, k.y, k.batch)
		ok(t, err)
		_, err = rule(k.model2(t)).Gradient(without, k.x, k.y, k.batch)
		ok(t, err)
		for i, p := range k.net.Weights() {
			learns := strings.HasPrefix(p.Name, "block") || name == "targets" && (strings.HasPrefix(p.Name, "back2") || strings.HasPrefix(p.Name, "back3"))
			if p.Param.Bias || !learns {
				continue
			}
			d := k.w.Part(with, i)
			for j := range d {
				d[j] -= k.w.Part(without, i)[j]
				d[j] /= rate
			}
			if r := relative(d, k.w.Part(k.w.Data(), i)); !(r < 1e-10) { // a difference of numbers about 1
				t.Errorf("%s: weight decay of %s is off by %.1e", name, p.Name, r)
			}
		}
	}
}

// TestLocalRules_RefuseWhatTheyCannotLearn with errors that name the block and say what to do.
func TestLocalRules_RefuseWhatTheyCannotLearn(t *testing.T) {
	lin := func(in, out int) layers.Layer { return layers.Linear{In: in, Out: out} }
	model := func(n *arch.Network, c arch.Coordinates) *arch.Model[float64] {
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
		ok(t, err)
		return compiled(t, n, w, arch.Plan{Coordinates: c})
	}
	mlp, err := arch.MLP(nil, layers.Tanh, 2, 3, 3, 2)
	ok(t, err)
	res, err := arch.ResMLP(nil, layers.Tanh, 2, 3, 3, 2)
	ok(t, err)
	fork := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "a", Layer: lin(2, 3)}, {Name: "b", Layer: lin(2, 3), From: []string{"x"}}, {Name: "y", Layer: lin(6, 2), From: []string{"a", "b"}, Merge: layers.Concat{}}}}
	far := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "a", Layer: lin(2, 3)}, {Name: "y", Layer: lin(3, 2), Skips: []arch.Skip{{From: "x", Layer: layers.Identity{}}}}}}
	early := &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "a", Layer: lin(2, 3), Output: true}, {Name: "y", Layer: lin(3, 2), Output: true}}}
	drop := &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "a", Layer: lin(2, 3)}, {Name: "d", Layer: layers.Dropout{Rate: .5}}, {Name: "y", Layer: lin(3, 2)}}}
	norm := &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "a", Layer: lin(2, 3)}, {Name: "n", Layer: layers.LayerNorm{Width: 3}}, {Name: "y", Layer: lin(3, 2)}}}
	all := map[string]func(m *arch.Model[float64]) interface{ Validate() error }{
		"FeedbackAlignment": func(m *arch.Model[float64]) interface{ Validate() error } {
			return &rules.FeedbackAlignment[float64]{Model: m}
		},
		"DirectFeedback": func(m *arch.Model[float64]) interface{ Validate() error } {
			return &rules.DirectFeedback[float64]{Model: m}
		},
		"TargetProp": func(m *arch.Model[float64]) interface{ Validate() error } {
			return &rules.TargetProp[float64]{Model: m, Step: 1}
		},
	}
	for name, rule := range all {
		says(t, "nothing", rule(nil).Validate(), name, "Model is missing")
		says(t, "free activities", rule(model(mlp, arch.Activities)).Validate(), name, "arch.Feedforward")
		says(t, "a fork", rule(model(fork, arch.Feedforward)).Validate(), name, `block "b"`, "chains")
		says(t, "a far skip", rule(model(far, arch.Feedforward)).Validate(), name, `"y" has a skip from "x"`)
		says(t, "dropout", rule(model(drop, arch.Feedforward)).Validate(), name, `"d/dropout"`, "take that layer")
		says(t, "two outputs", rule(model(early, arch.Feedforward)).Validate(), name, "2 outputs")
	}
	says(t, "skips", all["DirectFeedback"](model(res, arch.Feedforward)).Validate(), `"block2"`, "FeedbackAlignment takes any")
	says(t, "a norm", all["DirectFeedback"](model(norm, arch.Feedforward)).Validate(), `"n" is a layers.LayerNorm`)
	says(t, "no inverse", all["TargetProp"](model(mlp, arch.Feedforward)).Validate(), `predicts "block1" from "block2"`, "arch.Bidirectional")
	both, err := arch.Bidirectional{Chain: arch.Chain{Widths: []int{2, 3, 3, 2}}}.Network()
	ok(t, err)
	m := model(both, arch.Feedforward)
	says(t, "no step", (&rules.TargetProp[float64]{Model: m}).Validate(), "Step 0")
	says(t, "noise", (&rules.TargetProp[float64]{Model: m, Step: 1, Noise: -1}).Validate(), "Noise -1")
}
