package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// print writes a table per kind: a line per figure, a column per row.
func (r *benchReport) print(w io.Writer) error {
	v := r.Version
	fmt.Fprintf(w, "%s, %d cores, kernels %s, %s %s/%s; median (least .. largest) of %d\n", r.CPU, v.Cores, v.Kernels, v.Go, v.OS, v.Arch, r.Repeats)
	if r.Quick {
		fmt.Fprintln(w, "-quick: tiny sizes, these figures mean nothing")
	}
	var kinds []string
	for _, row := range r.Rows {
		if !slices.Contains(kinds, row.Kind) {
			kinds = append(kinds, row.Kind)
		}
	}
	for _, kind := range kinds {
		if err := r.printKind(w, kind); err != nil {
			return err
		}
	}
	return nil
}

// printKind writes the table of one kind.
func (r *benchReport) printKind(w io.Writer, kind string) error {
	head := []string{"\n" + kind}
	var rows []benchRow
	var lines []string // figures
	for _, row := range r.Rows {
		if row.Kind != kind {
			continue
		}
		rows, head = append(rows, row), append(head, row.Name)
		for _, f := range row.Figures {
			if line := f.label(); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, line := range lines {
		cells := []string{line}
		for _, row := range rows {
			cell := "-"
			if i := slices.IndexFunc(row.Figures, func(f benchFigure) bool { return f.label() == line }); i >= 0 {
				cell = row.Figures[i].String()
			}
			cells = append(cells, cell)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// label is the figure's name with its unit.
func (f benchFigure) label() string {
	if f.Unit == "" {
		return f.Name
	}
	return f.Name + ", " + f.Unit
}

// String is the median, with the range if there is one.
func (f benchFigure) String() string {
	if f.Min == f.Max {
		return readable(f.Median)
	}
	return fmt.Sprintf("%s (%s .. %s)", readable(f.Median), readable(f.Min), readable(f.Max))
}

// readable writes a number with three digits or more, never as a power of ten.
func readable(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1 || v <= -1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
