package kernel

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

func TestActivation_AgreesWithJAX(t *testing.T) {
	for k := Linear; k < activations; k++ {
		if k == Sigmoid {
			continue
		}
		data, err := os.ReadFile("../../testdata/reference/activation_" + k.String() + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Arrays map[string]struct{ Data []float64 }
		}
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		x := c.Arrays["x"].Data
		one, got := make([]float64, len(x)), make([]float64, len(x))
		Fill(one, 1)
		check := func(name string) {
			for i, want := range c.Arrays[name].Data {
				if math.Abs(got[i]-want) > 1e-12 {
					t.Errorf("%v %s(%v) = %v, JAX says %v", k, name, x[i], got[i], want)
				}
			}
		}
		Activate(k, got, x)
		check("y")
		ActivateGrad(k, got, x, one)
		check("dy")
		ActivateGrad2(k, got, x, one, one)
		check("d2y")
	}
}
