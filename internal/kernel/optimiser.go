package kernel

// AdamCoef are the constants of one Adam step. Rest1 and Rest2 are 1-Beta1 and
// 1-Beta2; 0 means that they are formed here, in T, which in float32 loses
// digits of 1-0.999 that a caller may want to keep.
type AdamCoef[T Float] struct {
	Rate               T
	Beta1, Beta2, Eps  T
	Decay              T // decoupled weight decay (AdamW), multiplied by Rate
	Correct1, Correct2 T // 1/(1-Beta1^t), 1/(1-Beta2^t) at step t = 1, 2, ..
	Rest1, Rest2       T // 1-Beta1, 1-Beta2, or 0
}

// Adam does one step in place,
//
//	m <- Beta1 m + Rest1 g;  v <- Beta2 v + Rest2 g^2
//	w <- w - Rate (Correct1 m / (sqrt(Correct2 v) + Eps) + Decay w)
//
// Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019 for the decay.
func Adam[T Float](w, m, v, g []T, c AdamCoef[T]) {
	same(len(w), len(m), len(v), len(g))
	if c.Rest1 == 0 {
		c.Rest1 = 1 - c.Beta1
	}
	if c.Rest2 == 0 {
		c.Rest2 = 1 - c.Beta2
	}
	if active == setGo {
		goAdam(w, m, v, g, c)
		return
	}
	a := args4(w, m, v, g)
	a.coef = [9]T{c.Rate, c.Beta1, c.Beta2, c.Eps, c.Decay, c.Correct1, c.Correct2, c.Rest1, c.Rest2}
	runVector(opAdam, &a)
}

// Momentum does one step of gradient descent with a heavy ball in place,
//
//	d = g + decay w;  buf <- mu buf + d
//	w <- w - rate buf,  or with nesterov  w <- w - rate (d + mu buf)
//
// as in PyTorch: the decay enters the buffer, which is not damped by 1-mu.
func Momentum[T Float](w, buf, g []T, rate, mu, decay T, nesterov bool) {
	same(len(w), len(buf), len(g))
	if active == setGo {
		goMomentum(w, buf, g, rate, mu, decay, nesterov)
		return
	}
	a := args3(w, buf, g)
	a.coef[0], a.coef[1], a.coef[2] = rate, mu, decay
	if nesterov {
		runVector(opNesterov, &a)
	} else {
		runVector(opMomentum, &a)
	}
}

// SGD computes w <- w - rate (g + decay w) in place.
func SGD[T Float](w, g []T, rate, decay T) {
	same(len(w), len(g))
	if active == setGo {
		goSGD(w, g, rate, decay)
		return
	}
	a := args2(w, g)
	a.coef[0], a.coef[1] = rate, decay
	runVector(opSgd, &a)
}
