//go:build race

package train_test

func init() { underRace = true }
