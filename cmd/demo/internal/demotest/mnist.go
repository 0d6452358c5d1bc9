// Package demotest holds what the tests of several commands need.
package demotest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Main runs a package's tests with a small data set in MNIST's place, and returns the exit code. The
// set has 600 training and 200 test pictures of 28 by 28 pixels, a bright block for each of ten classes: it is read in a hundredth of
// MNIST's time.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mnist")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for i, part := range []struct {
		name  string
		count int
	}{{"train", 600}, {"t10k", 200}} {
		images, labels := pictures(uint64(i), part.count)
		for name, content := range map[string][]byte{part.name + "-images-idx3-ubyte": images, part.name + "-labels-idx1-ubyte": labels} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				panic(err)
			}
		}
	}
	os.Setenv("PCGRAPH_MNIST", dir)
	return m.Run()
}

// pictures are the contents of two IDX files.
func pictures(seed uint64, count int) (images, labels []byte) {
	const side = 28
	var x, y bytes.Buffer
	binary.Write(&x, binary.BigEndian, []uint32{0x803, uint32(count), side, side})
	binary.Write(&y, binary.BigEndian, []uint32{0x801, uint32(count)})
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range count {
		class := i % 10
		for row := range side {
			for column := range side {
				v := r.IntN(40)
				if row/6 == class%4 && column/6 == class/4 {
					v += 200
				}
				x.WriteByte(byte(v))
			}
		}
		y.WriteByte(byte(class))
	}
	return x.Bytes(), y.Bytes()
}
