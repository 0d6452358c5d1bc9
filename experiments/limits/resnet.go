package limits

import (
	"github.com/pcgraph/pcgraph/experiments/claim"
)

var resNetApproaches = claim.Claim{
	ID:        "limits/resnet",
	Source:    paper + ", figure 4 (CNN, ImageNet, read off)",
	Statement: "In a residual convolutional network in muPC the cosine of PC's gradient at equilibrium to BP's rises with the number of channels, to .9 or more at 32.",
	Paper:     "-.2 to .2 at 2 channels (fan-in 18); .97 to 1.0 at 8, 16 and 32 (fan-in 72 to 288)",
	Grid:      nonlinear,
	Bounds: []claim.Bound{
		{Text: "the cosine rises from each width to the next by more than two standard errors, at rest (residual below 1e-3 of the start)", Origin: claim.Paper, Note: "figure 4"},
		{Text: "at least .9 at 32 channels", Origin: claim.Paper, Note: "figure 4: .97 to 1.0 from 8 channels on, less .07, for other data"},
	},
	Check: resNetCosinesRise,
	Plot: cosines("limits-resnet", "Three stages of a residual block on 16 x 16 images of Gaussian noise (the paper: ImageNet), tanh, cross-entropy, at initialisation; 3 seeds, band: standard error."+residualNote,
		resNet, "channels C (fan-in 9 C)", claim.Line{X: []float64{2, 8, 16, 32}, Y: []float64{0, .97, .98, .99}}),
}

// resNetCosinesRise is the check of limits/resnet.
func resNetCosinesRise(t claim.Table) (string, error) {
	var off claim.Off
	m, ours := rises(t, resNet, &off)
	if m[32].Mean < .9 {
		off.Add("cosine %s at 32 channels, want .9", m[32])
	}
	return ours, off.Err()
}
