package claim_test

import (
	"context"
	"fmt"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// A claim of one's own: the cells that are measured, the measurement, and the check that reads the table.
func ExampleClaim() {
	type params struct{ N int }
	type result struct{ Sum int }
	odd := claim.Claim{
		ID: "example/odd-numbers", Source: "Pythagoras", Statement: "The first n odd numbers add up to n^2.", Paper: "1, 4, 9, ...",
		Grid: claim.Grid("sums", 1,
			func(claim.Scale) []params { return []params{{1}, {2}, {10}} },
			func(_ context.Context, p params, _ *claim.Cell) (r result, err error) {
				for i := range p.N {
					r.Sum += 2*i + 1
				}
				return r, nil
			}),
		Bounds: []claim.Bound{{Text: "equal", Origin: claim.Paper, Note: "the sentence"}},
		Check: func(t claim.Table) (string, error) {
			var off claim.Off
			rows := claim.Rows[params, result](t)
			for _, r := range rows {
				if r.Result.Sum != r.Params.N*r.Params.N {
					off.Add("n = %d: %d", r.Params.N, r.Result.Sum)
				}
			}
			return fmt.Sprintf("equal for %d of %d", len(rows)-len(off), len(rows)), off.Err()
		},
	}
	if err := odd.Validate(); err != nil {
		panic(err)
	}
	tables, err := (&claim.Runner{}).Run(context.Background(), claim.Quick, odd)
	if err != nil {
		panic(err)
	}
	outcome, err := odd.Judge(tables[0])
	if err != nil {
		panic(err)
	}
	fmt.Println(outcome.Verdict, outcome.Ours)
	// Output: holds equal for 3 of 3
}

// The words of a check: estimates over seeds, and what misses its bound.
func ExampleOff() {
	var off claim.Off
	accuracies := map[int]claim.Estimate{8: claim.Mean(.951, .957, .954), 64: claim.Mean(.902)}
	for _, depth := range claim.Keys(accuracies) {
		if e := accuracies[depth]; e.Mean < .95 {
			off.Add("H=%d: %s: want %s", depth, claim.Percent(e.Mean), claim.Percent(.95))
		}
	}
	fmt.Println(claim.Points(accuracies[8]))
	fmt.Println(off.Err())
	// Output:
	// 95.40 ± 0.17 (3)
	// H=64: 90.2 %: want 95.0 %
}
