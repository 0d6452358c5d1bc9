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

// What a table leaves open is guessed, and told.
func ExampleSet_Guesses() {
	train, _, err := data.CSV{File: "testdata/irises.csv", Targets: []string{"species"}}.Load()
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range train.Guesses()[:4] {
		fmt.Printf("%s: %s (%s)\n", g.About, g.Taken, g.Field)
	}
	// Output:
	// separator: fields are separated by commas (Separator)
	// decimal sign: the point is the decimal sign (Decimal)
	// header: line 1 was read as names of columns: "sepal length" is in it, and all other lines have numbers there (Header)
	// columns: column 1, without a name in the header, left out of the inputs (Header)
}

// New data are read as the training data were: by their means and deviations, with their classes and columns.
func ExampleCSV_LoadEncoded() {
	table := data.CSV{File: "testdata/irises.csv", Targets: []string{"species"}}
	train, _, err := table.Load()
	if err != nil {
		log.Fatal(err)
	}
	encoding := train.Encoding() // goes to JSON and back

	fresh, err := table.LoadEncoded(encoding, true)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fresh.Len(), fresh.ClassNames(), fresh.Scales()[0] == train.Scales()[0])
	// Output:
	// 5 [setosa versicolor virginica] true
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
