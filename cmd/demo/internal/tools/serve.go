package tools

import (
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report/live"
)

// ServeCmd shows runs in a browser.
type ServeCmd struct {
	Folder  string `arg:"" optional:"" default:"runs" name:"FOLDER" help:"Folder of run folders, also of other processes and machines."`
	Address string `default:"127.0.0.1:8410" placeholder:"HOST:PORT" help:"Address; port 0: any that is free. Beyond 127.0.0.1 a token is part of the printed address."`
}

// Run serves until it is interrupted.
func (cmd ServeCmd) Run(c *cli.Console) error {
	full, err := filepath.Abs(cmd.Folder)
	if err != nil {
		return errors.Wrap(err, "serve")
	}
	end, err := c.Serving(&live.Server{Root: full}, cmd.Address, "The runs in "+cmd.Folder+": %s (Ctrl-C ends it)\n")
	if err != nil {
		return err
	}
	<-c.Context.Done()
	end()
	return nil
}
