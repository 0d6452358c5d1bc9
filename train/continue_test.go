package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// successor is a causal model of a cycle: the token after k is k+1 with nearly all probability, or follows the logits given.
func successor(window, classes int, gap float64, calls *[][]float64) func([]float64) ([]float64, error) {
	return func(x []float64) ([]float64, error) {
		if calls != nil {
			*calls = append(*calls, slices.Clone(x))
		}
		y := make([]float64, window*classes)
		for t := range window {
			for k := range classes {
				if x[t*classes+k] == 1 {
					y[t*classes+(k+1)%classes] = gap
				}
			}
		}
		return y, nil
	}
}

func TestContinue_FollowsTheModelThroughAndPastTheWindow(t *testing.T) {
	var calls [][]float64
	got, err := Continue(successor(3, 5, 1, &calls), []int{2}, 3, 5, 6, 0, nil)
	if err != nil || !slices.Equal(got, []int{2, 3, 4, 0, 1, 2, 3}) {
		t.Fatalf("%v, %v", got, err)
	}
	if first := calls[0]; first[2] != 1 || slices.Max(first[5:]) != 0 {
		t.Errorf("the first window is %v: want token 2, then zeros", first)
	}
	if last := calls[5]; last[0] != 1 || last[5+1] != 1 || last[10+2] != 1 { // the last three tokens, 0 1 2
		t.Errorf("the last window is %v", last)
	}
}

// The frequencies of drawn tokens are softmax(logits/temperature), to four standard errors.
func TestContinue_DrawsFromTheSoftmax(t *testing.T) {
	const n, temperature = 20000, .7
	logits := []float64{.3, -1, 1.2, 0}
	predict := func(x []float64) ([]float64, error) { return logits, nil }
	got, err := Continue(predict, []int{0}, 1, 4, n, temperature, rand.New(rand.NewPCG(5, 0)))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.
	for _, v := range logits {
		sum += math.Exp(v / temperature)
	}
	for k, v := range logits {
		p := math.Exp(v/temperature) / sum
		count := 0.
		for _, id := range got[1:] {
			if id == k {
				count++
			}
		}
		if se := math.Sqrt(p * (1 - p) / n); math.Abs(count/n-p) > 4*se {
			t.Errorf("class %d: frequency %.4f, want %.4f within %.4f", k, count/n, p, 4*se)
		}
	}
}

func TestContinue_WrongCallsAreNamed(t *testing.T) {
	nan := func(x []float64) ([]float64, error) { return []float64{0, math.NaN()}, nil }
	zeros := func(x []float64) ([]float64, error) { return make([]float64, len(x)), nil }
	for want, call := range map[string]func() ([]int, error){
		"no token":     func() ([]int, error) { return Continue(nan, nil, 1, 2, 1, 1, nil) },
		"temperature":  func() ([]int, error) { return Continue(nan, []int{0}, 1, 2, 1, -1, nil) },
		"token 1 is 2": func() ([]int, error) { return Continue(nan, []int{0, 2}, 1, 2, 1, 1, nil) },
		"class 1":      func() ([]int, error) { return Continue(nan, []int{0}, 1, 2, 1, 1, nil) },
		"want 6":       func() ([]int, error) { return Continue(nan, []int{0}, 3, 2, 1, 1, nil) },
		"no rng":       func() ([]int, error) { return Continue(zeros, []int{0}, 1, 2, 1, 1, nil) },
		"-1 tokens":    func() ([]int, error) { return Continue(nan, []int{0}, 1, 2, -1, 0, nil) },
		"windows of 0": func() ([]int, error) { return Continue(nan, []int{0}, 0, 2, 1, 0, nil) },
	} {
		if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
