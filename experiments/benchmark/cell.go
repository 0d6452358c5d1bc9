// Package benchmark holds learning rules against each other and against backprop: trainings of every rule on every network and data set, with the
// state of inference, the price in time and gradients, and the angle to backprop's gradient beside the accuracy.
//
// A [Cell] is one training as plain data, an [Outcome] what it came to. A [Table] lists cells; claim.Runner measures them, keeps each
// result and spreads them over cores. [Rows] are the means over seeds.
package benchmark

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// A Cell is one training, as plain data. Zero values stand for what is said with each field. Cells of one row differ in Seed alone.
type Cell struct {
	Row   string `json:"row"` // its name in the table
	Data  Data   `json:"data"`
	Net   Net    `json:"net"`
	Rule  Rule   `json:"rule"`
	Learn Learn  `json:"learn"`
	Seed  uint64 `json:"seed"` // of weights, order of the samples and made data
}

// Data is a data set.
type Data struct {
	Name   string  `json:"name"`             // one of DataNames
	Pixels float64 `json:"pixels,omitempty"` // pixels of mnist and fashion are (v - Pixels)/Pixels, with v in [0, 1]; 0: standardised
	Train  int     `json:"train,omitempty"`  // the first so many training samples; 0: all
	Test   int     `json:"test,omitempty"`   // the first so many test samples; 0: all
	Window int     `json:"window,omitempty"` // characters of a window of text; 0: 32
}

// Net is a network. Its first and last width are the data's.
type Net struct {
	Kind     string `json:"kind"`               // one of NetKinds
	Hidden   []int  `json:"hidden,omitempty"`   // widths of mlp
	Width    int    `json:"width,omitempty"`    // of resmlp and transformer
	Depth    int    `json:"depth,omitempty"`    // weight matrices of resmlp, blocks of transformer
	Heads    int    `json:"heads,omitempty"`    // of transformer; 0: 1
	Channels []int  `json:"channels,omitempty"` // of vgg
	Act      string `json:"act,omitempty"`      // activation, behind the product in mlp and vgg, before it in resmlp; empty: gelu
	Norm     bool   `json:"norm,omitempty"`     // layer normalisation in transformer
	Scaling  string `json:"scaling,omitempty"`  // of the weights, one of Scalings; empty: sp
}

// Rule is a learning rule with all its settings. A setting that the rule does not have is an error.
type Rule struct {
	Name     string  `json:"name"`               // one of RuleNames
	Loss     string  `json:"loss,omitempty"`     // of the output: se (empty), or ce, cross-entropy with softmax
	Errors   bool    `json:"errors,omitempty"`   // inference moves prediction errors, not activities
	Solver   string  `json:"solver,omitempty"`   // descent, or auto: infer.Auto
	Steps    int     `json:"steps,omitempty"`    // of inference, at most
	Rest     float64 `json:"rest,omitempty"`     // of auto: stops when this part of the gradient is left
	Rate     float64 `json:"rate,omitempty"`     // of descent on the activities, per sample
	Momentum float64 `json:"momentum,omitempty"` // of descent

	// Precision of the output, 0 for 1: small lets predictive coding approach backprop, whose precision is 1 in any case. Adam's epsilon is
	// multiplied by it.
	Precision float64 `json:"precision,omitempty"`

	Nudge  string  `json:"nudge,omitempty"`  // cost (empty), or target: what beta multiplies
	Sign   string  `json:"sign,omitempty"`   // of beta: positive (empty), negative, centred, random
	Beta   float64 `json:"beta,omitempty"`   // size of the nudging
	Growth float64 `json:"growth,omitempty"` // of beta by epoch. Beyond 1 a positive beta is 1; so is a negative one, as pcx has it
}

