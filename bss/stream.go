package bss

import (
	"context"
	"encoding"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// Streaming separates a stream without end in memory that does not grow. The first samples are held and separated as a matrix (Separation);
// an online method goes on from there, sample by sample, and follows mixtures that change slowly.
type Streaming struct {
	Separation     // of the first samples: Method is an online one
	Warmup     int // so many samples are held at first; 0: 10,000
	Every      int // learns from each so-manyth sample after that, for neighbours of a sound that was sampled fast tell little; 0: all
	Seed       uint64
}

// floor is the part of its first value that the rate of a stream falls to at most: the network never stops to learn.
const floor = .02

// Start makes a stream of so many mixtures.
func (o Streaming) Start(mixtures int) (*Stream, error) {
	if o.Method.Name == "" {
		o.Method = Methods()[0]
	}
	if !o.Method.Online {
		return nil, errors.Errorf("bss: %s needs all samples at once: for a stream take an online method", o.Method.Title)
	}
	if o.Warmup == 0 {
		o.Warmup = 10000
	}
	if o.Every == 0 {
		o.Every = 1
	}
	if mixtures < 1 || o.Warmup < 10*mixtures || o.Every < 1 || o.Sources > mixtures {
		return nil, errors.Errorf("bss: a stream of %d sources in %d mixtures, %d samples held and each %d. learned from: want as many mixtures as sources, ten samples held for each, and 1 or more",
			o.Sources, mixtures, o.Warmup, o.Every)
	}
	return &Stream{options: o, mixtures: mixtures, held: make([]float64, 0, o.Warmup*mixtures)}, nil
}

// A Stream is a stream at work. Observe allocates nothing, but for the sample that ends the warm-up.
type Stream struct {
	options  Streaming
	mixtures int
	seen     int
	held     []float64 // of the warm-up [.., mixtures]
	first    *Result   // of the warm-up; nil before it has ended, and of a stream that was restored

	domain Projector
	moment float64    // of the outputs of base
	base   *mat.Dense // the unmixing of the warm-up, from which the network goes on
	offset []float64
	net    onlineNetwork
	z, y   []float64
}

// An onlineNetwork can be read without allocation, and kept.
type onlineNetwork interface {
	Separator
	weights() []float64
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

func (p *PEMNetwork) weights() []float64        { return p.w }
func (c *CorInfoMaxNetwork) weights() []float64 { return c.w }

var (
	_ encoding.BinaryMarshaler   = (*Stream)(nil)
	_ encoding.BinaryUnmarshaler = (*Stream)(nil)
)

// Observe takes one sample x [mixtures] and returns the sources in it [sources], valid until the next call: W x with the weights of now.
// It returns nil while the first samples are held; when it first returns more, Held has those before.
func (s *Stream) Observe(x []float64) ([]float64, error) {
	if err := checkSample("Stream", x, s.mixtures); err != nil {
		return nil, errors.WithMessagef(err, "sample %d", s.seen+1)
	}
	s.seen++
	if s.net == nil {
		if s.held = append(s.held, x...); len(s.held) < s.options.Warmup*s.mixtures {
			return nil, nil
		}
		if err := s.warm(); err != nil {
			return nil, err
		}
		return s.separate(x), nil
	}
	y := s.separate(x)
	if s.seen%s.options.Every == 0 {
		if _, err := s.net.Observe(s.z); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// separate writes the inputs z of the network and returns y = W z.
func (s *Stream) separate(x []float64) []float64 {
	n := len(s.offset)
	product(s.z[:n], s.base.RawMatrix().Data, x)
	for i, b := range s.offset {
		s.z[i] += b
	}
	product(s.y, s.net.weights(), s.z)
	return s.y
}

// Finish ends a stream that is shorter than the warm-up: it is separated with what there is, and Held has all of it.
func (s *Stream) Finish() error {
	if s.net != nil {
		return nil
	}
	return s.warm()
}

// warm separates the samples that were held, and starts the network.
func (s *Stream) warm() error {
	if len(s.held) == 0 {
		return errors.New("bss: the stream has no samples")
	}
	x := mat.NewDense(len(s.held)/s.mixtures, s.mixtures, s.held)
	r, err := s.options.Separate(context.Background(), x, rand.New(rand.NewPCG(s.options.Seed, 0)))
	if err != nil {
		return errors.WithMessagef(err, "the first %d samples", len(s.held)/s.mixtures)
	}
	s.first = r
	y := r.Apply(x)
	moment := 0.
	for _, v := range squares(y) {
		moment += v / float64(len(y.RawMatrix().Data))
	}
	return s.begin(r.Domain, r.Unmixing, r.Offset, moment)
}

// begin starts the network behind an unmixing whose outputs have a second moment.
func (s *Stream) begin(d Projector, base *mat.Dense, offset []float64, moment float64) error {
	rate, err := s.options.Method.rate(d)
	if err != nil {
		return err
	}
	rate.Rate *= power(d) / moment
	rate.Floor = floor * rate.Rate
	n, _ := base.Dims()
	inputs := n
	if s.options.Offset {
		inputs++
	}
	net, err := s.options.Method.start(d, rate, n, inputs, rand.New(rand.NewPCG(s.options.Seed, 1)))
	if err != nil {
		return err
	}
	s.domain, s.moment, s.base, s.offset, s.net = d, moment, base, offset, net.(onlineNetwork)
	clear(s.net.weights())
	for i := range n {
		s.net.weights()[i*inputs+i] = 1
	}
	s.z, s.y = make([]float64, inputs), make([]float64, n)
	if s.options.Offset {
		s.z[n] = constant
	}
	return nil
}

// Held returns the sources of the samples that were held [samples, sources], and forgets them; nil if there are none.
func (s *Stream) Held() *mat.Dense {
	if s.net == nil || len(s.held) == 0 {
		return nil
	}
	x := mat.NewDense(len(s.held)/s.mixtures, s.mixtures, s.held)
	y := Apply(s.base, x)
	addOffset(y, s.offset)
	s.held = nil
	return y
}

// Ready reports whether the first samples have been separated.
func (s *Stream) Ready() bool { return s.net != nil }

// First is what the first samples came to; nil before, and for a stream that was restored.
func (s *Stream) First() *Result { return s.first }

// Sources is how many sources the stream has; 0 before Ready.
func (s *Stream) Sources() int { return len(s.offset) }

// Domain is that of the sources; nil before Ready.
func (s *Stream) Domain() Projector { return s.domain }

// Surrogate is that of the running covariance of the outputs; NaN before Ready, and for a method that keeps none.
func (s *Stream) Surrogate() float64 {
	if s.net == nil {
		return math.NaN()
	}
	return running(s.net)
}

// Samples is how many samples were seen.
func (s *Stream) Samples() int { return s.seen }

// Unmixing is W [sources, mixtures] of now, and the offset b: y = W x + b.
func (s *Stream) Unmixing() (*mat.Dense, []float64) {
	n, inputs := len(s.offset), len(s.z)
	w := mat.NewDense(n, inputs, s.net.weights())
	square := w.Slice(0, n, 0, n)
	var u mat.Dense
	u.Mul(square, s.base)
	var b mat.VecDense
	b.MulVec(square, mat.NewVecDense(n, s.offset))
	out := append([]float64(nil), b.RawVector().Data...)
	for i := range out {
		if inputs > n {
			out[i] += constant * w.At(i, n)
		}
	}
	return &u, out
}

// A streamState is what a stream remembers, as JSON.
type streamState struct {
	Version  int
	Options  string
	Mixtures int
	Seen     int
	Domain   string
	Moment   float64
	Base     []float64
	Offset   []float64
	Network  []byte
}

// describe is the options that a state is for: others would give its numbers another meaning.
func (s *Stream) describe() string {
	o := s.options
	return fmt.Sprintf("%s offset=%v every=%d", o.Method.Name, o.Offset, o.Every)
}

// MarshalBinary is what the stream remembers; an error before Ready.
func (s *Stream) MarshalBinary() ([]byte, error) {
	if !s.Ready() {
		return nil, errors.Errorf("bss: a stream that still holds its first %d samples has learned nothing to keep", s.options.Warmup)
	}
	net, err := s.net.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return jsonfloat.Marshal(streamState{Version: stateVersion, Options: s.describe(), Mixtures: s.mixtures, Seen: s.seen, Domain: s.domain.String(),
		Moment: s.moment, Base: s.base.RawMatrix().Data, Offset: s.offset, Network: net})
}

// UnmarshalBinary restores it into a stream started with the same options and sizes, before its first sample: it goes on to the last bit.
// On an error the stream is as it was.
func (s *Stream) UnmarshalBinary(data []byte) error {
	var k streamState
	if err := jsonfloat.UnmarshalStrict(data, &k); err != nil {
		return errors.Wrap(err, "bss: the state of a stream")
	}
	n := len(k.Offset)
	switch {
	case k.Version != stateVersion:
		return errors.Errorf("bss: the state has format %d, this program reads %d", k.Version, stateVersion)
	case k.Options != s.describe():
		return errors.Errorf("bss: the state is of a stream with %q, and this one has %q", k.Options, s.describe())
	case k.Mixtures != s.mixtures:
		return errors.Errorf("bss: the state is of a stream of %d mixtures, and this one has %d", k.Mixtures, s.mixtures)
	case n == 0 || len(k.Base) != n*s.mixtures || !finite(k.Base) || !finite(k.Offset) || !(k.Moment > 0) || k.Seen < 0:
		return errors.New("bss: the state of a stream is damaged: its sizes do not fit")
	case s.options.Sources != 0 && s.options.Sources != n:
		return errors.Errorf("bss: the state is of a stream of %d sources, and %d are asked for", n, s.options.Sources)
	}
	d, err := DomainNamed(k.Domain)
	if err != nil {
		return errors.Wrap(err, "bss: the state of a stream")
	}
	if s.options.Separation.Domain != nil && s.options.Separation.Domain != d {
		return errors.Errorf("bss: the state is of a stream of the domain %v, and %v is asked for", d, s.options.Separation.Domain)
	}
	fresh := &Stream{options: s.options, mixtures: s.mixtures}
	if err := fresh.begin(d, mat.NewDense(n, s.mixtures, k.Base), k.Offset, k.Moment); err != nil {
		return err
	}
	if err := fresh.net.UnmarshalBinary(k.Network); err != nil {
		return err
	}
	fresh.seen = k.Seen
	*s = *fresh
	return nil
}
