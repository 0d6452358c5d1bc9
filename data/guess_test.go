package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/pcgraph/pcgraph/data/internal/table"
)

// body is n lines: two real numbers, a whole number, and a label that is the index modulo 2, separated by sep and ended by end.
func body(n int, sep, end string) string {
	r := rand.New(rand.NewPCG(7, 0))
	var b strings.Builder
	for i := range n {
		fmt.Fprint(&b, strings.Join([]string{fmt.Sprintf("%.3f", r.NormFloat64()), fmt.Sprintf("%.2f", 5+r.Float64()), fmt.Sprint(i * 7 % 10), fmt.Sprint(i % 2)}, sep), end)
	}
	return b.String()
}

// lines is f(0) .. f(n-1), a line each.
func lines(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, f(i))
	}
	return b.String()
}

// one is 1 if it is so, else 0.
func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// utf16Of is a text in UTF-16 behind a byte order mark.
func utf16Of(text string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// A table is read as a person would read it, or refused with a remedy that is right; what was guessed is told. The first 20 lines of
// body are -0.x ... by eye: 20 samples, 16 + 4.
func TestCSV_WhatIsGuessedIsToldOrRefused(t *testing.T) {
	const names = "a,b,c,y\n"
	plain := body(20, ",", "\n")
	comma := func(s string) string { return strings.ReplaceAll(s, ".", ",") }
	for _, c := range []struct {
		reason  string
		text    string
		csv     CSV
		n       int      // samples; 0 means an error
		in      int      // inputs
		classes int      // 0: regression
		told    []string // pieces of guesses "about: taken [field]", "!about" if likely wrong, "-..." if it must not be told; or of the error
	}{
		// Which line is a header.
		{"names", names + plain, CSV{}, 20, 3, 2, []string{"header: line 1 was read as names", "target: column 4 (y), by its name", "separator: fields are separated by commas [Separator]"}},
		{"no names", plain, CSV{}, 20, 3, 2, []string{"header: line 1 was read as a sample", "target: column 4, the last, is to be predicted [Targets]"}},
		{"names of pandas", "0,1,2,3\n" + plain, CSV{}, 0, 0, 0, []string{"line 1 is 0, 1, 2, 3, which may be a header that counts", "HeaderPresent as Header", "HeaderAbsent"}},
		{"counted from 1", "1,2,3,4\n" + plain, CSV{}, 0, 0, 0, []string{"may be a header"}},
		{"float names of pandas", "0.0,1.0,2.0,3.0\n" + plain, CSV{}, 0, 0, 0, []string{"may be a header"}},
		{"two columns", "0,1\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d", i, i%2) }), CSV{}, 0, 0, 0, []string{"may be a header"}},
		{"years", "2019,2020,2021,2022\n" + plain, CSV{}, 0, 0, 0, []string{"may be a header"}},
		{"years beside a name", "2019,2020,2021,y\n" + plain, CSV{}, 20, 3, 2, []string{"header: line 1 was read as names"}},
		{"numbers that count anyhow", lines(20, func(i int) string { return fmt.Sprintf("%d,%d,%d", i, i+1, i+2) }), CSV{Prepare: Preparation{Task: Regression}}, 20, 2, 0, []string{"header: line 1 was read as a sample"}},
		{"wavelengths over labels", "400.5,402.1,404.9,409.3\n" + plain, CSV{}, 21, 3, 0, []string{"!header: line 1 was read as a sample: all its fields (400.5, 402.1, 404.9, 409.3) are numbers; but 409.3 in column 4", "give HeaderPresent as Header"}},
		{"names that pandas made different", "1,1.1,1.2,1.3\n" + plain, CSV{}, 21, 3, 0, []string{"!header: line 1 was read as a sample"}},
		{"numbers that count, with a gap", "0,1,3,4\n" + plain, CSV{}, 21, 3, 5, []string{"!header: line 1 was read as a sample", "4 in column 4, which is to be predicted, is in no other line, and all others there are one of 2 values"}},
		{"numbers that count down", "3,2,1,0\n" + plain, CSV{}, 21, 3, 2, []string{"!header: line 1 was read as a sample", "its numbers are whole and go steadily one way, as those of no other line"}},
		{"an index over an index", "0,0,1,2\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d.5,%d,%d", i, i, i%7, i%2) }), CSV{}, 21, 3, 3, []string{"!header: line 1 was read as a sample"}},
		{"wavelengths over numbers", "400.5,402.1,404.9,409.3\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,.%d,%d.25,%d.125", i, i+1, i*i, i*7%11) }), CSV{}, 21, 3, 0, []string{"!header: line 1 was read as a sample", "each of them is beyond all others in its column"}},
		{"the target first, by number", "409.3,402.5,404.1,401.9\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d.5,%d,%d.125", i%2, i, i%7, i%3) }), CSV{Targets: []string{"1"}}, 21, 3, 0, []string{"!header: line 1 was read as a sample", "409.3 in column 1"}},
		{"a gap over names of classes", "0,1,3,4\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d,%d,%c", i, i%5, i%7, 'a'+i%2) }), CSV{}, 0, 0, 0, []string{"4 in column 4 is a number where all others are text: give HeaderPresent as Header"}},
		{"a large label in the first line", "400,402,405,409\n" + plain, CSV{}, 0, 0, 0, []string{"the largest label is 409, of 21 samples", "give HeaderPresent as Header if it is names"}},
		{"said to be names", "0,1,2,3\n" + plain, CSV{Header: HeaderPresent}, 20, 3, 2, nil},
		{"said to be a sample", "0,1,2,1\n" + plain, CSV{Header: HeaderAbsent}, 21, 3, 2, nil},
		{"names of pandas beside an index", ",0,1,2,3\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d.5,%d,%d,%d", i, i, i*i, 7*i%10, i%2) }), CSV{}, 20, 3, 2, []string{"header: line 1 was read as names", "columns: column 1, without a name"}},
		{"a sample of missing values", "?,?,?,1\n" + plain, CSV{}, 0, 0, 0, []string{`line 1, column 1: "?" is no number but marks a missing value`, "HeaderPresent as Header"}},
		{"a sample of missing values, with a class", "NA,NA,a\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d,%c", i, i*i, 'a'+i%2) }), CSV{}, 0, 0, 0, []string{`line 1, column 1: "NA"`}},
		{"a slip in the first line", "1.5,x,3,0\n" + plain, CSV{}, 0, 0, 0, []string{`line 1, column 2: "x" is no number`, "correct it"}},
		{"a name that is a number", "a,10,b,y\n" + plain, CSV{}, 20, 3, 2, []string{"!header: line 1 was read as names"}},
		{"repeated names", names + plain + names + plain, CSV{}, 40, 3, 2, []string{"lines left out: line 22, one of those that repeat the names"}},
		{"units below the names", names + "cm,kg,s,-\n" + plain, CSV{}, 0, 0, 0, []string{`line 2, column 1 (a): "cm" is no number`}},
		{"a title above the names", "my table\n" + names + plain, CSV{}, 0, 0, 0, []string{"line 2 has 4 fields, those before it 1", "must be removed"}},
		{"lines of remarks", "# by me, \"today\n" + names + plain + "# end\n", CSV{}, 20, 3, 2, []string{"lines left out: 2 lines that begin with #, the first of them line 1"}},
		{"names of numpy.savetxt", "# a,b,c,y\n" + plain, CSV{}, 20, 3, 2, []string{"header: line 1, which begins with #, was read as names", "target: column 4 (y), by its name"}},
		{"nothing but remarks", "#1,2\n#3,4\n", CSV{}, 0, 0, 0, []string{"no samples"}},
		// Separators and ends of lines.
		{"an empty cell between tabs", "\t5\t0\n1\t\t1\n" + lines(20, func(i int) string { return fmt.Sprintf("\t%d\t0\n%d.5\t\t1", i, i) }), CSV{}, 0, 0, 0, []string{"line 1, column 1 is empty"}},
		{"an empty cell in the middle", "a\tb\ty\n1\t2\t0\n3\t\t1\n", CSV{}, 0, 0, 0, []string{"line 3, column 2 (b) is empty"}},
		{"index of pandas between tabs", "\ta\tb\tkind\n" + lines(20, func(i int) string { return fmt.Sprintf("%d\t%d.5\t%d\t%c", i, i, i*i, 'a'+i%2) }), CSV{}, 20, 2, 2, []string{"separator: fields are separated by tabs"}},
		{"a quoted comma in a name", "\"size, cm\";weight;c;label\n" + body(20, ";", "\n"), CSV{}, 20, 3, 2, []string{"separated by semicolons"}},
		{"semicolons in text", "a,b,kind\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d,\"x;%d\"", i, i*i, i%2) }), CSV{}, 20, 2, 2, []string{"separated by commas"}},
		{"a separator that is said", "sep=;\r\n" + strings.ReplaceAll(names+plain, ",", ";"), CSV{}, 20, 3, 2, []string{"the first line says that fields are separated by semicolons", "header: line 2"}},
		{"a separator that is said and is not there", "sep=|\n" + strings.ReplaceAll(names+plain, ",", ";"), CSV{}, 0, 0, 0, []string{"no column is left for inputs", "the first line says that fields are separated by bars |: correct or remove that line, or give Separator"}},
		{"the same, given", "sep=|\n" + strings.ReplaceAll(names+plain, ",", ";"), CSV{Separator: ';'}, 20, 3, 2, []string{"fields are separated by semicolons, as Separator says; the first line says bars"}},
		{"carriage returns and a line feed", strings.ReplaceAll(names+plain, "\n", "\r") + "1,2,3,0\n", CSV{}, 0, 0, 0, []string{"lines end in a carriage return alone (21 of them) and in a line feed (1), mixed"}},
		{"a carriage return in quotes", "\"a\rb\rc\",d,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d,%d", i, i%7, i%2) }), CSV{}, 20, 2, 2, nil},
		{"a bar", strings.ReplaceAll(names+plain, ",", "|"), CSV{}, 0, 0, 0, []string{"no column is left for inputs", "'|' may be what separates fields here: give it as Separator"}},
		{"a bar that is given", strings.ReplaceAll(names+plain, ",", "|"), CSV{Separator: '|'}, 20, 3, 2, nil},
		{"blanks", body(20, "   ", "\n"), CSV{Separator: ' '}, 20, 3, 2, nil},
		{"carriage returns", strings.ReplaceAll(names+plain, "\n", "\r"), CSV{}, 20, 3, 2, []string{"line ends: lines end in a carriage return alone"}},
		{"both", strings.ReplaceAll(names+plain, "\n", "\r\n"), CSV{}, 20, 3, 2, nil},
		{"UTF-16", utf16Of(names+plain, binary.LittleEndian), CSV{}, 20, 3, 2, []string{"encoding: the text was read as UTF-16 (little-endian)"}},
		{"UTF-16, the other way round", utf16Of(names+plain, binary.BigEndian), CSV{}, 20, 3, 2, []string{"encoding: the text was read as UTF-16 (big-endian)"}},
		{"UTF-16 without a mark", utf16Of(names+plain, binary.LittleEndian)[2:], CSV{}, 0, 0, 0, []string{"zero byte", "UTF-8"}},
		{"Latin-1", "gr\xf6\xdfe,b,c,y\n" + plain, CSV{}, 20, 3, 2, []string{"encoding: names are no UTF-8 and were read as Latin-1"}},
		{"blank lines", names + "\n  \n,,,\n" + plain + ",,,\n\n", CSV{}, 20, 3, 2, []string{"lines left out: 2 lines without any value, the first of them line 4"}},
		{"quoted numbers", lines(20, func(i int) string { return fmt.Sprintf(`"%d.5", "%d" ,"%d"`, i, i*i, i%2) }), CSV{}, 20, 2, 2, nil},
		{"blanks around numbers", "a , b , y\n" + lines(20, func(i int) string { return fmt.Sprintf(" %d.5 , %d , %d ", i, i*i, i%2) }), CSV{}, 20, 2, 2, nil},
		{"a quote that is not closed", names + plain + "\"1,2,3,0\n", CSV{}, 0, 0, 0, []string{"line 22, column 1: the quote that opens this field is never closed"}},
		{"a line too short", names + plain + "1,2,3\n", CSV{}, 0, 0, 0, []string{"line 22 has 3 fields, those before it 4"}},
		{"a line too long", names + plain + "1,2,3,4,5\n", CSV{}, 0, 0, 0, []string{"line 22 has 5 fields, those before it 4"}},
		{"a web page", "<!DOCTYPE html>\n<p>404, not found</p>\n", CSV{}, 0, 0, 0, []string{"begins as a web page"}},
		// Decimal signs and thousands.
		{"thousands in quotes", "size,price,kind\n" + lines(20, func(i int) string { return fmt.Sprintf("\"1,%03d\",%d,%d", i, i, i%2) }), CSV{}, 0, 0, 0, []string{`"1,000" is no number`, "it may be 1000", "or 1.000"}},
		{"thousands with a fraction", "a,b,y\n" + lines(20, func(i int) string { return fmt.Sprintf("\"1,%03d.50\",%d,%d", i, i, i%2) }), CSV{}, 0, 0, 0, []string{"without the marks that group thousands: 1000.50"}},
		{"thousands beside points", "a;b;y\n" + lines(20, func(i int) string { return fmt.Sprintf("1,%03d;%d.25;%d", i, i, i%2) }), CSV{}, 0, 0, 0, []string{"it may be 1000"}},
		{"thousands without quotes", "a,b,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%03d,%d,%d", i+1, i, i, i%2) }), CSV{}, 0, 0, 0, []string{"line 2 has 4 fields", "a comma within a number needs quotes"}},
		{"an apostrophe", "a;y\n" + lines(20, func(i int) string { return fmt.Sprintf("1'%03d;%d", i, i%2) }), CSV{}, 0, 0, 0, []string{"write 1000"}},
		{"a blank", "a;y\n" + lines(20, func(i int) string { return fmt.Sprintf("1 %03d;%d", i, i%2) }), CSV{}, 0, 0, 0, []string{"write 1000"}},
		{"a sign of minus", "a;y\n\u22121.5;0\n2;1\n", CSV{}, 0, 0, 0, []string{"write -1.5"}},
		{"decimal commas", "a;b;c;y\n" + comma(body(20, ";", "\n")), CSV{}, 20, 3, 2, []string{"decimal sign: the comma is the decimal sign", "[Decimal]"}},
		{"decimal commas without names", comma(body(20, ";", "\n")), CSV{}, 20, 3, 2, []string{"the comma is the decimal sign", "line 1 was read as a sample"}},
		{"decimal commas between tabs", comma(body(20, "\t", "\n")), CSV{}, 20, 3, 2, []string{"the comma is the decimal sign", "separated by tabs"}},
		{"decimal commas and points that group", "a;b;y\n" + lines(20, func(i int) string { return fmt.Sprintf("1.%03d;%d,5;%d", i, i, i%2) }), CSV{}, 0, 0, 0, []string{`"1.000" is no number`, "it may be 1000"}},
		{"decimal commas in quotes", "a,b,y\n" + lines(20, func(i int) string { return fmt.Sprintf("\"%d,25\",%d,%d", i, i, i%2) }), CSV{}, 0, 0, 0, []string{"write 0.25", "Decimal ','"}},
		{"the same, given", "a,b,y\n" + lines(20, func(i int) string { return fmt.Sprintf("\"%d,25\",%d,%d", i, i, i%2) }), CSV{Decimal: ','}, 20, 2, 2, nil},
		{"points that group before decimal commas", "a;b;y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.746,0%d;%d;%d", i+1, i%10, i, i%2) }), CSV{}, 0, 0, 0, []string{`"1.746,00" is no number: its '.' groups thousands and its ',' is the decimal sign: write 1746,00`, "Decimal ','"}},
		{"and without the points", "a;b;y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d746,0%d;%d;%d", i+1, i%10, i, i%2) }), CSV{}, 20, 2, 2, []string{"the comma is the decimal sign"}},
		{"points that may group", "a;b;y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.%03d;%d;%d", i+1, i, i, i%2) }), CSV{}, 20, 2, 2, []string{"!decimal sign: the point was read as the decimal sign, so that 1.000"}},
		{"money", "a,y\n$1,0\n$2,1\n", CSV{}, 0, 0, 0, []string{`"$1" is no number: write the number alone`, "same unit"}},
		{"per cent", "a,y\n1%,0\n2%,1\n", CSV{}, 0, 0, 0, []string{`"1%" is no number: write the number alone`}},
		{"booleans", "a,y\nTrue,0\nFalse,1\n", CSV{}, 0, 0, 0, []string{"write 0 for False"}},
		{"hexadecimal", "a,y\n0x10,0\n0x20,1\n", CSV{}, 0, 0, 0, []string{`"0x10" is no number`}},
		// Columns without names, and columns that R writes.
		{"a separator at the end of lines", "a,b,kind,\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d,%c,", i, i*i, 'a'+i%2) }), CSV{}, 20, 2, 2, []string{"target: column 3 (kind), the last", "separator: every line ends in a separator, which was left out"}},
		{"the same of samples alone", "a,b,kind\n" + lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d,%c,", i, i*i, 'a'+i%2) }), CSV{}, 20, 2, 2, []string{"all other lines end in a separator", "target: column 3 (kind)"}},
		{"the same without names", lines(20, func(i int) string { return fmt.Sprintf("%d.5,%d,%c,", i, i*i, 'a'+i%2) }), CSV{}, 20, 2, 2, []string{"every line ends in a separator", "target: column 3, the last"}},
		{"and then it is not empty", "a,b,kind,\n" + lines(1100, func(i int) string { return fmt.Sprintf("%d.5,%d,%c,", i, i*i, 'a'+i%2) }) + "1,2,a,3\n", CSV{}, 0, 0, 0, []string{`line 1102, column 4 holds "3"`}},
		{"a last column without a name", "a,b,c,\n" + plain, CSV{}, 0, 0, 0, []string{"column 4, the last, has no name and is not empty", "as Targets"}},
		{"a column without a name between others", "a,,c,y\n" + plain, CSV{}, 20, 2, 2, []string{"!columns: column 2, without a name in the header, left out"}},
		{"R", "a,b,kind\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d.5,%d,%c", i+1, i, i*i, 'a'+i%2) }), CSV{}, 20, 2, 2, []string{"as R's write.table writes it", "row.names=FALSE", "target: column 4 (kind)"}},
		{"R with names of rows", "a,b,am\n" + lines(20, func(i int) string { return fmt.Sprintf("\"Car %d\",%d.5,%d,%d", i, i, i*i, i%2) }), CSV{}, 20, 2, 2, []string{"as R's write.table writes it"}},
		{"a name that is missing", "a,b,y\n" + plain, CSV{}, 0, 0, 0, []string{"line 2 has 4 fields, and the names in line 1 are 3", "row.names=FALSE"}},
		{"an index that is an input", "id,a,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d,%d", i, i*i, i%2) }), CSV{}, 20, 2, 2, []string{"!columns: column 1 (id), which counts the lines, was read as an input"}},
		// Targets.
		{"labels by name", "labels,a,b\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d,%d.5", i%2, i*i, i) }), CSV{}, 20, 2, 2, []string{"target: column 1 (labels), by its name"}},
		{"labels of points", "labels,x,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d,%d.5", i%2, i*i, i) }), CSV{}, 20, 2, 2, []string{"target: column 1 (labels), by its name"}},
		{"targets by name", "Targets,a,b\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d,%d.5", i%2, i*i, i) }), CSV{}, 20, 2, 2, []string{"target: column 1 (Targets), by its name"}},
		{"two columns of the target's name", "y,a,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d.5,%d", i%2, i, i%2) }), CSV{}, 20, 2, 2, []string{"!target: column 1 (y)", "!columns: column 3 (y), of the same name as the column to be predicted, was read as an input"}},
		{"the same, given by number", "Y,a,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,%d.5,%d", i%2, i, i%2) }), CSV{Targets: []string{"3"}}, 20, 2, 2, []string{"!columns: column 1 (Y), of the same name"}},
		{"text that is not last", "species,a,b\n" + lines(20, func(i int) string { return fmt.Sprintf("%c,%d,%d", 'a'+i%2, i, i*i) }), CSV{}, 0, 0, 0, []string{`column 1 (species): "a" is no number`, `give "species" as Targets`}},
		{"labels first, the last constant", lines(20, func(i int) string { return fmt.Sprintf("%d,%d,0", i%10, i) }), CSV{}, 0, 0, 0, []string{"all targets (column 3) of the training samples are 0: nothing can be learned", "column 1 has 10 values", "as Targets"}},
		{"labels first, the last large", lines(40, func(i int) string { return fmt.Sprintf("%d,%d.5,%d", 1+i%3, i, 600+17*i) }), CSV{}, 0, 0, 0, []string{"the largest label is 1263", "column 1 has 3 values", "Task Regression"}},
		{"labels first, the last real", lines(40, func(i int) string { return fmt.Sprintf("%d,%d.5,%d.25", 1+i%3, i, 600+17*i) }), CSV{}, 40, 2, 0, []string{"!target: column 3, the last, is to be predicted; but column 1 has 3 different values"}},
		{"one class by name", "a,b,y\n1,2,cat\n3,4,cat\n", CSV{}, 0, 0, 0, []string{`all targets (column 3 (y)) of the training samples are "cat"`}},
		{"from 1", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d", i, 1+i%4) }), CSV{}, 40, 1, 5, []string{"!classes: class 0 has no samples: the labels are 1..4; do they count from 1?"}},
		{"0 and 255", "a,y\n" + lines(400, func(i int) string { return fmt.Sprintf("%d.5,%d", i, i%2*255) }), CSV{}, 400, 1, 256, []string{"!classes: classes 1, 2, 3,", "244 more have no samples: the labels are 0 and 255; write 0 and 1"}},
		{"-1 and 1", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%+d", i, i%2*2-1) }), CSV{}, 40, 1, 2, []string{"classes: the labels -1 and 1 were read as two classes of these names"}},
		{"-1, 0 and 1", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d", i, i%3-1) }), CSV{}, 0, 0, 0, []string{"label -1, expected a whole number", "write 0 and 1", "Task Regression"}},
		{"ages", "a,age\n" + lines(160, func(i int) string { return fmt.Sprintf("%d.5,%d", i, 17+i*31%73) }), CSV{}, 160, 1, 90, []string{"!classes: whole numbers were read as labels of 90 classes, 73 of which 160 samples have", "Task Regression"}},
		{"every target another", "a,name\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,n%d", i, i) }), CSV{}, 0, 0, 0, []string{"every one of 40 training samples has another target"}},
		{"0.0 and 1.0", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d.0", i, i%2) }), CSV{}, 40, 1, 0, []string{"!task: targets (column 2 (y)) were read as numbers to be predicted, though all of them are whole, 2 values", "Task Classification"}},
		{"numbers and names", "a,y\n1,1\n2,2\n3,2b\n4,1\n", CSV{}, 0, 0, 0, []string{`line 4, column 2 (y): "2b" is no number`, "give the Task Classification"}},
		{"the same as classes", "a,y\n1,1\n2,2\n3,2b\n4,1\n5,2\n", CSV{Prepare: Preparation{Task: Classification}}, 5, 1, 3, []string{"classes: 3 classes by name: 1, 2, 2b"}},
		{"bread", "a,y\n1,nan\n2,dal\n3,nan\n4,roti\n5,dal\n", CSV{}, 5, 1, 3, []string{`!missing values: the target "nan" was read as a class of that name`}},
		{"names with marks of thousands", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,\"%d,037\"", i, 1+i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers or dates (1,037, 2,037, 3,037 and 1 more)", "[Task]"}},
		{"money as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,$%d", i, 1+i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"euros as names", "a;y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d;%d €", i, 1+i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"per cent as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d%%", i, 10*(i%4)) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"units as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d kg", i, i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"units at once as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d.5kg", i, i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"dates as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,2020-0%d-01", i, 1+i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"dates of Europe as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,1.%d.2020 10:30", i, 1+i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"times as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,1%d:30", i, i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"decimal commas as names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,\"%d,5\"", i, i%4) }), CSV{}, 40, 1, 4, []string{"!classes: names of classes look like numbers"}},
		{"units that are said to be names", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%d kg", i, i%4) }), CSV{Prepare: Preparation{Task: Classification}}, 40, 1, 4, []string{"-classes: names of classes look like"}},
		{"ordinals", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"1st", "2nd", "3rd", "4th"}[i%4]) }), CSV{}, 40, 1, 4, []string{"-classes: names of classes look like"}},
		{"names with digits", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"1a", "1b", "2a", "T2"}[i%4]) }), CSV{}, 40, 1, 4, []string{"-classes: names of classes look like"}},
		{"incomes of adults", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"<=50K", ">50K"}[i%2]) }), CSV{}, 40, 1, 2, []string{"-classes: names of classes look like"}},
		{"2D and 3D", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%dD", i, 2+i%2) }), CSV{}, 40, 1, 2, []string{"-classes: names of classes look like"}},
		{"flowers", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"Iris-setosa", "Iris-virginica"}[i%2]) }), CSV{}, 40, 1, 2, []string{"-classes: names of classes look like", "-alike"}},
		{"capitals", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"Yes", "yes", "No", "no"}[i%4]) }), CSV{}, 40, 1, 4, []string{`!classes: names that differ in capitals or blanks alone are classes of their own: "No" and "no", "Yes" and "yes"`}},
		{"one sample of the other class, held out", lines(40, func(i int) string { return fmt.Sprintf("%d,%d.5,%d", i%4, i, one(i == 31)) }), CSV{Prepare: Preparation{Seed: 3}}, 0, 0, 0, []string{"all targets (column 3) of the training samples are 0, since the only 1 sample of class 1 was held out", "column 1 has 4 values"}},
		{"one sample of the other class, trained on", lines(40, func(i int) string { return fmt.Sprintf("%d,%d.5,%d", i%4, i, one(i == 0)) }), CSV{Prepare: Preparation{Seed: 3}}, 40, 2, 2, []string{"!classes: class 1 has 1 sample, the other 39 are all of one class; is the target (column 3) another one? column 1"}},
		{"two samples of the other class, held out", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"no", "yes"}[one(i == 6 || i == 31)]) }), CSV{Prepare: Preparation{Seed: 3}}, 0, 0, 0, []string{`since the 2 samples of class "yes" were all held out, by the seed 3`, "another Seed"}},
		{"the same, not held out", "a,y\n" + lines(40, func(i int) string { return fmt.Sprintf("%d.5,%s", i, []string{"no", "yes"}[one(i == 6 || i == 31)]) }), CSV{Prepare: Preparation{Seed: 4}}, 40, 1, 2, nil},
		{"a constant", "a,b,y\n" + lines(20, func(i int) string { return fmt.Sprintf("%d,.3,%d", i, i%2) }), CSV{}, 20, 2, 2, []string{"constant columns: 1 input of 2 constant up to rounding", "column 2 (b)"}},
		{"held out", names + plain, CSV{Prepare: Preparation{Seed: 9}}, 20, 3, 2, []string{"held out: 4 of 20 samples, chosen with seed 9, are the test part [HeldOut]", "missing values: not allowed", "scaling: each input has the mean 0"}},
	} {
		c.csv.File = tableIn(t, c.text)
		train, test, err := c.csv.Load()
		if err != nil || c.n == 0 {
			for _, piece := range c.told {
				if err == nil || !strings.Contains(err.Error(), piece) || c.n > 0 {
					t.Errorf("%s: %v, want %d samples, %q", c.reason, err, c.n, piece)
				}
			}
			if c.n > 0 && c.told == nil {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		fillAll(t, train, test)
		if train.Len()+test.Len() != c.n || train.In() != c.in || train.Classes() != c.classes {
			t.Errorf("%s: %d samples of %d inputs, %d classes; want %d, %d, %d", c.reason, train.Len()+test.Len(), train.In(), train.Classes(), c.n, c.in, c.classes)
		}
		told := toldBy(train)
		for _, piece := range c.told {
			if not, is := strings.CutPrefix(piece, "-"); is {
				if strings.Contains(told, not) {
					t.Errorf("%s: %q in\n%s", c.reason, not, told)
				}
				continue
			}
			if !strings.Contains(told, piece) {
				t.Errorf("%s: no %q in\n%s", c.reason, piece, told)
			}
		}
		if !slices.Equal(train.Guesses(), test.Guesses()) {
			t.Errorf("%s: guesses differ", c.reason)
		}
	}
}

// toldBy is the guesses of a set, a line each.
func toldBy(s *Set) string {
	var b strings.Builder
	for _, g := range s.Guesses() {
		if g.Likely {
			b.WriteByte('!')
		}
		fmt.Fprintf(&b, "%s: %s [%s]\n", g.About, g.Taken, g.Field)
	}
	return b.String()
}

// Numbers come out as they were written, whatever the separator, the quotes and the decimal sign. Oracle: the numbers themselves.
func TestCSV_NumbersOfEveryDialect(t *testing.T) {
	want := []float64{1.5, -2.25, 1000, 0.125, 3, 12.5}
	for _, text := range []string{
		"a,b,c,y\n1.5,-2.25,1000,0\n0.125,3,12.5,1\n",
		"a;b;c;y\n1,5;-2,25;1000;0\n0,125;3;12,5;1\n",
		"a\tb\tc\ty\r\n1,5\t-2,25\t1000\t0\r\n0,125\t3\t12,5\t1\r\n",
		"\"a\";\"b\";\"c\";\"y\"\n\"1,5\";\"-2,25\"; \"1000\" ;\"0\"\n\"0,125\";\"3\";\"12,5\";\"1\"\n",
		"a,b,c,y\n1.5e0,-22.5E-1,1e3,0\n+.125,3.,12.5,1\n",
		utf16Of("a;b;c;y\n1,5;-2,25;1000;0\n0,125;3;12,5;1\n", binary.BigEndian),
	} {
		ts, err := CSV{}.read(strings.NewReader(text), int64(len(text)), table.Options{})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := inputsOf(ts); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestGuesses_OfArrays(t *testing.T) {
	x := make([]float64, 0, 40)
	labels, signs, singles := make([]float64, 20), make([]float64, 20), make([]float64, 20)
	for i := range 20 {
		x = append(x, float64(i)*.37, .3)
		labels[i], signs[i], singles[i] = float64(1+i%3), float64(i%2*2-1), float64(i%2)
	}
	whole := func(v []float64) []byte {
		b, _ := binary.Append(nil, binary.LittleEndian, func() (w []int64) {
			for _, f := range v {
				w = append(w, int64(f))
			}
			return w
		}())
		return npyFile(fmt.Sprintf("{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }", len(v)), b)
	}
	many := map[string][]byte{}
	for k := range 2000 {
		many[fmt.Sprintf("layer%d", k)] = float64s([]int{1}, 1)
	}
	pictures := func(dims ...int) []byte {
		return float64s(append([]int{20}, dims...), make([]float64, 20*product(dims))...)
	}
	for _, c := range []struct {
		reason string
		arrays map[string][]byte
		told   []string
		fails  bool
	}{
		{"usual", map[string][]byte{"x": float64s([]int{20, 2}, x...), "y": whole(labels), "weights": whole(labels)},
			[]string{"arrays: x, y were read as inputs and targets; not used: weights [Keys]", "!classes: class 0 has no samples", "constant columns: 1 input of 2 constant up to rounding in the training part and not scaled: column 1 of x", "held out: 4 of 20"}, false},
		{"signs", map[string][]byte{"x": float64s([]int{20, 2}, x...), "y": whole(signs)}, []string{"classes: the labels -1 and 1"}, false},
		{"real numbers that are whole", map[string][]byte{"x": float64s([]int{20, 2}, x...), "y": float64s([]int{20}, singles...)}, []string{"!task: targets (y) were read as numbers"}, false},
		{"one class", map[string][]byte{"x": float64s([]int{20, 2}, x...), "y": whole(make([]float64, 20)), "z": whole(labels)}, []string{"all targets (y) of the training samples are 0", "give other Keys; there are x, y, z"}, true},
		{"many arrays", many, []string{"and 1990 more: give Keys"}, true},
		{"channels last", map[string][]byte{"x": pictures(8, 8, 3), "y": whole(labels)}, []string{"shape: inputs [8 8 3] were read as pictures of 8 x 8 pixels, 3 channels [Shape]"}, false},
		{"channels first", map[string][]byte{"x": pictures(3, 8, 8), "y": whole(labels)}, []string{"shape: inputs [3 8 8] were read as pictures of 8 x 8 pixels, 3 channels, the channels first [Shape]"}, false},
		{"it may be either", map[string][]byte{"x": pictures(3, 8, 4), "y": whole(labels)}, []string{"!shape: inputs [3 8 4] were read as pictures of 3 x 8 pixels, 4 channels"}, false},
	} {
		train, _, err := NumPy{File: npz(t, c.arrays)}.Load()
		told := fmt.Sprint(err)
		if (err != nil) != c.fails || len(told) > 1000 {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		if err == nil {
			told = toldBy(train)
		}
		for _, piece := range c.told {
			if !strings.Contains(told, piece) {
				t.Errorf("%s: no %q in\n%s", c.reason, piece, told)
			}
		}
	}
	train, test, err := Arrays[float64]{Inputs: [][]float64{{1}, {2}, {3}}, Labels: []int{0, 1, 0}, TestInputs: [][]float64{{1}}, TestLabels: []int{2}}.Load()
	if err != nil || !strings.Contains(toldBy(test), "!classes: class 2: samples in the test part only") || strings.Contains(toldBy(train), "held out") {
		t.Errorf("%v: %s", err, toldBy(train))
	}
	if train, _, err = (XOR{}).Load(); err != nil || train.Guesses() != nil || train.Encoding() != nil {
		t.Errorf("%v: a task from a seed has guesses %v", err, train.Guesses())
	}
}

// What is no regular file is refused at once: opening a pipe would wait for ever, /dev/zero never ends.
func TestTables_RefuseDevicesAndPipes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"z.csv", "z.npz", "z.npy"} {
		if err := os.Symlink("/dev/zero", filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "p.csv"), 0o600); err != nil {
		t.Skip(err)
	}
	sound := tableIn(t, "a,y\n1,0\n2,1\n3,0\n")
	for what, load := range map[string]Source{
		"table":         CSV{File: filepath.Join(dir, "z.csv")},
		"pipe":          CSV{File: filepath.Join(dir, "p.csv")},
		"test part":     CSV{File: sound, TestFile: "/dev/zero"},
		"folder":        CSV{File: dir},
		"archive":       NumPy{File: filepath.Join(dir, "z.npz")},
		"array":         NumPy{File: filepath.Join(dir, "z.npy"), Keys: Keys{Inputs: "z", Targets: "z"}},
		"another table": CSV{File: "/dev/stdin/"},
	} {
		if _, _, err := load.Load(); err == nil || !strings.Contains(err.Error(), "no regular file") && what != "another table" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A table takes at most four times its size in memory, in whatever kind of numbers: here, all bytes that are ever reserved for 3 MB, of
// which 2 to 3 MB are the numbers.
func TestCSV_MemoryIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for kind, field := range map[string]func() string{
		"real numbers":  func() string { return fmt.Sprintf("%.6f", r.NormFloat64()) },
		"short numbers": func() string { return fmt.Sprintf("%.1f", r.Float64()) },
		"digits":        func() string { return fmt.Sprint(r.IntN(10)) },
	} {
		var b bytes.Buffer
		b.WriteString(strings.Repeat("x,", 50) + "label\n")
		some := lines(100, func(i int) string {
			var line strings.Builder
			for range 50 {
				line.WriteString(field() + ",")
			}
			return line.String() + fmt.Sprint(i%10)
		})
		for b.Len() < 3<<20 {
			b.WriteString(some)
		}
		path := tableIn(t, b.String())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		train, _, err := CSV{File: path}.Load()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		head := uint64(8 << 20) // separator and header are guessed from at most 1000 lines, as strings
		if n := after.TotalAlloc - before.TotalAlloc; n > 4*uint64(b.Len())+head {
			t.Errorf("%s: %d bytes reserved for a table of %d, of %d samples", kind, n, b.Len(), train.Len())
		}
	}
}

// Names of files are shown without control characters.
func TestMessages_QuoteNamesOfFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a\x1b[31m.csv")
	write(t, name, []byte("a,y\n1,0\n2,x\n"))
	_, _, err := CSV{File: name}.Load()
	_, _, missing := CSV{File: name + "2"}.Load()
	_, _, archive := NumPy{File: name}.Load()
	_, _, mnist := MNIST{Dir: filepath.Join(dir, "\x07")}.Load()
	_, _, corpus := Corpus{File: name + "3"}.Load()
	for _, err := range []error{err, missing, archive, mnist, corpus} {
		if err == nil || strings.ContainsAny(err.Error(), "\x1b\x07") || !strings.Contains(err.Error(), `\x`) && !strings.Contains(err.Error(), `\a`) {
			t.Errorf("%q", fmt.Sprint(err))
		}
	}
	write(t, name, []byte("a,y\n1,0\n2,1\n3,0\n4,1\n5,0\n"))
	train, _, err := CSV{File: name}.Load()
	if err != nil || train.Name != "a_[31m train" || train.Files[0].Path != name {
		t.Errorf("%v: %q %q", err, train.Name, train.Files[0].Path)
	}
}
