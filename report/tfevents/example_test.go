package tfevents_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/report/tfevents"
)

// A run that TensorBoard shows as "PC": tensorboard --logdir of the folder above.
func ExampleWriter() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	w, err := tfevents.Create(filepath.Join(dir, "PC"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for step := 1; step <= 3; step++ {
		w.Scalar("train/loss", step, 1/float64(step))
	}
	w.Histogram("weights/layer1", 3, []float64{-.1, 0, .1})
	fmt.Println(w.Close())
	// Output: <nil>
}
