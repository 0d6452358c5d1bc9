package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/demotest"
)

// commands is the command line with this command alone.
type commands struct {
	Bench Cmd `cmd:""`
}

// TestMain makes the test binary the command when bench starts it as the process to measure.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		c := &cli.Console{Context: context.Background(), Out: os.Stdout}
		os.Exit(cli.Main(c, new(commands), "", os.Args[1:], os.Stderr))
	}
	os.Exit(demotest.Main(m))
}

// demo runs a command line.
func demo(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(&cli.Console{Context: ctx, Out: &out}, new(commands), "", args, &errs)
	return code, out.String(), errs.String()
}

// benchmarked runs bench -quick and reads its JSON, in which every member must be known.
func benchmarked(t *testing.T, args ...string) (Report, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bench.json")
	code, stdout, stderr := demo(t, t.Context(), append([]string{"bench", "-quick", "-repeats", "3", "-json", file}, args...)...)
	if code != cli.ExitOK {
		t.Fatalf("exit code %d, %q", code, stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r, stdout
}

// The names are what bench/jax and scripts of others find figures by: they must not change.
func TestBench_MeasuresEveryRowUnderItsName(t *testing.T) {
	r, tables := benchmarked(t)
	got := make(map[string]string) // figures by row
	for _, row := range r.Rows {
		var names []string
		for _, f := range row.Figures {
			names = append(names, f.label())
			if !(f.Min <= f.Median && f.Median <= f.Max) || math.IsInf(f.Max, 1) || f.Min < 0 {
				t.Errorf("%s %s: %+v is no spread of finite numbers", row.Kind, row.Name, f)
			}
			if f.Median == 0 && !strings.Contains(f.Name, "allocations") && !strings.Contains(f.Name, "deviation") {
				t.Errorf("%s %s: %s is zero", row.Kind, row.Name, f.Name)
			}
			if !strings.Contains(tables, f.label()) {
				t.Errorf("no %q in the tables", f.label())
			}
		}
		got[row.Kind+" "+row.Name] = strings.Join(names, "; ")
	}
	var energy, train []string
	for _, m := range []string{"call", "step", "weights"} {
		energy = append(energy, m+", ms", m+" rate, GFLOP/s", m+" share of peak, %", m+" allocations", m+" on one core, ms", m+" speed-up, x")
	}
	for _, m := range []string{"BP", "PC T=1", "PC T=2", "PC T=5", "PC T=20"} {
		train = append(train, m+", ms")
		if m != "BP" {
			train = append(train, m+" / BP, x")
		}
		train = append(train, m+" allocations", m+" on one core, ms", m+" speed-up, x")
	}
	var net []string
	for _, m := range []string{"call", "weights", "BP"} {
		net = append(net, m+", ms", m+" allocations", m+" on one core, ms", m+" speed-up, x")
	}
	const bytes, start = "weights, MB; activities, MB; model, beside the weights, MB", "to the first finished step, s; peak memory, MB"
	want := map[string]string{
		"peak float32":     "matrix product, GFLOP/s; matrix product on one core, GFLOP/s; multiply-adds in registers, GFLOP/s",
		"energy 3x8x4":     strings.Join(energy, "; "),
		"energy 4x8x4":     strings.Join(energy, "; "),
		"train 20-8-8-3/4": strings.Join(train, "; "),
		"curvature 6-5-5-2/4 float64": "weights, ms; weights allocations; weights on one core, ms; weights speed-up, x; product without inner solve, ms; that / weights, x; product without inner solve allocations; " +
			"product without inner solve on one core, ms; product without inner solve speed-up, x; product, ms; product allocations; product on one core, ms; product speed-up, x; steps of the inner solve; " +
			"BP, ms; BP allocations; BP on one core, ms; BP speed-up, x; BP product, ms; BP product / BP, x; BP product allocations; BP product on one core, ms; BP product speed-up, x",
		"cnn 2x8x2":             bytes + "; patches of all convolutions would be, MB; " + strings.Join(net, "; "),
		"transformer 4x2x2x3x2": bytes + "; " + strings.Join(net, "; "),
		"growth depth":          "depth 3, step, ms; depth 3, call, ms; depth 6, step, ms; depth 6, call, ms; largest deviation from linear, step, %; largest deviation from linear, call, %",
		"growth batch":          "batch 4, step, ms; batch 4, call, ms; batch 8, step, ms; batch 8, call, ms; largest deviation from linear, step, %; largest deviation from linear, call, %",
		"growth compile 6x8x4":  "compile, s",
		"start made data":       start,
		"start MNIST read":      start,
		"memory 3x8x4":          bytes,
		"memory 4x8x4":          bytes,
		"memory 20-8-8-3/4":     bytes,
		"memory MNIST training": "peak memory of the process, MB",
		"mupc 30x128, MNIST":    "in all, s; training step, ms; accuracy at 2, %",
		"tape 3x8x4":            "call, ms; call allocations",
		"tape 4x8x4":            "call, ms; call allocations",
	}
	const process = "; the whole process, with its report, s; peak memory, MB"
	want["separate 3 sounds of 5 s in 5 channels"] = "read, separated and written, s" + process
	want["separate 48 kHz stereo stream"] = "length, s; times real time, x" + process
	for _, domain := range []string{"antisparse", "nnantisparse", "sparse", "nnsparse", "simplex"} {
		want["bss "+domain] = "run on one core, ms; allocations of a sample; inner iterations of a sample; inner iterations, million/s; their multiply-adds alone, ms; share of the multiply-adds, %"
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if r.Schema != 1 || r.Repeats != 3 || !r.Quick || r.CPU == "" || r.Version.Cores != runtime.GOMAXPROCS(0) {
		t.Errorf("schema %d, repeats %d, quick %t, CPU %q, version %+v", r.Schema, r.Repeats, r.Quick, r.CPU, r.Version)
	}
}

// Of the full sizes too, as the yardstick in bench/jax has them.
func TestBench_NetworksAreThoseOfTheYardstick(t *testing.T) {
	b := &run{}
	var names []string
	for _, d := range b.deepNets() {
		names = append(names, d.String())
	}
	steps, err := b.stepNets()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range append(steps, b.archNets()...) {
		names = append(names, n.name)
	}
	want := "8x128x64 32x128x64 8x512x64 128x128x64 784-300-300-300-10/64 784-128-128-10/256 16x32x32 32x32x32 8x28x64 64x4x4x32x16 128x6x8x32x32"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("networks %s, want %s", got, want)
	}
}

func TestBench_JSONToStandardOutputIsAllThereIs(t *testing.T) {
	code, stdout, stderr := demo(t, t.Context(), "bench", "-quick", "-repeats", "1", "-rows", "tape,energy", "-json", "-")
	var r Report
	if err := json.Unmarshal([]byte(stdout), &r); code != cli.ExitOK || err != nil {
		t.Fatalf("exit code %d, %v: %q", code, err, stdout)
	}
	var kinds []string
	for _, row := range r.Rows {
		kinds = append(kinds, row.Kind)
	}
	if want := []string{"peak", "energy", "energy", "tape", "tape"}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
	if !strings.Contains(stderr, "bench: energy: 3x8x4") {
		t.Errorf("no progress in %q", stderr)
	}
}

func TestBench_StateGradAndStepAllocateNothing(t *testing.T) {
	least := make(map[string]float64)
	for range 3 { // the runtime may allocate a few times in between, for instance to start a thread, but not in every run
		r, _ := benchmarked(t, "-rows", "energy,train,arch")
		worst := 0.
		for _, row := range r.Rows {
			for _, f := range row.Figures {
				if !strings.HasSuffix(f.Name, "allocations") {
					continue
				}
				name := row.Kind + " " + row.Name + ": " + f.Name
				if n, seen := least[name]; !seen || f.Median < n {
					least[name] = f.Median
				}
				worst = max(worst, least[name])
			}
		}
		if worst < .5 {
			break
		}
	}
	for name, n := range least {
		if n >= .5 {
			t.Errorf("%s: %v", name, n)
		}
	}
	if len(least) == 0 {
		t.Error("nothing was counted")
	}
}

func TestBench_ThreadsBoundTheCores(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	r, _ := benchmarked(t, "-rows", "energy,start", "-threads", "1")
	if r.Version.Cores != 1 || runtime.GOMAXPROCS(0) != before {
		t.Errorf("measured on %d cores, want 1; %d afterwards, %d before", r.Version.Cores, runtime.GOMAXPROCS(0), before)
	}
}

func TestBench_LeavesOutWhatNeedsMNIST(t *testing.T) {
	t.Setenv("PCGRAPH_MNIST", t.TempDir())
	code, stdout, stderr := demo(t, t.Context(), "bench", "-quick", "-repeats", "1", "-rows", "start,memory,mupc")
	if code != cli.ExitOK || strings.Count(stderr, "left out") != 3 || !strings.Contains(stdout, "made data") || strings.Contains(stdout, "MNIST") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestBench_InterruptedGivesWhatThereIs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, stdout, _ := demo(t, ctx, "bench", "-quick", "-json", "-")
	if code != cli.ExitInterrupted || !strings.Contains(stdout, `"rows": []`) {
		t.Errorf("exit code %d, %q", code, stdout)
	}
}

func TestBench_FileThatCannotBeWrittenIsFoundBeforeMeasuring(t *testing.T) {
	code, _, stderr := demo(t, t.Context(), "bench", "-json", filepath.Join(t.TempDir(), "none", "bench.json"))
	if code != cli.ExitFailure || !strings.Contains(stderr, "-json") || strings.Contains(stderr, "bench: peak") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// A model computes only what depends on a change: between calls everything must change.
func TestBench_PointsDifferEverywhere(t *testing.T) {
	b, err := deepNet{3, 8, 4}.compile(1)
	if err != nil {
		t.Fatal(err)
	}
	first, second := b.next(), b.next()
	for i := range first {
		if first[i] == second[i] || first[i] == 0 || second[i] == 0 {
			t.Errorf("element %d is %v, then %v", i, first[i], second[i])
		}
	}
	if &b.next()[0] != &first[0] {
		t.Error("the third point is not the first")
	}
}

// By hand, for 3 layers of 8 on 4 samples: a product is 2*4*8*8 = 512 operations. The gradient with respect to the activities takes
// the predictions of layers 2 and 3 and the errors' way back through both; that by the weights takes both predictions
// and three products of activities with errors.
func TestBench_CountsTheOperationsThatAreNeeded(t *testing.T) {
	d := deepNet{depth: 3, width: 8, batch: 4}
	if d.stateFLOP() != 4*512 || d.paramFLOP() != 5*512 {
		t.Errorf("%v and %v operations, want %v and %v", d.stateFLOP(), d.paramFLOP(), 4*512, 5*512)
	}
}

// The graph on Gorgonia's machine is the model's: equal energies at equal numbers. Both sum 3*4*8 squares of order 1 in
// float32, in different orders: 1e-5 is a hundred roundings.
func TestBench_TapeHasTheModelsEnergy(t *testing.T) {
	d := deepNet{depth: 3, width: 8, batch: 4}
	b, err := d.compile(1)
	if err != nil {
		t.Fatal(err)
	}
	tape, err := d.tape()
	if err != nil {
		t.Fatal(err)
	}
	defer tape.machine.Close()
	states := b.model.StateVector()
	for _, in := range tape.inputs {
		dst := in.Node.Value().Data().([]float32)
		switch from := b.model.Weights().Field(in.Name); {
		case from != nil:
			copy(dst, from)
		case states.Field(in.Name) != nil:
			copy(dst, states.Field(in.Name))
		case strings.HasSuffix(in.Name, "y"):
			for i := range dst {
				dst[i] = float32(i%5) - 2
			}
		default:
			for i := range dst {
				dst[i] = float32(i%3) - 1
			}
		}
	}
	x, y := make([]float32, 4*8), make([]float32, 4*8)
	for i := range x {
		x[i], y[i] = float32(i%3)-1, float32(i%5)-2
	}
	if err := b.model.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	want, err := b.model.Energy()
	if err != nil {
		t.Fatal(err)
	}
	if err := tape.machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	if got := float64(tape.energy.Value().Data().(float32)); math.Abs(got-want) > 1e-5*want || want == 0 {
		t.Errorf("energy %v, the model's is %v", got, want)
	}
}

// Counted by hand in rows.py, where a convolution's weights are [out, in, 3, 3]: the networks are the same.
func TestBench_ArchNetsHaveTheYardsticksWeights(t *testing.T) {
	for _, c := range []struct {
		net     network
		weights int
	}{
		{convNet(16, 32, 3, 32), 9*(3*16+5*16*16) + 16*4*4*10},
		{convNet(8, 28, 1, 64), 9*(8+5*8*8) + 8*3*3*10},
		{tokenNet(64, 4, 4, 32, 16), 65*64 + 32*64 + 4*12*64*64 + 64*65},
	} {
		b, err := c.net.compile(arch.Activities, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(b.model.Weights().Data()); got != c.weights {
			t.Errorf("%s: %d weights, want %d", c.net.name, got, c.weights)
		}
		if e, err := b.model.StateGrad(b.grad, b.next()); err != nil || !(e > 0) || math.IsInf(e, 0) {
			t.Errorf("%s: energy %v, error %v", c.net.name, e, err)
		}
	}
}

// By hand, for 2 images of 8 x 8 in one colour and stages of 2 channels: windows of 9 pixels, in each stage the colours or
// channels before it and then 2 channels, on 64, 16 and 4 pixels.
func TestBench_CountsPatches(t *testing.T) {
	if got, want := convNet(2, 8, 1, 2).patches, 2*9*(64*(1+2)+16*(2+2)+4*(2+2)); got != want {
		t.Errorf("patches of %d elements, want %d", got, want)
	}
}

func TestSpread_IsMedianLeastAndLargest(t *testing.T) {
	for _, c := range []struct{ values, want []float64 }{
		{[]float64{3}, []float64{3, 3, 3}},
		{[]float64{4, 1}, []float64{2.5, 1, 4}},
		{[]float64{9, 1, 2}, []float64{2, 1, 9}},
	} {
		f := spread(c.values)
		if got := []float64{f.Median, f.Min, f.Max}; !slices.Equal(got, c.want) {
			t.Errorf("of %v: %v, want %v", c.values, got, c.want)
		}
	}
	if d := deviation([]float64{2, 2.2, 1.9}); math.Abs(d-.1) > 1e-12 {
		t.Errorf("deviation %v of 2, 2.2, 1.9 from their median, want .1", d)
	}
}

func TestReadable_HasThreeDigitsAndNoPowers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", .01234: "0.012", .5: "0.500", 1.234: "1.23", 12.34: "12.3", 1234.5: "1234", -2: "-2.00"} {
		if got := readable(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

// A slice of 32 MB that is written to is in the peak.
func TestPeakMemory_GrowsWithWhatIsUsed(t *testing.T) {
	const size = 32 << 20
	s := make([]byte, size)
	for i := range s {
		s[i] = byte(i)
	}
	if p := peakMemory(); p < size || s[1] != 1 {
		t.Errorf("peak of %d bytes with %d in use", p, size)
	}
}
