package study

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
)

// rest adds to the page how near to equilibrium the weights learned, and warns if that was far.
func (j *job) rest(c *cli.Console) error {
	return inferenceTable(c, j.RunDir, j.learners, closeness{errors: j.flags.Errors, rate: j.descentRate(), excess: j.excess, samples: min(compareBatch, j.test.Len()), stable: j.stableRate})
}

// descentRate is the rate of descent; 0 if another solver infers.
func (j *job) descentRate() float64 {
	if !j.learn.Descends() {
		return 0
	}
	return j.learn.Rate
}

// excess is F(z_T)/F* - 1 after the learner's inference on test samples; ok is false unless the network is a linear chain.
func (j *job) excess(p *learner) (excess float64, ok bool, err error) {
	pc, isPC := p.rule.(*train.PC[float32])
	if !isPC {
		return 0, false, nil
	}
	n := min(compareBatch, j.test.Len())
	x, y := make([]float32, n*j.test.In()), make([]float32, n*j.test.Out())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(j.test, x, y, idx)
	}
	twin, targets, ok, err := LinearTwin(pc.Model, x, y, j.flags)
	if err != nil || !ok {
		return 0, false, err
	}
	eq, err := twin.Equilibrium(DenseOf(x, n), targets)
	if err != nil {
		return 0, false, err
	}
	r, err := pc.Gradient(make([]float32, len(pc.Subject().Weights.Data())), x, y, n)
	return r.Energy/eq.Energy - 1, err == nil && eq.Energy > 0, err
}

// stableRate is the rate below which plain descent on the activities of some test samples is stable, 2 / largest curvature, with the
// weights that a learner has learned.
func (j *job) stableRate(p *learner) (float64, error) {
	w, err := double(j.net, p.rule.Subject().Weights)
	if err != nil {
		return 0, err
	}
	b, err := NewComparison(j.net, j.flags, w, j.test, compareBatch)
	if err != nil {
		return 0, err
	}
	return stableRate(b, p.precision, j.learn.Rule.Coordinates(j.flags.Coordinates()))
}

// stableRate is the rate below which plain descent on a batch is stable in some coordinates, 2 / largest curvature.
func stableRate(b *Comparison[float64], precision float64, coordinates arch.Coordinates) (float64, error) {
	m, err := arch.Compile(b.Net, b.Weights, arch.Plan{Batch: b.Batch, Energy: b.Flags.Energy(precision), Coordinates: coordinates})
	if err != nil {
		return 0, err
	}
	if err := m.Clamp(b.X, b.Y); err != nil {
		return 0, err
	}
	if err := m.Forward(); err != nil {
		return 0, err
	}
	curvature, err := infer.LargestCurvature(train.ProblemOf(m), m.State())
	return 2 / curvature, err
}
