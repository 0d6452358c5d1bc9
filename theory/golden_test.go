package theory

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// golden is a deterministic network: 3 inputs, width
// 4, 2 outputs, 2 samples.
func golden(s Spec) (n Linear, x, y *mat.Dense, err error) {
	s.Inputs, s.Width, s.Outputs = 3, 4, 2
	n = Linear{Skips: s.skips(), Precision: s.Precision}
	if n.Factors, err = s.Factors(); err != nil {
		return n, nil, nil, err
	}
	in := s.Inputs
	for l := range s.Depth {
		out := s.Width
		if l == s.Depth-1 {
			out = s.Outputs
		}
		w := mat.NewDense(in, out, nil)
		for i := range out {
			for j := range in {
				w.Set(j, i, 0.6*math.Sin(float64(1+7*l+3*i+2*j)))
			}
		}
		n.Weights = append(n.Weights, w)
		in = out
	}
	x, y = mat.NewDense(2, 3, nil), mat.NewDense(2, 2, nil)
	for b := range 2 {
		for j := range 3 {
			x.Set(b, j, math.Cos(float64(3*b+j)))
		}
		for k := range 2 {
			y.Set(b, k, math.Sin(float64(2+b+2*k)))
		}
	}
	return n, x, y, nil
}

// Oracle: values from an independent numpy
// program. Tolerance: half a unit of the last printed digit, plus rounding.
func TestLinear_GoldenNumbers(t *testing.T) {
	tests := []struct {
		name                                               string
		spec                                               Spec
		feedforward, energy, s00, s11, s01, eigmin, eigmax float64
	}{
		{"sp", Spec{Scaling: SP, Depth: 3},
			0.5625895695, 0.2444963693, 2.0691567416, 2.0407645012, -1.0442566102, 0.23038624, 5.35522534},
		{"sp gamma 2", Spec{Scaling: SP, Depth: 3, Gamma: 2},
			0.5715445119, 0.4058998679, 1.2672891854, 1.2601911253, -0.2610641525, 0.20878606, 5.32670524},
		{"sp gamma .5 lambda 3", Spec{Scaling: SP, Depth: 3, Gamma: 0.5, Precision: 3},
			1.6723444753, 0.3226858393, 4.6099602999, 4.4963913381, -4.1770264406, 0.26294827, 19.47030617},
		{"sp skips", Spec{Scaling: SP, Depth: 3, Skips: true},
			0.6362022488, 0.1638825326, 3.6967408484, 3.6934429714, -2.6871891271, 0.25313518, 7.14837516},
		{"mupc", Spec{Scaling: MuPC, Depth: 3},
			0.5825859273, 0.5353647785, 1.0516303314, 1.0536839688, -0.0521766439, 0.41001594, 2.47545644},
		{"mupc gamma .5 lambda 3", Spec{Scaling: MuPC, Depth: 3, Gamma: 0.5, Precision: 3},
			1.7415147373, 0.9132345989, 0.5398546589, 0.5480692086, -0.2087065757, 0.43160013, 2.57645543},
		{"mupc skips", Spec{Scaling: MuPC, Depth: 3, Skips: true},
			0.5640342036, 0.4749493099, 1.1107433282, 1.1164689136, -0.1129209404, 0.32644683, 3.41646742},
		{"mupc skips gamma 2", Spec{Scaling: MuPC, Depth: 3, Skips: true, Gamma: 2},
			0.5734359371, 0.5471475606, 1.0276858321, 1.0291172284, -0.0282302351, 0.30442946, 3.40605063},
		{"ntp", Spec{Scaling: NTP, Depth: 3},
			0.5805049124, 0.4341841547, 1.2065213256, 1.2147358752, -0.2087065757, 0.42040302, 2.48649370},
		{"ntp skips", Spec{Scaling: NTP, Depth: 3, Skips: true},
			0.5509845613, 0.3266773811, 1.4429733129, 1.4658756545, -0.4516837615, 0.34710723, 3.46421320},
		{"L5 sp", Spec{Scaling: SP, Depth: 5},
			0.5700362877, 0.2208031628, 2.2683252332, 2.3182998185, -1.2821665006, 0.12842607, 5.65436882},
		{"L5 sp skips", Spec{Scaling: SP, Depth: 5, Skips: true},
			1.9687467108, 0.1383953872, 13.7802387990, 17.2774542196, -14.3966491608, 0.03843450, 9.58326984},
		{"L5 mupc", Spec{Scaling: MuPC, Depth: 5},
			0.5844564703, 0.5435439890, 1.0462756374, 1.0440673903, -0.0446320263, 0.31107857, 2.64843782},
		{"L5 mupc skips", Spec{Scaling: MuPC, Depth: 5, Skips: true},
			0.5642337956, 0.4498607959, 1.1546064332, 1.1618729149, -0.1557309073, 0.06723783, 4.45169258},
		{"L5 mupc skips gamma .5 lambda 3", Spec{Scaling: MuPC, Depth: 5, Skips: true, Gamma: 0.5, Precision: 3},
			1.6845000082, 0.5552205783, 0.9517590660, 0.9808249928, -0.6229236293, 0.07227093, 4.46086176},
		{"L5 ntp skips", Spec{Scaling: NTP, Depth: 5, Skips: true},
			0.5615000027, 0.2972346570, 1.6184257326, 1.6474916594, -0.6229236293, 0.07007559, 4.45362431},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n, x, y, err := golden(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			pass, err := n.Feedforward(x, y)
			if err != nil {
				t.Fatal(err)
			}
			eq, err := n.Equilibrium(x, y)
			if err != nil {
				t.Fatal(err)
			}
			direct, _, err := n.Energy(x, y, eq.Activities)
			if err != nil {
				t.Fatal(err)
			}
			h, err := n.ActivityHessian()
			if err != nil {
				t.Fatal(err)
			}
			eig, err := Eigenvalues(h)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []struct {
				name      string
				got, want float64
				digits    float64
			}{
				{"feedforward energy", n.precision() * pass.Loss, test.feedforward, 1e-10},
				{"F*", eq.Energy, test.energy, 1e-10},
				{"F(z*)", direct, test.energy, 1e-10},
				{"S00", eq.Rescaling.At(0, 0), test.s00, 1e-10},
				{"S11", eq.Rescaling.At(1, 1), test.s11, 1e-10},
				{"S01", eq.Rescaling.At(0, 1), test.s01, 1e-10},
				{"lowest eigenvalue", eig[0], test.eigmin, 1e-8},
				{"highest eigenvalue", eig[len(eig)-1], test.eigmax, 1e-8},
			} {
				if !(math.Abs(v.got-v.want) <= 0.51*v.digits) {
					t.Errorf("%s: %.12g, want %.12g", v.name, v.got, v.want)
				}
			}
		})
	}
}
