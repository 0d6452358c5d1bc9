package benchmark

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// moons is a small cell; it takes milliseconds.
func moons(r Rule) Cell {
	net := Net{Kind: "mlp", Hidden: []int{8, 8}, Act: "tanh"}
	return Cell{Row: r.Name, Data: Data{Name: "moons", Train: 100, Test: 50}, Net: net, Rule: r.Settled(net), Learn: Learn{LR: 1e-2, Batch: 20, Epochs: 3}, Seed: 1}
}

// TestMeasure_EveryRuleLearnsAndCountsItsGradients: loss falls, evaluations are at the ends of epochs, backprop's cosine is 1.
func TestMeasure_EveryRuleLearnsAndCountsItsGradients(t *testing.T) {
	for _, name := range RuleNames {
		c := moons(Rule{Name: name})
		if name == "redblack" {
			c.Net.Act = "relu"
		}
		c.Learn.Epochs = 6
		o, err := c.Measure(t.Context(), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(o.Steps, []int{5, 10, 15, 20, 25, 30}) || len(o.Accuracy) != 6 || o.Batches != 30 {
			t.Errorf("%s: evaluated at %v, %d batches", name, o.Steps, o.Batches)
		}
		if !(o.Loss[5] < o.Loss[0]) {
			t.Errorf("%s: loss %.4f after the first epoch, %.4f after the last", name, o.Loss[0], o.Loss[5])
		}
		if !(o.CosineStart > 0) && name != "direct" && name != "feedback" && name != "kolenpollack" {
			t.Errorf("%s: cosine to backprop's gradient %.3f", name, o.CosineStart)
		}
		if name == "bp" && (math.Abs(float64(o.CosineEnd)-1) > 1e-6 || o.Evaluations != 0) {
			t.Errorf("backprop: cosine %v, %d gradients", o.CosineEnd, o.Evaluations)
		}
		if o.Step <= 0 || o.BPStep <= 0 {
			t.Errorf("%s: step %g s, of backprop %g s", name, o.Step, o.BPStep)
		}
	}
}

// without leaves out the times of an outcome.
func without(o Outcome) Outcome {
	o.Seconds, o.Step, o.BPStep = nil, 0, 0
	return o
}

// An ending context is cancelled after it has been asked so many times.
type ending struct {
	context.Context
	left int
}

func (e *ending) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestMeasure_ResumedIsUninterrupted: a training that is cancelled goes on from its folder to the same outcome, with a beta that grows and
// with a measured rate.
func TestMeasure_ResumedIsUninterrupted(t *testing.T) {
	for _, r := range []Rule{
		{Name: "nudged", Nudge: "target", Sign: "negative", Beta: .8, Growth: .15, Steps: 4, Rate: .2, Momentum: .3},
		{Name: "pc"},
		{Name: "pcalm"},
	} {
		c := moons(r)
		c.Learn.Optimizer, c.Learn.Decay, c.Learn.Schedule = "adamw", .01, "warmup-cosine"
		want, err := c.Measure(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		e := Experiment("test", []Cell{c})
		dir := t.TempDir()
		tables, err := (&claim.Runner{Dir: dir}).Measure(&ending{t.Context(), 10}, claim.Full, e)
		if err == nil || len(tables[0].Results) != 0 {
			t.Fatalf("%s: not interrupted: %v", r.Name, err)
		}
		if kept, _ := filepath.Glob(filepath.Join(dir, "benchmark/test/*.work/training.safetensors")); len(kept) != 1 {
			t.Fatalf("%s: kept %v", r.Name, kept)
		}
		tables, err = (&claim.Runner{Dir: dir}).Measure(t.Context(), claim.Full, e)
		if err != nil {
			t.Fatal(err)
		}
		got := claim.Rows[Cell, Outcome](tables[0])[0].Result
		a, _ := json.Marshal(without(want))
		b, _ := json.Marshal(without(got))
		if string(a) != string(b) {
			t.Errorf("%s: resumed\n%s\nuninterrupted\n%s", r.Name, b, a)
		}
	}
}

// TestGrowing_BetaIsThatOfTheEpoch: -.8, -.95, and beyond -1 it is +1, as pcx has it.
func TestGrowing_BetaIsThatOfTheEpoch(t *testing.T) {
	gradients := func(r Rule) []float32 {
		c := moons(r)
		set, _, err := c.Data.load(1)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := c.training(set, 20)
		if err != nil {
			t.Fatal(err)
		}
		tr.perEpoch = 1
		if g, is := tr.rule.(*growing); is {
			g.PerEpoch = 1
		}
		defer tr.stop()
		x, y := make([]float32, 20*set.In()), make([]float32, 20*set.Out())
		data.Fill(set, x, y, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19})
		var first []float32
		for range 4 { // an epoch each, and one beyond the last
			if _, err := tr.cosine(); err != nil {
				t.Fatal(err)
			}
			if _, err := tr.rule.Gradient(tr.g, x, y, 20); err != nil {
				t.Fatal(err)
			}
			first = append(first, tr.g[0])
		}
		return first
	}
	base := Rule{Name: "nudged", Nudge: "target", Solver: descent, Steps: 4, Rate: .2}
	at := func(sign string, beta float64) float32 {
		r := base
		r.Sign, r.Beta = sign, beta
		return gradients(r)[0]
	}
	grown := base
	grown.Sign, grown.Beta, grown.Growth = "negative", .8, .15
	want := []float32{at("negative", .8), at("negative", .95), at("positive", 1), at("positive", 1)}
	if got := gradients(grown); !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6*math.Abs(float64(b)) }) {
		t.Errorf("gradients of a weight by epoch %v, want %v", got, want)
	}
}

