package main

import "github.com/pcgraph/pcgraph/cmd/demo/internal/cli"

func (cmd mnistCmd) Choice() cli.Choice {
	return cli.Choice{Arch: "mlp", Data: "mnist", Rule: cmd.Rule.String()}
}
func (cmd trainCmd) Choice() cli.Choice {
	return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data, Rule: cmd.Rule.String()}
}
func (cmd compareCmd) Choice() cli.Choice { return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data} }
func (cmd inferCmd) Choice() cli.Choice   { return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data} }
func (cmd graphCmd) Choice() cli.Choice   { return cli.Choice{Arch: cmd.Kind()} }
func (cmd coordCmd) Choice() cli.Choice {
	return cli.Choice{Arch: cmd.Arch, Data: cmd.Data, BP: cmd.BP}
}
