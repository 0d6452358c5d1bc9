package data

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/internal/npy"
)

// npzOf opens a fixture.
func npzOf(t *testing.T, name string) *npy.Store {
	t.Helper()
	s, err := npy.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func opened(t *testing.T, s *npy.Store, name string) npy.Array {
	t.Helper()
	a, _, err := s.Array(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Oracle: NumPy wrote the same numbers in every dtype, byte order, memory order and version of the format; see testdata/make.py.
// They are read exactly.
func TestNPY_ReadsWhatNumPyWrites(t *testing.T) {
	plain, signed := []float64{0, 1, 2, 3, 100, 5}, []float64{0, -1, 2, 3, -100, 5}
	s := npzOf(t, "dtypes.npz")
	cube := make([]float64, 24)
	for i := range cube {
		cube[i] = float64(i)
	}
	seen := 0
	for _, name := range s.Names {
		a := opened(t, s, name)
		want, dims := plain, []int{2, 3}
		switch {
		case strings.HasPrefix(name, "signed"):
			want = signed
		case strings.HasPrefix(name, "cube"):
			want, dims = cube, []int{2, 3, 4}
		case name == "bool":
			want = []float64{0, 1, 1, 1, 0, 1}
		case name == "half": // 0.1 is 1638.25 quanta of 2^-14 in binary16, rounded to 1638
			want, dims = []float64{0, math.Copysign(0, -1), 1.5, -65504, math.Ldexp(1, -24), math.Ldexp(1, -14), math.Ldexp(1638, -14), math.Inf(1), math.Inf(-1)}, []int{9}
		}
		if !slices.Equal(a.Numbers(), want) || !slices.Equal(a.Dims, dims) {
			t.Errorf("%s: %v %v, want %v %v", name, a.Dims, a.Numbers(), dims, want)
		}
		if whole := !strings.Contains(name, "f") || strings.Contains(name, "u1"); whole != a.Whole && name != "cube fortran" {
			t.Errorf("%s: whole numbers by type: %v", name, a.Whole)
		}
		seen++
	}
	if seen != 26 {
		t.Errorf("%d arrays, want 26", seen)
	}
	v := npzOf(t, "versions.npz")
	for _, name := range []string{"version 1", "version 2", "version 3"} {
		if a := opened(t, v, name); !slices.Equal(a.Values, signed) {
			t.Errorf("%s: %v", name, a.Values)
		}
	}
}

// Oracle: numpy.transpose of the same pictures, which are of two colours more than rows, so that no axis can be mistaken.
func TestNumPy_PicturesWithChannelsFirst(t *testing.T) {
	s := npzOf(t, "pictures.npz")
	want := opened(t, s, "channels_last")
	for _, shape := range []Shape{{}, {Channels: 3, Height: 2, Width: 5}} {
		train, test, err := NumPy{File: "testdata/pictures.npz", Prepare: Preparation{Shape: shape, HeldOut: .25, Seed: 5}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(train.InShape(), []int{2, 5, 3}) || train.Shape() != (Shape{Channels: 3, Height: 2, Width: 5}) || train.Len() != 3 || test.Len() != 1 || train.Classes() != 2 {
			t.Errorf("%v, %d + %d samples, %d classes", train.InShape(), train.Len(), test.Len(), train.Classes())
		}
		found := make(map[int]bool)
		for _, set := range []*Set{train, test} {
			for i := range set.Len() {
				for k := range 4 {
					if slices.Equal(set.Pixels(i), row(want.Bytes, 30, k)) {
						found[k] = true
						if set.Label(i) != []int{0, 1, 1, 0}[k] {
							t.Errorf("picture %d has label %d", k, set.Label(i))
						}
					}
				}
			}
		}
		if len(found) != 4 {
			t.Errorf("of the pictures these are there: %v", found)
		}
	}
	_, _, err := NumPy{File: "testdata/pictures.npz", Prepare: Preparation{Shape: Shape{Channels: 1, Height: 2, Width: 5}}}.Load()
	if err == nil || !strings.Contains(err.Error(), "which is 10 numbers, and inputs have 30") {
		t.Errorf("a shape that does not fit: %v", err)
	}
}

// Oracle: the numbers that were saved, see testdata/make.py.
func TestNumPy_PartsOfAnArchive(t *testing.T) {
	train, test, err := NumPy{File: "testdata/parts.npz", Prepare: Preparation{Raw: true}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	x, y := make([]float64, 8), make([]float64, 12)
	Fill(train, x, y, []int{0, 1, 2, 3})
	if !slices.Equal(x, []float64{-1, -.75, -.5, -.25, 0, .25, .5, .75}) || !slices.Equal(y, []float64{1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0}) {
		t.Errorf("training part %v %v", x, y)
	}
	Fill(test, x[:4], y[:6], []int{0, 1})
	if !slices.Equal(x[:4], []float64{1, 1.25, 1.5, 1.75}) || !slices.Equal(y[:6], []float64{1, 0, 0, 0, 0, 1}) {
		t.Errorf("test part %v %v", x[:4], y[:6])
	}
	if train.Name != "parts train" || test.Name != "parts test" || len(train.Files) != 1 || len(train.Files[0].SHA256) != 64 {
		t.Errorf("%q %q %v", train.Name, test.Name, train.Files)
	}
	train, _, err = NumPy{File: "testdata/parts.npz", Keys: Keys{Inputs: "x_test", Targets: "x_test"}}.Load()
	if err != nil || train.Classes() != 0 || train.Out() != 2 {
		t.Errorf("other keys, real targets: %v, %d classes", err, train.Classes())
	}
}

// Oracle: npyio, another writer. A folder, and each way to name it.
func TestNumPy_ReadsWhatNpyioWrites(t *testing.T) {
	for _, file := range []string{"testdata/npyio", "testdata/npyio/x.npy"} {
		train, test, err := NumPy{File: file, Prepare: Preparation{Raw: true}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[[3]float64]bool)
		for _, set := range []*Set{train, test} {
			for i := range set.Len() {
				x := make([]float64, 2)
				Fill(set, x, nil, []int{i})
				got[[3]float64{x[0], x[1], float64(set.Label(i))}] = true
			}
		}
		for _, want := range [][3]float64{{0, .5, 1}, {1, -1.5, 0}, {2, 2.5, 1}, {3, -3.5, 0}, {4, 4.5, 1}} {
			if !got[want] {
				t.Errorf("%s: no sample %v in %v", file, want, got)
			}
		}
		if train.Len() != 4 || test.Len() != 1 || len(train.Files) != 2 {
			t.Errorf("%d + %d samples, files %v", train.Len(), test.Len(), train.Files)
		}
	}
}

// Of several pairs in a folder, the usual order decides, or the file that was given; the test part belongs to x as well as to x_train.
func TestNumPy_WhichPairOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for name, v := range map[string]float64{"x": 1, "y": 2, "x_train": 3, "y_train": 4, "x_test": 5, "y_test": 6, "a": 7} {
		write(t, filepath.Join(dir, name+".npy"), float64s([]int{2}, v, v))
	}
	for _, c := range []struct {
		file        string
		keys        Keys
		x, y, xTest float64
	}{
		{file: dir, x: 3, y: 4, xTest: 5},
		{file: filepath.Join(dir, "x_train.npy"), x: 3, y: 4, xTest: 5},
		{file: filepath.Join(dir, "x.npy"), x: 1, y: 2, xTest: 5},
		{file: dir, keys: Keys{Inputs: "a", Targets: "y"}, x: 7, y: 2, xTest: 7},
		{file: dir, keys: Keys{"a", "y", "x", "y"}, x: 7, y: 2, xTest: 1},
	} {
		train, test, err := NumPy{File: c.file, Keys: c.keys, Prepare: Preparation{Raw: true}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		var x, y, held [1]float64
		Fill(train, x[:], y[:], []int{0})
		Fill(test, held[:], nil, []int{0})
		if x[0] != c.x || y[0] != c.y || held[0] != c.xTest {
			t.Errorf("%s %v: %v -> %v, test %v", c.file, c.keys, x, y, held)
		}
	}
	if _, _, err := (NumPy{File: filepath.Join(dir, "a.npy")}).Load(); err == nil || !strings.Contains(err.Error(), "give Keys") {
		t.Errorf("%v", err)
	}
}

// npy writes an array as numpy.save does.
func npyFile(header string, body []byte) []byte {
	b := append([]byte("\x93NUMPY"), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), body...)
}

// float64s is an array of numbers.
func float64s(dims []int, values ...float64) []byte {
	shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(dims), " ", ","), "[]")
	b, _ := binary.Append(nil, binary.LittleEndian, values)
	return npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': ("+shape+",), }\n", b)
}

// npz packs arrays.
func npz(t testing.TB, arrays map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, body := range arrays {
		w, err := z.Create(name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "set.npz")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNumPy_ErrorsSayFilePlaceAndRemedy(t *testing.T) {
	x, y := float64s([]int{3, 2}, 1, 2, 3, 4, 5, 6), float64s([]int{3}, 0, 1, 1)
	nan := float64s([]int{3, 2}, 1, 2, 3, math.NaN(), 5, 6)
	header := func(shape string) []byte {
		return npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': "+shape+", }", make([]byte, 48))
	}
	for _, c := range []struct {
		arrays  map[string][]byte
		keys    Keys
		prepare Preparation
		want    string
		remedy  string
	}{
		{arrays: map[string][]byte{"x": x}, want: "there are x", remedy: "give Keys"},
		{arrays: map[string][]byte{}, want: "there are no arrays", remedy: "give Keys"},
		{arrays: map[string][]byte{"x": x, "y": y}, keys: Keys{Inputs: "a", Targets: "y"}, want: `no array "a"; there are x, y`, remedy: "other Keys"},
		{arrays: map[string][]byte{"x": x, "y": y}, keys: Keys{Inputs: "x"}, want: "Keys are", remedy: "give Inputs and Targets"},
		{arrays: map[string][]byte{"x": x, "y": y, "x_test": x}, want: "x_test and y_test one is missing", remedy: "add it"},
		{arrays: map[string][]byte{"x": nan, "y": y}, want: "x: row 1, column 1 is NaN", remedy: "finite"},
		{arrays: map[string][]byte{"x": x, "y": float64s([]int{3}, 0, math.Inf(-1), 1)}, want: "y: row 1 is -Inf", remedy: "finite"},
		{arrays: map[string][]byte{"x": float64s([]int{3}, 1, 2, 1e39), "y": y}, want: "x: row 2, column 0 is 1e+39", remedy: "float32"},
		{arrays: map[string][]byte{"x": x, "y": float64s([]int{2}, 0, 1)}, want: "x has shape [3 2] and y [2]", remedy: "as many targets"},
		{arrays: map[string][]byte{"x": x, "y": y}, prepare: Preparation{Task: Classification, Classes: 1}, want: "y: row 1: label 1, expected a whole number in 0..0", remedy: "Regression"},
		{arrays: map[string][]byte{"x": x, "y": float64s([]int{3}, 0, 1.5, 1)}, prepare: Preparation{Task: Classification}, want: "y: row 1: label 1.5", remedy: "correct it"},
		{arrays: map[string][]byte{"x": x, "y": float64s([]int{3}, 0, -1, 1)}, prepare: Preparation{Task: Classification}, want: "y: row 1: label -1", remedy: "correct it"},
		{arrays: map[string][]byte{"x": x, "y": x}, prepare: Preparation{Task: Classification}, want: "y: row 0, column 0: the row is not one-hot", remedy: "one label"},
		{arrays: map[string][]byte{"x": x, "y": float64s([]int{3, 1, 1}, 0, 1, 1)}, want: "y has shape [3 1 1]", remedy: "reshape"},
		{arrays: map[string][]byte{"x": float64s([]int{3, 1, 1, 1, 2}, 1, 2, 3, 4, 5, 6), "y": y}, want: "inputs have axes [1 1 1 2]", remedy: "reshape"},
		{arrays: map[string][]byte{"x": x[:len(x)-1], "y": y}, want: "offset 8: shape [3 2] of dtype <f8 wants 48 bytes, and 47 can follow", remedy: "save it again"},
		{arrays: map[string][]byte{"x": append(slices.Clone(x), 0), "y": y}, want: "trailing bytes", remedy: "save it again"},
		{arrays: map[string][]byte{"x": header("(3, 1000000)"), "y": y}, want: "wants 24000000 bytes", remedy: "save it again"},
		{arrays: map[string][]byte{"x": header("(1000000000, 1000000000)"), "y": y}, want: "of more than 1073741824 elements", remedy: "save a part"},
		{arrays: map[string][]byte{"x": header("(1000000000000000000000,)"), "y": y}, want: "expected at most 32 axes", remedy: "save it again"},
		{arrays: map[string][]byte{"x": header("(-3, 2)"), "y": y}, want: "expected at most 32 axes", remedy: "save it again"},
		{arrays: map[string][]byte{"x": x[:30], "y": y}, want: "in the header", remedy: "save it again"},
		{arrays: map[string][]byte{"x": []byte("PK"), "y": y}, want: "no array of NumPy", remedy: "save it again"},
		{arrays: map[string][]byte{"x": x, "y": y}, prepare: Preparation{HeldOut: .9}, want: "leave none to learn from", remedy: "HeldOut"},
		{arrays: map[string][]byte{"x": x, "y": y}, prepare: Preparation{HeldOut: 1}, want: "HeldOut is 1", remedy: "fraction"},
	} {
		path := npz(t, c.arrays)
		_, _, err := NumPy{File: path, Keys: c.keys, Prepare: c.prepare}.Load()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.remedy) ||
			strings.Count(err.Error(), path) > 1 || !strings.Contains(err.Error(), path) && !strings.Contains(c.want, "HeldOut is") {
			t.Errorf("%v, want once the path, %q, and %q", err, c.want, c.remedy)
		}
	}
	s := npzOf(t, "refused.npz")
	for name, want := range map[string]string{"objects": "pickled objects", "text": "numpy.unique", "bytes": "of text", "complex": "complex",
		"fields": "has fields", "dates": `dtype "<M8[D]" is not read`, "empty": "holds nothing", "long": `dtype "<f16"`} {
		if _, _, err := s.Array(name); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "testdata/refused.npz: "+name) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, err := arraysOf(s, "scalar", "scalar"); err == nil || !strings.Contains(err.Error(), "single number") {
		t.Errorf("a number as inputs: %v", err)
	}
	for file, want := range map[string]string{"": "File is empty", "nosuch.npz": "nosuch.npz: no such file", "testdata/make.py": "no archive of NumPy"} {
		if _, _, err := (NumPy{File: file}).Load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
}

// A header may promise what it likes, and so may an archive about its members: what is allocated is bounded by the file. The bound
// of a megabyte leaves room for the buffers of zip and the checksum.
func TestNPY_LyingHeaderAllocatesNothing(t *testing.T) {
	big := npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': (200000000,), }", make([]byte, 8))
	path := npz(t, map[string][]byte{"x": big, "y": big})
	bytesOf := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := bytesOf(func() {
		if _, _, err := (NumPy{File: path}).Load(); err == nil {
			t.Error("want an error")
		}
	}); n > 1<<20 {
		t.Errorf("allocated %d bytes", n)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at+46 < len(file); at++ { // the directory of the archive: a member of 2 GB
		if bytes.HasPrefix(file[at:], []byte("PK\x01\x02")) {
			binary.LittleEndian.PutUint32(file[at+24:], 1<<31)
		}
	}
	if n := bytesOf(func() {
		s, err := npy.In(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Array("x"); err == nil || !strings.Contains(err.Error(), "can follow at most") {
			t.Errorf("%v", err)
		}
	}); n > 1<<20 {
		t.Errorf("allocated %d bytes", n)
	}
}

// FuzzNPZ: whatever the archive, there is an error or a set that can be filled. The archive is made of two arrays, which are small, so
// that the fuzzer has few bytes to change and to leave out, and one byte of it is changed.
func FuzzNPZ(f *testing.F) {
	x, y := float64s([]int{3, 2}, 1, 2, 3, 4, 5, 6), npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", []byte{0, 1, 1})
	pictures := npyFile("{'descr': '|u1', 'fortran_order': True, 'shape': (3, 1, 2, 5), }", make([]byte, 30))
	f.Add(x, y, "x", "y", false, 0, byte(0))
	f.Add(x, x, "x_train", "y_train", true, 70, byte(1))
	f.Add(pictures, y, "images", "labels", false, 300, byte(255))
	f.Add(y, y, "x", "x_test", false, -30, byte(3))
	var deflate *flate.Writer
	f.Fuzz(func(t *testing.T, x, y []byte, inputs, targets string, packed bool, at int, flip byte) {
		if len(x) > 2000 || len(y) > 2000 {
			return
		}
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { // makes tables of a megabyte: one for all
			if deflate == nil {
				var err error
				if deflate, err = flate.NewWriter(w, flate.BestSpeed); err != nil {
					return nil, err
				}
			}
			deflate.Reset(w)
			return deflate, nil
		})
		for k, body := range [][]byte{x, y} {
			method := zip.Store
			if packed {
				method = zip.Deflate
			}
			w, err := z.CreateHeader(&zip.FileHeader{Name: []string{inputs, targets}[k] + ".npy", Method: method})
			if err != nil {
				return
			}
			w.Write(body)
		}
		z.Close()
		file := b.Bytes()
		if at %= len(file); at < 0 { // from the end, where the directory is
			at += len(file)
		}
		file[at] ^= flip
		store, err := npy.In(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		store.Path = "set.npz"
		train, test, err := NumPy{File: store.Path}.sets(store)
		if err == nil {
			fillAll(t, train, test)
		}
	})
}

// fillAll fails unless every sample is finite numbers and, of classes, one-hot.
func fillAll(t *testing.T, sets ...*Set) {
	t.Helper()
	for _, s := range sets {
		x, y := make([]float32, s.In()), make([]float32, s.Out())
		for i := range s.Len() {
			Fill(s, x, y, []int{i})
			for _, v := range slices.Concat(x, y) {
				if !(math.Abs(float64(v)) <= math.MaxFloat32) {
					t.Fatalf("sample %d: %v -> %v", i, x, y)
				}
			}
			if s.Classes() > 0 && y[s.Label(i)] != 1 {
				t.Fatalf("sample %d: label %d, %v", i, s.Label(i), y)
			}
		}
	}
}