// TestRows_AgainstHandValues: two seeds of a row, one of another, one missing.
func TestRows_AgainstHandValues(t *testing.T) {
	a := moons(Rule{Name: "pc"})
	b := a
	b.Seed = 2
	other := moons(Rule{Name: "bp"})
	absent := other
	absent.Seed = 2
	nan := claim.Nullable(math.NaN())
	of := map[string]Outcome{
		"pc1": {Steps: []int{10, 20}, Seconds: []float64{1, 2}, Accuracy: []claim.Nullable{.9, .8}, Loss: []claim.Nullable{1, 2}, Batches: 20, Evaluations: 60, Measured: 20, Far: 5,
			Residual: .1, Left: .2, CosineStart: .5, CosineEnd: .7, Step: .1, BPStep: .02},
		"pc2": {Steps: []int{10, 20}, Seconds: []float64{3, 4}, Accuracy: []claim.Nullable{.7, .9}, Loss: []claim.Nullable{1, 2}, Batches: 20, Evaluations: 100, Measured: 20, Far: 15,
			Residual: .3, Left: .4, CosineStart: .7, CosineEnd: .9, Step: .3, BPStep: .02},
		"bp1": {Steps: []int{10, 20}, Seconds: []float64{1, 2}, Loss: []claim.Nullable{3, 4}, Entropy: []claim.Nullable{1, nan}, Batches: 20, Residual: nan, Left: nan, Diverged: "at step 11"},
	}
	grid := []Cell{a, b, other, absent}
	e := claim.Grid("benchmark/test", version, func(claim.Scale) []Cell { return grid[:3] }, func(_ context.Context, c Cell, _ *claim.Cell) (Outcome, error) {
		return of[c.Rule.Name+string(rune('0'+c.Seed))], nil
	})
	tables, err := (&claim.Runner{}).Measure(t.Context(), claim.Full, e)
	if err != nil {
		t.Fatal(err)
	}
	rows := Rows(tables[0], grid)
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	r := rows[0]
	for _, c := range []struct {
		name      string
		got       claim.Estimate
		mean, err float64
	}{
		{"last", r.Last, 85, 5},                // 80, 90
		{"best", r.Best, 90, 0},                // 90, 90
		{"seconds of an epoch", r.Epoch, 2, 1}, // 10 batches of .1 and .3
		{"ratio", r.Ratio, 10, 5},              // 5, 15
		{"gradients", r.Gradients, 4, 1},       // 3, 5
		{"residual", r.Residual, .2, .1},
		{"left", r.Left, 30, 10},
		{"far", r.Far, 50, 25}, // 25 %, 75 %
		{"cosine start", r.Start, .6, .1},
		{"cosine end", r.End, .8, .1},
	} {
		if math.Abs(c.got.Mean-c.mean) > 1e-9 || math.Abs(c.got.Err-c.err) > 1e-9 || c.got.N != 2 {
			t.Errorf("%s: %v, want %g ± %g (2)", c.name, c.got, c.mean, c.err)
		}
	}
	if r.Wanted != 2 || len(r.Seeds) != 2 || len(r.Curve) != 2 || r.Curve[1].Seconds != 3 || r.Curve[1].Epoch != 2 || math.Abs(r.Curve[0].Score.Mean-80) > 1e-9 {
		t.Errorf("seeds %v of %d, curve %v", r.Seeds, r.Wanted, r.Curve)
	}
	r = rows[1]
	if r.Measure != "perplexity" || math.Abs(r.Best.Mean-math.E) > 1e-9 || r.Last.N != 0 || r.Wanted != 2 || len(r.Seeds) != 1 || len(r.Diverged) != 1 || r.Left.N != 0 {
		t.Errorf("%+v", r)
	}
	if figures := Figures("test", rows); len(figures) != 2 || len(figures[0].Panels) != 1 || len(figures[0].Panels[0].Lines) != 2 {
		t.Errorf("figures %+v", figures)
	}
}

