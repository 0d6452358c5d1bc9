package icl

import (
	"context"
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/icl"
)

// A stack is a random transformer on random tasks.
type stack struct {
	transformer
	Init float64 `json:"init"` // factor of the released initialisation
	Seed uint64  `json:"seed"`
}

// A proof is how well the theorem holds at all positions of all blocks.
type proof struct {
	Output   float64 `json:"output"`   // |updated block on the query alone - block in its context|, largest, in float64
	Single   float64 `json:"single"`   // the same in float32
	Chain    float64 `json:"chain"`    // |updated blocks chained on the query - whole stack|
	Rank     int     `json:"rank"`     // largest rank of the sum of dW over positions
	Second   float64 `json:"second"`   // its second singular value over the first, largest
	Spectral float64 `json:"spectral"` // |spectral / Frobenius norm of a dense dW - 1|, largest
	Change   float64 `json:"change"`   // smallest over blocks of the mean |dW| at the query: that there is something to prove
}

var stacks = claim.Grid("icl/stacks", 1, func(s claim.Scale) []stack {
	count, pairs := 3, []int{5, 50}
	if s == claim.Quick {
		count, pairs = 1, []int{8}
	}
	var grid []stack
	for _, n := range pairs {
		for _, skip := range []bool{true, false} {
			for _, norm := range []string{"none", "layer", "rms"} {
				for _, causal := range []bool{true, false} {
					for _, gated := range []bool{false, true} {
						if (norm == "rms") != gated { // the extension has both
							continue
						}
						for _, seed := range claim.Seeds(count) {
							grid = append(grid, stack{transformer{Pairs: n, Dim: 2, Heads: 3, Blocks: 3, Skip: skip, Norm: norm, Causal: causal, Gated: gated}, 2, seed})
						}
					}
				}
			}
		}
	}
	return grid
}, func(_ context.Context, s stack, _ *claim.Cell) (proof, error) { return s.measure() })

// samples is how many tasks a stack is proved on.
const samples = 4

func (s stack) measure() (proof, error) {
	n := s.network(false)
	w, err := arch.NewWeights[float64](n, generator(s.Seed))
	if err != nil {
		return proof{}, err
	}
	r := generator(s.Seed + 1000)
	for i := range w.Data() { // also gains and biases of normalisations, which begin at 1 and 0
		w.Data()[i] = s.Init*w.Data()[i] + .05*r.NormFloat64()
	}
	set, _, err := s.tasks(samples, 1, s.Seed)
	if err != nil {
		return proof{}, err
	}
	p, err := prove(n, w, set.In(), func() []float64 { x, _ := batchAt[float64](set, 0, samples); return x }())
	if err != nil {
		return p, err
	}
	single := graph.Convert[float32](w)
	x, _ := batchAt[float32](set, 0, samples)
	q, err := prove(n, single, set.In(), x)
	p.Single = q.Output
	return p, err
}

// prove looks at all positions of all blocks.
func prove[T graph.Float](n *arch.Network, w *graph.Vector[T], in int, x []T) (proof, error) {
	reader, err := icl.New(n, w, len(x)/in)
	if err != nil {
		return proof{}, err
	}
	if err := reader.Forward(x); err != nil {
		return proof{}, err
	}
	p := proof{Change: math.Inf(1)}
	var updates []*icl.Update[T]
	for k := range reader.Blocks() {
		u, err := reader.Update(k)
		if err != nil {
			return p, err
		}
		updates = append(updates, u)
		got, err := reader.Apply(k, u, reader.Query(k))
		if err != nil {
			return p, err
		}
		p.Output = max(p.Output, farthest(got, reader.Output(k)))
		change := 0.
		for s := range u.Batch {
			change += u.Norm(s, u.Positions-1) / float64(u.Batch)
			for m := range u.Matrices {
				one := u.Of(m)
				spectrum, err := one.SumSpectrum(s)
				if err != nil {
					return p, err
				}
				p.Rank, p.Second = max(p.Rank, icl.Rank(spectrum, 1e-12)), max(p.Second, spectrum[1]/spectrum[0])
				for _, position := range []int{0, u.Positions / 2, u.Positions - 1} {
					off, err := norm2(one, s, position)
					if err != nil {
						return p, err
					}
					p.Spectral = max(p.Spectral, off)
				}
			}
		}
		p.Change = min(p.Change, change)
	}
	chain, err := reader.Chain(updates)
	if err != nil {
		return p, err
	}
	out := reader.Output(len(updates) - 1)
	wide, each := len(chain)/updates[0].Batch, len(out)/updates[0].Batch
	for s := range updates[0].Batch {
		p.Chain = max(p.Chain, farthest(chain[s*wide:(s+1)*wide], out[(s+1)*each-wide:(s+1)*each]))
	}
	return p, nil
}

// norm2 compares the norms of a dense update, by its singular values, with each other and with the low-rank one's.
func norm2[T graph.Float](u *icl.Update[T], sample, position int) (float64, error) {
	var all []float64
	for _, v := range u.Dense(sample, position, 0) {
		all = append(all, float64(v))
	}
	m := mat.NewDense(u.Width, u.Hidden, all)
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDNone) {
		return 0, errors.New("singular values of an update do not converge")
	}
	spectral, frobenius := svd.Values(nil)[0], mat.Norm(m, 2)
	if frobenius == 0 {
		return 0, nil
	}
	return max(math.Abs(spectral/frobenius-1), math.Abs(u.Norm(sample, position)/frobenius-1)), nil
}

