package notebooks

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Latent is the unsupervised generative task: a network from a free input, the causes, over 300-300 to pictures.
type Latent struct {
	Latents int     // units of the free input
	Std     float64 // of the activities at which inference starts
}

// Budget is that of the notebook unsupervised_generative_pc.
func (Latent) Budget() Budget {
	return Budget{Updates: 300, EvalEvery: 100, Rate: 1e-3, Inference: jpcSteps(100, .1)}
}

// Columns is the number of samples, and of points along a direction, in a row of Sampled.
const Columns = 11

// Sampled is what Latent came to.
type Sampled struct {
	Learned
	Along         []Trace     // inference on test pictures at several times of training
	Pictures      []float32   // test pictures [n, pixels]
	Reconstructed []float32   // what the network makes of the causes inferred for them
	Error         float64     // mean squared difference of both
	Samples       [][]float32 // pictures of causes drawn from the normal distribution that fits the inferred ones: two rows
	Directions    [][]float32 // rows along its widest directions, from -2 to 2 standard deviations
}

// cloudSamples is how many pictures' causes the normal distribution is fitted to.
const cloudSamples = 500

// unsupervised is the rule of pictures whose causes are inferred; input is the network's constant input, nil if it is free.
func (s *Setup) unsupervised(m *arch.Model[float32], start train.Start[float32], input []float32) train.Rule[float32] {
	solver, stop := s.Inference.New()
	return &rules.Unsupervised[float32]{Model: m, Solver: solver, Stop: stop, Start: start, Input: input, Targets: s.Train.Out()}
}

// Run trains the network, infers the causes of test pictures and samples.
func (l Latent) Run(ctx context.Context, s *Setup) (r Sampled, err error) {
	if err := s.begin("latent", l.Budget()); err != nil {
		return r, err
	}
	m, err := s.chain(arch.Plan{FreeInput: true}, l.Latents, 300, 300, s.Train.In())
	if err != nil {
		return r, err
	}
	start := &train.Gaussian[float32]{Std: l.Std, Seed: s.Seed}
	x, _ := s.pictures(32)
	small, err := m.Resized(len(x) / s.Test.In())
	if err != nil {
		return r, err
	}
	watch := func(step int) error {
		if every := max(1, s.Updates/6); step%every != 0 && step != 1 {
			return nil
		}
		t, err := s.trace(fmt.Sprintf("update %d", step), small, start, nil, x, 4)
		r.Along = append(r.Along, t)
		return err
	}
	if r.Learned, err = s.learn(ctx, s.trainer(s.unsupervised(m, start, nil), false, m), watch); err != nil || ctx.Err() != nil {
		return r, err
	}
	read, err := s.reader(m.Network(), m.Weights(), arch.Plan{FreeInput: true})
	if err != nil {
		return r, err
	}
	query := &train.Query[float32]{Model: read, Start: start, Site: arch.InputName}
	query.Solver, query.Stop = CauseReading.solver()
	r.Pictures, _ = s.pictures(cloudSamples)
	z, err := query.Inputs(r.Pictures)
	if err != nil {
		return r, err
	}
	if r.Reconstructed, err = m.Predict(z); err != nil {
		return r, err
	}
	r.Error = meanSquare(r.Pictures, r.Reconstructed)
	return r, r.sample(m, z, l.Latents, rand.New(rand.NewPCG(s.Seed, 2)))
}

// sample fits a normal distribution to causes and makes pictures of it.
func (r *Sampled) sample(m *arch.Model[float32], causes []float32, latents int, rng *rand.Rand) error {
	cloud, err := analysis.FitCloud(causes, latents)
	if err != nil {
		return err
	}
	row := func(cause func(i int) []float64) ([]float32, error) {
		var pictures []float32
		for i := range Columns {
			z := make([]float32, latents)
			for k, v := range cause(i) {
				z[k] = float32(v)
			}
			y, err := m.Predict(z)
			if err != nil {
				return nil, err
			}
			pictures = append(pictures, y...)
		}
		return pictures, nil
	}
	r.Samples, r.Directions = make([][]float32, 2), make([][]float32, min(6, latents))
	for k := range r.Samples {
		if r.Samples[k], err = row(func(int) []float64 { return cloud.Sample(rng) }); err != nil {
			return err
		}
	}
	for k := range r.Directions {
		if r.Directions[k], err = row(func(i int) []float64 { return cloud.At(k, 2*(float64(i)/(Columns-1)*2-1)) }); err != nil {
			return err
		}
	}
	return nil
}