// TestRows_OfTrainingsThatDivergedAtOnce: nothing but the reason, in tables and pictures.
func TestRows_OfTrainingsThatDivergedAtOnce(t *testing.T) {
	c := moons(Rule{Name: "pc", Solver: descent, Steps: 400, Rate: 50})
	c.Net.Act = "relu"
	whole := moons(Rule{Name: "bp"})
	tables, err := (&claim.Runner{}).Measure(t.Context(), claim.Full, Experiment("test", []Cell{c, whole}))
	if err != nil {
		t.Fatal(err)
	}
	rows := Rows(tables[0], []Cell{c, whole})
	if len(rows) != 2 || len(rows[0].Diverged) != 1 || rows[0].Measure != "" || rows[0].Last.N != 0 || rows[1].Measure != "accuracy" {
		t.Fatalf("%+v", rows)
	}
	if figures := Figures("test", rows); len(figures) != 2 || len(figures[0].Panels[0].Lines) != 1 {
		t.Errorf("figures %+v", figures)
	}
	if figures := Figures("test", rows[:1]); figures != nil {
		t.Errorf("figures of nothing: %+v", figures)
	}
}

// TestFigures_OverDepth: networks that differ in depth are one picture, with a line for each rule.
func TestFigures_OverDepth(t *testing.T) {
	var rows []Row
	for _, l := range []int{8, 16} {
		for _, rule := range []string{"bp", "pc"} {
			rows = append(rows, Row{Cell: Cell{Row: fmt.Sprintf("L%d/%s", l, rule), Data: Data{Name: "mnist"}, Net: Net{Kind: "resmlp", Width: 8, Depth: l}},
				Measure: "accuracy", Last: claim.Mean(90, 92), Ratio: claim.Mean(2, 3), Curve: []Point{{}}})
		}
	}
	figures := Figures("depth", append(rows, Row{Cell: Cell{Row: "L32/zil"}}))
	if len(figures) != 1 || len(figures[0].Panels) != 2 || len(figures[0].Panels[0].Lines) != 2 || !slices.Equal(figures[0].Panels[0].Lines[1].X, []float64{8, 16}) {
		t.Errorf("%+v", figures)
	}
}

func TestBest_IsTheHighestAccuracyOrTheLowestLoss(t *testing.T) {
	if got := (Outcome{Accuracy: []claim.Nullable{.5, .9, .7}}).best(); got != 90 {
		t.Errorf("accuracy %g, want 90", got)
	}
	if got := (Outcome{Loss: []claim.Nullable{.5, .9, .2, .7}}).best(); got != .2 {
		t.Errorf("loss %g, want .2", got)
	}
	if got := (Outcome{}).best(); !math.IsNaN(got) {
		t.Errorf("without evaluations %g", got)
	}
}

// TestTables_AreWhole: rows have names of their own and pass Check.
func TestTables_AreWhole(t *testing.T) {
	for _, table := range Tables {
		rows := map[string]string{}
		checked := map[string]bool{}
		for _, c := range table.Cells() {
			if known, is := rows[c.Row]; is && known != c.point() {
				t.Errorf("%s: two rows are %q", table.Name, c.Row)
			}
			rows[c.Row] = c.point()
			if !(c.Cost() > 0) {
				t.Errorf("%s: %s costs %g", table.Name, c.Row, c.Cost())
			}
			if !checked[c.Row] && !(testing.Short() || c.Net.Depth > 16) {
				if err := c.Check(); err != nil && !strings.Contains(err.Error(), "not found") {
					t.Errorf("%s: %v", table.Name, err)
				}
			}
			checked[c.Row] = true
		}
	}
}

