package claim_test

import (
	"context"
	"fmt"

	"github.com/pkg/errors"

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
			rows, err := claim.Rows[params, result](t)
			if err != nil {
				return "", err
			}
			for _, r := range rows {
				if r.Result.Sum != r.Params.N*r.Params.N {
					return "", errors.Errorf("n = %d: %d", r.Params.N, r.Result.Sum)
				}
			}
			return fmt.Sprintf("equal for %d of %d", len(rows), len(rows)), nil
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
