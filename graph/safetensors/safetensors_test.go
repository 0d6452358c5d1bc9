package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadFile_OfPython reads what Python's safetensors wrote (testdata/README.md).
func TestReadFile_OfPython(t *testing.T) {
	f, err := ReadFile("testdata/python.safetensors")
	ok(t, err)
	want := map[string]Tensor{
		"block1/W": {"block1/W", []int{2, 3}, []float32{0, .25, .5, .75, 1, 1.25}},
		"block1/b": {"block1/b", []int{3}, []float64{-1, .1, 1e300}},
		"scalar":   {"scalar", []int{}, []float32{2.5}},
		"none":     {"none", []int{0, 3}, []float32{}},
		"bytes":    {"bytes", []int{3}, []byte{0, 255, 7}},
	}
	if len(f.Tensors) != len(want) {
		t.Errorf("%d tensors, want %d", len(f.Tensors), len(want))
	}
	for name, w := range want {
		if got := f.Tensor(name); got == nil {
			t.Errorf("no tensor %q", name)
		} else if diff := cmp.Diff(w, *got); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(map[string]string{"made by": "Python"}, f.Meta); diff != "" {
		t.Error(diff)
	}
	if f.Tensor("absent") != nil {
		t.Error("a tensor that is not there")
	}
}

// TestWriteFile_ReadsBack: all bits come back, those of NaNs and of a second write over the first too.
func TestWriteFile_ReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	long := make([]float32, 5000) // more than a piece
	for i := range long {
		long[i] = float32(i) / 3
	}
	f := &File{Meta: map[string]string{"quote\"": "line\nü"}, Tensors: []Tensor{
		{"b", []int{2}, []byte{1, 2}},
		{"long", []int{5000}, long},
		{"odd", []int{1, 3}, []float64{math.Inf(1), math.Copysign(0, -1), math.Float64frombits(0x7ff8000000000123)}},
	}}
	ok(t, WriteFile(path, &File{}))
	ok(t, WriteFile(path, f))
	got, err := ReadFile(path)
	ok(t, err)
	if len(got.Meta[SumKey]) != 64 || len(f.Meta) != 1 {
		t.Errorf("metadata %v, %v", got.Meta, f.Meta)
	}
	delete(got.Meta, SumKey)
	bits := cmp.Transformer("bits", math.Float64bits)
	for _, name := range []string{"b", "long", "odd"} {
		if diff := cmp.Diff(*f.Tensor(name), *got.Tensor(name), bits); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(f.Meta, got.Meta); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile(path)
	ok(t, err)
	if n := binary.LittleEndian.Uint64(text); n%8 != 0 {
		t.Errorf("the data begin at %d, want a multiple of 8", 8+n)
	} else if first := binary.LittleEndian.Uint64(text[8+n:]); first != math.Float64bits(math.Inf(1)) {
		t.Errorf("the data begin with %x, want the float64 first, so that all are aligned", first)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	ok(t, err)
	if len(left) != 1 {
		t.Errorf("%d files are left, want 1", len(left))
	}
}

// TestWriteFile_FailsWithoutHarm: what cannot be written leaves the file before.
func TestWriteFile_FailsWithoutHarm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	ok(t, WriteFile(path, &File{Tensors: []Tensor{{"a", []int{1}, []byte{9}}}}))
	for _, c := range []struct {
		tensors []Tensor
		want    string
	}{
		{[]Tensor{{"a", []int{2}, []byte{1}}}, "has 1 numbers: want 2"},
		{[]Tensor{{"a", []int{-1}, []byte{}}}, "no negative"},
		{[]Tensor{{"a", []int{1}, []int{1}}}, "is a []int"},
		{[]Tensor{{"a", []int{0}, []byte{}}, {"a", []int{0}, []byte{}}}, "two tensors are named"},
		{[]Tensor{{"__metadata__", []int{0}, []byte{}}}, "keeps for itself"},
	} {
		if err := WriteFile(path, &File{Tensors: c.tensors}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if err := WriteFile(filepath.Join(path, "b"), &File{}); err == nil {
		t.Error("written below a file")
	}
	f, err := ReadFile(path)
	if err != nil || f.Tensor("a").Data.([]byte)[0] != 9 {
		t.Error(f, err)
	}
}

// raw is a file of a header and data.
func raw(header, data string) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// TestRead_Refuses: what is wrong with a file, by hand.
func TestRead_Refuses(t *testing.T) {
	tensor := func(name, dtype, shape string, lo, hi uint64) string {
		return fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, shape, lo, hi)
	}
	good := "{" + tensor("a", "F32", "[1]", 0, 4) + "," + tensor("b", "F32", "[1]", 4, 8) + "}"
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "too few"},
		{"short", []byte("1234567"), "too few"},
		{"no header", raw("", ""), "does not begin with {"},
		{"header longer than the file", append(binary.LittleEndian.AppendUint64(nil, 10), "{}"...), "cut off"},
		{"header of 2^64-1", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...), "cut off"},
		{"header one too short", append(binary.LittleEndian.AppendUint64(nil, uint64(len(good)-1)), good+"12345678"...), "EOF"},
		{"header one too long", append(binary.LittleEndian.AppendUint64(nil, uint64(len(good)+1)), good+"12345678"...), "behind its end"},
		{"a zip", []byte("PK\x03\x04\x00\x00\x00\x00 and so on"), "not a safetensors file"},
		{"space first", raw(" {}", ""), "does not begin with {"},
		{"list", raw("[]", ""), "does not begin with {"},
		{"cut JSON", raw(`{"a":{"dtype":"F32"`, ""), "EOF"},
		{"text behind", raw("{}{}", ""), "behind its end"},
		{"truncated data", raw(good, "1234567"), "ends at byte 8 of the data, of which there are 7"},
		{"surplus data", raw(good, "123456789"), "end at byte 8 of the data, of which there are 9"},
		{"one name twice", raw("{"+tensor("a", "F32", "[1]", 0, 4)+","+tensor("a", "F32", "[1]", 4, 8)+"}", "12345678"), `two values are named "a"`},
		{"two metadata", raw(`{"__metadata__":{},"__metadata__":{}}`, ""), "two values"},
		{"metadata of numbers", raw(`{"__metadata__":{"a":1}}`, ""), "no string"},
		{"metadata no object", raw(`{"__metadata__":3}`, ""), "where an object should begin"},
		{"overlap", raw("{"+tensor("a", "F32", "[2]", 0, 8)+","+tensor("b", "F32", "[1]", 4, 8)+"}", "12345678"), "within \"a\""},
		{"the same bytes", raw("{"+tensor("a", "F32", "[1]", 0, 4)+","+tensor("b", "F32", "[1]", 0, 4)+"}", "1234"), "within \"a\""},
		{"gap", raw("{"+tensor("a", "F32", "[1]", 0, 4)+","+tensor("b", "F32", "[1]", 8, 12)+"}", "123456789012"), "belong to none"},
		{"gap at the front", raw("{"+tensor("a", "F32", "[1]", 4, 8)+"}", "12345678"), "belong to none"},
		{"backwards", raw("{"+tensor("a", "F32", "[1]", 4, 0)+"}", "1234"), "data_offsets [4,0]"},
		{"too many bytes", raw("{"+tensor("a", "F32", "[1]", 0, 8)+"}", "12345678"), "takes 4 bytes"},
		{"other dtype's bytes", raw("{"+tensor("a", "F64", "[1]", 0, 4)+"}", "1234"), "takes 8 bytes"},
		{"shape that overflows to 0", raw("{"+tensor("a", "F32", "[4294967296,4294967296]", 0, 0)+"}", ""), "overflows"},
		{"shape beyond int64", raw("{"+tensor("a", "F64", "[1152921504606846976]", 0, 0)+"}", ""), "overflows"},
		{"shape beyond uint64", raw("{"+tensor("a", "F32", "[18446744073709551616]", 0, 4)+"}", "1234"), "want a whole number"},
		{"negative shape", raw("{"+tensor("a", "F32", "[-1]", 0, 4)+"}", "1234"), "want a whole number"},
		{"broken shape", raw("{"+tensor("a", "F32", "[1.0]", 0, 4)+"}", "1234"), "want a whole number"},
		{"shape of text", raw("{"+tensor("a", "F32", `["1"]`, 0, 4)+"}", "1234"), "want a whole number"},
		{"shape no list", raw("{"+tensor("a", "F32", `1`, 0, 4)+"}", "1234"), "where a list should begin"},
		{"three offsets", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, "1234"), "two data_offsets"},
		{"no dtype", raw(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, "1234"), "want dtype"},
		{"dtype twice", raw(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"), "two values"},
		{"something else", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}`, "1234"), `unknown "more"`},
		{"half floats", raw("{"+tensor("a", "BF16", "[2]", 0, 4)+"}", "1234"), "dtype BF16"},
		{"wrong sum", raw(`{"__metadata__":{"sha256":"00"},`+good[1:], "12345678"), "damaged"},
	} {
		if f, err := Read(bytes.NewReader(c.file), int64(len(c.file))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", c.name, f, err, c.want)
		}
	}
	if _, err := Read(bytes.NewReader(raw(good+"   ", "12345678")), int64(len(good)+19)); err != nil {
		t.Error("a good file with spaces:", err)
	}
	swapped := "{" + tensor("b", "F32", "[1]", 4, 8) + "," + tensor("a", "F32", "[1]", 0, 4) + "}"
	if f, err := Read(bytes.NewReader(raw(swapped, "\x00\x00\x80\x3f\x00\x00\x00\x40")), int64(len(swapped)+16)); err != nil || f.Tensor("b").Data.([]float32)[0] != 2 {
		t.Error("tensors in another order than their data:", f, err)
	}
	if _, err := ReadFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error("a folder:", err)
	}
	if _, err := ReadFile("absent"); !os.IsNotExist(unwrapped(err)) {
		t.Error("no file:", err)
	}
}

func unwrapped(err error) error {
	for {
		u, is := err.(interface{ Unwrap() error })
		if !is || os.IsNotExist(err) {
			return err
		}
		err = u.Unwrap()
	}
}

// TestReadFile_NoticesEveryByte: any byte of a file changed, or any number of its last bytes cut off, is an error, but for
// spaces that stay spaces. (Whether by the header's rules or by the sum.)
func TestReadFile_NoticesEveryByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	ok(t, WriteFile(path, &File{Tensors: []Tensor{{"w", []int{2}, []float32{1, 2}}, {"v", []int{1}, []float64{3}}}}))
	text, err := os.ReadFile(path)
	ok(t, err)
	data := len(text) - 16
	for n := range text {
		if f, err := Read(bytes.NewReader(text[:n]), int64(n)); err == nil {
			t.Errorf("cut to %d bytes: %v", n, f)
		}
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[n] ^= 1 << bit
			f, err := Read(bytes.NewReader(bad), int64(len(bad)))
			// In the header, what changes and is still JSON is a name: of a tensor, or of the sum.
			if err == nil && (n >= data || f.Tensor("w") != nil && f.Tensor("v") != nil && f.Meta[SumKey] != "") {
				t.Errorf("byte %d, bit %d (%q): not noticed", n, bit, bad[max(0, n-8):min(len(bad), n+8)])
			}
		}
	}
}

// FuzzRead: no file makes it panic or allocate more than a few times its size, and what it reads can be written and read
// again, equal.
func FuzzRead(f *testing.F) {
	python, err := os.ReadFile("testdata/python.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(python)
	f.Add(raw(`{"__metadata__":{"a":"b"},"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}  `, "12"))
	f.Add(raw(`{"a":{"dtype":"F64","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, ""))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Read(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		delete(file.Meta, SumKey)
		var again bytes.Buffer
		ok(t, file.write(&again))
		got, err := Read(&again, int64(again.Len()))
		ok(t, err)
		if len(got.Tensors) != len(file.Tensors) {
			t.Fatalf("%d tensors of %d", len(got.Tensors), len(file.Tensors))
		}
		for _, want := range file.Tensors {
			if diff := cmp.Diff(want, *got.Tensor(want.Name), cmp.Transformer("bits", math.Float64bits), cmp.Transformer("bits32", math.Float32bits)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// TestRead_NullMetadata: null is taken for none, as Python's reader does; what is neither is refused.
func TestRead_NullMetadata(t *testing.T) {
	tensor := `"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`
	for _, header := range []string{`{"__metadata__":null,` + tensor, `{"__metadata__":{},` + tensor, `{` + tensor} {
		text := raw(header, "12")
		f, err := Read(bytes.NewReader(text), int64(len(text)))
		if err != nil || len(f.Meta) != 0 || string(f.Tensor("a").Data.([]byte)) != "12" {
			t.Errorf("%s: %v, error %v", header, f, err)
		}
	}
	for _, meta := range []string{`1`, `"a"`, `[]`, `true`, `{"a":null}`} {
		text := raw(`{"__metadata__":`+meta+`,`+tensor, "12")
		if _, err := Read(bytes.NewReader(text), int64(len(text))); err == nil {
			t.Errorf("metadata %s are accepted", meta)
		}
	}
	if err := WriteFile(filepath.Join(t.TempDir(), "a"), nil); err == nil || !strings.Contains(err.Error(), "nothing to write") {
		t.Errorf("no File: error %v", err)
	}
}
