package tools

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// CompletionCmd prints a script for a shell.
type CompletionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how the script is used.
func (CompletionCmd) Help() string {
	return "bash:  source <(demo completion bash)      zsh:  source <(demo completion zsh)      fish:  demo completion fish | source"
}

// Run prints the commands and their flags as the shell wants them.
func (cmd CompletionCmd) Run(c *cli.Console, k *kong.Kong) error {
	var list []command
	for _, node := range k.Model.Leaves(true) {
		list = append(list, describe(node))
	}
	switch cmd.Shell {
	case "bash":
		bash(c.Out, list)
	case "zsh":
		io.WriteString(c.Out, "autoload -U +X bashcompinit && bashcompinit\n")
		bash(c.Out, list)
	default:
		fish(c.Out, list)
	}
	return nil
}

// A command with its flags.
type command struct {
	name, help string
	flags      []flag
}

// A flag and the words that it takes, if they are few.
type flag struct {
	name, help string
	valued     bool
	words      []string
}

func describe(node *kong.Node) command {
	d := command{name: node.Name, help: sentence(node.Help)}
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			words := []string{}
			for word := range f.EnumMap() {
				if word != "" {
					words = append(words, word)
				}
			}
			slices.Sort(words)
			d.flags = append(d.flags, flag{name: f.Name, help: sentence(f.Help), valued: !f.IsBool() && !f.IsCounter(), words: words})
		}
	}
	return d
}

// sentence is the first clause of a help text, without what a shell's quotes would mind.
func sentence(help string) string {
	if i := strings.IndexAny(help, ".:;("); i > 0 {
		help = help[:i]
	}
	return strings.TrimSpace(strings.NewReplacer("'", "", "\\", "", "\"", "", "`", "", "$", "").Replace(help))
}

func bash(w io.Writer, list []command) {
	io.WriteString(w, "_demo() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flags=\n\tcase ${COMP_WORDS[1]} in\n")
	var names []string
	for _, d := range list {
		names = append(names, d.name)
		var flags []string
		for _, f := range d.flags {
			flags = append(flags, "-"+f.name)
		}
		fmt.Fprintf(w, "\t%s)\n\t\tflags=%q\n\t\tcase $prev in\n", d.name, strings.Join(flags, " "))
		for _, f := range d.flags {
			if len(f.words) > 0 {
				fmt.Fprintf(w, "\t\t-%s | --%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", f.name, f.name, strings.Join(f.words, " "))
			}
		}
		io.WriteString(w, "\t\tesac\n\t\t;;\n")
	}
	fmt.Fprintf(w, "\tesac\n\tif [ \"$COMP_CWORD\" = 1 ] && [ \"${cur#-}\" = \"$cur\" ]; then\n\t\tCOMPREPLY=($(compgen -W %q -- \"$cur\"))\n", strings.Join(names, " "))
	io.WriteString(w, "\telif [ \"${cur#-}\" != \"$cur\" ]; then\n\t\tCOMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}\ncomplete -o filenames -F _demo demo\n")
}

func fish(w io.Writer, list []command) {
	for _, d := range list {
		fmt.Fprintf(w, "complete -c demo -n __fish_use_subcommand -a %s -d '%s'\n", d.name, d.help)
		for _, f := range d.flags {
			takes := ""
			switch {
			case len(f.words) > 0:
				takes = fmt.Sprintf(" -x -a '%s'", strings.Join(f.words, " "))
			case f.valued:
				takes = " -r"
			}
			fmt.Fprintf(w, "complete -c demo -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'\n", d.name, f.name, takes, f.help)
		}
	}
}
