package arch_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// TestBuilders_RefuseWhatCannotBeBuilt: sizes that do not fit, before anything is allocated, and what to do.
func TestBuilders_RefuseWhatCannotBeBuilt(t *testing.T) {
	image := [3]int{8, 8, 1}
	for _, test := range []struct {
		reason  string
		builder interface{ Network() (*arch.Network, error) }
		want    []string
	}{
		{"no stages", arch.CNN{Image: image, Classes: 2}, []string{"CNN", "one stage"}},
		{"no classes", arch.CNN{Image: image, Channels: []int{2}}, []string{"0 classes"}},
		{"a channel of nothing", arch.CNN{Image: image, Channels: []int{2, 0}, Classes: 2}, []string{"stage2", "0 channels"}},
		{"images used up", arch.CNN{Image: image, Channels: []int{2, 2, 2, 2}, Classes: 2}, []string{"stage4", "1 x 1 x 2", "fewer stages"}},
		{"no image", arch.CNN{Channels: []int{2}, Classes: 2}, []string{"stage1", "0 x 0 x 0"}},
		{"a small image", arch.ResNet{Image: [3]int{8, 7, 1}, Width: 2, Classes: 2}, []string{"[8 7 1]", "8 or more"}},
		{"no width", arch.ResNet{Image: image, Classes: 2}, []string{"width 0", "positive"}},
		{"negative blocks", arch.ResNet{Image: image, Width: 2, Classes: 2, Residuals: -1}, []string{"-1 residual"}},
		{"heads", arch.Transformer{Vocab: 3, Tokens: 2, Width: 4, Heads: 3}, []string{"width 4", "3 heads", "divide"}},
		{"negative heads", arch.Transformer{Vocab: 3, Tokens: 2, Width: 4, Heads: -1}, []string{"heads"}},
		{"no tokens", arch.Transformer{Vocab: 3, Width: 4}, []string{"0 tokens", "positive"}},
	} {
		n, err := test.builder.Network()
		for _, part := range append(test.want, "arch: ") {
			if n != nil || err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, error %v, want %q in it", test.reason, n, err, part)
			}
		}
	}
}

// TestBuilders_HaveTheSitesOfThePapers: every element of the residual network is a site, 3 (2 + n/3) + 1 of them for n
// residual blocks (arXiv 2602.07697); a transformer's blocks are, or their halves.
func TestBuilders_HaveTheSitesOfThePapers(t *testing.T) {
	for _, test := range []struct {
		builder interface{ Network() (*arch.Network, error) }
		sites   int
		some    string
	}{
		{arch.ResNet{Image: [3]int{16, 16, 3}, Width: 4, Classes: 10}, 10, "stage2residual1"},
		{arch.ResNet{Image: [3]int{16, 16, 3}, Width: 4, Classes: 10, Residuals: 4}, 19, "stage3residual4"},
		{arch.CNN{Image: [3]int{32, 32, 3}, Channels: []int{128, 256, 512, 512}, Classes: 10}, 5, "stage4"},
		{arch.Transformer{Vocab: 5, Tokens: 3, Width: 4, Blocks: 12}, 14, "block12"},
		{arch.Transformer{Vocab: 5, Tokens: 3, Width: 4, Blocks: 2, Halves: true}, 6, "block2attention"},
	} {
		n := must(test.builder.Network())(t)
		ok(t, n.Validate())
		if len(n.Blocks) != test.sites || !slices.ContainsFunc(n.Blocks, func(b arch.Block) bool { return b.Name == test.some }) {
			t.Errorf("%+v: %d sites, want %d, among them %s", test.builder, len(n.Blocks), test.sites, test.some)
		}
	}
}

// TestTransformer_ScalesLogitsByItsScaling: 1/d in the muP family, whatever wraps it, 1/sqrt(d) otherwise.
func TestTransformer_ScalesLogitsByItsScaling(t *testing.T) {
	for _, test := range []struct {
		scaling arch.Scaling
		want    float64 // 0 is the layer's default
	}{
		{nil, 0}, {arch.SP{}, 0}, {arch.NTP{}, 0}, {arch.Scaled{}, 0}, {arch.MuP{}, .25}, {arch.MuPC{ScaleAdam: true}, .25}, {arch.CompleteP{}, .25},
		{arch.Scaled{Of: arch.CompleteP{}, Gamma: 2}, .25},
	} {
		n := must(arch.Transformer{Scaling: test.scaling, Vocab: 5, Tokens: 3, Width: 8, Heads: 2, Halves: true}.Network())(t)
		half := n.Blocks[1].Layer.(layers.Residual)
		if got := half.Inner.(layers.Attention).Scale; got != test.want {
			t.Errorf("%v: scale %v, want %v", test.scaling, got, test.want)
		}
	}
}
