package graph

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

var update = flag.Bool("update", false, "write testdata/net.dot anew; look at the difference")

const goldenDot = "testdata/net.dot"

func TestDot_IsTheGoldenPicture(t *testing.T) {
	var pictures [2]bytes.Buffer
	for i := range pictures {
		n := build[float32](netSpec{batch: 2, widths: []int{2, 3, 2}, act: Tanh, bias: true})
		ok(t, n.b.Dot(&pictures[i], append(append([]*Node(nil), n.terms...), must(Grad(n.energy, n.states...))(t)...)...))
	}
	if !bytes.Equal(pictures[0].Bytes(), pictures[1].Bytes()) {
		t.Fatal("two pictures of one network differ")
	}
	if *update {
		ok(t, os.WriteFile(goldenDot, pictures[0].Bytes(), 0o644))
	}
	want, err := os.ReadFile(goldenDot)
	ok(t, err)
	if !bytes.Equal(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")), pictures[0].Bytes()) {
		t.Errorf("the picture is not %s (-update writes it):\n%s", goldenDot, &pictures[0])
	}
}

// Everything can be drawn, and each kind of node looks different.
func TestDot_DrawsEveryOperation(t *testing.T) {
	for _, c := range cases() {
		b := NewBuilder[float64]()
		xs, y := c.add(b)
		outs := []*Node{y}
		if c.first == nil {
			outs = append(outs, must(Grad(asScalar(b, y), xs...))(t)...)
		}
		var picture bytes.Buffer
		ok(t, b.Dot(&picture, outs...))
		if s := picture.String(); strings.Count(s, "{") != strings.Count(s, "}") || strings.Contains(s, "%!") || c.first == nil && !strings.Contains(s, "dashed") {
			t.Errorf("%s: %s", c.name, s)
		}
	}
}

func TestDot_DrawsGorgoniasOperationsAndQuotesNames(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Param(`a "name" \ in quotes`, 2, 2)
	y := b.Do("halved", func() (*Node, error) { return gorgonia.Mul(x, gorgonia.NewConstant(.5)) })
	ok(t, b.Err())
	var picture bytes.Buffer
	ok(t, b.Dot(&picture, y))
	for _, part := range []string{`a \"name\" \\ in quotes`, "0.5", "plaintext", "hexagon"} {
		if !strings.Contains(picture.String(), part) {
			t.Errorf("no %s in %s", part, &picture)
		}
	}
	refused(t, b.Dot(&picture, nil), "draw", "nil")
	refused(t, b.Dot(full{}, y), "draw", "disk full")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }
