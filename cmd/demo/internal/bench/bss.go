package bench

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
)

// The published runs of package bss: so many sources in so many mixtures.
const bssSources, bssMixtures = 5, 10

// bssRows measures one run of PEM with the published settings in every domain, on one core: how long it takes, and what the multiply-adds
// of its inner iterations alone take, measured in turn with it.
func (b *run) bssRows() error {
	samples := 100_000
	if b.Quick {
		samples = 100
	}
	for _, d := range bss.Domains() {
		if err := b.row("bss", d.String(), func(r *Row) error {
			s, err := newSeparation(d, samples)
			if err != nil {
				return err
			}
			if err := s.run(); err != nil { // counts the iterations
				return err
			}
			y := [bssSources]float64{1, .5, .25, -.5, -1}
			products := s.products(&y, s.iterations)
			times, err := b.time(task{cores: 1, prepare: func() {}, run: s.run}, task{cores: 1, prepare: func() {}, run: products})
			if err != nil {
				return err
			}
			r.add("run on one core", "ms", times[0].ms...)
			r.add("allocations of a sample", "", times[0].allocs/float64(samples))
			r.add("inner iterations of a sample", "", float64(s.iterations)/float64(samples))
			r.add("inner iterations", "million/s", float64(s.iterations)/times[0].median()/1e3)
			r.add("their multiply-adds alone", "ms", times[1].ms...)
			r.add("share of the multiply-adds", "%", 100*times[1].median()/times[0].median())
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// A separation is a run of PEM over mixtures of 30 dB.
type separation struct {
	pem        bss.PEM
	mixtures   *mat.Dense
	iterations int // inner iterations of the last run
}

func newSeparation(d bss.Domain, samples int) (*separation, error) {
	source, err := bss.SourcesOf(d)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(benchSeed, 0))
	sources, err := bss.Sources(source, samples, bssSources, rng)
	if err != nil {
		return nil, err
	}
	x, _ := bss.Mix(sources, bss.Mixing(bss.GaussianMixing, bssMixtures, bssSources, rng), 30, rng)
	pem, err := bss.PaperPEM(d, bss.Truncated)
	return &separation{pem: pem, mixtures: x}, err
}

// run is one pass over the mixtures with new weights.
func (s *separation) run() error {
	net, err := s.pem.Start(bssSources, bssMixtures, rand.New(rand.NewPCG(benchSeed, 1)))
	if err != nil {
		return err
	}
	s.iterations = 0
	rows, _ := s.mixtures.Dims()
	for i := range rows {
		if _, err := net.Observe(s.mixtures.RawRowView(i)); err != nil {
			return err
		}
		s.iterations += net.Iterations()
	}
	return nil
}

// products returns so many products y <- M y of a permutation M, each of which needs the one before it: an inner iteration without its
// step, nonlinearity, threshold and stop test.
func (s *separation) products(y *[bssSources]float64, iterations int) func() error {
	var m [bssSources * bssSources]float64
	for i := range bssSources { // y neither grows nor fades
		m[i*bssSources+(i+1)%bssSources] = 1
	}
	return func() error {
		y0, y1, y2, y3, y4 := y[0], y[1], y[2], y[3], y[4]
		for range iterations {
			y0, y1, y2, y3, y4 = (m[0]*y0+m[1]*y1+m[2]*y2)+(m[3]*y3+m[4]*y4),
				(m[5]*y0+m[6]*y1+m[7]*y2)+(m[8]*y3+m[9]*y4),
				(m[10]*y0+m[11]*y1+m[12]*y2)+(m[13]*y3+m[14]*y4),
				(m[15]*y0+m[16]*y1+m[17]*y2)+(m[18]*y3+m[19]*y4),
				(m[20]*y0+m[21]*y1+m[22]*y2)+(m[23]*y3+m[24]*y4)
		}
		*y = [bssSources]float64{y0, y1, y2, y3, y4}
		return nil
	}
}
