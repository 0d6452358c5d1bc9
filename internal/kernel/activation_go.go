package kernel

import "math"

// The activations in Go, evaluated in float64 and rounded once: the reference
// of the assembly and the fallback where there is none.

func goActivate[T Float](k Activation, dst, x []T) {
	for i, v := range x {
		dst[i] = T(value(k, float64(v)))
	}
}

func goActivateGrad[T Float](k Activation, dst, x, g []T) {
	for i, v := range x {
		dst[i] = g[i] * T(slope(k, float64(v)))
	}
}

func goActivateGradSum[T Float](k Activation, dst, base []T, c T, x, g []T) {
	for i, v := range x {
		dst[i] = base[i] + T(c*g[i]*T(slope(k, float64(v))))
	}
}

func goActivateGrad2[T Float](k Activation, dst, x, g, v []T) {
	for i, u := range x {
		dst[i] = g[i] * v[i] * T(curvature(k, float64(u)))
	}
}

// logistic returns the sigmoid s at x, s(1-s) and 1-2s, exact to rounding in
// both tails: they are made of exp(-|x|).
func logistic(x float64) (s, slope, lean float64) {
	e := math.Exp(-math.Abs(x))
	r := 1 / (1 + e)
	if x < 0 {
		return e * r, e * r * r, (1 - e) * r
	}
	return r, e * r * r, (e - 1) * r
}

// geluArgument returns w of gelu(x) = x sigmoid(w(x)), the tanh form without
// its cancellation, and its derivatives, at x clamped to [-24, 24]. Beyond, the
// sigmoid is 0 or 1 even in float64, and the powers of x would overflow.
func geluArgument(x float64) (at, w, dw, d2w float64) {
	x = max(-geluClamp, min(geluClamp, x))
	w = 2 * geluScale * x * (1 + geluCubic*x*x)
	dw = 2 * geluScale * (1 + 3*geluCubic*x*x)
	d2w = 12 * geluScale * geluCubic * x
	return x, w, dw, d2w
}

const geluClamp = 24

// value is f(x).
func value(k Activation, x float64) float64 {
	switch k {
	case Linear:
		return x
	case Tanh:
		return math.Tanh(x)
	case HardTanh:
		return max(-1, min(1, x))
	case Sigmoid:
		s, _, _ := logistic(x)
		return s
	case ReLU:
		return max(0, x)
	case LeakyReLU:
		if x < 0 {
			return leakySlope * x
		}
		return x
	case GELU:
		_, w, _, _ := geluArgument(x)
		s, _, _ := logistic(w)
		return x * s
	case SELU:
		if x > 0 {
			return seluScale * x
		}
		return seluScale * seluAlpha * math.Expm1(x)
	case SiLU:
		s, _, _ := logistic(x)
		return x * s
	}
	panic(badActivation)
}

// slope is f'(x).
func slope(k Activation, x float64) float64 {
	if k == Linear {
		return 1
	}
	if x != x {
		return x
	}
	switch k {
	case Tanh:
		t := math.Tanh(x)
		return 1 - t*t
	case HardTanh:
		return step(math.Abs(x) <= 1)
	case Sigmoid:
		_, q, _ := logistic(x)
		return q
	case ReLU:
		return step(x > 0)
	case LeakyReLU:
		if x < 0 {
			return leakySlope
		}
		return 1
	case GELU:
		x, w, dw, _ := geluArgument(x)
		s, q, _ := logistic(w)
		return s + x*dw*q
	case SELU:
		if x > 0 {
			return seluScale
		}
		return seluScale * seluAlpha * math.Exp(x)
	case SiLU:
		s, q, _ := logistic(x)
		return s + x*q
	}
	panic(badActivation)
}

// curvature is the second derivative of f at x.
func curvature(k Activation, x float64) float64 {
	if k == Linear {
		return 0
	}
	if x != x {
		return x
	}
	switch k {
	case HardTanh, ReLU, LeakyReLU:
		return 0
	case Tanh:
		t := math.Tanh(x)
		return -2 * t * (1 - t*t)
	case Sigmoid:
		_, q, lean := logistic(x)
		return q * lean
	case GELU:
		x, w, dw, d2w := geluArgument(x)
		_, q, lean := logistic(w)
		return q * (2*dw + x*(d2w+lean*dw*dw))
	case SELU:
		if x > 0 {
			return 0
		}
		return seluScale * seluAlpha * math.Exp(x)
	case SiLU:
		_, q, lean := logistic(x)
		return q * (2 + x*lean)
	}
	panic(badActivation)
}

func step(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