// TestGrid_ErrorsSayWhereAndWhat: what is wrong with a user's file, and what would be right.
func TestGrid_ErrorsSayWhereAndWhat(t *testing.T) {
	const ok = `"data": ["moons"], "networks": ["mlp:4"], "rules": ["pc"]`
	for _, c := range []struct{ text, want string }{
		{`{` + ok + `, "sedes": 2}`, `grid: unknown key "sedes": did you mean "seeds"?`},
		{`{"data": ["moons"], "networks": ["mlp:4"], "rules": ["bp", {"name": "pc", "stesp": 3}]}`, `grid.rules[1]: unknown key "stesp": did you mean "steps"?`},
		{`{"data": [{"nmae": "moons"}], "networks": ["mlp:4"], "rules": ["pc"]}`, `grid.data[0]: unknown key "nmae": did you mean "name"?`},
		{`{` + ok + `, "learn": {"epoch": 2}}`, `grid.learn: unknown key "epoch": did you mean "epochs"?`},
		{"{\n" + ok + ",\n\"seeds\": \"two\"}", `line 3: seeds is a string`},
		{"{\n" + ok + ",\n\"seeds\" 2}", `line 3: invalid character`},
		{`{"data": ["moon"], "networks": ["mlp:4"], "rules": ["pc"]}`, `unknown data "moon": did you mean "moons"?`},
		{`{"data": ["moons"], "networks": ["mpl:4"], "rules": ["pc"]}`, `unknown network "mpl": did you mean "mlp"?`},
		{`{"data": ["moons"], "networks": ["mlp:4"], "rules": ["pcal"]}`, `unknown rule "pcal": did you mean "pcalm"?`},
		{`{"data": ["moons"], "networks": ["mlp:4x"], "rules": ["pc"]}`, `network "mlp:4x": want KIND:SIZE`},
		{`{"data": ["moons"], "networks": ["mlp:4"]}`, "rules is missing"},
		{`{"data": ["moons"], "networks": ["mlp:4"], "rules": [{"name": "bp", "beta": 1}]}`, `rule bp has no setting "beta"`},
		{`{"data": ["moons"], "networks": ["mlp:4"], "rules": ["pc", "pc"]}`, `two rows of the grid are "pc"`},
		{`{"data": ["moons"], "networks": ["mlp:4"], "rules": [{"name": "pc", "solver": "auto", "rate": 1}]}`, "auto measures its rate"},
		{`{"data": ["moons"], "networks": ["vgg:4"], "rules": ["pc"]}`, "it is for pictures"},
		{`{"data": ["moons"], "networks": ["transformer:4x2"], "rules": ["pc"]}`, "it is for sequences"},
		{`{"data": ["moons"], "networks": ["mlp:4:gelu"], "rules": ["redblack"]}`, "rule redblack does not fit the gelu mlp of hidden widths 4: RedBlack"},
		{`{"data": ["moons"], "networks": ["mlp:4:gelu"], "rules": ["redblack"]}`, "block1"},
		{`{"data": ["moons"], "networks": ["mlp:4:gelu"], "rules": ["redblack"]}`, "the rules that fit, with their usual settings, are bp, pc,"},
		{`{` + ok + `, "learn": {"decay": 1}}`, "decay is for the optimizer adamw"},
		{`{` + ok + `, "learn": {"schedule": "cosine"}}`, `unknown schedule "cosine": did you mean "warmup-cosine"`},
		{`{` + ok + `, "learn": {"lr": -1}}`, "lr is -1"},
		{`{` + ok + `, "seeds": -1}`, "seeds is -1"},
	} {
		g, err := ReadGrid([]byte(c.text))
		if err == nil {
			_, err = g.Table()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestGrid_CrossesEverything: data, networks and rules, with what rows have of their own.
func TestGrid_CrossesEverything(t *testing.T) {
	g, err := ReadGrid([]byte(`{"data": ["moons", "xor"], "networks": ["mlp:4", {"kind": "mlp", "hidden": [5], "act": "tanh"}],
		"rules": ["bp", {"name": "pc", "errors": true, "steps": 3, "rate": 0.1, "lr": 0.5, "row": "mine"}], "learn": {"lr": 0.01}, "seeds": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	table, err := g.Table()
	if err != nil {
		t.Fatal(err)
	}
	cells := table.Cells()
	if len(cells) != 16 {
		t.Fatalf("%d cells, want 2 x 2 x 2 of 2 seeds", len(cells))
	}
	want := Cell{Row: "xor/mlp:5:tanh/mine", Data: Data{Name: "xor"}, Net: Net{Kind: "mlp", Hidden: []int{5}, Act: "tanh"}, Rule: Rule{Name: "pc", Errors: true, Steps: 3, Rate: .1},
		Learn: Learn{LR: .5, Batch: 64, Epochs: 1}, Seed: 2}
	if d := cmp.Diff(want, cells[15]); d != "" {
		t.Error(d)
	}
}
