package jpc

// PerSample converts a time of the paper, a step of one, or a rate of activities into those of this project. The library
// integrates the flow of the mean energy of a batch of 64 samples,
//
//	dz/dt = -dF/dz,  F = 1/64 sum_i F_i
//
// and this project that of each sample's own energy, dF_i/dz_i = 64 dF/dz_i, which comes to the same points in 1/64 of the time.
func PerSample(time float64) float64 { return time / batch }
