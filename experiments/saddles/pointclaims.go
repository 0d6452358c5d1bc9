package saddles

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

func pointClaims() []claim.Claim {
	return []claim.Claim{originStrict, originData, zeroRankStrict, unrolledEnough}
}

var originStrict = claim.Claim{
	ID:     "saddles/origin",
	Source: paper + ", theorem 2, figures 3 and 8 (Hessian_Analysis_of_DLNs of the release)",
	Statement: "The origin is a strict saddle of the equilibrated energy of linear networks of every depth, with as many escape directions as the last weight " +
		"has entries, while that of the loss is strict with one hidden layer alone and has no second derivative beyond.",
	Paper: "spectra of [H, N] = [1, 10], [2, 5], [3, 4]. An independent numpy program, N = D = K = 3: lowest eigenvalues -4.80 (L=2), -2.95, -3.07, -2.91 (L=3, 4, 5), " +
		"those of the loss +-2.97 (L=2) and 0; 9 = N K negative ones",
	Grid: spectra,
	Bounds: []claim.Bound{
		{Text: "every eigenvalue of the energy is that of the closed form to 1e-9", Origin: claim.Paper, Note: "theorem 2, with multiplicities by (B-2), (B-3) of the specification"},
		{Text: "N K of them are negative", Origin: claim.Derived, Note: "the block of W_L is -(S_yy x I_N) and S_yy has full rank"},
		{Text: "the loss has the extremes of +-the largest singular value of S_xy for H = 1, and 0 to 1e-12 beyond", Origin: claim.Paper, Note: "theorem 2"},
		{Text: "the lowest of the energy is within 8 % of -(1+sqrt 5)/2 D for H = 1, and of -D for H >= 2 and y = -x", Origin: claim.Independent, Note: "-4.80/3 = -1.60 and -2.91 to -3.07: the means of x and y are 1 and -1, so that S_yy has the eigenvalue D"},
	},
	Check: originIsStrict,
	Plot:  originFigure,
}

// atPoints are the rows of one kind of data at one place.
func atPoints(t claim.Table, where place, toyData bool) []claim.Row[point, spectrum] {
	return claim.Where[point, spectrum](t, func(p point) bool { return p.Place == where && (p.Data == gaussians) == toyData })
}

// originIsStrict is the check of saddles/origin.
func originIsStrict(t claim.Table) (string, error) {
	var off claim.Off
	ours := map[int]string{}
	for _, r := range atPoints(t, atOrigin, true) {
		p, s := r.Params, r.Result
		at := fmt.Sprintf("H=%d, N=%d, seed %d", p.Hidden, p.Width, p.Seed)
		if s.Off > 1e-9 || s.Gradient > 1e-12 {
			off.Add("%s: an eigenvalue is %.1e off the closed form, gradient %.1e", at, s.Off, s.Gradient)
		}
		if s.Negative != p.Width*p.In {
			off.Add("%s: %d negative eigenvalues, want %d", at, s.Negative, p.Width*p.In)
		}
		flat := 0.
		if p.Hidden == 1 {
			flat = s.SingularXY
		}
		if math.Abs(s.Loss+flat) > 1e-12*(1+flat)*10 || math.Abs(s.LossHigh-flat) > 1e-12*(1+flat)*10 {
			off.Add("%s: the loss has eigenvalues from %.3g to %.3g, want +-%.3g", at, s.Loss, s.LossHigh, flat)
		}
		want := -float64(p.In)
		if p.Hidden == 1 {
			want *= math.Phi
		}
		if p.Hidden < 4 && math.Abs(s.Energy/want-1) > .08 {
			off.Add("%s: the lowest is %.3f, want about %.3f", at, s.Energy, want)
		}
		ours[p.Hidden] = fmt.Sprintf("H=%d: energy %.3f to %.3f, loss %.3f to %.3f, %d negative", p.Hidden, s.Energy, s.EnergyHigh, s.Loss, s.LossHigh, s.Negative)
	}
	return inOrder(ours), off.Err()
}

// inOrder joins texts by their keys.
func inOrder(m map[int]string) string {
	var list []string
	for _, k := range claim.Keys(m) {
		list = append(list, m[k])
	}
	return strings.Join(list, "; ")
}

