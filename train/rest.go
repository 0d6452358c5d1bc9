package train

import (
	"fmt"
	"math"

	"github.com/pcgraph/pcgraph/infer"
)

// Rest tells how near to equilibrium the activities were when weights learned from them. Residuals are those of the last
// evaluation of each inference, see infer.Result.
type Rest struct {
	Statuses    map[infer.Status]int // how inferences ended; Running counts batches without inference
	Evaluations int                  // of the energy gradient
	Measured    int                  // inferences whose residual was measured from the start on, and is finite
	Residual    float64              // mean over those: rms of the gradient with respect to activities at the end
	Left        float64              // mean over those: the same as a fraction of the start's
	Far         int                  // of those: more than FarLeft was left
}

// FarLeft is the fraction of the gradient with respect to activities that may be left at the end of inference. Above it, the weight
// gradient belongs to activities on their way rather than at equilibrium.
const FarLeft = .1

// add counts one inference.
func (r *Rest) add(in infer.Result) {
	r.Statuses[in.Status]++
	r.Evaluations += in.Evals
	if in.Status == infer.Running || in.Status == infer.Diverged || in.Evals == 0 || !(in.Initial > 0) || math.IsInf(in.Initial, 1) || in.Residual-in.Residual != 0 {
		return
	}
	left := min(in.Residual/in.Initial, math.MaxFloat64)
	r.Measured++
	r.Residual += (in.Residual - r.Residual) / float64(r.Measured)
	r.Left += (left - r.Left) / float64(r.Measured)
	if left > FarLeft {
		r.Far++
	}
}

// Fraction is how many of the inferences ended so; 0 if there were none.
func (r Rest) Fraction(s infer.Status) float64 {
	all := 0
	for status, n := range r.Statuses {
		if status != infer.Running {
			all += n
		}
	}
	if all == 0 {
		return 0
	}
	return float64(r.Statuses[s]) / float64(all)
}

// Warning says that weights learned far from equilibrium, how far, and what to change; empty if less than a tenth did.
func (r Rest) Warning() string {
	if r.Far == 0 || 10*r.Far < r.Measured {
		return ""
	}
	remedy := "for equilibrium take more inference steps, a higher rate (plain descent is stable below 2 / largest curvature), momentum, or error coordinates"
	if r.Left > 1 {
		remedy = "it grew: lower the rate of inference (plain descent is stable below 2 / largest curvature)"
	}
	return fmt.Sprintf("in %d of %d batches the weights learned far from equilibrium: %.3g %% of the starting gradient with respect to activities was left (mean of all); %s",
		r.Far, r.Measured, 100*r.Left, remedy)
}
