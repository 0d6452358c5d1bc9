package safetensors

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
)

// An entry is what the header says of a tensor.
type entry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// WriteFile writes f in place of the file path, which holds either all of the old or all of the new at any time: the new is
// written to path + ".new" and synced to the disk before it takes the name. Two processes must not write one path at once.
func WriteFile(path string, f *File) error {
	if err := f.validate(); err != nil {
		return errors.Wrapf(err, "safetensors: write %s", path)
	}
	return errors.WithMessage(atomicfile.Write(path, f.write), "safetensors")
}

// write writes the three parts.
func (f *File) write(to io.Writer) error {
	// Wider elements come first, as in files that Python writes: each then begins at a multiple of its size.
	order := slices.Clone(f.Tensors)
	slices.SortStableFunc(order, func(a, b Tensor) int {
		_, sa, _ := dtype(a.Data)
		_, sb, _ := dtype(b.Data)
		return sb - sa
	})
	sum := sha256.New()
	for _, t := range order {
		writeData(sum, t.Data)
	}
	meta := maps.Clone(f.Meta)
	if meta == nil {
		meta = make(map[string]string)
	}
	meta[SumKey] = hex.EncodeToString(sum.Sum(nil))
	header, err := headerOf(meta, order)
	if err != nil {
		return err
	}
	if len(header) > maxHeader {
		return errors.Errorf("a header of %d bytes: readers take %d at most: write fewer tensors or less metadata", len(header), maxHeader)
	}
	w := bufio.NewWriterSize(to, 1<<20)
	binary.Write(w, binary.LittleEndian, uint64(len(header)))
	w.Write(header)
	for _, t := range order {
		writeData(w, t.Data)
	}
	return w.Flush() // with the first error of all
}

// headerOf is the JSON, filled up with spaces so that the data begin at a multiple of 8.
func headerOf(meta map[string]string, order []Tensor) ([]byte, error) {
	var b bytes.Buffer
	put := func(name string, value any) error {
		if b.Len() == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		text, err := json.Marshal(value)
		b.Write(key)
		b.WriteByte(':')
		b.Write(text)
		return err
	}
	if err := put(metaKey, meta); err != nil {
		return nil, err
	}
	at := uint64(0)
	for _, t := range order {
		name, size, n := dtype(t.Data)
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		end := at + uint64(n)*uint64(size)
		if err := put(t.Name, entry{DType: name, Shape: shape, Offsets: [2]uint64{at, end}}); err != nil {
			return nil, err
		}
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	return b.Bytes(), nil
}

// writeData writes the elements, little-endian; w keeps its first error.
func writeData(w io.Writer, data any) {
	var piece [4096]byte
	switch d := data.(type) {
	case []byte:
		w.Write(d)
	case []float32:
		for len(d) > 0 {
			n := min(len(d), len(piece)/4)
			for i, v := range d[:n] {
				binary.LittleEndian.PutUint32(piece[4*i:], math.Float32bits(v))
			}
			w.Write(piece[:4*n])
			d = d[n:]
		}
	case []float64:
		for len(d) > 0 {
			n := min(len(d), len(piece)/8)
			for i, v := range d[:n] {
				binary.LittleEndian.PutUint64(piece[8*i:], math.Float64bits(v))
			}
			w.Write(piece[:8*n])
			d = d[n:]
		}
	}
}
