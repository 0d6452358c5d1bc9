package separate

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
	"github.com/pcgraph/pcgraph/report"
)

// Sizes of the tour's mixtures.
const (
	SoundRate   = 16000 // samples per second
	tourSeconds = 5
	tourPixels  = 192
)

// tour mixes sounds and pictures of its own, writes the mixtures as files, and separates the files.
func (cmd Cmd) tour(c *cli.Console) error {
	return c.Run("separate-try", cmd, func(out *cli.RunDir) error {
		rng := rand.New(rand.NewPCG(cmd.Seed, 5))
		c.Printf("Sounds: strings, a bird and drums, mixed to five channels with noise 30 dB below.\n")
		sound, err := cmd.stage(c, out, "sound-", []string{"strings", "bird", "drums"}, Sounds(rng), &signal.Signal{Kind: signal.Sound, Rate: SoundRate, Encoding: signal.PCM16}, 5, 30, rng)
		if err != nil {
			return err
		}
		if c.Context.Err() != nil { // the report says that it was interrupted
			out.Page = cmd.page(sound)
			return nil
		}
		c.Printf("\nPictures: rings, clouds and bricks, each picture saved from its darkest to its brightest point.\n")
		picture, err := cmd.stage(c, out, "picture-", []string{"rings", "clouds", "bricks"}, pictures(rng), &signal.Signal{Kind: signal.Picture, Width: tourPixels, Height: tourPixels, Colours: 1, Depth: 8}, 3, 40, rng)
		if err != nil {
			return err
		}
		out.Page = cmd.page(sound)
		second := cmd.page(picture)
		out.Page.Title = "A tour: three sounds and three pictures, mixed and separated"
		out.Page.Lead = fmt.Sprintf("%s learned from the mixtures alone; the sources serve to say how clean the outputs are. Listen to sound-mixtures.wav and then to sound-source1.wav, sound-source2.wav and sound-source3.wav. %s",
			cmd.Method.Title, "The sounds are found as sparse, the pictures as values between 0 and 1 of which many are near both ends.")
		for i := range second.Tables {
			second.Tables[i].Title += " (pictures)"
		}
		out.Page.Tiles = []report.Tile{{Value: fmt.Sprintf("%.1f dB", sound.score.SINR), Label: "SINR of the sounds", Class: "pc"}, {Value: fmt.Sprintf("%.1f dB", picture.score.SINR), Label: "SINR of the pictures", Class: "pc"},
			{Value: fmt.Sprintf("%.2f s", sound.took.Seconds()+picture.took.Seconds()), Label: "to separate"}}
		out.Page.Tables, out.Page.Figures = append(out.Page.Tables, second.Tables...), append(out.Page.Figures, second.Figures...)
		c.Printf("\nTo listen: %s, then %s and the others. Yours: demo separate FILE...\n", out.Path("sound-mixtures.wav"), out.Path("sound-source1.wav"))
		return nil
	})
}

// stage mixes sources, writes sources and mixtures as files like form, reads the mixtures again and separates them.
func (cmd Cmd) stage(c *cli.Console, out *cli.RunDir, prefix string, names []string, s *mat.Dense, form *signal.Signal, mixtures int, snr float64, rng *rand.Rand) (*job, error) {
	_, n := s.Dims()
	a := bss.Mixing(bss.UniformMixing, mixtures, n, rng)
	x, _ := bss.Mix(s, a, snr, rng)
	var references, files []string
	for i, name := range names {
		v := mat.Col(nil, i, s)
		form.Fit(v)
		file := prefix + name + form.Ending()
		if err := out.Write(file, func(w io.Writer) error { return form.Write(w, v, 1, nil) }); err != nil {
			return nil, err
		}
		references = append(references, out.Path(file))
	}
	if form.Kind == signal.Sound {
		file := prefix + "mixtures.wav"
		form.Fit(x.RawMatrix().Data)
		if err := out.Write(file, func(w io.Writer) error { return form.Write(w, x.RawMatrix().Data, mixtures, nil) }); err != nil {
			return nil, err
		}
		files = []string{out.Path(file)}
	} else {
		for i := range mixtures {
			v := mat.Col(nil, i, x)
			form.Fit(v)
			file := fmt.Sprintf("%smixture%d%s", prefix, i+1, form.Ending())
			if err := out.Write(file, func(w io.Writer) error { return form.Write(w, v, 1, nil) }); err != nil {
				return nil, err
			}
			files = append(files, out.Path(file))
		}
	}
	j := &job{prefix: prefix}
	var err error
	if j.in, err = signal.Read(files...); err != nil {
		return nil, err
	}
	if j.reference, err = signal.Read(references...); err != nil {
		return nil, err
	}
	if err := cmd.run(c, out, j); err != nil {
		return nil, err
	}
	if err := j.write(out); err != nil {
		return nil, err
	}
	cmd.results(out, j)
	return j, nil
}

