package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// everything has every kind of attribute and tensor.
func everything() *Model {
	return &Model{IR: IRVersion, Opset: Opset, Producer: "a test", Version: "1", Doc: "doc", Meta: map[string]string{"a": "1", "b": "zwei", "c": ""},
		Graph: Graph{Name: "g",
			Nodes: []Node{
				{Name: "n1", Op: "Clip", In: []string{"x", "", "t1"}, Out: []string{"y"}, Attrs: []Attr{
					Float("f", -1.5), Int("i", -3), Ints("is", 1, -2, 300), Text("s", "é"), {Name: "fs", Type: FloatsAttr, Floats: []float32{1, 2}},
					{Name: "t", Type: TensorAttr, Tensor: &Tensor{Name: "inner", Shape: []int{2}, Data: []float32{3, 4}}}}},
				{Name: "n2", Op: "Own", Domain: "my.own", In: []string{"y"}, Out: []string{"z", "u"}},
			},
			Inputs:  []Value{{Name: "x", Type: Float32, Shape: []Dim{{Name: "N"}, {Size: 3}}}},
			Outputs: []Value{{Name: "z", Type: Float32, Shape: []Dim{{Name: "N"}}}},
			Tensors: []Tensor{
				{Name: "t1", Shape: []int{2, 2}, Data: []float32{1, float32(math.Inf(1)), -0.5, math.MaxFloat32}},
				{Name: "t2", Data: []float64{math.Pi}},
				{Name: "t3", Shape: []int{3}, Data: []int64{-1, 0, math.MaxInt64}},
				{Name: "t4", Shape: []int{1, 2}, Data: []int32{-7, 7}},
				{Name: "t5", Shape: []int{2}, Data: []bool{true, false}},
				{Name: "t6", Shape: []int{0, 4}, Data: []float32{}},
				{Name: "t7", Shape: []int{600}, Data: make([]float32, 600)},
			}}}
}

func TestMarshal_GivesBackWhatItWasGiven(t *testing.T) {
	text, err := Marshal(everything())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	got.domains = nil
	if want := everything(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	again, err := Marshal(got)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("a second encoding differs, error %v", err)
	}
}

// TestMarshal_IsTheEncodingOfProtobuf: the bytes of a small model, written out by hand from onnx.proto.
func TestMarshal_IsTheEncodingOfProtobuf(t *testing.T) {
	text, err := Marshal(&Model{IR: 9, Opset: 20, Graph: Graph{Name: "g", Nodes: []Node{{Op: "Relu", In: []string{"x"}, Out: []string{"y"}}}}})
	want := "\x08\x09" + // ir_version 9
		"\x3a\x11" + "\x0a\x0c" + "\x0a\x01x" + "\x12\x01y" + "\x22\x04Relu" + "\x12\x01g" + // graph: node, name
		"\x42\x02" + "\x10\x14" // opset_import: version 20
	if err != nil || string(text) != want {
		t.Errorf("got  %q, error %v\nwant %q", text, err, want)
	}
}

func TestFile_WeightsBesideAreThoseWithin(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	if err := WriteFile(path, everything(), true); err != nil {
		t.Fatal(err)
	}
	apart, err := filepath.Glob(filepath.Join(dir, "m.onnx.*.data"))
	if err != nil || len(apart) != 1 {
		t.Fatalf("files beside the model: %v, %v", apart, err)
	}
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got.domains = nil
	if !reflect.DeepEqual(got, everything()) {
		t.Errorf("got %+v", got)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unmarshal(text); err == nil || !strings.Contains(err.Error(), "t7") || !strings.Contains(err.Error(), "ReadFile") {
		t.Errorf("without its file: %v", err)
	}
	if err := os.Truncate(apart[0], 100); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("with a file that is cut off: %v", err)
	}
}

func TestUnmarshal_RefusesWhatIsDamaged(t *testing.T) {
	text, err := Marshal(everything())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(text) {
		if m, err := Unmarshal(text[:n]); err == nil && len(m.Graph.Tensors) == 7 && n < len(text)-60 { // what comes behind the graph may be missing
			t.Errorf("cut to %d bytes: no error", n)
		}
	}
	// model of a graph of one tensor with these fields
	tensor := func(fields ...byte) []byte {
		graph := append([]byte{0x2a, byte(len(fields))}, fields...)
		return append([]byte{0x3a, byte(len(graph))}, graph...)
	}
	huge := binary.AppendUvarint(nil, 1<<40)
	for _, c := range []struct {
		why  string
		text []byte
		says string
	}{
		{"nothing", nil, "0 graphs"},
		{"text", []byte("hello, I am no model"), "no ONNX model"},
		{"a huge dimension", tensor(append(append([]byte{0x08}, huge...), 0x10, 0x01)...), "at most"},
		{"dimensions whose product is huge", tensor(0x08, 0xff, 0xff, 0xff, 0x07, 0x08, 0xff, 0xff, 0xff, 0x07, 0x08, 0xff, 0xff, 0xff, 0x07, 0x10, 0x01), "at most"},
		{"a negative dimension", tensor(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x10, 0x01), "zero or more"},
		{"fewer data than the shape", tensor(0x08, 0x7f, 0x10, 0x01, 0x4a, 0x04, 0, 0, 0, 0), "bytes of data"},
		{"no data", tensor(0x08, 0x7f, 0x10, 0x01), "shape [127]"},
		{"float16", tensor(0x10, 0x0a, 0x4a, 0x02, 0, 0), "float16"},
		{"a type that there is not", tensor(0x10, 0x63), "unknown type (99)"},
		{"data outside of the folder", tensor(0x10, 0x01, 0x6a, 0x11, 0x0a, 0x08, 'l', 'o', 'c', 'a', 't', 'i', 'o', 'n', 0x12, 0x05, '.', '.', '/', 'a', 'b', 0x70, 0x01), "folder of the model"},
	} {
		if _, err := Unmarshal(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", c.why, err, c.says)
		}
	}
	if _, err := Marshal(&Model{Graph: Graph{Tensors: []Tensor{{Name: "w", Shape: []int{3}, Data: []float32{1}}}}}); err == nil || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("a tensor of another size is written: %v", err)
	}
}

// FuzzUnmarshal: whatever the bytes, there is an error or a model that is the same when it is written and read again.
func FuzzUnmarshal(f *testing.F) {
	text, err := Marshal(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Unmarshal(text)
		if err != nil {
			return
		}
		again, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Unmarshal(again); err != nil {
			t.Fatal(err)
		}
	})
}
