package mupc

// perSample turns a rate of inference of the papers into ours. They step on the gradient of the batch's mean energy,
//
//	z <- z - rate dF/dz,  F = 1/B sum_i F_i
//
// and ours is the rate on each sample's own gradient, dF_i/dz_i = B dF/dz_i: rate/B. Cells and tables keep the papers'
// numbers; this is the only place where they are converted.
func perSample(rate float64, batch int) float64 { return rate / float64(batch) }
