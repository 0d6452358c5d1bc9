package limits

import (
	"github.com/pcgraph/pcgraph/experiments/claim"
)

var tanhApproaches = claim.Claim{
	ID:        "limits/tanh-mlp",
	Source:    paper + ", figure 4 (MLP, CIFAR-10, read off)",
	Statement: "A residual tanh MLP with 31 hidden layers in muPC has cosines of PC's gradient at equilibrium to BP's of .85 or more at N=128 and .95 or more at N=512.",
	Paper:     ".03 at N=8, .47 at 32, .76 at 64, .90 at 128, .97 at 256, .995 at 512 (CIFAR-10, cross-entropy)",
	Grid:      nonlinear,
	Bounds: []claim.Bound{
		{Text: "the cosine rises from each width to the next by more than two standard errors, at rest (residual below 1e-3 of the start)", Origin: claim.Paper, Note: "figure 4"},
		{Text: "at least .85 at N=128 and .95 at N=512", Origin: claim.Paper, Note: "figure 4: .90 at N=128, .995 at N=512, less .05, for other data"},
	},
	Check: tanhCosinesRise,
	Plot: cosines("limits-tanh", "Residual tanh MLP with 31 hidden layers at initialisation, cross-entropy, 784 Gaussian inputs (the paper: CIFAR-10); 3 seeds, band: standard error."+residualNote,
		tanhMLP, "width N", claim.Line{X: []float64{8, 32, 64, 128, 256, 512}, Y: []float64{.03, .47, .76, .90, .97, .995}}),
}

// tanhCosinesRise is the check of limits/tanh-mlp.
func tanhCosinesRise(t claim.Table) (string, error) {
	var off claim.Off
	m, ours := rises(t, tanhMLP, &off)
	for n, least := range map[int]float64{128: .85, 512: .95} {
		if e, there := m[n]; there && e.Mean < least {
			off.Add("cosine %s at N=%d, want %.2f", e, n, least)
		}
	}
	return ours, off.Err()
}
