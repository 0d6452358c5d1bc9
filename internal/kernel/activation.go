package kernel

import "fmt"

// Activation is an elementwise function f with its two derivatives.
//
// At a kink the derivatives are those of JAX: relu'(0) = 0, leaky_relu'(0) = 1,
// selu'(0) from the left, and hard_tanh' = 1 on the closed interval [-1, 1].
type Activation uint8

const (
	Linear    Activation = iota // x
	Tanh                        // tanh x
	HardTanh                    // max(-1, min(1, x))
	Sigmoid                     // 1/(1 + exp(-x))
	ReLU                        // max(0, x)
	LeakyReLU                   // x for x >= 0, else x/100
	GELU                        // x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3)))
	SELU                        // s x for x > 0, else s a (exp x - 1); Klambauer et al. 2017
	SiLU                        // x sigmoid(x)
	activations
)

var activationNames = [activations]string{
	"linear", "tanh", "hard_tanh", "sigmoid", "relu", "leaky_relu", "gelu", "selu", "silu",
}

// String returns the name ParseActivation knows, such as "leaky_relu".
func (a Activation) String() string {
	if a < activations {
		return activationNames[a]
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}

// ParseActivation is the inverse of String.
func ParseActivation(s string) (Activation, error) {
	for i, name := range activationNames {
		if s == name {
			return Activation(i), nil
		}
	}
	return 0, fmt.Errorf("unknown activation %q: want one of %v", s, activationNames)
}

const (
	badActivation = "kernel: unknown activation"

	leakySlope = 0.01
	seluAlpha  = 1.6732632423543772848170429916717
	seluScale  = 1.0507009873554804934193349852946
	geluScale  = 0.79788456080286535587989211986876 // sqrt(2/pi)
	geluCubic  = 0.044715
)

// Activate computes dst = f(x). dst may be x.
//
// The assembly errs by at most 4 units in the last place, and SiLU and GELU,
// which are x sigmoid(w), by 4 + 4|w| far below zero, where the rounding of w
// counts. Derivatives are within 20 roundings of 1.
func Activate[T Float](k Activation, dst, x []T) {
	same(len(dst), len(x))
	if k == Linear {
		copy(dst, x)
		return
	}
	o := k.op(0)
	if active == setGo {
		goActivate(k, dst, x)
		return
	}
	a := args2(dst, x)
	runVector(o, &a)
}

// ActivateGrad computes dst = g f'(x). dst may be x or g.
func ActivateGrad[T Float](k Activation, dst, x, g []T) {
	same(len(dst), len(x), len(g))
	if k == Linear {
		copy(dst, g)
		return
	}
	o := k.op(1)
	if active == setGo {
		goActivateGrad(k, dst, x, g)
		return
	}
	a := args3(dst, x, g)
	runVector(o, &a)
}

// ActivateGradSum computes dst = base + c g f'(x) in one pass: the descent
// direction of an activity, e - W^T-term. dst may be base, x or g.
func ActivateGradSum[T Float](k Activation, dst, base []T, c T, x, g []T) {
	same(len(dst), len(base), len(x), len(g))
	if k == Linear {
		Axpby(dst, 1, base, c, g)
		return
	}
	o := k.op(2)
	if active == setGo {
		goActivateGradSum(k, dst, base, c, x, g)
		return
	}
	a := args4(dst, x, g, base)
	a.coef[0] = c
	runVector(o, &a)
}

// ActivateGrad2 computes dst = g v h, with h the second derivative of f at x.
// dst may be x, g or v.
func ActivateGrad2[T Float](k Activation, dst, x, g, v []T) {
	same(len(dst), len(x), len(g), len(v))
	if k == Linear {
		Fill(dst, 0)
		return
	}
	o := k.op(3)
	if active == setGo {
		goActivateGrad2(k, dst, x, g, v)
		return
	}
	a := args4(dst, x, g, v)
	runVector(o, &a)
}

// op numbers the kernels of an activation other than Linear: value, grad,
// gradSum, grad2. It panics if there is no such activation.
func (a Activation) op(form vectorOp) vectorOp {
	if a >= activations {
		panic(badActivation)
	}
	return opValueTanh + 4*vectorOp(a-Tanh) + form
}
