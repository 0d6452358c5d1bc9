package limits

import (
	"encoding/json"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/claim/claimtest"
	"github.com/pcgraph/pcgraph/experiments/record"
	"github.com/pcgraph/pcgraph/theory"
)

func TestClaims(t *testing.T) { claimtest.Run(t, Claims()) }

// TestClaims_Recorded: what was measured in full bears every verdict, and would not if the results were those of other cells.
func TestClaims_Recorded(t *testing.T) { claimtest.Recorded(t, Claims(), record.Table) }

// TestClaims_WrongConstantTurnsTheVerdict puts slightly wrong closed forms in the place of the right one, in what was measured
// in full: the claim that rests on it must fail, and with the right one hold.
func TestClaims_WrongConstantTurnsTheVerdict(t *testing.T) {
	table, err := record.Table(initial)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		form string
		s    func(l, n float64) float64
		want claim.Verdict
	}{
		{"1 + L/N ((1+1/L)^(L-1) - 1), as derived", func(l, n float64) float64 { return 1 + l/n*(math.Pow(1+1/l, l-1)-1) }, claim.WithCare},
		{"1 + L/N ((1+1/L)^L - 1), a layer too many", func(l, n float64) float64 { return 1 + l/n*(math.Pow(1+1/l, l)-1) }, claim.Fails},
		{"1 + (e-1) L/N, the limit of deep networks for all", func(l, n float64) float64 { return 1 + (math.E-1)*l/n }, claim.Fails},
		{"1 + 2 L/N", func(l, n float64) float64 { return 1 + 2*l/n }, claim.Fails},
		{"1 + (L-1)/N, that of no skips", func(l, n float64) float64 { return 1 + (l-1)/n }, claim.Fails},
	} {
		changed := table
		changed.Results = nil
		rows := claim.Rows[start, meets](table)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			r.Result.Theory = test.s(float64(r.Params.Depth), float64(r.Params.Width))
			text, err := json.Marshal(r.Result)
			if err != nil {
				t.Fatal(err)
			}
			changed.Results = append(changed.Results, claim.Result{Params: table.Results[i].Params, Result: text})
		}
		outcome, err := energyBecomesLoss.Judge(changed)
		if err != nil {
			t.Fatal(err)
		}
		if outcome.Verdict != test.want {
			t.Errorf("%s: %s, want %s: %s", test.form, outcome.Verdict, test.want, outcome.Reason)
		}
	}
}

// TestDescend_IsDescentOnEachLoss: oracle: a chain of one unit per layer, w2 w1 x, whose gradients are known: BP's of the loss,
// PC's of F* = (y - w2 w1 x)^2 / (2 (1 + w2^2)).
func TestDescend_IsDescentOnEachLoss(t *testing.T) {
	const x, y, rate = 1.5, -1., .1
	n := theory.Linear{Weights: gaussians(2)}
	w1, w2 := n.Weights[0].At(0, 0), n.Weights[1].At(0, 0)
	bp, pc := [2]float64{w1, w2}, [2]float64{w1, w2}
	r, err := descend(t.Context(), n, single(x), single(y), 3, rate, nil)
	if err != nil {
		t.Fatal(err)
	}
	loss := func(w [2]float64) float64 { d := y - w[1]*w[0]*x; return d * d / 2 }
	for step := range 4 {
		if d := math.Abs(r.BP[step]/loss(bp) - 1); d > 1e-5 { // of records of six digits
			t.Errorf("step %d: BP's loss %g, want %g", step, r.BP[step], loss(bp))
		}
		if d := math.Abs(r.PC[step]/loss(pc) - 1); d > 1e-5 {
			t.Errorf("step %d: PC's loss %g, want %g", step, r.PC[step], loss(pc))
		}
		d := y - bp[1]*bp[0]*x
		bp = [2]float64{bp[0] + rate*d*bp[1]*x, bp[1] + rate*d*bp[0]*x}
		d, s := y-pc[1]*pc[0]*x, 1+pc[1]*pc[1]
		pc = [2]float64{pc[0] + rate*d*pc[1]*x/s, pc[1] + rate*(d*pc[0]*x/s+d*d*pc[1]/(s*s))}
	}
}

// gaussians are n weights of one unit.
func gaussians(n int) []*mat.Dense {
	r := generator(1)
	var list []*mat.Dense
	for range n {
		list = append(list, gaussian(r, 1, 1))
	}
	return list
}

// single is a batch of one number.
func single(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
