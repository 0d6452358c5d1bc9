package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pkg/errors"
)

// Exit codes.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitDiverged    = 3
	ExitInterrupted = 130
)

// ErrInterrupted is how a run ends that was interrupted and has written its report.
var ErrInterrupted = errors.New("interrupted")

// Main runs the command that the arguments name, one of the fields of the struct that commands points to, and returns the exit
// code. description is the text of -help above the commands.
func Main(c *Console, commands any, description string, args []string, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	c.Context, c.Args, c.Errs, c.cancel = ctx, args, stderr, cancel
	c.pulse = newPulse(c.Out, cancel) // a reader that went away, as head does, ends the run as Ctrl-C does
	defer c.pulse.end()
	c.Out = c.pulse
	exited := -1 // set by -help and -version
	parser, err := kong.New(commands,
		kong.Name("demo"),
		kong.Description(description),
		Vars(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, NoAppDescFormat: true, WrapUpperBound: 100}),
		kong.Writers(c.Out, stderr),
		kong.Bind(c),
		kong.Exit(func(code int) {
			if exited < 0 {
				exited = code
			}
		}),
	)
	if err != nil { // a mistake in the tags of commands: the tests find it
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return ExitFailure
	}
	args = LongFlags(args)
	if whole, err := configured(parser, args); err != nil {
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return ExitUsage
	} else if len(whole) > 0 {
		args, c.Args = whole, whole
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "demo: %v (see demo%s -help)\n", err, commandOf(parser, args))
		return ExitUsage
	}
	c.note(parsed)
	if err := checkUses(c, parsed); err != nil {
		fmt.Fprintf(stderr, "demo: %v (see demo %s -help)\n", err, parsed.Selected().Name)
		return ExitUsage
	}
	switch err := parsed.Run(); {
	case err == nil:
		return ExitOK
	case IsDivergence(err):
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return ExitDiverged
	case errors.Is(err, ErrInterrupted):
		fmt.Fprintf(stderr, "demo: interrupted: results up to the interruption are written\n")
		return ExitInterrupted
	default:
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return ExitFailure
	}
}

// commandOf is the command that the arguments begin with, after a space; empty if there is none.
func commandOf(parser *kong.Kong, args []string) string {
	for _, leaf := range parser.Model.Leaves(true) {
		if len(args) > 0 && args[0] == leaf.Name {
			return " " + leaf.Name
		}
	}
	return ""
}

// LongFlags makes -name, as Go's own tools have it, the --name that kong knows, and ties a negative number to the flag
// before it.
func LongFlags(args []string) []string {
	var long []string
	for i, a := range args {
		switch {
		case a == "--":
			return append(long, args[i:]...)
		case negative(a) && len(long) > 0 && strings.HasPrefix(long[len(long)-1], "--") && !strings.Contains(long[len(long)-1], "="):
			long[len(long)-1] += "=" + a
		case len(a) > 1 && a[0] == '-' && a[1] != '-' && a != "-h" && !negative(a):
			long = append(long, "-"+a)
		default:
			long = append(long, a)
		}
	}
	return long
}

// negative reports whether an argument is a number below zero, rather than a flag.
func negative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && (arg[1] >= '0' && arg[1] <= '9' || arg[1] == '.' || strings.EqualFold(arg, "-inf"))
}
