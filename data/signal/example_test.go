package signal_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/data/signal"
)

func ExampleRead() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mixtures.csv")
	os.WriteFile(path, []byte("left,right\n0.5,0.25\n-1,0.5\n"), 0o644)
	s, err := signal.Read(path)
	fmt.Println(s.Kind, s.Samples, s.Channels, s.Names, s.Values, err)
	// Output: table 2 2 [left right] [0.5 0.25 -1 0.5] <nil>
}

func ExampleSignal_Write() {
	s := &signal.Signal{Kind: signal.Sound, Rate: 8000, Encoding: signal.PCM16}
	tone := []float64{0, 2, 0, -2}
	s.Fit(tone)
	var file bytes.Buffer
	err := s.Write(&file, tone, 1, nil)
	fmt.Println(tone, file.Len(), err)
	// Output: [0 0.9 0 -0.9] 52 <nil>
}

func ExampleFrames() {
	var stream bytes.Buffer
	w := signal.NewFrameWriter(&stream, signal.Float32, 2)
	w.Write([]float64{.5, -.25})
	w.Flush()
	frames, sample := signal.NewFrames(&stream, signal.Float32, 2), make([]float64, 2)
	for frames.Next(sample) != io.EOF {
		fmt.Println(sample)
	}
	// Output: [0.5 -0.25]
}
