package tfevents

import (
	"bytes"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
)

// golden is what TensorBoard's own classes write of the same events: event_pb2.Event by RecordWriter, tensorboard 2.
const golden = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c1a00000000000000129bd82d09000000000000f83f10072a0d0a0b0a046c" +
	"6f7373150000803ec9d07b8d5800000000000000a28b2f8c09000000000000f83f10ac022a4a0a480a037a2f682a410900000000000000401100000000000000401900000000" +
	"00000840210000000000001840290000000000002840320800000000000000403a08000000000000084093f7603e2400000000000000422b804d09000000000000f83f10082a" +
	"170a150a056469676974220c080210031801220489504e470a4b10462e00000000000000c5cb57fa09000000000000f83f2a230a210a076f7074696f6e73420c080712041202" +
	"0801420268694a080a060a047465787401c0c4c4"

type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }

func TestWriter_WritesWhatTensorBoardWrites(t *testing.T) {
	var out closer
	w := New(&out)
	w.buffer.Reset(&out) // without the first event, whose time is now
	w.Now = func() time.Time { return time.Unix(1, 5e8) }
	w.event(0, version)
	w.Scalar("loss", 7, .25)
	w.Histogram("z/h", 300, []float64{2, 2, 2})
	w.Image("digit", 8, 3, 2, 1, []byte("\x89PNG"))
	w.Text("options", 0, "hi")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(out.Bytes()); got != golden {
		t.Errorf("%s, want %s", got, golden)
	}
}

// TestHistogram_CountsEveryNumber: bins of equal width, the largest in the last, what is not finite in none.
func TestHistogram_CountsEveryNumber(t *testing.T) {
	for _, c := range []struct {
		values []float64
		bytes  int // of the event
	}{{nil, 0}, {[]float64{math.NaN(), math.Inf(1)}, 0}, {[]float64{1, math.NaN(), 1}, 1}, {[]float64{0, 1, 2, 3}, 1}} {
		var out closer
		w := New(&out)
		w.Flush()
		before := out.Len()
		w.Histogram("h", 1, c.values)
		w.Close()
		if (out.Len() > before) != (c.bytes > 0) {
			t.Errorf("%v: %d bytes", c.values, out.Len()-before)
		}
	}
	limits, counts := bins([]float64{0, 1, 2, 3, 3})
	if len(limits) != 30 || limits[29] != 3 || counts[0] != 1 || counts[10] != 1 || counts[20] != 1 || counts[29] != 2 {
		t.Errorf("%v, %v", limits, counts)
	}
}

func TestCreate_MakesFilesOfTheirOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	names := map[string]bool{}
	for range 3 {
		w, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		names[w.Path()] = true
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(w.Path()); err != nil || info.Size() != 40 || !strings.Contains(w.Path(), "tfevents") {
			t.Errorf("%s: %v, %v", w.Path(), info, err)
		}
	}
	if len(names) != 3 {
		t.Errorf("%d files of 3", len(names))
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(dir, "file")); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
func (full) Close() error              { return nil }

func TestWriter_TheFirstErrorStays(t *testing.T) {
	w := New(full{})
	w.Text("long", 1, strings.Repeat("x", 1<<17))
	w.Scalar("loss", 2, 1)
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}
