package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// Every rule that is offered trains, under its own name, and lowers the loss of two moons.
func TestTrain_ByEveryRule(t *testing.T) {
	for name, short := range map[string]string{"incremental": "iPC", "nudged": "nPC", "centred": "cPC", "fixed": "FPC", "zil": "ZIL",
		"montecarlo": "MCPC", "feedback": "FA", "direct": "DFA", "redblack": "RB-EP", "forward": "FU", "spiking": "SPC", "decaying": "DPC", "average": "AVG",
		"recall": "REC", "highways": "HEP", "kolenpollack": "DKP"} {
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
