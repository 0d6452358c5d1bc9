package limits

import (
	"slices"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var transformerApproaches = claim.Claim{
	ID:        "limits/transformer",
	Source:    paper + ", figure 4 (transformer, characters, read off)",
	Statement: "In a transformer in muPC the cosine of PC's gradient at equilibrium to BP's rises with the width of a token, to .9 or more at the widest.",
	Paper:     "12 blocks, start of training: .34 at d=8, .66 at 16, .86 at 32, .96 at 64, .985 and more from 128",
	Grid:      nonlinear,
	Bounds: []claim.Bound{
		{Text: "the cosine rises from each width to the next by more than two standard errors, at rest (residual below 1e-3 of the start)", Origin: claim.Paper, Note: "figure 4"},
		{Text: "at least .9 at the widest", Origin: claim.Paper, Note: "figure 4: .985 at the widest, less .085, for other data"},
	},
	Check: transformerCosinesRise,
	Plot: cosines("limits-transformer", "Transformer of 12 blocks on windows of 32 characters, no layer normalisation, at initialisation; 3 seeds, band: standard error."+residualNote,
		transformer, "width of a token d", claim.Line{X: []float64{8, 16, 32, 64, 128}, Y: []float64{.34, .66, .86, .96, .985}}),
}

// transformerCosinesRise is the check of limits/transformer.
func transformerCosinesRise(t claim.Table) (string, error) {
	var off claim.Off
	m, ours := rises(t, transformer, &off)
	if len(m) == 0 {
		return "", off.Err()
	}
	if e := m[slices.Max(claim.Keys(m))]; e.Mean < .9 {
		off.Add("cosine %s at the widest, want .9", e)
	}
	return ours, off.Err()
}
