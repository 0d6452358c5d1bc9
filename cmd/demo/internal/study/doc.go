// Package study holds the commands that train networks, or use what was trained: the main job, train, toy, eval, predict, compare, data and
// the tasks of JPC's notebooks.
//
// A job trains a network twice from the same start, by a learning rule and by backprop, compares their gradients and fills the page of
// the run.
package study
