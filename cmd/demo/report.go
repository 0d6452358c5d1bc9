package main

import (
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/pkg/errors"
)

//go:embed report.html.tmpl
var reportTemplate string

// A report is what a run shows: on stdout its tables, in the folder its figures and an HTML page of everything.
type report struct {
	Title       string
	Lead        string // what was done, a sentence or two
	Interrupted bool
	Tiles       []tile
	Tables      []table
	Figures     []figure
	Passages    []passage
	Again       string // the command line that gives the run again
	Version     version
	Metrics     bool // there is a metrics.jsonl
}

// A tile is one number of the head of the page.
type tile struct{ Value, Label, Class string } // Class: "pc", "bp" or empty

// A table has a head and rows of cells.
type table struct {
	Title  string
	Note   string // what it is of
	Legend string // what its columns mean
	Head   []string
	Rows   [][]string
	Wide   bool // too wide for a terminal: for the page only
}

// A passage is text that a network wrote.
type passage struct{ Title, Note, Text string }

// A figure is a picture with two sentences on what one sees.
type figure struct {
	File    string
	Title   string
	Caption string
	draw    func() (io.WriterTo, error)
	URI     template.URL
}

// finish draws the figures, writes the page and prints the tables.
func (r *report) finish(c *console, f *folder) error {
	for i := range r.Figures {
		if err := r.Figures[i].save(f); err != nil {
			return err
		}
	}
	r.Metrics = f.metrics != nil
	page, err := template.New("report").Parse(reportTemplate)
	if err != nil {
		return errors.Wrap(err, "report")
	}
	if err := f.write("report.html", func(w io.Writer) error { return page.Execute(w, r) }); err != nil {
		return err
	}
	c.printf("\n")
	for _, t := range r.Tables {
		if !t.Wide {
			t.print(c.out)
		}
	}
	for _, p := range r.Passages {
		c.printf("%s\n%s\n\n", p.Title, p.Text)
	}
	return nil
}

// save draws a figure to the folder and keeps it for the page.
func (fig *figure) save(f *folder) error {
	picture, err := fig.draw()
	if err != nil {
		return errors.Wrapf(err, "draw %s", fig.File)
	}
	if err := f.write(fig.File, func(w io.Writer) error {
		_, err := picture.WriteTo(w)
		return err
	}); err != nil {
		return err
	}
	png, err := os.ReadFile(f.path(fig.File))
	if err != nil {
		return errors.Wrap(err, "report")
	}
	fig.URI = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
	return nil
}

// print writes a table for people, aligned.
func (t table) print(out io.Writer) {
	io.WriteString(out, t.Title+"\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		io.WriteString(w, "  "+strings.Join(row, "\t")+"\t\n")
	}
	w.Flush()
	for _, text := range []string{t.Note, t.Legend} {
		if text != "" {
			io.WriteString(out, "  "+strings.Join(wrapped(text, 108), "\n  ")+"\n")
		}
	}
	io.WriteString(out, "\n")
}
