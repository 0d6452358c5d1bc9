package onnx_test

import (
	"fmt"

	"github.com/pcgraph/pcgraph/graph/onnx"
)

// A model is a graph of named operations; its encoding is read by every ONNX runtime.
func ExampleMarshal() {
	x := onnx.Value{Name: "x", Type: onnx.Float32, Shape: []onnx.Dim{{Name: "N"}, {Size: 2}}}
	y := x
	y.Name = "y"
	text, err := onnx.Marshal(&onnx.Model{IR: onnx.IRVersion, Opset: onnx.Opset, Graph: onnx.Graph{
		Name: "small", Inputs: []onnx.Value{x}, Outputs: []onnx.Value{y},
		Nodes: []onnx.Node{{Op: "Relu", In: []string{"x"}, Out: []string{"y"}}},
	}})
	if err != nil {
		panic(err)
	}
	m, err := onnx.Unmarshal(text)
	fmt.Println(m.Graph.Nodes[0].Op, m.Graph.Inputs[0].Shape, err)
	// Output: Relu [{N 0} { 2}] <nil>
}
