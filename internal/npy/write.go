package npy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// Write writes numbers, row-major, as an array of float64 of the given shape.
func Write(w io.Writer, dims []int, values []float64) error {
	shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(dims), " ", ", "), "[]")
	if len(dims) == 1 {
		shape += ","
	}
	dict := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }", shape)
	const unit = 64 // the elements begin at a multiple of it
	long := prefixLen + 2 + len(dict) + 1
	dict += strings.Repeat(" ", (unit-long%unit)%unit) + "\n"
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(magic + "\x01\x00")
	out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(dict))))
	out.WriteString(dict)
	var number [8]byte
	for _, v := range values {
		binary.LittleEndian.PutUint64(number[:], math.Float64bits(v))
		out.Write(number[:])
	}
	return out.Flush()
}
