package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzNPY: what is accepted is as many numbers as the shape says, and reads back the same once it is written as float64.
func FuzzNPY(f *testing.F) {
	f.Add(float64s([]int{3, 2}, 1, 2, 3, 4, 5, 6))
	f.Add(arrayFile("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", []byte{1, 2, 3, 4, 5, 6}))
	f.Add(arrayFile(`{"shape": (2L,), "descr": '>f2', 'fortran_order': False}`, []byte{1, 2, 3, 4}))
	f.Add(arrayFile("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", nil))
	f.Add(arrayFile("{'descr': '<', 'fortran_order': False, 'shape': ()}", nil))
	f.Add([]byte("\x93NUMPY\x03\x00\xff\xff\xff\xff"))
	f.Add([]byte("\x93NUMPY\x02"))
	for _, name := range []string{"x", "y"} {
		stored, err := os.ReadFile(filepath.Join("..", "..", "data", "testdata", "npyio", name+".npy"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		a, err := Read(bytes.NewReader(stored), int64(len(stored)))
		if err != nil {
			return
		}
		v := a.Numbers()
		product := 1
		for _, d := range a.Dims {
			product *= d
		}
		if len(v) != product || len(v) > len(stored) {
			t.Fatalf("%d numbers of shape %v", len(v), a.Dims)
		}
		if len(a.Dims) == 0 {
			return
		}
		again := float64s(a.Dims, v...)
		b, err := Read(bytes.NewReader(again), int64(len(again)))
		if err != nil || !slices.EqualFunc(v, b.Values, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y }) {
			t.Errorf("%v: %v became %v", err, v, b.Values)
		}
	})
}

// arrayFile is an array as numpy.save writes it.
func arrayFile(header string, body []byte) []byte {
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), body...)
}

// float64s is an array of numbers.
func float64s(dims []int, values ...float64) []byte {
	shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(dims), " ", ","), "[]")
	b, _ := binary.Append(nil, binary.LittleEndian, values)
	return arrayFile("{'descr': '<f8', 'fortran_order': False, 'shape': ("+shape+",), }\n", b)
}
