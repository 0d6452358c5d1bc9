package graph_test

import (
	"fmt"
	"log"
	"os"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/pcgraph/pcgraph/graph"
)

// The energy of one prediction, F = 1/2 |z - tanh(x) W|^2, and its gradient with respect to z, which is the prediction error.
func ExampleBuilder() {
	b := graph.NewBuilder[float64]()
	x, z, w := b.Data("x", 1, 2), b.State("z", 1, 2), b.Param("W", 2, 2)
	mu := b.Linear(b.Act(graph.Tanh, x), w, nil, 1)
	energy := b.HalfSquare(b.Sub(z, mu), 1, 1)
	if b.Err() != nil {
		log.Fatal(b.Err())
	}
	dz, err := graph.Grad(energy, z)
	if err != nil {
		log.Fatal(err)
	}
	p, err := graph.Compile[float64](energy, dz[0])
	if err != nil {
		log.Fatal(err)
	}
	copy(p.Value(x), []float64{0, 0}) // tanh(x) W is zero
	copy(p.Value(z), []float64{3, 4})
	if err := p.Run(0); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Scalar(energy), p.Value(dz[0]))
	// Output: 12.5 [3 4]
}

// An operation of Gorgonia's own joins the graph by Do. It is differentiated by its own rule.
func ExampleBuilder_Do() {
	b := graph.NewBuilder[float64]()
	x := b.Param("x", 3)
	cubes := b.Do("cube", func() (*graph.Node, error) { return gorgonia.Cube(x) })
	sum := b.Sum(cubes, 1)
	if b.Err() != nil {
		log.Fatal(b.Err())
	}
	dx, err := graph.Grad(sum, x)
	if err != nil {
		log.Fatal(err)
	}
	p, err := graph.Compile[float64](sum, dx[0])
	if err != nil {
		log.Fatal(err)
	}
	copy(p.Value(x), []float64{1, 2, 3})
	if err := p.Run(0); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Scalar(sum), p.Value(dx[0]))
	// Output: 36 [3 12 27]
}

// A graph as a picture: `dot -Tsvg` draws it.
func ExampleBuilder_Dot() {
	b := graph.NewBuilder[float32]()
	x, w := b.Data("x", 8, 3), b.Param("W", 3, 2)
	y := b.Linear(x, w, nil, .5)
	var picture strings.Builder
	if err := b.Dot(&picture, y); err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(picture.String()) {
		if _, label, found := strings.Cut(line, "label=\""); found && strings.Contains(line, "shape=") {
			fmt.Println(label[:strings.IndexByte(label, '"')])
		}
	}
	// Output:
	// x\n[8, 3]
	// W\n[3, 2]
	// 0.5 a b\n[8, 2]
}

// The gradient of a gradient's inner product with a direction is a Hessian-vector product.
func ExampleGrad() {
	b := graph.NewBuilder[float64]()
	x, v := b.Param("x", 2), b.Param("v", 2)
	cost := b.Sum(b.Mul(b.Mul(x, x), x), 1) // sum of x^3: its Hessian is diag(6 x)
	dx, err := graph.Grad(cost, x)
	if err != nil {
		log.Fatal(err)
	}
	hv, err := graph.Grad(b.Inner(dx[0], v), x)
	if err != nil {
		log.Fatal(err)
	}
	p, err := graph.Compile[float64](hv[0])
	if err != nil {
		log.Fatal(err)
	}
	copy(p.Value(x), []float64{1, 2})
	copy(p.Value(v), []float64{1, 10})
	if err := p.Run(0); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Value(hv[0]))
	// Output: [6 120]
}

// With the batch declared, a program takes samples through all operations in shards, and Load compares: what depends on rows that
// have not changed is not computed again.
func ExampleCompilePlan() {
	b := graph.NewBuilder[float64]()
	x, w := b.Data("x", 2, 2), b.Param("W", 2, 1)
	y := b.Linear(x, w, nil, 1)
	p, err := graph.CompilePlan[float64](graph.Plan{Targets: [][]*graph.Node{{y}}, Batched: []*graph.Node{x}, Cache: true})
	if err != nil {
		log.Fatal(err)
	}
	copy(p.Value(w), []float64{1, 10})
	p.Touch() // a weight has changed
	p.Load(x, []float64{1, 2, 3, 4})
	if err := p.Run(0); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Rows(), p.Value(y))
	// Output: 2 [21 43]
}

// Gradient descent on activities, several steps at once: what RunSteps gives has the bits of running and moving in turn.
func ExampleProgram_RunSteps() {
	b := graph.NewBuilder[float64]()
	z := b.State("z", 2, 1)
	energy := b.HalfSquare(z, 1, 1)
	dz, err := graph.Grad(energy, z)
	if err != nil {
		log.Fatal(err)
	}
	p, err := graph.CompilePlan[float64](graph.Plan{Targets: [][]*graph.Node{{dz[0], energy}}, Batched: []*graph.Node{z}, Cache: true})
	if err != nil {
		log.Fatal(err)
	}
	steps, err := p.FuseSteps(0, []graph.Moved[float64]{{Input: z, Grad: dz[0]}})
	if err != nil {
		log.Fatal(err)
	}
	at, grad := []float64{8, 16}, make([]float64, 2)
	steps.Bind(0, at, grad)
	finite, err := p.RunSteps(steps, .5, 3)
	fmt.Println(at, grad, finite, err)
	// Output: [1 2] [2 4] true <nil>
}

// Fields of a Vector are views of one array.
func ExampleVector() {
	v := graph.NewVector[float32](graph.Field{Name: "W", Shape: []int{2, 2}}, graph.Field{Name: "b", Shape: []int{2}})
	copy(v.Field("b"), []float32{5, 6})
	fmt.Println(v.Data(), v.Where(5))
	// Output: [0 0 0 0 5 6] b[1]
}

func ExampleParseActivation() {
	f, err := graph.ParseActivation("gelu")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println(f == graph.GELU)
	// Output: true
}
