package jpc

// perSample turns a time of the paper into ours, or a step of one. The library integrates the flow of the batch's mean
// energy,
//
//	dz/dt = -dF/dz,  F = 1/B sum_i F_i
//
// and we that of each sample's own energy, dF_i/dz_i = B dF/dz_i, which comes to the same points in 1/B of the time.
func perSample(time float64) float64 { return time / batch }
