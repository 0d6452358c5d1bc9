//go:build !amd64

package kernel

// Without assembly the set is always setGo, and none of these is reached.

func runGemm[T Float](kernelSet, *gemmArgs[T]) {}

func runTurn[T Float](*turnArgs) {}

func runCopy(kernelSet, *turnArgs) {}

func runPeak[T Float](kernelSet, int) int { return 1 }

func runVector[T Float](vectorOp, *vectorArgs[T]) {}

func runVectorOf[T Float](kernelSet, vectorOp, *vectorArgs[T]) {}
