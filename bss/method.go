package bss

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Method is a row of the table of methods that Separation chooses from.
type Method struct {
	Name  string // short, as a flag has it
	Title string
	// Domains are those that it can be asked for; nil if it needs none.
	Domains []Projector
	// Online reports that it learns sample by sample (Start); a batch method has Learn.
	Online bool
	raw    bool // a batch method that needs the mixtures' means

	start func(d Projector, rate Schedule, sources, inputs int, rng *rand.Rand) (Separator, error)
	learn func(ctx context.Context, d Projector, z *mat.Dense, sources int, rng *rand.Rand) (w *mat.Dense, converged bool, err error)
	rate  func(d Projector) (Schedule, error)
}

// Methods are the methods that can be asked for by name, the default first.
func Methods() []Method {
	pem := func(name, title string, g Gradient) Method {
		return Method{Name: name, Title: title, Domains: Domains(), Online: true,
			rate: func(d Projector) (Schedule, error) {
				p, err := PaperPEM(d, g)
				return p.Rate, err
			},
			start: func(d Projector, rate Schedule, sources, inputs int, rng *rand.Rand) (Separator, error) {
				p, err := PaperPEM(d, g)
				if err != nil {
					return nil, err
				}
				p.Rate, p.Init = rate, Init{Diagonal: 1, Noise: .01, CovarianceDiagonal: .2}
				return p.Start(sources, inputs, rng)
			}}
	}
	return []Method{
		pem("pem", "Predictive Entropy Maximization", Truncated),
		pem("upem", "PEM with unnormalised lateral weights", Unnormalised),
		{Name: "corinfomax", Title: "online CorInfoMax", Domains: Domains(), Online: true,
			rate: func(d Projector) (Schedule, error) {
				o, err := PaperCorInfoMax(d)
				return o.Rate, err
			},
			start: func(d Projector, rate Schedule, sources, inputs int, rng *rand.Rand) (Separator, error) {
				o, err := PaperCorInfoMax(d)
				if err != nil {
					return nil, err
				}
				o.Rate, o.Init.Diagonal, o.Init.Noise = rate, 1, .01
				return o.Start(sources, inputs, rng)
			}},
		{Name: "ldmi", Title: "batch LDMI (log-determinant mutual information)", Domains: Domains(),
			learn: func(ctx context.Context, d Projector, z *mat.Dense, sources int, rng *rand.Rand) (*mat.Dense, bool, error) {
				o, err := PaperLDMI(d)
				if err != nil {
					return nil, false, err
				}
				r, err := o.Separate(ctx, z, sources, rng)
				if err != nil {
					return nil, false, err
				}
				return r.Unmixing, r.Iterations == o.Iterations, nil
			}},
		{Name: "nsm", Title: "nonnegative similarity matching", raw: true, Domains: []Projector{NonnegAntisparse},
			learn: matching(func(p *mat.Dense, rng *rand.Rand) (Separator, error) { return PaperNSM().Start(p, rng) })},
		{Name: "bsm", Title: "bounded similarity matching", Domains: []Projector{Antisparse},
			learn: matching(func(p *mat.Dense, _ *rand.Rand) (Separator, error) { return PaperBSM().Start(p) })},
		{Name: "infomax", Title: "extended InfoMax ICA",
			learn: func(ctx context.Context, _ Projector, z *mat.Dense, sources int, rng *rand.Rand) (*mat.Dense, bool, error) {
				o := PaperInfoMax()
				o.Epochs, o.Tol = 500, 1e-9
				return icaOf(o.Separate(ctx, z, sources, rng))
			}},
		{Name: "fastica", Title: "FastICA",
			learn: func(ctx context.Context, _ Projector, z *mat.Dense, sources int, rng *rand.Rand) (*mat.Dense, bool, error) {
				return icaOf(FastICA{Iterations: 200, Tol: 1e-4}.Separate(ctx, z, sources, rng))
			}},
	}
}

func icaOf(r *ICA, err error) (*mat.Dense, bool, error) {
	if err != nil {
		return nil, false, err
	}
	return r.Unmixing, r.Converged, nil
}

// matching runs a method of similarity matching over the samples once, in a random order.
func matching(start func(p *mat.Dense, rng *rand.Rand) (Separator, error)) func(context.Context, Projector, *mat.Dense, int, *rand.Rand) (*mat.Dense, bool, error) {
	return func(ctx context.Context, _ Projector, z *mat.Dense, sources int, rng *rand.Rand) (*mat.Dense, bool, error) {
		p, err := Whiten(z, sources)
		if err != nil {
			return nil, false, err
		}
		s, err := start(p, rng)
		if err != nil {
			return nil, false, err
		}
		rows, _ := z.Dims()
		for part := range slices.Chunk(rng.Perm(rows), 1000) {
			if ctx.Err() != nil {
				return s.Unmixing(), false, nil
			}
			if _, err := Observe(s, z, part); err != nil {
				return nil, false, err
			}
		}
		return s.Unmixing(), true, nil
	}
}

// MethodNamed is the method of a name; an error names all.
func MethodNamed(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, errors.Errorf("unknown method %q: want one of %v", name, names)
}

// DomainNamed is the domain of a name; an error names all.
func DomainNamed(name string) (Projector, error) {
	var names []string
	for _, d := range Domains() {
		if d.String() == name {
			return d, nil
		}
		names = append(names, d.String())
	}
	return nil, errors.Errorf("unknown domain %q: want one of %v", name, names)
}

// takes reports whether the method can be asked for a domain.
func (m Method) takes(d Projector) bool { return slices.Contains(m.Domains, d) }
