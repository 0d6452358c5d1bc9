package mlflow_test

import (
	"fmt"

	"github.com/pcgraph/pcgraph/report/mlflow"
)

// A server's address is looked at before anything is sent.
func ExampleClient_Validate() {
	fmt.Println(mlflow.NewClient("127.0.0.1:5000").Validate())
	fmt.Println(mlflow.NewClient("http://127.0.0.1:5000").Validate())
	// Output:
	// mlflow: "127.0.0.1:5000" is not the address of a server: want http://HOST:PORT or https://HOST
	// <nil>
}
