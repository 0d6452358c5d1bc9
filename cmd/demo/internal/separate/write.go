package separate

import (
	"fmt"
	"io"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
	"github.com/pcgraph/pcgraph/graph/safetensors"
)

// write writes the sources as files of the mixtures' kind, and the unmixing.
func (j *job) write(out *cli.RunDir) error {
	j.turn()
	_, n := j.y.Dims()
	if j.in.Kind == signal.Sound || j.in.Kind == signal.Picture {
		for i := range n {
			v := mat.Col(nil, i, j.y)
			factor, offset := j.in.Fit(v)
			name := fmt.Sprintf("%ssource%d%s", j.prefix, i+1, j.in.Ending())
			if err := out.Write(name, func(w io.Writer) error { return j.in.Write(w, v, 1, nil) }); err != nil {
				return err
			}
			text := fmt.Sprintf("times %.4g", factor)
			if offset != 0 {
				text += fmt.Sprintf(", plus %.4g", offset)
			}
			j.files, j.scaled = append(j.files, name), append(j.scaled, text)
		}
	} else {
		name := j.prefix + "sources" + j.in.Ending()
		if err := out.Write(name, func(w io.Writer) error { return j.in.Write(w, j.y.RawMatrix().Data, n, sourceNames(n)) }); err != nil {
			return err
		}
		for range n {
			j.files, j.scaled = append(j.files, name), append(j.scaled, "as found")
		}
	}
	return writeUnmixing(out, j.prefix, j.result.Unmixing, j.result.Offset, j.in.Names)
}

// turn gives outputs the signs of the sources that they are matched with: the mixtures alone do not tell them.
func (j *job) turn() {
	if j.score == nil {
		return
	}
	done := map[int]bool{}
	for s, i := range j.score.Order {
		if done[i] || j.score.Sign[s] > 0 {
			done[i] = true
			continue
		}
		done[i] = true
		row := j.result.Unmixing.RawRowView(i)
		for k := range row {
			row[k] = -row[k]
		}
		middle := 0. // of the domain, about which it is turned
		if j.result.Domain == bss.Projector(bss.NonnegAntisparse) {
			middle = .5
		}
		j.result.Offset[i] = 2*middle - j.result.Offset[i]
		rows, _ := j.y.Dims()
		for k := range rows {
			j.y.Set(k, i, 2*middle-j.y.At(k, i))
		}
	}
}

func sourceNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "source" + strconv.Itoa(i+1)
	}
	return names
}

// writeUnmixing writes W and b of y = W x + b: unmixing.safetensors and unmixing.csv, a line for each source.
func writeUnmixing(out *cli.RunDir, prefix string, w *mat.Dense, b []float64, mixtures []string) error {
	n, m := w.Dims()
	flat := mat.DenseCopyOf(w).RawMatrix().Data
	file := &safetensors.File{Meta: map[string]string{"what": "sources = W mixtures + b"}, Tensors: []safetensors.Tensor{
		{Name: "W", Shape: []int{n, m}, Data: flat}, {Name: "b", Shape: []int{n}, Data: b}}}
	if err := out.Save(prefix+"unmixing.safetensors", func(path string) error { return safetensors.WriteFile(path, file) }); err != nil {
		return err
	}
	var values []float64
	for i := range n {
		values = append(append(values, flat[i*m:(i+1)*m]...), b[i])
	}
	names := append(append([]string{}, mixtures...), "offset")
	return out.Write(prefix+"unmixing.csv", func(w io.Writer) error { return signal.WriteTable(w, values, names) })
}
