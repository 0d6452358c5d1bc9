//go:build !amd64

package kernel

func best() kernelSet { return setGo }
