package mupc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"math"
	"os"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/optim"
)

// A checkpoint is a training on disk: a line of JSON with its length in front, the weights and both moments of Adam as
// little-endian float32, and the CRC-32 of it all. The file is replaced in one step, so there is always a whole one.
type checkpoint struct {
	file    string
	setup   Setup
	weights *graph.Vector[float32]
	adam    optim.State[float32]
}

// A header is the JSON of a checkpoint.
type header struct {
	Setup   Setup
	State   state
	Weights int
	Adam    int // steps
}

// slabs are all numbers of a checkpoint.
func (c *checkpoint) slabs() [][]float32 {
	return append([][]float32{c.weights.Data()}, c.adam.Slots...)
}

// save writes the file.
func (c *checkpoint) save(s state) error {
	text, err := json.Marshal(header{c.setup, s, len(c.weights.Data()), *c.adam.Steps})
	if err != nil {
		return err
	}
	f, err := os.Create(c.file + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	sum := crc32.NewIEEE()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	binary.Write(w, binary.LittleEndian, uint32(len(text)))
	w.Write(text)
	var word [4]byte
	for _, slab := range c.slabs() {
		for _, v := range slab {
			binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
			w.Write(word[:])
		}
	}
	if err := w.Flush(); err != nil { // with the first error of all writes
		return err
	}
	if err := binary.Write(f, binary.LittleEndian, sum.Sum32()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(c.file+".new", c.file)
}

// load reads the file into s, the weights and the optimiser. A file that is not there, damaged or of another setup leaves
// them at the start: then the training begins anew, with the same result.
func (c *checkpoint) load(s *state) error {
	f, err := os.Open(c.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if whole(f) != nil {
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 1<<20)
	var length uint32
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return err
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	var h header
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&h) != nil || h.Setup != c.setup || h.Weights != len(c.weights.Data()) {
		return nil
	}
	var word [4]byte
	for _, slab := range c.slabs() {
		for i := range slab {
			if _, err := io.ReadFull(r, word[:]); err != nil {
				return err
			}
			slab[i] = math.Float32frombits(binary.LittleEndian.Uint32(word[:]))
		}
	}
	*s, *c.adam.Steps = h.State, h.Adam
	c.weights.Touch()
	return nil
}

// whole checks the sum at the end of a checkpoint.
func whole(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := crc32.NewIEEE()
	if _, err := io.CopyN(sum, bufio.NewReaderSize(f, 1<<20), info.Size()-4); err != nil {
		return err
	}
	var want uint32
	if _, err := f.Seek(-4, io.SeekEnd); err != nil {
		return err
	}
	if err := binary.Read(f, binary.LittleEndian, &want); err != nil {
		return err
	}
	if sum.Sum32() != want {
		return errors.New("damaged")
	}
	return nil
}
