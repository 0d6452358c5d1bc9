// Ownop takes an operation of Gorgonia's, log(1 + exp(x)), into an energy, and differentiates it.
package main

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"

	"github.com/pcgraph/pcgraph/graph"
)

func main() {
	b := graph.NewBuilder[float64]()
	x := b.Param("x", 3)
	soft := b.Do("softplus", func() (*graph.Node, error) { return gorgonia.Softplus(x) })
	cost := b.Sum(soft, 1)
	check(b.Err())
	grads, err := graph.Grad(cost, x)
	check(err)
	program, err := graph.Compile[float64](cost, grads[0])
	check(err)
	copy(program.Value(x), []float64{-1, 0, 1})
	check(program.Run(0))
	fmt.Printf("%.3f %.3f\n", program.Scalar(cost), program.Value(grads[0]))
	// Output: 2\.320 \[0\.269 0\.500 0\.731\]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
