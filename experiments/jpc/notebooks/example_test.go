package notebooks_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
)

// bars are small pictures in two classes, made from a seed, in place of MNIST.
func bars(b notebooks.Budget) *notebooks.Setup {
	training, test, err := data.BarsAndStripes{Side: 8, Flips: .05, Seed: 1}.Load()
	if err != nil {
		log.Fatal(err)
	}
	return &notebooks.Setup{Train: training, Test: test, Seed: 1, Batch: 16, Budget: b}
}

func ExampleClassify_Run() {
	setup := bars(notebooks.Budget{Updates: 60, Inference: notebooks.Inference{Solver: notebooks.SGD, Steps: 8, Rate: .1}})
	r, err := notebooks.Classify{Net: "flow"}.Run(context.Background(), setup)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("more than nine in ten:", r.History.Last().Accuracy > .9)
	fmt.Println(r.After.Terms)
	// Output:
	// more than nine in ten: true
	// [block1 block2 block3]
}

func ExampleInference_Or() {
	notebook := notebooks.Generate{}.Budget().Inference
	fmt.Println(notebook.Or(notebooks.Inference{}))
	fmt.Println(notebooks.Inference{Time: 2}.Or(notebook))
	// Output:
	// 16 steps of rate 0.1
	// Heun to time 2, tolerance 0.001
}

func ExampleComplete_Mask() {
	mask := notebooks.Complete{Missing: "left"}.Mask(data.Shape{Height: 2, Width: 4, Channels: 1}, 1)
	fmt.Println(mask)
	// Output: [0 0 1 1 0 0 1 1]
}
