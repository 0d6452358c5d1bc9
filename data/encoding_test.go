package data

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// rowsOf are the inputs and targets of sets, a string of bits for each sample, sorted.
func rowsOf(sets ...*Set) []string {
	var rows []string
	for _, s := range sets {
		x, y := make([]float64, s.In()), make([]float64, s.Out())
		for i := range s.Len() {
			Fill(s, x, y, []int{i})
			var b strings.Builder
			for _, v := range slices.Concat(x, y) {
				fmt.Fprintf(&b, "%x ", math.Float64bits(v))
			}
			rows = append(rows, b.String())
		}
	}
	slices.Sort(rows)
	return rows
}

// kept is an encoding that went to JSON and back.
func kept(t *testing.T, e *Encoding) *Encoding {
	t.Helper()
	text, err := jsonfloat.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Encoding)
	if err := jsonfloat.UnmarshalStrict(text, back); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := back.Validate(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if !reflect.DeepEqual(back, e) {
		t.Errorf("%+v became %+v", e, back)
	}
	return back
}

// encoded is a source that can be loaded by an encoding.
type encoded interface {
	Source
	LoadEncoded(e *Encoding, targets bool) (*Set, error)
}

// The samples that a network was trained and tested on are the same bits when they are loaded anew by the encoding that was kept,
// whatever the source.
func TestEncoding_GivesTheSamplesOfLoad(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	x, y, names := make([][]float64, 60), make([][]float64, 60), make([]int, 60)
	var flat, pixels []float64
	raw := make([]byte, 0, 60*12)
	for i := range x {
		x[i] = []float64{1e3 + r.NormFloat64(), float64(r.IntN(256)), .3, 1e-3 * r.NormFloat64()}
		y[i] = []float64{r.NormFloat64(), 5e4 + r.Float64()}
		names[i] = i % 3
		flat = append(flat, x[i]...)
		for range 12 {
			pixels = append(pixels, r.NormFloat64())
			raw = append(raw, byte(r.IntN(256)))
		}
	}
	table := func(header string, f func(i int) string) string { return tableIn(t, header+lines(60, f)) }
	numbers := func(i int) string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(x[i]), " ", ","), "[]") }
	labels := npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (60,), }", func() (b []byte) {
		for i := range 60 {
			b = append(b, byte(i%3))
		}
		return b
	}())
	signs, _ := binary.Append(nil, binary.LittleEndian, func() (s []int32) {
		for i := range 60 {
			s = append(s, int32(i%2*2-1))
		}
		return s
	}())
	named := table("a,b,c,d,kind\n", func(i int) string { return numbers(i) + "," + []string{"cat", "dog", "emu"}[i%3] })
	for reason, source := range map[string]encoded{
		"classes by name":            CSV{File: named},
		"the name first, an index":   CSV{File: table(",kind,a,b,c,d\n", func(i int) string { return fmt.Sprintf("%d,%c,%s", i, 'p'+i%3, numbers(i)) }), Targets: []string{"kind"}},
		"no names":                   CSV{File: table("", func(i int) string { return numbers(i) + fmt.Sprint(",", i%3) })},
		"a regression":               CSV{File: table("a,b,c,d,y,z\n", func(i int) string { return fmt.Sprintf("%s,%v,%v", numbers(i), y[i][0], y[i][1]) }), Targets: []string{"y", "z"}},
		"one-hot":                    CSV{File: table("a,b,c,d,y,z\n", func(i int) string { return fmt.Sprintf("%s,%d,%d", numbers(i), i%2, 1-i%2) }), Targets: []string{"y", "z"}},
		"signs":                      CSV{File: table("a,b,c,d,y\n", func(i int) string { return fmt.Sprintf("%s,%+d", numbers(i), i%2*2-1) })},
		"raw":                        CSV{File: named, Prepare: Preparation{Raw: true}},
		"pictures of a table":        CSV{File: named, Prepare: Preparation{Shape: Shape{Height: 2, Width: 2, Channels: 1}}},
		"many bytes":                 CSV{File: tableIn(t, "a,b,y\n"+lines(3000, func(i int) string { return fmt.Sprintf("%d,%d,%d", i%256, i*i%256, i%2) }))},
		"names of R":                 CSV{File: table("a,b,c,d,y\n", func(i int) string { return fmt.Sprintf("%d,%s,%d", i+1, numbers(i), i%3) })},
		"arrays":                     NumPy{File: npz(t, map[string][]byte{"x": float64s([]int{60, 4}, flat...), "y": labels})},
		"signs of arrays":            NumPy{File: npz(t, map[string][]byte{"x": float64s([]int{60, 4}, flat...), "y": npyFile("{'descr': '<i4', 'fortran_order': False, 'shape': (60,), }", signs)})},
		"pictures, channels first":   NumPy{File: npz(t, map[string][]byte{"x": float64s([]int{60, 2, 1, 6}, pixels...), "y": labels})},
		"pictures of bytes":          NumPy{File: npz(t, map[string][]byte{"x": npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (60, 2, 1, 6), }", raw), "y": labels})},
		"raw pictures of bytes":      NumPy{File: npz(t, map[string][]byte{"x": npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (60, 2, 6), }", raw), "y": labels}), Prepare: Preparation{Raw: true}},
		"bytes that are no pictures": NumPy{File: npz(t, map[string][]byte{"x": npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (60, 12), }", raw), "y": labels})},
		"memory":                     Arrays[float64]{Inputs: x, Labels: names},
		"memory, a regression":       Arrays[float64]{Inputs: x, Targets: y, TestInputs: x[:7], TestTargets: y[:7]},
		"memory, pictures":           Arrays[float64]{Inputs: x, Labels: names, Prepare: Preparation{Shape: Shape{Height: 2, Width: 1, Channels: 2}}},
	} {
		train, test, err := source.Load()
		if err != nil {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		e := kept(t, train.Encoding())
		all, err := source.LoadEncoded(e, true)
		if err != nil {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		if !slices.Equal(rowsOf(all), rowsOf(train, test)) {
			t.Errorf("%s: other samples than those of Load", reason)
		}
		if !slices.Equal(all.InShape(), train.InShape()) || !slices.Equal(all.ClassNames(), train.ClassNames()) || !slices.Equal(all.Scales(), train.Scales()) ||
			!slices.Equal(all.TargetScales(), train.TargetScales()) || all.Classes() != train.Classes() || all.Shape() != train.Shape() || len(all.Files) != len(train.Files) {
			t.Errorf("%s: %+v, want the like of %+v", reason, all.Encoding(), train.Encoding())
		}
		if all.Shape() != (Shape{}) && (all.Norm(0) != train.Norm(0) || !slices.Equal(all.Pixels(0)[:1], all.Pixels(0)[:1])) {
			t.Errorf("%s: %v, want %v", reason, all.Norm(0), train.Norm(0))
		}
		bare, err := source.LoadEncoded(e, false)
		if err != nil {
			t.Errorf("%s: without targets: %v", reason, err)
			continue
		}
		in, want := make([]float64, all.In()), make([]float64, all.In())
		for i := range all.Len() {
			Fill(bare, in, nil, []int{i})
			if Fill(all, want, nil, []int{i}); !slices.Equal(in, want) {
				t.Fatalf("%s: without targets, sample %d is %v, want %v", reason, i, in, want)
			}
		}
	}
}

// New data are scaled by the training data, not by themselves. Oracle: (x - mean) / deviation of the training column by hand: 1, 3, 5 has
// the mean 3 and the deviation sqrt(8/3).
func TestEncoding_ScalesNewDataAsTheTrainingData(t *testing.T) {
	train, _, err := CSV{File: tableIn(t, "a,kind\n1,cat\n3,dog\n5,cat\n"), TestFile: tableIn(t, "a,kind\n3,dog\n")}.Load()
	if err != nil {
		t.Fatal(err)
	}
	e := kept(t, train.Encoding())
	x, y := make([]float64, 1), make([]float64, 2)
	for reason, c := range map[string]struct {
		text    string
		targets bool
		told    string
	}{
		"as in training":    {"a,kind\n103,dog\n", true, "held out: nothing: all 1 sample are used"},
		"another order":     {"kind,a\ndog,103\n", true, "columns: columns were matched with those of the training table by name"},
		"more columns":      {"b,kind,a\n7,dog,103\n", true, "columns: column 1 (b), which the training table does not have, left out"},
		"no names":          {"103,dog\n", true, "columns: columns were matched with those of the training table by their order"},
		"without targets":   {"a\n103\n", false, ""},
		"targets not read":  {"kind,a\n?,103\n", false, ""},
		"without names too": {"103\n", false, ""},
		"decimal commas":    {"a;kind\n103,0;dog\n", true, "the comma is the decimal sign"},
	} {
		set, err := CSV{File: tableIn(t, c.text)}.LoadEncoded(e, c.targets)
		if err != nil {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		Fill(set, x, y, []int{0})
		if want := 100 / math.Sqrt(8./3); math.Abs(x[0]-want) > 1e-13*want || c.targets && y[1] != 1 || set.Len() != 1 {
			t.Errorf("%s: %v -> %v, want %v", reason, x, y, want)
		}
		if !strings.Contains(toldBy(set), c.told) {
			t.Errorf("%s: no %q in\n%s", reason, c.told, toldBy(set))
		}
	}
	for text, want := range map[string]string{
		"a,kind\n1,fox\n":     `line 2, column 2 (kind): no training sample is of the class "fox"; there are cat, dog`,
		"b,kind\n1,cat\n":     `no column "a", which the training table has; there are ["b" "kind"]`,
		"a\n1\n":              `no column "kind"`,
		"1,2,cat\n":           "3 columns, and the training table has 2",
		"a,kind\n1,2\n":       `no training sample is of the class "2"`,
		"a,a,kind\n1,2,cat\n": `two columns are called "a"`,
		"a,kind\nx,cat\n":     `line 2, column 1 (a): "x" is no number`,
		"a,kind\nNaN,cat\n":   "line 2, column 1 (a) is NaN",
	} {
		path := tableIn(t, text)
		if _, err := (CSV{File: path}).LoadEncoded(e, true); err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	// Names where numbers were learned are no labels of their own, and no numbers.
	for _, training := range []string{"a,y\n1,0\n3,1\n5,0\n", "a,y\n1,.5\n3,1.5\n5,.25\n"} {
		train, _, err := CSV{File: tableIn(t, training)}.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"a,y\n1,cat\n2,dog\n", "a,y\n1,0\n2,dog\n"} {
			if _, err := (CSV{File: tableIn(t, text)}).LoadEncoded(train.Encoding(), true); err == nil || !strings.Contains(err.Error(), "line ") {
				t.Errorf("%q after %q: %v", text, training, err)
			}
		}
	}
	if _, err := (CSV{File: "x"}).LoadEncoded(nil, true); err == nil || !strings.Contains(err.Error(), "is nil") {
		t.Errorf("%v", err)
	}
}

func TestEncoding_OfArraysRefusesOtherShapesAndLabels(t *testing.T) {
	x := [][]float64{{1, 2}, {3, 4}, {5, 7}, {6, 6}, {1, 1}}
	train, _, err := Arrays[float64]{Inputs: x, Labels: []int{0, 1, 2, 1, 0}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	e := kept(t, train.Encoding())
	for _, c := range []struct {
		source encoded
		want   string
	}{
		{Arrays[float64]{Inputs: [][]float64{{1, 2}}, Labels: []int{3}}, "Labels[0]: label 3, and the classes of the training data are 0..2"},
		{Arrays[float64]{Inputs: [][]float64{{1, 2, 3}}, Labels: []int{0}}, "inputs have the shape [3], and those of the training data [2]"},
		{Arrays[float64]{Inputs: [][]float64{{1, 2}}, Targets: [][]float64{{0, 1}}}, "2 targets, and those of the training data had 1"},
		{Arrays[float64]{Inputs: [][]float64{{1, 2}}}, "1 rows of Inputs and 0 of Targets"},
		{NumPy{File: npz(t, map[string][]byte{"x": float64s([]int{1, 3}, 1, 2, 3), "y": float64s([]int{1}, 0)})}, "x have the shape"[2:]},
		{NumPy{File: npz(t, map[string][]byte{"x": float64s([]int{1, 2}, 1, 2)})}, "no usual pair of arrays"},
	} {
		if _, err := c.source.LoadEncoded(e, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	// Pictures of bytes may come as a table.
	picture := npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2), }", []byte{0, 255, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	bytes, _, err := NumPy{File: npz(t, map[string][]byte{"x": picture, "y": float64s([]int{3}, 0, 1, 0)}), Prepare: Preparation{Task: Classification}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := CSV{File: tableIn(t, "0,255,3,4,0\n5,6,7,8,1\n")}.LoadEncoded(bytes.Encoding(), true)
	if err != nil || !slices.Equal(set.Pixels(0), []uint8{0, 255, 3, 4}) || set.Label(1) != 1 || set.Norm(0) != bytes.Norm(0) {
		t.Errorf("pictures of a table: %v", err)
	}
	// Inputs alone are enough to predict, in an archive, a folder or a file.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.npy"), float64s([]int{2, 2}, 1, 2, 3, 4))
	write(t, filepath.Join(dir, "z.npy"), float64s([]int{1, 2}, 1, 2))
	for path, n := range map[string]int{npz(t, map[string][]byte{"x": float64s([]int{1, 2}, 1, 2)}): 1, dir: 2, filepath.Join(dir, "x.npy"): 2, filepath.Join(dir, "z.npy"): 1,
		npz(t, map[string][]byte{"x_train": float64s([]int{1, 2}, 1, 2), "x_test": float64s([]int{2, 2}, 1, 2, 3, 4)}): 3} {
		set, err := NumPy{File: path}.LoadEncoded(e, false)
		if err != nil || set.Len() != n || set.Out() != 3 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// An encoding from a file is not trusted.
func TestEncoding_Validate(t *testing.T) {
	good := func() *Encoding {
		train, _, err := CSV{File: "testdata/irises.csv", Targets: []string{"species"}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		return kept(t, train.Encoding())
	}
	if e := good(); !slices.Equal(e.Inputs, []string{"sepal length", "petal, length", "kind"}) || !slices.Equal(e.InputColumns, []int{2, 3, 5}) || !slices.Equal(e.TargetColumns, []int{4}) ||
		e.Task != Classification || e.Classes != 3 || e.Columns != 5 {
		t.Errorf("%+v", e)
	}
	for want, spoil := range map[string]func(e *Encoding){
		"Shape":                     func(e *Encoding) { e.Shape = nil },
		"Shape is [-3]":             func(e *Encoding) { e.Shape = []int{-3} },
		"Axes":                      func(e *Encoding) { e.Axes = []int{2} },
		"InputScales are 2":         func(e *Encoding) { e.InputScales = e.InputScales[:2] },
		"InputScales[1]":            func(e *Encoding) { e.InputScales[1].Deviation = 0 },
		"finite Mean":               func(e *Encoding) { e.InputScales[2].Mean = math.NaN() },
		"Deviation above 0":         func(e *Encoding) { e.InputScales[2].Deviation = math.Inf(1) },
		"ClassNames are 4":          func(e *Encoding) { e.ClassNames = append(e.ClassNames, "z") },
		"sorted":                    func(e *Encoding) { slices.Reverse(e.ClassNames) },
		"Classes is 2":              func(e *Encoding) { e.Classes = 2 },
		"Task is 0":                 func(e *Encoding) { e.Task = Auto },
		"regression has no Classes": func(e *Encoding) { e.Task, e.TargetScales = Regression, make([]Scale, 3) },
		"Inputs are 1":              func(e *Encoding) { e.Inputs = e.Inputs[:1] },
		"column 9":                  func(e *Encoding) { e.InputColumns[0] = 9 },
		"column 4":                  func(e *Encoding) { e.InputColumns[0] = 4 },
		"Columns is 0":              func(e *Encoding) { e.Columns = 0 },
		"Norms are 1":               func(e *Encoding) { e.Norms = []Norm{{0, 1}} },
		"Bytes are of pictures":     func(e *Encoding) { e.Bytes, e.InputScales = true, nil },
		"Planes are of pictures":    func(e *Encoding) { e.Planes = true },
		"TargetScales are 1":        func(e *Encoding) { e.TargetScales = []Scale{{0, 1}} },
		"InputScales are 3, exp":    func(e *Encoding) { e.Raw = true },
		"Outputs is 0":              func(e *Encoding) { e.Outputs = 0 },
		"1073741824":                func(e *Encoding) { e.Shape = []int{1 << 20, 1 << 20, 3} },
		"TargetColumns are 2":       func(e *Encoding) { e.TargetColumns = []int{4, 1} },
	} {
		e := good()
		spoil(e)
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	var task Task
	if err := task.UnmarshalText([]byte("guess")); err == nil {
		t.Error("want an error")
	}
	if _, err := Task(9).MarshalText(); err == nil {
		t.Error("want an error")
	}
}