// Learn is how weights learn.
type Learn struct {
	Optimizer string  `json:"optimizer,omitempty"` // adam (empty), adamw or sgd
	LR        float64 `json:"lr"`
	Decay     float64 `json:"decay,omitempty"`    // of adamw
	Schedule  string  `json:"schedule,omitempty"` // of the rate: constant (empty), or warmup-cosine, to 1.1 LR in 10 % of the batches and on to .1 LR
	Batch     int     `json:"batch"`
	DropLast  bool    `json:"drop_last,omitempty"` // leaves out the last batch if it is smaller, in training and test
	Epochs    int     `json:"epochs"`
	Limit     int     `json:"limit,omitempty"` // batches in all; 0: all of the epochs
}

// An Outcome is what a training came to. Lists have an entry for each evaluation, one an epoch.
type Outcome struct {
	Weights  int              `json:"weights"` // numbers that learn
	Steps    []int            `json:"steps"`   // batches seen
	Seconds  []float64        `json:"seconds"` // of training so far
	Accuracy []claim.Nullable `json:"accuracy,omitempty"`
	Loss     []claim.Nullable `json:"loss"`              // half the squared distance to the target, per sample
	Entropy  []claim.Nullable `json:"entropy,omitempty"` // cross-entropy in nats by token, of text: exp of it is the perplexity
	Diverged string           `json:"diverged,omitempty"`

	Batches     int            `json:"batches"`
	Evaluations int            `json:"evaluations"` // gradients of the energy with respect to activities
	Measured    int            `json:"measured"`    // inferences whose residual is known
	Residual    claim.Nullable `json:"residual"`    // mean rms gradient with respect to activities at the end of inference
	Left        claim.Nullable `json:"left"`        // the same as a part of the start's
	Far         int            `json:"far"`         // inferences that left more than train.FarLeft

	CosineStart claim.Nullable `json:"cosine_start"` // of the weight gradient to backprop's, on the first training batch, before training
	CosineEnd   claim.Nullable `json:"cosine_end"`   // after it
	Step        float64        `json:"step"`         // seconds of a training step, mean
	BPStep      float64        `json:"bp_step"`      // seconds of one of backprop on the same network, measured every now and then during the training
}

// Cost is about how many million products of numbers the training makes.
func (c Cell) Cost() float64 {
	sizes, known := samplesOf[c.Data.Name]
	if !known {
		sizes = samples{in: 2, out: 2, train: 1000, tokens: 1}
	}
	n := sizes.train
	if c.Data.Train > 0 {
		n = min(n, c.Data.Train)
	}
	batches := c.Learn.Epochs * n / max(1, c.Learn.Batch)
	if c.Learn.Limit > 0 {
		batches = min(batches, c.Learn.Limit)
	}
	first, rest := c.Net.products(sizes)
	gradients := 0.
	if r, ok := ruleNamed(c.Rule.Name); ok {
		gradients = r.gradients(c)
	}
	// Backprop is three products of every weight, and a gradient of the energy two of all but the first.
	each := 3*(first+rest) + gradients*2*rest
	return 1e-6 * float64(batches*c.Learn.Batch) * (each + 1e3)
}

// Cores is 1: cells share the cores, each on its own.
func (c Cell) Cores() int { return 1 }

// point is the cell without its seed.
func (c Cell) point() string {
	c.Seed = 0
	return fmt.Sprintf("%+v", c)
}

// Title is the network in words.
func (n Net) Title() string {
	act := n.Act
	if act == "" {
		act = "gelu"
	}
	switch n.Kind {
	case "mlp":
		return fmt.Sprintf("%s mlp of hidden widths %s", act, dashes(n.Hidden))
	case "resmlp":
		return fmt.Sprintf("%s residual mlp of %d layers of width %d", act, n.Depth, n.Width)
	case "vgg":
		return fmt.Sprintf("%s vgg of %s channels", act, dashes(n.Channels))
	case "transformer":
		return fmt.Sprintf("transformer of %d blocks of width %d, %d heads", n.Depth, n.Width, max(1, n.Heads))
	}
	return n.Kind
}

// dashes writes 128-128.
func dashes(widths []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(widths), "[]"), " ", "-")
}

// nullables gives numbers the type that JSON can have.
func nullable(v float64) claim.Nullable {
	if math.IsInf(v, 0) {
		v = math.NaN()
	}
	return claim.Nullable(v)
}
