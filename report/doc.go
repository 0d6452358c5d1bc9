// Package report shows what a program measured: progress while it runs, and at its end tables, figures and a page that holds them all.
//
// A Progress is a bar on a terminal and a line now and then elsewhere. A Page has a title, numbers, tables, figures and text; it is
// printed for a terminal (Print) and written as one HTML file with its figures in it (Write, Save, HTML) or as Markdown. Figures are plots of
// gonum.org/v1/plot in one style: NewPlot, Line, Dots and Picture build one from points, LearningCurves, HeatMap and Bands are whole ones,
// and Graph draws an expression graph as SVG. Colours stay apart for every kind of colour blindness, and lines have dashes that tell them
// apart without colours.
//
// The package knows plain numbers and nothing of networks: any program can use it.
package report
