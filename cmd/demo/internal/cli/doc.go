// Package cli is what all commands of demo share: the console, the life of a run and its folder, saved runs, and the flags that several
// commands have.
//
// Main parses the command line and runs a command, which is a struct of flags with a method Run(*Console) error. Console.Run leads a run
// from its folder to its report. The tables rules, scalings and solvers hold a row for each value of -rule, -scaling and -solver;
// flagUses says which flags have a use with which of them.
package cli