// Sounds are plucked strings, a bird and drums [samples, 3], 5 s at SoundRate, each with its peak at 1.
func Sounds(rng *rand.Rand) *mat.Dense {
	n := SoundRate * tourSeconds
	s := mat.NewDense(n, 3, nil)
	tones := []float64{220, 277.2, 329.6, 440, 329.6, 277.2, 246.9, 185}
	for k := 0; k*SoundRate*9/20 < n; k++ { // strings: harmonics that die away, the higher the sooner
		at, f := k*SoundRate*9/20, tones[k%len(tones)]
		for i := at; i < min(n, at+SoundRate*6/5); i++ {
			t := float64(i-at) / SoundRate
			v := 0.
			for h := 1.; h <= 8; h++ {
				v += math.Exp(-t*(2.5+1.5*h)) / h * math.Sin(2*math.Pi*f*h*t)
			}
			s.Set(i, 0, s.At(i, 0)+v)
		}
	}
	for at := SoundRate / 5; at < n; at += SoundRate/4 + rng.IntN(SoundRate*3/5) { // bird: calls whose pitch falls and trembles
		long, f := SoundRate/10+rng.IntN(SoundRate/5), 2200+1500*rng.Float64()
		phase := 0.
		for i := at; i < min(n, at+long); i++ {
			part := float64(i-at) / float64(long)
			phase += 2 * math.Pi * (f*(1-.4*part) + 250*math.Sin(2*math.Pi*28*float64(i-at)/SoundRate)) / SoundRate
			s.Set(i, 1, s.At(i, 1)+math.Sin(math.Pi*part)*math.Sin(phase))
		}
	}
	for k := 0; k*SoundRate/3 < n; k++ { // drums: noise that dies away, and a deep one every other time
		at := k * SoundRate / 3
		for i := at; i < min(n, at+SoundRate/3); i++ {
			t := float64(i-at) / SoundRate
			v := .6 * math.Exp(-t*30) * rng.NormFloat64()
			if k%2 == 0 {
				v += 1.5 * math.Exp(-t*14) * math.Sin(2*math.Pi*(55+60*math.Exp(-t*25))*t)
			}
			s.Set(i, 2, v)
		}
	}
	for j := range 3 {
		v := mat.Col(nil, j, s)
		(&signal.Signal{Kind: signal.Sound}).Fit(v)
		s.SetCol(j, v)
	}
	return s
}

// pictures are rings, clouds and bricks [pixels, 3] in [0, 1].
func pictures(rng *rand.Rand) *mat.Dense {
	const p = tourPixels
	s := mat.NewDense(p*p, 3, nil)
	clouds := make([]float64, p*p)
	for size, weight := 48, 1.; size >= 3; size, weight = size/2, weight/2 { // noise at several scales, between grid points by cosines
		grid := make([]float64, (p/size+3)*(p/size+3))
		for i := range grid {
			grid[i] = rng.Float64()
		}
		side := p/size + 3
		for i := range clouds {
			x, y := float64(i%p)/float64(size), float64(i/p)/float64(size)
			cx, cy := int(x), int(y)
			fx, fy := .5-.5*math.Cos(math.Pi*(x-float64(cx))), .5-.5*math.Cos(math.Pi*(y-float64(cy)))
			at := func(a, b int) float64 { return grid[(cy+b)*side+cx+a] }
			clouds[i] += weight * ((at(0, 0)*(1-fx)+at(1, 0)*fx)*(1-fy) + (at(0, 1)*(1-fx)+at(1, 1)*fx)*fy)
		}
	}
	for i := range clouds {
		x, y := float64(i%p), float64(i/p)
		s.Set(i, 0, .5+.5*math.Sin(math.Hypot(x-.4*p, y-.55*p)/4.5))
		s.Set(i, 1, clouds[i])
		row := i / p / 16
		brick := .55 + .35*math.Sin(float64(row*7+(i%p+row%2*16)/32*13))
		if (i/p)%16 < 2 || (i%p+row%2*16)%32 < 2 {
			brick = 0
		}
		s.Set(i, 2, brick)
	}
	for j := range 3 {
		v := mat.Col(nil, j, s)
		(&signal.Signal{Kind: signal.Picture}).Fit(v)
		s.SetCol(j, v)
	}
	return s
}
