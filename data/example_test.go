package data_test

import (
	"fmt"
	"log"
	"math"

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

// A batch is filled into the caller's memory; the order of an epoch depends on the seed and the epoch alone.
func ExampleBatches() {
	train, _, err := data.XOR{Train: 8, Test: 4}.Load()
	if err != nil {
		log.Fatal(err)
	}
	b := data.Batches{N: train.Len(), Size: 3, Seed: 1}
	x, y := make([]float32, b.Size*train.In()), make([]float32, b.Size*train.Out())
	for step, indices := range b.Epoch(0, 0) {
		data.Fill(train, x[:len(indices)*train.In()], y[:len(indices)*train.Out()], indices)
		fmt.Println(step, len(indices))
	}
	// Output:
	// 0 3
	// 1 3
	// 2 2
}

// All samples in order, for an evaluation.
func ExampleInOrder() {
	for step, indices := range data.InOrder(5, 2) {
		fmt.Println(step, indices)
	}
	// Output:
	// 0 [0 1]
	// 1 [2 3]
	// 2 [4]
}

func ExampleFill() {
	train, _, err := data.XOR{Train: 4, Test: 4}.Load()
	if err != nil {
		log.Fatal(err)
	}
	x, y := make([]float64, 2*train.In()), make([]float64, 2*train.Out())
	data.Fill(train, x, y, []int{0, 1})
	fmt.Println(x, y)
	// Output: [-1 -1 1 -1] [1 0 0 1]
}

// A task that is made from a seed: the four corners of a square, class 1 where the signs differ.
func ExampleXOR() {
	train, test, err := data.XOR{Train: 100, Test: 20, Noise: .1, Seed: 1}.Load()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.Len(), test.Len(), train.InShape(), train.Classes(), train.Label(0), train.Label(1))
	// Output: 100 20 [2] 2 0 1
}

func ExampleMoons() {
	showTask(data.Moons{Noise: .1}) /* Output: Moons train: 1000 of [2] -> [2], 2 classes */
}

func ExampleSpirals() {
	showTask(data.Spirals{Arms: 4}) /* Output: Spirals train: 1000 of [2] -> [4], 4 classes */
}

func ExampleSine() { showTask(data.Sine{}) /* Output: Sine train: 1000 of [1] -> [1], 0 classes */ }

func ExampleBarsAndStripes() {
	showTask(data.BarsAndStripes{Side: 3}) // Output: BarsAndStripes train: 1000 of [3 3 1] -> [2], 2 classes
}

func ExampleInContext() {
	showTask(data.InContext{Pairs: 4, Dim: 2}) // Output: InContext train: 1000 of [5 3] -> [1], 0 classes
}

// showTask prints what a task is.
func showTask(s data.Source) {
	train, _, err := s.Load()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d of %v -> %v, %d classes\n", train.Name, train.Len(), train.InShape(), train.OutShape(), train.Classes())
}

// The matrix of a linear regression is known: here every target is a product with it.
func ExampleLinear_Truth() {
	task := data.Linear{In: 2, Out: 1, Train: 1, Test: 1, Seed: 3}
	a, err := task.Truth()
	if err != nil {
		log.Fatal(err)
	}
	train, _, _ := task.Load()
	x, y := make([]float64, 2), make([]float64, 1)
	data.Fill(train, x, y, []int{0})
	fmt.Println(math.Abs(x[0]*a[0]+x[1]*a[1]-y[0]) < 1e-15)
	// Output: true
}

// A word, a delimiter, and the word again: only its second half is scored.
func ExampleCopy() {
	train, _, err := data.Copy{Length: 3, Tokens: 4, Coding: data.Indices}.Load()
	if err != nil {
		log.Fatal(err)
	}
	from, to := train.Scored()
	fmt.Println(train.InShape(), train.OutShape(), from, to)
	// Output: [6] [6 6] 3 6
}

// Windows of a text, each of which asks for the character that follows.
func ExampleCorpus() {
	train, test, err := data.Corpus{Text: "to be or not to be, that is the question", Window: 4, Test: .25}.Load()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.Len(), test.Len(), train.OutShape(), string(train.Vocabulary()))
	// Output: 26 6 [4 14]  ,abehinoqrstu
}

func ExampleVocabulary() {
	v := data.VocabularyOf("abracadabra")
	ids, err := v.Encode("bad")
	fmt.Println(string(v), ids, v.Decode(ids), err)
	// Output: abcdr [1 0 3] bad <nil>
}

// Pictures that are shifted and flipped anew in each epoch.
func ExampleAugmented() {
	train, _, err := data.Augmented{Source: data.BarsAndStripes{Side: 4, Train: 1, Test: 1}, By: data.Augment{Pad: 1, Flip: true, Seed: 1}}.Load()
	if err != nil {
		log.Fatal(err)
	}
	x, again := make([]float32, train.In()), make([]float32, train.In())
	data.Fill(train.AtEpoch(1), x, nil, []int{0})
	data.Fill(train.AtEpoch(1), again, nil, []int{0})
	fmt.Println(len(x), fmt.Sprint(x) == fmt.Sprint(again))
	// Output: 16 true
}

// A quarter of a turn, counterclockwise.
func ExampleTurn() {
	picture := []float32{
		1, 2,
		3, 4,
	}
	turned := make([]float32, 4)
	data.Turn(turned, picture, data.Shape{Height: 2, Width: 2, Channels: 1}, math.Pi/2, 0)
	fmt.Printf("%.1f\n", turned)
	// Output: [2.0 4.0 1.0 3.0]
}

// A pixel as a number, and back.
func ExampleNorm() {
	n := data.Norm{Mean: .5, Std: .5}
	fmt.Println(n.Apply(0), n.Apply(255), n.Pixel(1))
	// Output: -1 1 255
}

func ExampleScale() {
	s := data.Scale{Mean: 10, Deviation: 2}
	fmt.Println(s.Apply(13), s.Invert(1.5))
	// Output: 1.5 13
}

// Where a data set was searched is in the error.
func ExampleNotFoundError() {
	_, _, err := data.CIFAR10{Dir: "nowhere"}.Load()
	if notFound, is := err.(*data.NotFoundError); is {
		for _, l := range notFound.Searched[:1] {
			fmt.Println(l.Dir, "-", l.Via, l.Err != nil)
		}
	}
	// Output: nowhere - field Dir true
}

func ExampleLocate() {
	for _, l := range data.Locate(data.Dirs{MNIST: "nowhere", FashionMNIST: "nowhere", CIFAR10: "nowhere", CIFAR100: "nowhere"}) {
		fmt.Println(l.Name, l.Err != nil)
	}
	// Output:
	// MNIST true
	// Fashion-MNIST true
	// CIFAR-10 true
	// CIFAR-100 true
}
