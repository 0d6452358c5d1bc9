// Package pcgraph is the front page of a library for predictive coding networks (PCNs) as Gorgonia expression graphs. It holds no code:
// the library is in the packages below it.
//
// A predictive coding network gives every layer an activity of its own. Its energy is the sum of squared prediction errors,
//
//	F = 1/2 sum_l |z_l - mu_l|^2,   mu_l = f(z_{l-1} W_l),
//
// which inference minimises over the activities z, and learning then over the weights W. The energy is one symbolic node, differentiated
// with respect to both; backprop is the same network with no activity free. The example below is a complete program.
//
// What is where:
//
//	arch        networks as values, their scalings, compiled models, files of weights
//	layers      maps between activities: linear, convolution, attention, merges
//	energy      what is minimised: likelihoods of prediction errors, learned precisions, regularisers
//	infer       relaxing activities: solvers, stop rules, statuses; infer/ode has the Runge-Kutta methods
//	optim       optimisers, of activities and of weights
//	train       predictive coding and backprop, the training loop, checkpoints, evaluation; train/rules has the other learning
//	            rules, train/analysis the comparison of predictive coding with backprop
//	data        data sets: MNIST, Fashion-MNIST, CIFAR, text, a user's own arrays and tables, toy tasks
//	graph       expression graphs on Gorgonia: fused operations, symbolic gradients, compiled programs
//	report      progress, pages, tables and figures for a program of yours
//	theory      closed forms of deep linear networks
//	experiments sentences of the papers as claims that are measured
//	cmd/demo    the command
//	examples    short programs to start from
//
// README.md has the two commands to begin with, docs/ARCHITECTURE.md says how the code is laid out, docs/EXTENDING.md how to write a rule,
// layer, energy or solver of one's own, and docs/GLOSSARY.md what the words mean.
package pcgraph
