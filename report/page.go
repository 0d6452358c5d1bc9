package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
)

//go:embed report.html.tmpl
var pageTemplate string

// A Page is what a run shows: tables for a terminal, and an HTML page of everything, with its figures in it.
type Page struct {
	Title       string
	Lead        string // what was done, in a sentence or two
	Interrupted bool   // the page says that the run was stopped before its end
	Tiles       []Tile
	Tables      []Table
	Figures     []Figure
	Passages    []Passage
	Again       string // the command line that repeats the run; empty: none
	Footer      string // the last line: versions, the machine
}

// A Tile is one number at the head of the page. Class sets its colour: "pc" (blue), "bp" (vermillion), or empty (grey).
type Tile struct{ Value, Label, Class string }

// A Table has a head and rows of cells.
type Table struct {
	Title  string
	Note   string // what it is of
	Legend string // what its columns mean
	Head   []string
	Rows   [][]string
	Wide   bool // too wide for a terminal: print leaves it out
}

// A Passage is a piece of text, such as one that a network wrote.
type Passage struct{ Title, Note, Text string }

// A Figure is a picture with a caption.
type Figure struct {
	File    string // its name in the folder, ending in .png or .svg
	Title   string
	Caption string
	Draw    Drawing
	URI     template.URL // set by save: the picture itself
}

// A Drawing makes a picture when it is asked to: PNG or SVG, as the figure's file name says.
type Drawing func() (io.WriterTo, error)

// Save draws the figures and writes them, and the page as report.html, each by a call of create.
func (p *Page) Save(create func(name string, content func(io.Writer) error) error) error {
	for i := range p.Figures {
		f := &p.Figures[i]
		picture, err := f.Draw()
		if err != nil {
			return errors.Wrapf(err, "draw %s", f.File)
		}
		var image bytes.Buffer
		if _, err := picture.WriteTo(&image); err != nil {
			return errors.Wrapf(err, "draw %s", f.File)
		}
		if err := create(f.File, func(w io.Writer) error {
			_, err := w.Write(image.Bytes())
			return err
		}); err != nil {
			return err
		}
		kind := "image/png"
		if filepath.Ext(f.File) == ".svg" {
			kind = "image/svg+xml"
		}
		f.URI = template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(image.Bytes()))
	}
	return create("report.html", p.HTML)
}

// Write draws the figures and writes them, and the page as report.html, into a folder, which is made if it is missing. Every file is
// whole or not there.
func (p *Page) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.Wrap(err, "report")
	}
	return p.Save(func(name string, content func(io.Writer) error) error {
		return atomicfile.Write(filepath.Join(dir, name), content)
	})
}

// HTML writes the page. Figures are on it once save has drawn them.
func (p *Page) HTML(w io.Writer) error {
	t, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return errors.Wrap(err, "report")
	}
	return t.Execute(w, p)
}

// Print writes the tables and the passages for people, as text.
func (p *Page) Print(w io.Writer) {
	for _, t := range p.Tables {
		if !t.Wide {
			t.Print(w)
		}
	}
	for _, text := range p.Passages {
		io.WriteString(w, text.Title+"\n"+text.Text+"\n\n")
	}
}

// longest is how many characters of a cell Print shows: a list of numbers would make every row of its column as long as itself.
const longest = 60

// Print writes the table as text, its columns aligned. Of long cells it writes the beginning and "...": HTML and Markdown have them whole.
func (t Table) Print(out io.Writer) {
	io.WriteString(out, t.Title+"\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, row := range append([][]string{t.Head}, t.Rows...) {
		io.WriteString(w, "  ")
		for _, cell := range row {
			if r := []rune(cell); i > 0 && len(r) > longest {
				cell = string(r[:longest-3]) + "..."
			}
			io.WriteString(w, cell+"\t")
		}
		io.WriteString(w, "\n")
	}
	w.Flush()
	for _, text := range []string{t.Note, t.Legend} {
		if text != "" {
			io.WriteString(out, "  "+strings.Join(Wrap(text, 108), "\n  ")+"\n")
		}
	}
	io.WriteString(out, "\n")
}

// Markdown writes the page in Markdown: title, lead, tables, passages, and a link to each figure's file.
func (p *Page) Markdown(w io.Writer) {
	fmt.Fprintf(w, "# %s\n\n%s\n\n", p.Title, p.Lead)
	for _, t := range p.Tables {
		t.Markdown(w)
	}
	for _, f := range p.Figures {
		fmt.Fprintf(w, "![%s](%s)\n\n%s\n\n", f.Title, f.File, f.Caption)
	}
	for _, text := range p.Passages {
		fmt.Fprintf(w, "**%s**\n\n%s\n\n> %s\n\n", text.Title, text.Note, strings.ReplaceAll(text.Text, "\n", "\n> "))
	}
}

// Markdown writes the table in Markdown, with its note before it and its legend after it.
func (t Table) Markdown(w io.Writer) {
	row := func(cells []string) {
		for _, c := range cells {
			io.WriteString(w, "| "+strings.ReplaceAll(c, "|", "\\|")+" ")
		}
		io.WriteString(w, "|\n")
	}
	fmt.Fprintf(w, "**%s**\n\n", t.Title)
	if t.Note != "" {
		fmt.Fprintf(w, "%s\n\n", t.Note)
	}
	row(t.Head)
	io.WriteString(w, strings.Repeat("|---", len(t.Head))+"|\n")
	for _, cells := range t.Rows {
		row(cells)
	}
	io.WriteString(w, "\n")
	if t.Legend != "" {
		fmt.Fprintf(w, "%s\n\n", t.Legend)
	}
}

// Wrap divides a text into lines of about so many characters, at spaces; line breaks of the text stay.
func Wrap(text string, most int) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		part := ""
		for _, word := range strings.Fields(line) {
			if part != "" && utf8.RuneCountInString(part)+1+utf8.RuneCountInString(word) > most {
				lines, part = append(lines, part), ""
			}
			if part != "" {
				part += " "
			}
			part += word
		}
		if line != "" {
			lines = append(lines, part)
		}
	}
	if len(lines) == 0 {
		lines = []string{" "}
	}
	return lines
}
