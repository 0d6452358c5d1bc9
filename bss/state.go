package bss

import (
	"encoding"
	"fmt"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// A network that is kept by MarshalBinary and restored into one started with the same options and sizes goes on to the last bit.
var (
	_ encoding.BinaryMarshaler   = (*PEMNetwork)(nil)
	_ encoding.BinaryUnmarshaler = (*PEMNetwork)(nil)
	_ encoding.BinaryMarshaler   = (*CorInfoMaxNetwork)(nil)
	_ encoding.BinaryUnmarshaler = (*CorInfoMaxNetwork)(nil)
)

// stateVersion counts the versions of the format.
const stateVersion = 1

// A state is what a network remembers, as JSON.
type state struct {
	Version int
	Method  string
	Options string // as Go prints them: numbers of other options mean something else
	Sample  int
	Arrays  map[string][]float64
}

func marshal(method string, options any, sample int, arrays map[string][]float64) ([]byte, error) {
	return jsonfloat.Marshal(state{Version: stateVersion, Method: method, Options: fmt.Sprintf("%+v", options), Sample: sample, Arrays: arrays})
}

// unmarshal checks a state against the network that it is for, then copies its arrays into those of the network.
func unmarshal(data []byte, method string, options any, arrays map[string][]float64) (sample int, err error) {
	var s state
	if err := jsonfloat.UnmarshalStrict(data, &s); err != nil {
		return 0, errors.Wrapf(err, "bss: the state of a %s network", method)
	}
	switch want := fmt.Sprintf("%+v", options); {
	case s.Version != stateVersion:
		return 0, errors.Errorf("bss: the state has format %d, this program reads %d", s.Version, stateVersion)
	case s.Method != method:
		return 0, errors.Errorf("bss: the state is of %s, and the network is one of %s", s.Method, method)
	case s.Options != want:
		return 0, errors.Errorf("bss: the state is of %s with the options %s, and the network has %s", method, s.Options, want)
	case s.Sample < 0:
		return 0, errors.Errorf("bss: the state has seen %d samples", s.Sample)
	}
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		v, ok := s.Arrays[name]
		if !ok || len(v) != len(arrays[name]) || !finite(v) {
			return 0, errors.Errorf("bss: the state has %d numbers of %s, want %d finite ones: it is of a network of other sizes, or damaged", len(v), name, len(arrays[name]))
		}
	}
	for name, dst := range arrays {
		copy(dst, s.Arrays[name])
	}
	return s.Sample, nil
}

func (p *PEMNetwork) arrays() map[string][]float64 {
	return map[string][]float64{"W": p.w, "C": p.c, "mu": p.mu}
}

// MarshalBinary is what the network remembers from sample to sample.
func (p *PEMNetwork) MarshalBinary() ([]byte, error) {
	return marshal("PEM", p.pem, p.sample, p.arrays())
}

// UnmarshalBinary restores it into a network started with the same options and sizes. On an error the network is as it was.
func (p *PEMNetwork) UnmarshalBinary(data []byte) error {
	n, err := unmarshal(data, "PEM", p.pem, p.arrays())
	if err == nil {
		p.sample = n
	}
	return err
}

func (c *CorInfoMaxNetwork) arrays() map[string][]float64 {
	return map[string][]float64{"W": c.w, "B": c.inverse, "Be": c.gains}
}

// MarshalBinary is what the network remembers from sample to sample.
func (c *CorInfoMaxNetwork) MarshalBinary() ([]byte, error) {
	return marshal("CorInfoMax", c.options, c.sample, c.arrays())
}

// UnmarshalBinary restores it into a network started with the same options and sizes. On an error the network is as it was.
func (c *CorInfoMaxNetwork) UnmarshalBinary(data []byte) error {
	n, err := unmarshal(data, "CorInfoMax", c.options, c.arrays())
	if err == nil {
		c.sample = n
	}
	return err
}
