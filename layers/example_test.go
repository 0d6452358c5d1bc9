package layers_test

import (
	"fmt"

	"github.com/pcgraph/pcgraph/layers"
)

func ExampleLinear() {
	for _, p := range (layers.Linear{In: 3, Out: 2, Act: layers.Tanh, Bias: true}).Params() {
		fmt.Println(p.Name, p.Shape, p.FanIn)
	}
	// Output:
	// W [3 2] 3
	// b [2] 3
}

func ExampleCompose() {
	conv := layers.Compose{
		layers.Conv2D{In: 3, Out: 8, Kernel: layers.Both(3), Pad: layers.Both(1), Act: layers.ReLU},
		layers.AvgPool2D{Size: layers.Both(2)},
		layers.Flatten{},
		layers.Linear{In: 8 * 16 * 16, Out: 10},
	}
	for _, p := range conv.Params() {
		fmt.Println(p.Name, p.Shape)
	}
	// Output:
	// 1/W [3 3 3 8]
	// 4/W [2048 10]
}
