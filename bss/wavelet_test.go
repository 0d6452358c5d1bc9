package bss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestDB4_IsTheWaveletOfFourVanishingMoments: oracles: the equations that define the filter (Daubechies 1992): orthonormal to its even
// shifts, and details of cubic polynomials are zero.
func TestDB4_IsTheWaveletOfFourVanishingMoments(t *testing.T) {
	h := DB4.filter
	for shift := 0; shift < 8; shift += 2 {
		for what, f := range map[string]func(int) float64{"low": func(k int) float64 { return h[k] }, "high": DB4.high} {
			own, cross := 0., 0.
			for k := 0; k+shift < 8; k++ {
				own += f(k) * f(k+shift)
				cross += h[k] * DB4.high(k+shift)
			}
			want := 0.
			if shift == 0 {
				want = 1
			}
			if math.Abs(own-want) > 1e-12 || math.Abs(cross) > 1e-12 {
				t.Errorf("%s, shift %d: %v, want %v; with the other filter %v", what, shift, own, want, cross)
			}
		}
	}
	for power := range 5 {
		moment := 0.
		for k := range 8 {
			moment += math.Pow(float64(k), float64(power)) * DB4.high(k)
		}
		if vanishes := math.Abs(moment) < 1e-9; vanishes != (power < 4) {
			t.Errorf("moment %d of the wavelet is %v", power, moment)
		}
	}
}

// TestWavelet_ReconstructsItsParts, for even and odd lengths, and has as many coefficients as the common libraries: 80,020 of 80,000
// samples at three levels.
func TestWavelet_ReconstructsItsParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{32, 63, 64, 1001} {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		for levels := 1; levels <= 2; levels++ {
			parts, err := DB4.Decompose(x, levels)
			if err != nil {
				t.Fatal(err)
			}
			y, err := DB4.Reconstruct(parts, n)
			if err != nil {
				t.Fatal(err)
			}
			for i := range x {
				if math.Abs(x[i]-y[i]) > 1e-10 { // the published coefficients have twelve digits
					t.Fatalf("%d samples, %d levels: sample %d is %v, want %v", n, levels, i, y[i], x[i])
				}
			}
		}
	}
	parts, err := DB4.Decompose(make([]float64, 80000), 3)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Concat(parts...)); n != 80020 || len(parts[0]) != 10006 {
		t.Errorf("%d coefficients, %d of them the approximation, want 80020 and 10006", n, len(parts[0]))
	}
	if _, err := DB4.Decompose(make([]float64, 9), 3); err == nil {
		t.Error("no error for nine samples")
	}
	if _, err := DB4.Reconstruct(parts, 70000); err == nil {
		t.Error("no error for parts of another length")
	}
}

// A step is the same at every sample but one: of its finest details all but those around the step are zero.
func ExampleWavelet_Decompose() {
	x := make([]float64, 64)
	for i := 31; i < 64; i++ {
		x[i] = 1
	}
	parts, err := DB4.Decompose(x, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	details := 0
	for _, d := range parts[1] {
		if math.Abs(d) > 1e-9 {
			details++
		}
	}
	fmt.Println(len(parts[1]), "details, not zero:", details)
	// Output: 35 details, not zero: 4
}

// TestWavelet_CommutesWithMixing: the coefficients of mixtures are the mixtures of coefficients.
func TestWavelet_CommutesWithMixing(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	s, err := Sources(Uniform{-1, 1}, 100, 2, rng)
	if err != nil {
		t.Fatal(err)
	}
	a := Mixing(GaussianMixing, 3, 2, rng)
	mixed, err := DB4.Coefficients(Apply(a, s), 2)
	if err != nil {
		t.Fatal(err)
	}
	own, err := DB4.Coefficients(s, 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := Apply(a, own); !mat.EqualApprox(mixed, want, 1e-12) {
		t.Error("they differ")
	}
}
