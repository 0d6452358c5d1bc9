package pcgraph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// referenceFolder holds values exported from JPC. PCGRAPH_REFERENCE names a folder of further cases, absolute or from here.
const referenceFolder = "testdata/reference"

// referenceTol is relative to the largest number of an array: float64 rounding of a few hundred operations.
const referenceTol = 1e-10

// checkers test the kinds of cases; an unknown kind is an error.
var checkers = map[string]func(*testing.T, *refCase){
	"energy":        checkEnergy,
	"unsupervised":  checkUnsupervised,
	"regularised":   checkRegularised,
	"errors":        checkErrors,
	"training":      checkTraining,
	"flow":          checkFlow,
	"activation":    checkActivation,
	"layer":         checkLayer,
	"bidirectional": checkBidirectional,
	"hybrid":        checkHybrid,
	"linear_theory": checkLinearTheory,
}

// TestReference compares with values computed by an independent implementation.
func TestReference(t *testing.T) {
	folders := []string{referenceFolder}
	if f := os.Getenv("PCGRAPH_REFERENCE"); f != "" {
		folders = append(folders, f)
	}
	count := map[string]int{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no reference cases in %s (%v)", folder, err)
		}
		for _, file := range files {
			c, err := readCase(file)
			if err != nil {
				t.Error(err)
				continue
			}
			check, known := checkers[c.Kind]
			switch {
			case c.Kind == "pem": // the test of package bss reads them
			case slices.Contains([]string{"icl", "trustregion", "pcalm", "redblack", "forwardupdate", "schedules", "metapcn"}, c.Kind): // tests of their own read them, by checkPapers
			case c.Kind == "saddles": // TestReference_Saddles reads them
			case !known:
				t.Errorf("%s: unknown kind %q", file, c.Kind)
			default:
				t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { check(t, c) })
				count[c.Kind]++
			}
		}
	}
	for kind := range checkers {
		if count[kind] == 0 {
			t.Errorf("no case of the kind %q has been checked", kind)
		}
	}
	t.Logf("checked: %s", tally(count))
}

func tally(m map[string]int) string {
	var s []string
	for k, n := range m {
		s = append(s, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(s)
	return strings.Join(s, ", ")
}

// A refCase is one file.
type refCase struct {
	Kind, Name           string
	Batch                int
	Net                  refNet
	Generator, Amortiser refNet
	Coefficients         struct {
		WeightDecay     float64 `json:"weight_decay"`
		SpectralPenalty float64 `json:"spectral_penalty"`
		ActivityDecay   float64 `json:"activity_decay"`
	}
	Energy          *float64
	BPLoss          *float64 `json:"bp_loss"`
	AmortiserEnergy *float64 `json:"amortiser_energy"`
	LossSum         *float64 `json:"loss_sum"`
	Scalings        []float64
	GD              struct {
		Rate  float64
		Steps int
	}
	Adam struct {
		Rate, B1, B2, Eps float64
		Steps             int
	}
	Optimiser      string
	Rate           float64
	ActivityRate   float64 `json:"activity_rate"`
	InferenceSteps int     `json:"inference_steps"`
	Steps          int
	Solver         string
	Control        string
	RTol           float64
	ATol           float64
	DT0            *float64
	T1             float64
	Accepted       int
	Rejected       int
	Layer          string
	Heads          int
	Causal         bool
	Scale, Eps     float64
	Stride         int
	Padding        int
	Dilation       int
	Groups         int
	Size           int
	ForwardWeight  float64 `json:"forward_weight"`
	BackwardWeight float64 `json:"backward_weight"`
	Activation     string
	Act            string
	Arrays         map[string]refArray
}

// A refNet is a chain.
type refNet struct {
	Sizes           []int
	Act, Scaling    string
	Bias, Skip      bool
	Gamma           *float64
	OutputPrecision *float64 `json:"output_precision"`
	Loss            string
}

// A refArray is row-major.
type refArray struct {
	Shape []int
	Data  []float64
}

func readCase(file string) (*refCase, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var head struct{ Kind string }
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := new(refCase)
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, known := checkers[head.Kind]; known { // a field that the checkers do not know would go unchecked
		d.DisallowUnknownFields()
	}
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c *refCase) array(t *testing.T, name string) []float64 {
	t.Helper()
	a, ok := c.Arrays[name]
	if !ok {
		t.Fatalf("%s has no array %q", c.Name, name)
	}
	return a.Data
}

// depth is the number of weight matrices.
func (c *refCase) depth() int { return len(c.Net.Sizes) - 1 }

// network is the case's network.
func (c *refCase) network(t *testing.T) *arch.Network {
	t.Helper()
	act, err := layers.ParseAct(c.Net.Act)
	if err != nil {
		t.Fatal(err)
	}
	var s arch.Scaling
	switch c.Net.Scaling {
	case "sp":
		s = arch.SP{}
	case "ntp":
		s = arch.NTP{}
	case "mupc":
		s = arch.MuPC{}
	default:
		t.Fatalf("unknown scaling %q", c.Net.Scaling)
	}
	if c.Net.Gamma != nil {
		s = arch.Scaled{Of: s, Gamma: *c.Net.Gamma}
	}
	n, err := arch.Chain{Scaling: s, Act: act, Widths: c.Net.Sizes, Bias: c.Net.Bias, Skips: c.Net.Skip}.Network()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// likelihood is that of the output.
func (c *refCase) likelihood() energy.Likelihood {
	p := 1.0
	if c.Net.OutputPrecision != nil {
		p = *c.Net.OutputPrecision
	}
	if c.Net.Loss == "ce" {
		return energy.Categorical{Precision: p}
	}
	return energy.Gaussian{Precision: p}
}

// weights fills a slab from the arrays prefix+"W1", ...
func fillWeights[T graph.Float](t *testing.T, c *refCase, n *arch.Network) *graph.Vector[T] {
	t.Helper()
	var fields []graph.Field
	for _, w := range n.Weights() {
		fields = append(fields, graph.Field{Name: w.Name, Shape: w.Param.Shape})
	}
	v := graph.NewVector[T](fields...)
	for i, w := range n.Weights() {
		set(v.Part(v.Data(), i), c.weight(t, "", w.Name))
	}
	return v
}

// weight is the array of weight "block3/W" or "block3/b" as [in, out], with a prefix and suffix of its kind ("dW3").
func (c *refCase) weight(t *testing.T, prefix, name string) []float64 {
	t.Helper()
	l, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "block"), "/W"), "/b"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, "/b") {
		return c.array(t, fmt.Sprintf("%sWb%d", prefix, l))
	}
	return c.transposed(t, fmt.Sprintf("%sW%d", prefix, l))
}

