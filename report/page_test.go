package report

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gonum.org/v1/plot/plotter"
)

// TestPage_HasEverythingInOneFile: HTML's own signs stay text, and the figures are on the page as the files have them.
func TestPage_HasEverythingInOneFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	svg := func() (io.WriterTo, error) {
		return strings.NewReader("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), nil
	}
	p := Page{Title: "a < b", Lead: "lead & more", Interrupted: true, Again: "demo -out 'x y'", Footer: "go",
		Tiles: []Tile{{"1.5", "loss", "pc"}}, Passages: []Passage{{"text", "note", "<script>"}},
		Tables: []Table{{Title: "T", Head: []string{"h"}, Rows: [][]string{{"cell"}}, Legend: "what h is"}},
		Figures: []Figure{{File: "a.svg", Title: "A", Draw: svg},
			{File: "b.png", Title: "B", Draw: LearningCurves(true, Training{Name: "PC", Loss: plotter.XYs{{X: 1, Y: 2}, {X: 2, Y: 1}}, Score: plotter.XYs{{X: 2, Y: 50}}})}}}
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a &lt; b", "lead &amp; more", "Interrupted", "demo -out &#39;x y&#39;", "1.5", "&lt;script&gt;", "cell", "what h is", "image/svg&#43;xml", "image/png"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, name := range []string{"a.svg", "b.png"} {
		image, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(page, []byte(template64(image))) {
			t.Errorf("%s is not on the page as it is in its file: %v", name, err)
		}
	}
}

// template64 is base64 as html/template writes it in an attribute.
func template64(b []byte) string {
	return strings.ReplaceAll(base64.StdEncoding.EncodeToString(b), "+", "&#43;")
}

// TestPage_FailingFigureIsNamed, and so is a file that cannot be made.
func TestPage_FailingFigureIsNamed(t *testing.T) {
	p := Page{Figures: []Figure{{File: "a.png", Draw: func() (io.WriterTo, error) { return nil, errors.New("no ink") }}}}
	if err := p.Write(t.TempDir()); err == nil || !strings.Contains(err.Error(), "a.png") || !strings.Contains(err.Error(), "no ink") {
		t.Errorf("error %v", err)
	}
	full := errors.New("disk full")
	p = Page{Title: "t"}
	if err := p.Save(func(string, func(io.Writer) error) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}

// TestPage_PrintLeavesOutWideTables.
func TestPage_PrintLeavesOutWideTables(t *testing.T) {
	var out strings.Builder
	p := Page{Tables: []Table{{Title: "narrow", Head: []string{"a", "bcd"}, Rows: [][]string{{"12", "3"}}, Note: "note"}, {Title: "wide", Wide: true}},
		Passages: []Passage{{Title: "said", Text: "words"}}}
	p.Print(&out)
	if got, want := out.String(), "narrow\n     a  bcd\n    12    3\n  note\n\nsaid\nwords\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	out.Reset()
	Table{Title: "long", Head: []string{"list"}, Rows: [][]string{{strings.Repeat("µ", 61)}, {strings.Repeat("1", 60)}}}.Print(&out)
	if got, want := out.String(), "long\n"+strings.Repeat(" ", 60)+"list\n    "+strings.Repeat("µ", 57)+"...\n    "+strings.Repeat("1", 60)+"\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