// originFigure is the figure of saddles/origin.
func originFigure(t claim.Table) []claim.Figure {
	return []claim.Figure{spectrumFigure("saddles-origin", "at the origin", atPoints(t, atOrigin, true))}
}

// spectrumFigure shows all eigenvalues of the first seed, in order.
func spectrumFigure(name, where string, rows []claim.Row[point, spectrum]) claim.Figure {
	f := claim.Figure{Name: name, Caption: fmt.Sprintf("All eigenvalues of both Hessians with respect to the weights %s, in ascending order: linear networks, 64 samples x ~ N(1, .1²), y = -x, one draw.", where)}
	for _, r := range rows {
		if r.Params.Seed != 1 {
			continue
		}
		p := claim.Panel{Title: fmt.Sprintf("%d hidden layers of %d", r.Params.Hidden, r.Params.Width), X: claim.Axis{Label: "number of the eigenvalue"}, Y: claim.Axis{Label: "eigenvalue"}}
		for i, list := range strings.Split(r.Result.Values, ";") {
			if i > 1 {
				break
			}
			l := claim.Line{Name: []string{"energy at equilibrium (PC)", "loss (BP)"}[i], Series: []int{1, 2}[i], Points: true, NoLine: true}
			for k, v := range numbers(list) {
				l.X, l.Y = append(l.X, float64(k+1)), append(l.Y, v)
			}
			p.Lines = append(p.Lines, l)
		}
		f.Panels = append(f.Panels, p)
	}
	return f
}

var originData = claim.Claim{
	ID:     "saddles/origin-data",
	Source: paper + ", figure 4 (Hessian_Analysis_of_DLNs of the release: MNIST and MNIST-1D, H = 1, 2, 4)",
	Statement: "On real data the lowest eigenvalue of the energy at the origin is minus the frequency of the commonest class in the batch from two hidden layers on, whatever the " +
		"inputs, and the loss is flat there.",
	Paper: "spectra on MNIST [1, 10], [2, 10], [4, 5] and MNIST-1D. MNIST-1D is of data.MNIST1D, whose distribution is that of the published set; Fashion-MNIST is ours",
	Grid:  spectra,
	Bounds: []claim.Bound{
		{Text: "the lowest of the energy is the closed form's to 1e-6", Origin: claim.Paper, Note: "theorem 2"},
		{Text: "for H >= 2 it is -k/64 for a whole k from 7 to 20, and the loss has no eigenvalue beyond 1e-10", Origin: claim.Derived, Note: "S_yy of one-hot targets is diagonal, with the frequencies of ten classes in 64 samples"},
		{Text: "for H = 1 it is below both of them, and the loss is +-the largest singular value of S_xy", Origin: claim.Paper, Note: "theorem 2"},
	},
	Check: originDataIsStrict,
	Plot:  dataFigure,
}

// originDataIsStrict is the check of saddles/origin-data.
func originDataIsStrict(t claim.Table) (string, error) {
	var off claim.Off
	ours := map[string]string{}
	for _, r := range atPoints(t, atOrigin, false) {
		p, s := r.Params, r.Result
		at := fmt.Sprintf("%s, H=%d, seed %d", p.Data, p.Hidden, p.Seed)
		if s.Off > 1e-6*math.Abs(s.Closed) {
			off.Add("%s: the lowest is %.6g, closed form %.6g", at, s.Energy, s.Closed)
		}
		k := -s.Energy * batch
		switch {
		case p.Hidden == 1 && !(s.Energy < s.Loss && math.Abs(s.Loss/s.SingularXY+1) < 1e-6):
			off.Add("%s: the energy's lowest %.4g is not below the loss' %.4g, or that is not -%.4g", at, s.Energy, s.Loss, s.SingularXY)
		case p.Hidden > 1 && (math.Abs(k-math.Round(k)) > 1e-5 || math.Round(k) < 7 || k > 20):
			off.Add("%s: the lowest is -%.6g/64", at, k)
		case p.Hidden > 1 && max(math.Abs(s.Loss), math.Abs(s.LossHigh)) > 1e-10:
			off.Add("%s: the loss has eigenvalues from %.2g to %.2g", at, s.Loss, s.LossHigh)
		}
		ours[fmt.Sprintf("%s, H=%d", p.Data, p.Hidden)] = fmt.Sprintf("%s, H=%d: energy %.4f, loss %.4f", p.Data, p.Hidden, s.Energy, s.Loss)
	}
	var list []string
	for _, k := range claim.Keys(ours) {
		list = append(list, ours[k])
	}
	return strings.Join(list, "; "), off.Err()
}

// dataFigure is the figure of saddles/origin-data: lowest eigenvalues by depth.
func dataFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "saddles-origin-data", Caption: "Lowest eigenvalue of both Hessians with respect to the weights, linear networks on 64 pictures or signals with one-hot targets; each point is a draw of the batch."}
	for _, where := range []place{atOrigin, atZeroRank} {
		p := claim.Panel{Title: map[place]string{atOrigin: "At the origin", atZeroRank: "All weights zero but those before the last"}[where],
			X: claim.Axis{Label: "hidden layers H"}, Y: claim.Axis{Label: "lowest eigenvalue"}}
		for i, set := range []source{digits, clothes, signals} {
			for k, name := range []string{"energy (PC)", "loss (BP)"} {
				l := claim.Line{Name: fmt.Sprintf("%s, %s", set, name), NoLine: true, Points: true, Series: 1 + 2*i + k}
				for _, r := range atPoints(t, where, false) {
					if r.Params.Data == set {
						l.X, l.Y = append(l.X, float64(r.Params.Hidden)), append(l.Y, []float64{r.Result.Energy, r.Result.Loss}[k])
					}
				}
				if len(l.X) > 0 {
					p.Lines = append(p.Lines, l)
				}
			}
		}
		if len(p.Lines) > 0 {
			f.Panels = append(f.Panels, p)
		}
	}
	return []claim.Figure{f}
}

var zeroRankStrict = claim.Claim{
	ID:     "saddles/zero-rank",
	Source: paper + ", theorem 3, figures 9 and 10 (\"other saddle\" of Hessian_Analysis_of_DLNs)",
	Statement: "Where all weights are zero but those before the last, the loss has no second derivative and the equilibrated energy is a strict saddle, " +
		"steeper than at the origin.",
	Paper: "spectra of toy networks [3, 4], [4, 4] and of MNIST [3, 5], [4, 5]. An independent numpy program, D = N = 4, K = 3: lowest -2.74, -2.28 for L = 4, 5; 12 = N K negative ones",
	Grid:  spectra,
	Bounds: []claim.Bound{
		{Text: "every eigenvalue of the energy is that of -(A x S_yy), or 0, to 1e-9; on pictures the lowest to 1e-6", Origin: claim.Derived, Note: "(B-4) of the specification, an independent program: 5e-11"},
		{Text: "N times the rank of S_yy of them are negative (toy data)", Origin: claim.Derived, Note: "A is at least 1"},
		{Text: "the lowest is below that of the same network and batch at the origin", Origin: claim.Derived, Note: "A >= 1"},
		{Text: "the loss has no eigenvalue beyond 1e-10", Origin: claim.Paper, Note: "figures 9 and 10"},
	},
	Check: zeroRankIsStrict,
	Plot: func(t claim.Table) []claim.Figure {
		return []claim.Figure{spectrumFigure("saddles-zero-rank", "where all are zero but those before the last", atPoints(t, atZeroRank, true))}
	},
}

