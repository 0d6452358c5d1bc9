package main

// teaching is the text of -help above the commands and flags.
const teaching = `Predictive coding (PC) gives every layer an activity of its own and lets all activities relax until prediction
errors are smallest; each weight then learns from the error next to it, without a backward pass.
Backprop (BP) is the same network with nothing to relax. This command holds one against the other.

Examples, with what to expect:
  demo                                MNIST, 784-300-300-10: both above 96 % on the test set, and a report.html
  demo -loss ce -steps 30             the same with a softmax output and longer inference
  demo toy spirals                    decision boundaries of PC and BP, side by side
  demo compare -data mnist -act tanh  agreement by layer and step: 0 where the error has not yet come to, then towards 1
  demo compare -act tanh -precision 1e-3 -steps 500 -rate .1
                                      a weak pull at the output: PC's gradient becomes BP's to about three digits
  demo infer -act tanh                which solver, at what cost: energy and gradient error against evaluations and time
  demo train -data fashion -limit 300 any network, any data, any rule (-rule)
  demo train -data fashion -arch cnn -errors -steps 3 -rate .3 -precision .01
                                      a convolutional network: PC within a point of BP
  demo train -data text -arch transformer -loss ce -scaling completep -lr .03 -errors -steps 4 -rate .3 -precision .01
                                      characters: loss per character within 5 % of BP's, and what both write
  demo train -data iris.csv -targets species -epochs 100
                                      your own table, arrays of NumPy (FILE.npz), or pictures among them (-arch cnn)
  demo train -data fashion -epochs 20 -checkpoint kept
                                      Ctrl-C, then the same line again: goes on where it was, to the same table
  demo eval runs/mnist-TIME           the weights that a run saved, pc.safetensors and bp.safetensors, on the test set
  demo predict iris -data new.csv     what the network in folder iris says of new samples, scaled as its own were
  demo export runs/mnist-TIME digits.onnx
                                      the network for onnxruntime and others, at any batch size
  demo import net.onnx                a network from PyTorch and others; then demo train -arch net.onnx -data mnist -loss ce
  demo classify deep                  a notebook of JPC at its own budget: 30 layers, above 93 % in 900 updates
  demo generate                       digits from labels, labels from digits: above 85 %
  demo complete -missing left         half a digit is given, inference finds the rest
  demo stream                         a turning digit, and what the network expects to see next
  demo separate -try                  sounds and pictures, mixed and separated: above 20 dB; then demo separate mix.wav
  demo claims                         the papers' sentences that are checked here, with verdicts; demo verify measures again
  demo coordcheck                     sizes of activities and updates over width and depth: flat, or not
  demo curvature -data mnist -act tanh -at origin -no-bias
                                      the origin: flat for BP, a strict saddle for PC (arXiv 2408.11979); -scale .05 -updates 200: along the escape
  demo curvature runs/mnist-TIME -anyway
                                      the same of the weights that a run saved
  demo -config runs/NAME-TIME -lr .01 what a run did, with another rate; demo diff RUN RUN: what that changed
  demo doctor                         what this machine has: kernels, cores, memory, data; demo completion bash: for the shell
  demo data                           which data sets are here, how to get the others, and how to give your own

Flags are written -name or --name, as -name value or -name=value; one that has no use with the others is an error.
Ctrl-C, SIGTERM and a closed terminal finish the step and write the report with what there is; a second Ctrl-C kills.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 numbers went wrong (everything is written), 130 interrupted.`