// transposed is a weight that is stored [out, in] as [in, out].
func (c *refCase) transposed(t *testing.T, name string) []float64 {
	t.Helper()
	a := c.Arrays[name]
	if len(a.Shape) != 2 {
		t.Fatalf("%s has no weight %s", c.Name, name)
	}
	out, in := a.Shape[0], a.Shape[1]
	w := make([]float64, len(a.Data))
	for i := range out {
		for j := range in {
			w[j*out+i] = a.Data[i*in+j]
		}
	}
	return w
}

func set[T graph.Float](dst []T, src []float64) {
	for i, v := range src {
		dst[i] = T(v)
	}
}

func as[T graph.Float](src []float64) []T {
	dst := make([]T, len(src))
	set(dst, src)
	return dst
}

// widen raises the spread of each number to its distance from the exact run's.
func widen(spread, got, exact []float64) {
	for i := range spread {
		spread[i] = max(spread[i], math.Abs(got[i]-exact[i]))
	}
}

// within is near with the measured effect of rounding allowed for: four times the spread of 16 runs.
func within(t *testing.T, what string, got, want, spread []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	scale := 0.0
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(got[i] - w); !(d <= tol*scale+4*spread[i]) {
			t.Errorf("%s[%d] = %.15g, want %.15g: off by %.1e where rounding explains %.1e", what, i, got[i], w, d, spread[i])
			return
		}
	}
}

// refModel compiles the case's network over its weights.
func refModel[T graph.Float](t *testing.T, c *refCase, p arch.Plan) (*arch.Model[T], *graph.Vector[T]) {
	t.Helper()
	n := c.network(t)
	w := fillWeights[T](t, c, n)
	p.Batch = c.Batch
	if p.Energy == nil {
		p.Energy = energy.PC{Output: c.likelihood()}
	}
	m, err := arch.Compile(n, w, p)
	if err != nil {
		t.Fatal(err)
	}
	return m, w
}

// states concatenates the arrays prefix+first .. prefix+(L-1).
func (c *refCase) states(t *testing.T, prefix string, first int) []float64 {
	t.Helper()
	var z []float64
	for l := first; l < c.depth(); l++ {
		z = append(z, c.array(t, prefix+strconv.Itoa(l))...)
	}
	return z
}
