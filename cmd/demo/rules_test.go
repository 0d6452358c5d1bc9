package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Every rule that is offered trains, under its own name, and lowers the loss of two moons.
func TestTrain_ByEveryRule(t *testing.T) {
	for name, short := range map[string]string{"incremental": "iPC", "nudged": "nPC", "centred": "cPC", "fixed": "FPC", "zil": "ZIL",
		"montecarlo": "MCPC", "feedback": "FA", "direct": "DFA"} {
		out := filepath.Join(t.TempDir(), "run")
		args := "train -data moons -widths 2,16,2 -act tanh -limit 300 -lr .01 -no-compare -rule " + name
		if (cli.RuleFlag{Name: name}).Infers() {
			args += " -steps 8 -rate .05"
		}
		code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", out)...)
		if code != cli.ExitOK {
			t.Fatalf("%s: exit code %d, %s", name, code, stderr)
		}
		page, err := os.ReadFile(filepath.Join(out, "report.html"))
		if err != nil || !strings.Contains(string(page), "("+short+", ") || !strings.Contains(stdout, short+" ") {
			t.Errorf("%s: %s is not named in the report or on stdout: %v", name, short, err)
		}
		for _, l := range metrics(t, out) {
			if l["kind"] == "eval" && l["step"].(float64) >= 300 && l["rule"] == short && l["accuracy"].(float64) < .8 {
				t.Errorf("%s: accuracy %v after 300 updates", name, l["accuracy"])
			}
		}
	}
}

// TestSpansOf_AHybridsAmortiserIsScaledToo: its weights have the factors of its own scaling, where they are in the whole slab.
func TestSpansOf_AHybridsAmortiserIsScaledToo(t *testing.T) {
	chain := arch.Chain{Scaling: arch.MuP{}, Act: layers.Tanh, Widths: []int{3, 16, 2}, Bias: true}
	net, err := chain.Network()
	if err != nil {
		t.Fatal(err)
	}
	mirror, err := arch.Amortiser(chain)
	if err != nil {
		t.Fatal(err)
	}
	whole, parts, err := arch.NewWeightsTogether[float32](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "g", Network: net}, arch.Member{Name: "a", Network: mirror})
	if err != nil {
		t.Fatal(err)
	}
	generator, err := arch.Compile(net, parts[0], arch.Plan{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	amortiser, err := arch.Compile(mirror, parts[1], arch.Plan{Batch: 1, Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	spans := spansOf(net, &rules.Hybrid[float32]{Generator: generator, Amortiser: amortiser})
	_, at := parts[1].Whole()
	for i, w := range mirror.Weights() {
		lo, hi := parts[1].Span(i)
		factor, noDecay := 1., false
		for _, s := range spans {
			if s.Lo <= at+lo && at+hi <= s.Hi {
				factor, noDecay = s.Factor, s.NoDecay
			}
		}
		if factor != w.Factors.Adam || noDecay != w.Param.Bias {
			t.Errorf("%s of a slab of %d has the factor %v, decayed %v: want %v and %v", w.Name, len(whole.Data()), factor, !noDecay, w.Factors.Adam, !w.Param.Bias)
		}
	}
}