// plain and gated tell the paper's stacks from the extension's.
func plain(s stack) bool { return !s.Gated }
func gated(s stack) bool { return s.Gated }

const everywhere = "the sentence is that an identity holds in every cell, whatever the network: any cell's results bear it"

var identity = claim.Claim{
	ID:     "icl/identity",
	Source: paper + ", the theorem and its figures of squared differences",
	Statement: "At every position of every block, with and without residual connections, layer normalisation and causal masks, a transformer block gives in its context what it gives on the query " +
		"alone with a rank-one change of the first matrix and a change of the last bias; the changed blocks, chained on the query, give the whole stack.",
	Paper: "equal but for rounding (squared differences of about 1e-13 in float32). An independent program: at most 9e-16, chained 4e-16",
	Grid:  stacks,
	Bounds: []claim.Bound{
		{Text: "off by at most 1e-12 in float64, chained as well, and 1e-5 in float32", Origin: claim.Independent, Note: "a numpy program, and the rounding of float32"},
		{Text: "the context changes the first matrix of every block by more than 1e-6 in the mean", Origin: claim.After, Note: "otherwise nothing is proved: a million times the error; it was larger before the first measurement. Layer normalisation over three features without skips makes tokens nearly equal"},
	},
	Shuffled: everywhere,
	Check:    func(t claim.Table) (string, error) { return identical(t, plain) },
}

// identical is the check of icl/identity and of icl/gated-rmsnorm.
func identical(t claim.Table, want func(stack) bool) (string, error) {
	var off claim.Off
	rows := claim.Where[stack, proof](t, want)
	var worst proof
	for _, r := range rows {
		p := r.Result
		if !(p.Output <= 1e-12 && p.Chain <= 1e-12 && p.Single <= 1e-5 && p.Change > 1e-6) {
			off.Add("%v, seed %d: %+v", r.Params.transformer, r.Params.Seed, p)
		}
		worst.Output, worst.Chain, worst.Single = max(worst.Output, p.Output), max(worst.Chain, p.Chain), max(worst.Single, p.Single)
	}
	return fmt.Sprintf("%d stacks of 3 blocks, %d tasks each: off by at most %.1g, chained %.1g, in float32 %.1g", len(rows), samples, worst.Output, worst.Chain, worst.Single), off.Err()
}

var rankOne = claim.Claim{
	ID:        "icl/rank-one",
	Source:    paper + ", figures of ranks and norms",
	Statement: "The change of a first matrix has rank one at every position, so has the sum over all positions, and the Frobenius norm of each is its spectral norm.",
	Paper:     "ranks 1 at the first and the last step; equal norms",
	Grid:      stacks,
	Bounds: []claim.Bound{
		{Text: "the sum, added up entry by entry, has rank 1: second singular value below 1e-12 of the first", Origin: claim.Paper, Note: "figure of ranks; all updates share their right vector v_x"},
		{Text: "spectral and Frobenius norms of dense updates agree to 1e-12", Origin: claim.Paper, Note: "figure of norms"},
	},
	Shuffled: everywhere,
	Check:    ranksAreOne,
}

// ranksAreOne is the check of icl/rank-one.
func ranksAreOne(t claim.Table) (string, error) {
	var off claim.Off
	rows := claim.Rows[stack, proof](t)
	second, spectral := 0., 0.
	for _, r := range rows {
		p := r.Result
		if p.Rank != 1 || !(p.Second < 1e-12) || !(p.Spectral < 1e-12) {
			off.Add("%v, seed %d: rank %d, second singular value %.2g of the first, norms off by %.2g", r.Params.transformer, r.Params.Seed, p.Rank, p.Second, p.Spectral)
		}
		second, spectral = max(second, p.Second), max(spectral, p.Spectral)
	}
	return fmt.Sprintf("rank 1 in %d stacks: second singular value at most %.1g of the first, norms apart by %.1g", len(rows), second, spectral), off.Err()
}

var gatedToo = claim.Claim{
	ID:     "icl/gated-rmsnorm",
	Source: "Goldwaser et al. (arXiv 2511.17864), title and abstract; the update of the last matrix is derived for this project",
	Statement: "The identity holds for blocks with RMS normalisation and a gated feed-forward part without biases, where gate and value matrix change by rank one each and the residual's change goes " +
		"into the last matrix, by rank one too.",
	Paper: "an extension of the theorem to modern blocks; no figures",
	Grid:  stacks,
	Bounds: []claim.Bound{
		{Text: "off by at most 1e-12 in float64, chained as well, and 1e-5 in float32", Origin: claim.Derived, Note: "rounding"},
		{Text: "changes of more than 1e-6", Origin: claim.After, Note: "that there is something to prove; it was larger before the first measurement"},
	},
	Shuffled: everywhere,
	Check:    func(t claim.Table) (string, error) { return identical(t, gated) },
}
