package data_test

import (
	"fmt"
	"log"

	"github.com/pcgraph/pcgraph/data"
)

// Three sums as numbers in memory, the fourth held out.
func ExampleArrays() {
	x := [][]float64{{1, 2}, {3, 4}, {5, 6}, {7, 8}}
	y := [][]float64{{3}, {7}, {11}, {15}}
	train, test, err := data.Arrays[float64]{Name: "sums", Inputs: x, Targets: y, Prepare: data.Preparation{Raw: true, Seed: 1}}.Load()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.Name, train.Len(), train.InShape(), train.OutShape())
	fmt.Println(test.Name, test.Len())
	// Output:
	// sums train 3 [2] [1]
	// sums held out 1
}

// Pictures of numpy.savez_compressed("pictures.npz", images=..., labels=...), their channels first, as PyTorch has them.
func ExampleNumPy() {
	train, test, err := data.NumPy{File: "testdata/pictures.npz"}.Load()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.InShape(), train.Classes(), train.Len(), test.Len())
	// Output:
	// [2 5 3] 2 3 1
}

// A table whose classes have names, and an error that says where.
func ExampleCSV() {
	table := data.CSV{File: "testdata/irises.csv", Targets: []string{"species"}}
	train, test, err := table.Load()
	if err != nil {
		log.Fatal(err)
	}
	x, y := make([]float32, train.In()), make([]float32, train.Out())
	data.Fill(test, x, y, []int{0}) // standardised, one-hot
	fmt.Println(train.ClassNames(), train.Len(), test.Len())

	table.Targets = []string{"spices"}
	_, _, err = table.Load()
	fmt.Println(err)
	// Output:
	// [setosa versicolor virginica] 4 1
	// data: testdata/irises.csv: no column "spices"; there are ["sepal length" "petal, length" "species" "kind"]: give other Targets, by name or by number from 1
}
