package thesis

import (
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// without are the claims that one thing alone takes the advantage away, on the same races.
func without() []claim.Claim {
	const source = "Towards Scaling Deep Neural Networks with Predictive Coding (arXiv 2510.23323), discussion; the author's blog"
	bounds := func(rows string) []claim.Bound {
		return []claim.Bound{
			{Text: "PC's median is between .6 and 1.7 of BP's, " + rows, Origin: claim.Independent, Note: "a numpy program: .88 to 1.45, asked for within .6 to 1.7"},
			{Text: "by SGD without either, from the same weights, it is at most .3 of BP's", Origin: claim.Independent, Note: "a numpy program: .15 and .25"},
		}
	}
	return []claim.Claim{{
		ID: "thesis/not-with-adam", Source: source, Grid: races,
		Statement: "From small weights without skips, where SGD makes predictive coding several times faster than backprop, Adam makes both equally fast.",
		Paper:     "no figures. An independent numpy program, median batches to a loss of .15, BP and PC: H=5, N=8: 17 and 15; H=3, N=4: 25 and 24",
		Bounds:    bounds("by Adam from small weights without skips"), Check: removes("Adam, init 0.05"),
	}, {
		ID: "thesis/not-with-skips", Source: source, Grid: races,
		Statement: "With skips over the hidden layers predictive coding is not faster than backprop from small weights, by SGD or by Adam.",
		Paper:     "no figures. An independent numpy program, BP and PC: H=5, N=8 SGD 31 and 45, Adam 8 and 7; H=3, N=4 SGD 48 and 46",
		Bounds:    bounds("by SGD and by Adam with skips"), Check: removes("SGD, init 0.05, skips", "Adam, init 0.05, skips"),
	}}
}

// removes is the check that some ways of training have no advantage, where SGD away from the saddle has.
func removes(ways ...string) func(claim.Table) (string, error) {
	return func(t claim.Table) (string, error) {
		kinds, bp, pc := times(t)
		var off claim.Off
		var ours []string
		for _, k := range kinds {
			ratio := median(pc[k]) / median(bp[k])
			said := fmt.Sprintf("H=%d, %s: BP %g, PC %g", k.hidden, k.how, median(bp[k]), median(pc[k]))
			if k.how == saddle {
				if !(ratio <= .3) {
					off.Add("%s: a ratio of %.2f, want .3 at most", said, ratio)
				}
				continue
			}
			for _, way := range ways {
				if k.how != way {
					continue
				}
				if ours = append(ours, said); !(ratio >= .6 && ratio <= 1.7) {
					off.Add("%s: a ratio of %.2f, want .6 to 1.7", said, ratio)
				}
			}
		}
		return "median batches: " + strings.Join(ours, "; "), off.Err()
	}
}
