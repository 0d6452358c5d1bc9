package arch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pcgraph/pcgraph/layers"
)

// compileChain compiles a chain of width 2 and returns how long that took, networks and weights excepted.
func compileChain(tb testing.TB, depth int) time.Duration {
	tb.Helper()
	n, err := MLP(nil, layers.Tanh, slices.Repeat([]int{2}, depth+1)...)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := NewWeights[float32](n, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now()
	if _, err := Compile(n, w, Plan{Batch: 4}); err != nil {
		tb.Fatal(err)
	}
	return time.Since(start)
}

// TestCompile_TimeIsLinearInDepth: four times the depth takes four times as long, give or take what else the machine does: the
// best times of up to eight tries must come within a factor of 6.5. Time that grows with the square of the depth gives 9 here
// (where the square is not yet all of it), and 16 in the end.
func TestCompile_TimeIsLinearInDepth(t *testing.T) {
	const depth, times, most = 500, 4, 6.5
	short, long := time.Hour, time.Hour
	for range 8 {
		short, long = min(short, compileChain(t, depth)), min(long, compileChain(t, times*depth))
		if float64(long) < most*float64(short) {
			return
		}
	}
	t.Errorf("depth %d takes %v, depth %d %v: more than %v times as long", depth, short, times*depth, long, most)
}

// BenchmarkCompileDepth is Compile of chains of width 2.
func BenchmarkCompileDepth(b *testing.B) {
	for _, depth := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			b.ReportAllocs()
			var spent time.Duration
			runs := 0
			for b.Loop() {
				spent += compileChain(b, depth)
				runs++
			}
			b.ReportMetric(spent.Seconds()/float64(runs)/float64(depth)*1e6, "us/layer")
		})
	}
}

// passes is Network.order without a loop's name, word by word as it is described.
func passes(n *Network, cut func(string) bool) (order []int) {
	known := make(map[string]bool)
	for _, s := range n.sites() {
		known[s.name] = s.input || cut(s.name)
	}
	done := make([]bool, len(n.Blocks))
	for progress := true; progress; {
		progress = false
		for i, b := range n.Blocks {
			ready := !done[i] && (b.Predicts == "" || known[b.Predicts])
			for _, name := range n.reads(i) {
				ready = ready && known[name]
			}
			if !ready {
				continue
			}
			done[i], progress = true, true
			order = append(order, i)
			if b.Predicts == "" {
				known[b.Name] = true
			}
		}
	}
	return order
}

// TestNetworkOrder_IsThatOfPasses: on random networks, with loops and further predictions, the order is that of passes over the
// description; what is left out has a loop, each of whose sites is read, or predicted, by the block of the next.
func TestNetworkOrder_IsThatOfPasses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	loops := 0
	for trial := range 500 {
		n := &Network{Input: []int{1}}
		sites := []string{InputName}
		blocks := 1 + r.IntN(9)
		for i := range blocks {
			sites = append(sites, fmt.Sprint("b", i))
		}
		cutAt := sites[r.IntN(len(sites))]
		for i := range blocks {
			b := Block{Name: fmt.Sprint("b", i)}
			for range 1 + r.IntN(2) {
				b.From = append(b.From, sites[r.IntN(min(len(sites), i+1+r.IntN(3)))])
			}
			if r.IntN(4) == 0 {
				b.Skips = []Skip{{From: sites[r.IntN(i+1)]}}
			}
			n.Blocks = append(n.Blocks, b)
		}
		for k := range r.IntN(3) {
			n.Blocks = append(n.Blocks, Block{Name: fmt.Sprint("p", k), From: []string{sites[r.IntN(len(sites))]}, Predicts: sites[r.IntN(len(sites))]})
		}
		if r.IntN(2) == 0 {
			r.Shuffle(len(n.Blocks), func(i, j int) { n.Blocks[i], n.Blocks[j] = n.Blocks[j], n.Blocks[i] })
		}
		cut := func(name string) bool { return trial%3 == 0 && name == cutAt }
		order, loop := n.order(cut)
		if want := passes(n, cut); !slices.Equal(order, want) {
			t.Fatalf("trial %d: order %v, want %v, of %s", trial, order, want, Describe(n))
		}
		if (loop == nil) != (len(order) == len(n.Blocks)) {
			t.Fatalf("trial %d: loop %v, order %v of %d blocks", trial, loop, order, len(n.Blocks))
		}
		for i := 1; i < len(loop); i++ {
			at := slices.IndexFunc(n.Blocks, func(b Block) bool { return b.Name == loop[i] })
			if at < 0 || !slices.Contains(n.reads(at), loop[i-1]) {
				t.Fatalf("trial %d: %v is no loop: %s does not read %s", trial, loop, loop[i], loop[i-1])
			}
			loops++
		}
	}
	if loops == 0 {
		t.Error("no network had a loop: the test looks at nothing")
	}
}
