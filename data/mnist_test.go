package data

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// facts are what is known of a data set from outside: its page, and the SHA-256 of the files as first published.
type facts struct {
	mean, std   float64 // of all training pixels / 255
	firstLabels []int   // of the training part
	counts      []int   // of each class in the training part
	sums        []string
}

func checkFacts(t *testing.T, train, test *Set, want facts) {
	t.Helper()
	if train.Len() != 60000 || test.Len() != 10000 {
		t.Errorf("%d + %d samples, want 60000 + 10000", train.Len(), test.Len())
	}
	for _, s := range []*Set{train, test} {
		if s.In() != 784 || s.Out() != 10 || s.Classes() != 10 || s.Shape() != (Shape{1, 28, 28}) {
			t.Errorf("%s: In %d, Out %d, Classes %d, %+v", s.Name, s.In(), s.Out(), s.Classes(), s.Shape())
		}
	}
	var first []int
	for i := range want.firstLabels {
		first = append(first, train.Label(i))
	}
	counts := make([]int, 10)
	var sum, squares float64
	for i := range train.Len() {
		counts[train.Label(i)]++
		for _, v := range train.Pixels(i) {
			sum += float64(v) / 255
			squares += float64(v) / 255 * float64(v) / 255
		}
	}
	if diff := cmp.Diff(want.firstLabels, first); diff != "" {
		t.Errorf("first labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.counts, counts); diff != "" {
		t.Errorf("class counts (-want +got):\n%s", diff)
	}
	n := float64(train.Len() * train.In())
	mean := sum / n
	std := math.Sqrt(squares/n - mean*mean)
	// The constants are published with four digits.
	if math.Abs(mean-want.mean) > 5e-5 || math.Abs(std-want.std) > 5e-5 {
		t.Errorf("mean %.6f, deviation %.6f; want %.4f, %.4f", mean, std, want.mean, want.std)
	}
	var sums []string
	for _, f := range append(train.Files, test.Files...) {
		sums = append(sums, f.SHA256)
	}
	if diff := cmp.Diff(want.sums, sums); diff != "" {
		t.Logf("these are not the files as published, packed by somebody else? (-want +got):\n%s", diff)
	}
}

func TestMNIST_KnownFacts(t *testing.T) {
	t.Setenv("PCGRAPH_MNIST", "") // the module cache must do
	train, test, err := MNIST{}.Load()
	if err != nil {
		t.Fatal(err)
	}
	checkFacts(t, train, test, facts{
		mean: 0.1307, std: 0.3081,
		firstLabels: []int{5, 0, 4, 1, 9, 2, 1, 3, 1, 4},
		counts:      []int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
		sums: []string{
			"440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
			"3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
			"8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
			"f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
		},
	})

	// Normalised by its own constants, the training part has mean 0 and deviation 1, as far as four digits go.
	x, y := make([]float32, 1000*784), make([]float32, 1000*10)
	var sum, squares, ones float64
	for _, idx := range InOrder(train.Len(), 1000) {
		Fill(train, x, y, idx)
		for _, v := range x {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		for k, i := range idx {
			ones += float64(y[k*10+train.Label(i)])
		}
	}
	n := float64(train.Len() * train.In())
	if mean, variance := sum/n, squares/n; math.Abs(mean) > 3e-4 || math.Abs(variance-1) > 5e-4 {
		t.Errorf("normalised: mean %v, second moment %v", mean, variance)
	}
	if ones != 60000 {
		t.Errorf("%v targets are 1 at their label, want 60000", ones)
	}
}

func TestFashionMNIST_KnownFacts(t *testing.T) {
	train, test, err := FashionMNIST{}.Load()
	if errors.Is(err, ErrNotFound) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	checkFacts(t, train, test, facts{
		mean: 0.2860, std: 0.3530,
		firstLabels: []int{9, 0, 0, 3, 0, 2, 7, 2, 5, 5},
		counts:      []int{6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000},
		sums: []string{ // of Debian's 0.0~git20200523.55506a9
			"b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
			"0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
			"cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
			"8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
		},
	})
	x := make([]float64, 784)
	Fill(train, x, nil, []int{0})
	for j, v := range train.Pixels(0) {
		if want := float64(v)/127.5 - 1; math.Abs(x[j]-want) > 1e-15 { // one rounding apart
			t.Fatalf("pixel %d: byte %d is %v, want %v", j, v, x[j], want)
		}
	}
}

func TestLocate_FindsMNISTInTheModuleCache(t *testing.T) {
	t.Setenv("PCGRAPH_MNIST", "")
	at := Locate(Dirs{})[0]
	if at.Err != nil {
		t.Fatal(at.Err)
	}
	if size := at.Files[0].Size; size != 9912422 { // of train-images-idx3-ubyte.gz as published
		t.Errorf("training images: %d bytes, want 9912422", size)
	}
}

func BenchmarkMNIST_Load(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (MNIST{}).Load(); err != nil {
			b.Fatal(err)
		}
	}
}