// zeroRankIsStrict is the check of saddles/zero-rank.
func zeroRankIsStrict(t claim.Table) (string, error) {
	var off claim.Off
	origin := map[point]spectrum{}
	for _, r := range claim.Where[point, spectrum](t, func(p point) bool { return p.Place == atOrigin }) {
		origin[r.Params] = r.Result
	}
	ours := map[string]string{}
	for _, r := range claim.Where[point, spectrum](t, func(p point) bool { return p.Place == atZeroRank }) {
		p, s := r.Params, r.Result
		at := fmt.Sprintf("%s, H=%d, seed %d", p.Data, p.Hidden, p.Seed)
		tolerance := 1e-9
		if p.Data != gaussians {
			tolerance = 1e-6
		}
		if s.Off > tolerance || s.Gradient > 1e-12 {
			off.Add("%s: an eigenvalue is %.1e off the closed form, gradient %.1e", at, s.Off, s.Gradient)
		}
		if p.Data == gaussians && s.Negative != p.Width*p.In {
			off.Add("%s: %d negative eigenvalues, want %d", at, s.Negative, p.Width*p.In)
		}
		if max(math.Abs(s.Loss), math.Abs(s.LossHigh)) > 1e-10 {
			off.Add("%s: the loss has eigenvalues from %.2g to %.2g", at, s.Loss, s.LossHigh)
		}
		same := p
		same.Place = atOrigin
		if o, there := origin[same]; there && !(s.Energy < o.Energy) {
			off.Add("%s: the lowest is %.4g, that at the origin %.4g", at, s.Energy, o.Energy)
		}
		ours[fmt.Sprintf("%s, H=%d", p.Data, p.Hidden)] = fmt.Sprintf("%s, H=%d: %.4f (origin %.4f)", p.Data, p.Hidden, s.Energy, origin[same].Energy)
	}
	var list []string
	for _, k := range claim.Keys(ours) {
		list = append(list, ours[k])
	}
	return "lowest of the energy: " + strings.Join(list, "; "), off.Err()
}

var unrolledEnough = claim.Claim{
	ID:        "saddles/unrolled",
	Source:    paper + ", figures 3, 4, 8 to 10: the release differentiates through 50 steps of inference at rate .1",
	Statement: "Fifty unrolled steps of inference at rate .1, as the release has them, show the curvature of the equilibrium.",
	Paper:     "the release compares them with the closed form by eye. At the origin the activity Hessian is 1, so that 1 - .9^100 = .99997 of the energy's fall is made",
	Grid:      spectra,
	Bounds: []claim.Bound{
		{Text: "at the origin with H >= 2 the lowest eigenvalues differ by .9^100 = 2.7e-5 to 1e-7, relatively; for H = 1 by at most 1e-3", Origin: claim.Derived, Note: "H_z = 1: the energy's fall after t steps is 1 - .9^(2t) of the whole"},
		{Text: "at zero-rank saddles the unrolled one is the less steep, by 2e-4 to 5 %", Origin: claim.After, Note: "1e-3 was expected; the slowest mode of inference there has a rate below 1, and 50 steps leave more of it"},
	},
	Check:   unrolledIsEnough,
	Verdict: claim.WithCare,
	Care: func(t claim.Table) string {
		return fmt.Sprintf("At the origin to %.1e. At zero-rank saddles the weights before the last make inference stiff, and the unrolled curvature misses up to %s of that at equilibrium: "+
			"figures 9 and 10 show a saddle that is a little too flat.", unrolledGap(t, atOrigin), claim.Percent(unrolledGap(t, atZeroRank)))
	},
}

// unrolledGap is the largest relative distance at a place.
func unrolledGap(t claim.Table, where place) (worst float64) {
	for _, r := range claim.Where[point, spectrum](t, func(p point) bool { return p.Place == where }) {
		worst = max(worst, math.Abs(1-r.Result.Unrolled/r.Result.Energy))
	}
	return worst
}

// unrolledIsEnough is the check of saddles/unrolled.
func unrolledIsEnough(t claim.Table) (string, error) {
	var off claim.Off
	for _, r := range claim.Rows[point, spectrum](t) {
		p, s := r.Params, r.Result
		gap := 1 - s.Unrolled/s.Energy
		wrong := false
		switch {
		case p.Place == atOrigin && p.Hidden > 1:
			wrong = math.Abs(gap-math.Pow(1-unrolledRate, 2*unrolledSteps)) > 1e-7
		case p.Place == atOrigin:
			wrong = math.Abs(gap) > 1e-3
		default:
			wrong = gap < 2e-4 || gap > .05
		}
		if wrong {
			off.Add("%s, %s, H=%d: %.6g unrolled, %.6g at equilibrium", p.Data, p.Place, p.Hidden, s.Unrolled, s.Energy)
		}
	}
	return fmt.Sprintf("1 - unrolled/exact, at most: origin %.1e, zero-rank %.1e", unrolledGap(t, atOrigin), unrolledGap(t, atZeroRank)), off.Err()
}
