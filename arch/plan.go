package arch

import (
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
)

// Coordinates say which variables are free.
type Coordinates int

const (
	Activities  Coordinates = iota // z_l free: predictive coding
	Errors                         // e_l free, z_l = mu_l + e_l: the same energy in error coordinates; outputs have no error variable
	Feedforward                    // nothing free, z_l = mu_l: what is left is the backprop loss
)

func (c Coordinates) String() string {
	switch c {
	case Activities:
		return "activities"
	case Errors:
		return "errors"
	case Feedforward:
		return "feedforward"
	}
	return "unknown coordinates"
}

// A Hold says how the activity of a site is held.
type Hold int

const (
	Free    Hold = iota // inferred; in the coordinates of backprop, predicted
	Clamped             // equal to data
	Masked              // equal to data where a mask says so, unit by unit, and free elsewhere
)

// A Plan says how a network becomes a model. PC and backprop differ in Coordinates alone.
type Plan struct {
	Batch       int
	Energy      energy.Functional // nil means energy.PC{}
	Coordinates Coordinates
	FreeInput   bool            // all inputs are Free: unsupervised networks
	FreeOutput  bool            // all outputs are Free too
	Dendrites   *Dendrites      // nil: activities and weights follow the gradient of the energy
	Hold        map[string]Hold // how single sites are held; of others, inputs and outputs are Clamped, or as said above, and hidden ones Free
}

// hold is how a site is held.
func (p Plan) hold(s site) Hold {
	if h, said := p.Hold[s.name]; said {
		return h
	}
	if s.input && !p.FreeInput || s.output && !p.FreeOutput {
		return Clamped
	}
	return Free
}

func (p Plan) validate(n *Network) error {
	if p.Batch <= 0 {
		return errors.Errorf("arch: batch of %d samples: want one or more", p.Batch)
	}
	if p.Coordinates < Activities || p.Coordinates > Feedforward {
		return errors.Errorf("arch: unknown coordinates %d", int(p.Coordinates))
	}
	if err := p.Dendrites.validate(n, p); err != nil {
		return err
	}
	var names []string
	for _, s := range n.sites() {
		names = append(names, s.name)
		h := p.hold(s)
		if h < Free || h > Masked {
			return errors.Errorf("arch: Hold of %q: unknown hold %d", s.name, int(h))
		}
		if p.Coordinates == Feedforward && (h == Free && (s.input || s.output) || h == Masked && s.input) {
			return errors.Errorf("arch: %q is free and the feedforward coordinates have nothing free: use Activities or Errors, or clamp it", s.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Hold)) {
		if !slices.Contains(names, name) {
			return errors.Errorf("arch: Hold of %q, which is no site: there are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}
