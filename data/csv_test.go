package data

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/data/internal/table"
)

// tableIn writes a table.
func tableIn(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.csv")
	write(t, path, []byte(text))
	return path
}

// inputsOf are the inputs of a table.
func inputsOf(t *tableSamples) []float64 {
	t.spread()
	return t.values
}

// Oracle: the file, read by eye. It has a header with a comma in a name, an index as pandas writes it, a blank line, names as
// classes, and numbers in three spellings.
func TestCSV_Golden(t *testing.T) {
	text, err := os.ReadFile("testdata/irises.csv")
	if err != nil {
		t.Fatal(err)
	}
	t2, err := CSV{Targets: []string{"species"}}.read(bytes.NewReader(text), int64(len(text)), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := t2.table.Decode(false, nil); err != nil {
		t.Fatal(err)
	}
	t2.takeTargets()
	if want := []float64{5.1, 1.4, 0, 7, 4.7, 1, 6.3, 6, 2, 4.9, 1.4, 0, 6.4, 4.5, 1}; !slices.Equal(t2.values, want) || !slices.Equal(t2.table.Layout().Inputs, []int{1, 2, 4}) {
		t.Errorf("inputs %v, want %v", t2.values, want)
	}
	if !slices.Equal(t2.targets, []float64{0, 1, 2, 0, 1}) || !slices.Equal(t2.classes, []string{"setosa", "versicolor", "virginica"}) {
		t.Errorf("targets %v of %v", t2.targets, t2.classes)
	}
	for i, line := range []int{2, 3, 5, 6, 7} {
		if want := fmt.Sprintf("line %d, column 3 (petal, length)", line); t2.input(i, 1) != want {
			t.Errorf("%s, want %s", t2.input(i, 1), want)
		}
	}
	for _, c := range []struct {
		targets []string
		in, out int
		classes int
	}{
		{nil, 3, 3, 3}, // the last, kind; species would be an input that is no number
		{[]string{"4"}, 3, 3, 3},
		{[]string{"species"}, 3, 3, 3},
	} {
		s := CSV{File: "testdata/irises.csv", Targets: c.targets}
		train, test, err := s.Load()
		if c.targets == nil {
			if err == nil || !strings.Contains(err.Error(), `testdata/irises.csv: line 2, column 4 (species): "setosa" is no number`) {
				t.Errorf("%v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if train.In() != c.in || train.Out() != c.out || train.Classes() != c.classes || train.Len() != 4 || test.Len() != 1 || train.ClassNames()[1] != "versicolor" || train.Name != "irises train" || len(test.Files[0].SHA256) != 64 {
			t.Errorf("%v: %d -> %d, %d classes, %d + %d samples", c.targets, train.In(), train.Out(), train.Classes(), train.Len(), test.Len())
		}
	}
}

func TestCSV_KindsOfTables(t *testing.T) {
	for _, c := range []struct {
		text    string
		targets []string
		in      int
		classes int // 0: regression
		values  []float64
		reason  string
	}{
		{"1,2,0\n3,4,1\n5,6,1\n", nil, 2, 2, []float64{1, 2, 3, 4, 5, 6}, "no header, integer labels"},
		{"a;b;y\n1;2;0.5\n3;4;1\n", nil, 2, 0, []float64{1, 2, 3, 4}, "semicolons, real targets"},
		{"a\tb\ty\r\n1\t2\tno\r\n3\t4\tyes\r\n", nil, 2, 2, []float64{1, 2, 3, 4}, "tabs, carriage returns, names"},
		{"label,p0,p1\n0,7,8\n1,9,10\n", nil, 2, 2, []float64{7, 8, 9, 10}, "the label comes first, as in MNIST's tables"},
		{"\xef\xbb\xbfLabel,p0,p1\n0,7,8\n1,9,10\n", nil, 2, 2, []float64{7, 8, 9, 10}, "Excel's mark before the text"},
		{"p0,Label,p1\n7,0,8\n9,1,10\n", nil, 2, 2, []float64{7, 8, 9, 10}, "the label in the middle"},
		{",0,1,2\n0,7,8,1\n1,9,10,0\n", nil, 2, 2, []float64{7, 8, 9, 10}, "columns that pandas numbered"},
		{"0,1,target\n7,8,1\n9,10,0\n", nil, 2, 2, []float64{7, 8, 9, 10}, "the same without an index"},
		{"5.1,setosa\n6.3,virginica\n", nil, 1, 2, []float64{5.1, 6.3}, "names without a header"},
		{"a,b,c\n1,2,3\n4,5,6\n", []string{"a", "3"}, 1, 0, []float64{2, 5}, "several targets"},
		{"a,b,c\n1,0,1\n4,1,0\n", []string{"b", "c"}, 1, 2, []float64{1, 4}, "one-hot targets"},
		{"1,2,1e0\n3,4,2\n", nil, 2, 0, []float64{1, 2, 3, 4}, "numbers that are not written as whole"},
	} {
		t2, err := CSV{Targets: c.targets}.read(strings.NewReader(c.text), int64(len(c.text)), table.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		if got := inputsOf(t2); !slices.Equal(got, c.values) {
			t.Errorf("%s: %v, want %v", c.reason, got, c.values)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write([]byte(c.text))
		z.Close()
		path := filepath.Join(t.TempDir(), "table.csv.gz")
		write(t, path, packed.Bytes())
		train, test, err := CSV{File: path, Targets: c.targets}.Load()
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		if train.In() != c.in || train.Classes() != c.classes || train.Name != "table train" {
			t.Errorf("%s: %d inputs, %d classes, %q; want %d, %d", c.reason, train.In(), train.Classes(), train.Name, c.in, c.classes)
		}
		fillAll(t, train, test)
	}
}

func TestCSV_ErrorsSayFileLineColumnAndRemedy(t *testing.T) {
	for _, c := range []struct {
		text    string
		targets []string
		prepare Preparation
		want    string
		remedy  string
	}{
		{text: "", want: "no samples", remedy: "a line for each"},
		{text: "a,b\n", want: "no samples", remedy: "a line for each"},
		{text: "a,b,y\n1,2,0\n3,4\n", want: "line 3 has 2 fields, those before it 3", remedy: "correct the line"},
		{text: "a,b,y\n1,2,0\n3,x,1\n", want: `line 3, column 2 (b): "x" is no number`, remedy: "coded as numbers"},
		{text: "1,2,0\n3,,1\n", want: "line 2, column 2 is empty", remedy: "leave the line out"},
		{text: "a,b,y\n1,2,0\n3,NaN,1\n", want: "line 3, column 2 (b) is NaN", remedy: "leave the sample out"},
		{text: "a,b,y\n1,2,0\n3,-inf,1\n", want: "line 3, column 2 (b) is -Inf", remedy: "leave the sample out"},
		{text: "a,b,y\n1,2,0\n3,1e999,1\n", want: "line 3, column 2 (b) is +Inf", remedy: "leave the sample out"},
		{text: "a,b,y\n1,2,\n", want: "line 2, column 3 (y) is empty", remedy: "fill it in"},
		{text: "a,b,y\n1,2,0\n3,4,l\n", want: `line 3, column 3 (y): "l" is no number`, remedy: "correct the line"},
		{text: "a,b,y\n1,2,0\n3,4,-1\n", want: "line 3, column 3 (y): label -1, expected a whole number in 0..65535", remedy: "Regression"},
		{text: "a,b,y\n1,2,0\n3,4,250000\n", want: "line 3, column 3 (y): label 250000", remedy: "Regression"},
		{text: "a,b,y\n1,2,0\n3,4,2500\n", want: "the largest label is 2500, of 2 samples", remedy: "Regression"},
		{text: "a,b,y\n1,2,0\n3,4,yes\n", prepare: Preparation{Task: Regression}, want: `line 3, column 3 (y): "yes" is no number`, remedy: "correct"},
		{text: "a,b,y\n1,2,no\n3,4,yes\n", prepare: Preparation{Task: Regression}, want: "targets are names", remedy: "give numbers"},
		{text: "a,b,y\n1,2,.5\n3,4,1\n", prepare: Preparation{Task: Classification}, want: "line 2, column 3 (y): label 0.5", remedy: "Regression"},
		{text: "a,b,y\n1,2,0\n", targets: []string{"c"}, want: `no column "c"; there are ["a" "b" "y"]`, remedy: "by name or by number"},
		{text: "1,2,0\n", targets: []string{"4"}, want: `no column "4"; there are 3, without names`, remedy: "by name or by number"},
		{text: "a,a,y\n1,2,0\n", targets: []string{"a"}, want: `two columns are called "a"`, remedy: "number of one"},
		{text: "a,b,y\n1,2,0\n", targets: []string{"y", "3"}, want: "column 3 (y) is given twice", remedy: "once"},
		{text: "a|b|y\n1|2|0\n", want: "no column is left for inputs", remedy: "separated by commas"},
		{text: "a,b,y\n1,\"2,0\n", want: "line 2, column 2", remedy: "close it"},
		{text: "a;b;y\n5,1;2.5;0\n", want: `line 2, column 1 (a): "5,1" is no number`, remedy: "write 5.1"},
		{text: "NA,2,0\n3,4,1\n", want: `line 1, column 1: "NA" is no number`, remedy: "give HeaderPresent as Header"},
		{text: "1,2,0\n", want: "leave none to learn from", remedy: "give more samples"},
	} {
		path := tableIn(t, c.text)
		_, _, err := CSV{File: path, Targets: c.targets, Prepare: c.prepare}.Load()
		if err == nil || strings.Count(err.Error(), path) != 1 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.remedy) {
			t.Errorf("%q: %v, want the path once, %q and %q", c.text, err, c.want, c.remedy)
		}
	}
	for file, want := range map[string]string{"": "File is empty", "nosuch.csv": "nosuch.csv: no such file or directory: give the path"} {
		if _, _, err := (CSV{File: file}).Load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// The test part has the classes of the training part, whatever names it has itself.
func TestCSV_TestFile(t *testing.T) {
	train := tableIn(t, "a,kind\n1,cat\n2,dog\n3,emu\n")
	set, test, err := CSV{File: train, TestFile: tableIn(t, "a,kind\n4,emu\n5,cat\n"), Prepare: Preparation{Raw: true}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != 3 || test.Len() != 2 || test.Label(0) != 2 || test.Label(1) != 0 || test.Classes() != 3 || test.Files[0].Path == set.Files[0].Path {
		t.Errorf("%d + %d samples, labels %d %d of %d", set.Len(), test.Len(), test.Label(0), test.Label(1), test.Classes())
	}
	if _, test, err = (CSV{File: train, TestFile: tableIn(t, "kind,a\nemu,4\n"), Prepare: Preparation{Raw: true}}).Load(); err != nil {
		t.Fatal(err)
	}
	x := make([]float64, 1)
	if Fill(test, x, nil, []int{0}); test.Label(0) != 2 || x[0] != 4 {
		t.Errorf("columns in another order: %v of class %d, want 4 of class 2", x, test.Label(0))
	}
	for text, want := range map[string]string{
		"a,kind\n4,fox\n":          `line 2, column 2 (kind): no training sample is of the class "fox"; there are cat, dog, emu`,
		"a,b,kind\n4,5,cat\n":      "column 2 (b), which the training part does not have",
		"4,5,cat\n":                "3 columns, and the training part has 2",
		"b,kind\n4,cat\n":          `no column "a", which the training part has; there are ["b" "kind"]`,
		"a,kind\n4,cat\nnan,cat\n": "line 3, column 1 (a) is NaN",
		"a,kind\n":                 "no samples",
	} {
		path := tableIn(t, text)
		if _, _, err := (CSV{File: train, TestFile: path}).Load(); err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzCSV: whatever the table, there is an error or a set whose every sample is finite.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"1,2,0\n3,4,1\n", "a;b;y\n1;2;0.5\n3;4;1\n", ",0,1\n0,7,a\n1,8,b\n", "\"a\n\",b\n1,2\n3,4\n", "\xef\xbb\xbf", "a,y\n1e-320,0\n0,1\n1e-310,1\n0,0\n1e38,1\n"} {
		f.Add([]byte(text), "")
	}
	f.Add([]byte("a,b\n1,2\n3,4\n"), "a")
	f.Add([]byte("a,b\n1,2\n3,4\n"), "2")
	f.Fuzz(func(t *testing.T, text []byte, target string) {
		if len(text) > 1<<12 {
			return // more of the same
		}
		s := CSV{File: "table.csv"}
		if target != "" {
			s.Targets = []string{target}
		}
		train, test, err := s.loadText(text)
		if err != nil {
			return
		}
		fillAll(t, train, test)
		if lines := bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r")) + 1; train.Len()+test.Len() > lines && !bytes.HasPrefix(text, []byte("\x1f\x8b")) {
			t.Errorf("%d + %d samples of %d lines", train.Len(), test.Len(), lines)
		}
	})
}

// loadText is Load of a table in memory.
func (s CSV) loadText(text []byte) (train, test *Set, err error) {
	t, err := s.read(bytes.NewReader(text), int64(len(text)), table.Options{})
	if err != nil {
		return nil, nil, err
	}
	return s.sets(t, nil)
}

// FuzzTableGuesses: whatever the table and what is given of its dialect, there is no panic and no silence. A table that loads tells what
// it took for names, separator, decimal sign, target and classes, and its training rows are the same bits when they are loaded by the
// encoding that it gives; one that does not load has an error with a remedy.
func FuzzTableGuesses(f *testing.F) {
	for _, text := range []string{"0,1,2\n1.5,2,0\n2.5,3,1\n", "a;b;y\n1,5;2;0\n2,5;3;1\n3;4;0\n", "\t5\t0\n1\t\t1\n", "sep=;\na;y\n1;0\n2;1\n", "#a,y\n1,0\n2,1\n3,0\n", "a,b,y,\n1,2,x,\n3,4,z,\n5,6,x,\n",
		"a,y\n1,1.5,0\n2,2.5,1\n3,3.5,0\n", "\"1,000\",1\n\"2,000\",0\n", "a,y\r1,-1\r2,1\r3,-1\r", "\xff\xfea\x00,\x00y\x00\n\x001\x00,\x000\x00\n\x002\x00,\x001\x00\n\x00", "?,?,a\n1,2,b\n2,3,a\n3,4,b\n", "1 2 0\n2 3 1\n"} {
		f.Add([]byte(text), uint8(0), uint8(0))
	}
	f.Add([]byte("a b y\n1,5  2 0\n2 3 1\n"), uint8(1), uint8(13))
	f.Fuzz(func(t *testing.T, text []byte, header, more uint8) {
		if len(text) > 1<<12 {
			return // more of the same
		}
		s := CSV{File: "table.csv", Header: Header(header % 3), Separator: []rune{0, ' ', ';', '|'}[more%4], Decimal: []rune{0, '.', ',', 0}[more/4%4], Prepare: Preparation{Task: Task(more / 16 % 3), Raw: more > 127}}
		train, test, err := s.loadText(text)
		if err != nil {
			if !strings.Contains(err.Error(), ": ") {
				t.Errorf("no remedy: %v", err)
			}
			return
		}
		told := toldBy(train)
		wanted := []string{"target: ", "held out: ", "scaling: ", "missing values: "}
		if s.Header == HeaderAuto {
			wanted = append(wanted, "header: line ")
		}
		if s.Separator == 0 {
			wanted = append(wanted, "separator: ")
		}
		if s.Decimal == 0 {
			wanted = append(wanted, "decimal sign: ")
		}
		if s.Prepare.Task == Auto && train.Classes() == 0 {
			wanted = append(wanted, "task: ")
		}
		if train.Classes() > 0 {
			wanted = append(wanted, "classes: ")
		}
		for _, w := range wanted {
			if !strings.Contains(told, w) {
				t.Errorf("no word of the %sin\n%s", w, told)
			}
		}
		if err := train.Encoding().Validate(); err != nil {
			t.Fatal(err)
		}
		again, err := s.read(bytes.NewReader(text), int64(len(text)), table.Options{Like: train.Encoding().layout()})
		if err == nil {
			err = again.decodeLike(train.Encoding())
		}
		if err != nil {
			if !strings.Contains(told, "lines left out") && !strings.Contains(err.Error(), "two columns are called") {
				t.Fatalf("by its own encoding: %v", err)
			}
			return
		}
		all, err := train.Encoding().load("table", &again.samples, nil, true)
		if err != nil {
			t.Fatalf("by its own encoding: %v", err)
		}
		if got, want := rowsOf(all), rowsOf(train, test); !slices.Equal(got, want) {
			t.Errorf("by its own encoding %v, want %v", got, want)
		}
	})
}
