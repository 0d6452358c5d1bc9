// Package tfevents writes event files, the format of TensorBoard, which Weights & Biases, Aim and MLflow's users read too: scalars,
// histograms, images and text by step.
//
//	w, err := tfevents.Create("runs/one/tensorboard/PC")
//	w.Scalar("loss", step, loss)
//	err = w.Close()
//
// A file is a sequence of records, each with checksums (CRC-32C) of its length and of its content, a protobuf message Event. A file whose
// writer was killed ends in half a record, which readers leave out.
//
// The package is not for reading.
package tfevents

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/protobuf"
)

// Numbers of fields, as event.proto, summary.proto and tensor.proto of TensorFlow have them.
const (
	eventTime, eventStep, eventVersion, eventSummary    = 1, 2, 3, 5
	summaryValue                                        = 1
	valueTag, valueSimple, valueImage, valueHistogram   = 1, 2, 4, 5
	valueTensor, valueMetadata                          = 8, 9
	imageHeight, imageWidth, imageColours, imageEncoded = 1, 2, 3, 4
	histMin, histMax, histNum, histSum, histSquares     = 1, 2, 3, 4, 5
	histLimits, histCounts                              = 6, 7
	tensorType, tensorShape, tensorText, tensorTextType = 1, 2, 8, 7
	shapeDim, dimSize                                   = 2, 1
	metadataPlugin, pluginName                          = 1, 1
)

// A Writer writes one event file. The first error stays: later calls do nothing, and Flush and Close return it. It belongs to one goroutine.
type Writer struct {
	// Now is the time of events; nil means time.Now.
	Now func() time.Time

	path    string
	file    io.WriteCloser
	buffer  *bufio.Writer
	err     error
	flushed time.Time
}

// flushAfter is how long events wait in memory at most while others come.
const flushAfter = 2 * time.Second

// Create makes a new event file in a folder, which it makes too. TensorBoard takes the folder for one run.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errors.Wrap(err, "event file")
	}
	host, _ := os.Hostname()
	for k := 0; ; k++ {
		path := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%d.%s.%d.%d", time.Now().Unix(), host, os.Getpid(), k))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return nil, errors.Wrap(err, "event file")
		}
		w := New(f)
		w.path = path
		return w, w.Flush()
	}
}

// New writes events to a stream, which Close closes.
func New(to io.WriteCloser) *Writer {
	w := &Writer{file: to, buffer: bufio.NewWriterSize(to, 1<<16), flushed: time.Now()}
	w.event(0, version)
	return w
}

// version is what the first event says.
func version(m *protobuf.Message) { m.Text(eventVersion, "brain.Event:2") }

// Path is where the file is.
func (w *Writer) Path() string { return w.path }

// castagnoli is the table of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is a checksum as the format stores it, so that a checksum of data that contain one is no trap.
func masked(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// event writes a record.
func (w *Writer) event(step int64, content func(m *protobuf.Message)) {
	if w.err != nil {
		return
	}
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	var m protobuf.Message
	m.Double(eventTime, float64(now().UnixNano())/1e9)
	if step != 0 {
		m.Int(eventStep, step)
	}
	content(&m)
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(m)))
	record = binary.LittleEndian.AppendUint32(record, masked(record))
	record = append(record, m...)
	record = binary.LittleEndian.AppendUint32(record, masked(m))
	if _, err := w.buffer.Write(record); err != nil {
		w.err = errors.Wrap(err, "event file")
	}
	if time.Since(w.flushed) > flushAfter {
		w.Flush()
	}
}

// value writes a summary of one value.
func (w *Writer) value(tag string, step int, content func(m *protobuf.Message)) {
	w.event(int64(step), func(m *protobuf.Message) {
		m.In(eventSummary, func(m *protobuf.Message) {
			m.In(summaryValue, func(m *protobuf.Message) {
				m.Text(valueTag, tag)
				content(m)
			})
		})
	})
}

// Scalar writes a number. The part of a tag before a slash names its group of charts.
func (w *Writer) Scalar(tag string, step int, v float64) {
	w.value(tag, step, func(m *protobuf.Message) { m.Float(valueSimple, float32(v)) })
}

// Histogram writes how numbers are distributed: into 30 bins of equal width between the least and the largest. Numbers that are not finite
// are left out.
func (w *Writer) Histogram(tag string, step int, values []float64) {
	finite := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(finite) == 0 {
		return
	}
	limits, counts := bins(finite)
	sum, squares := 0., 0.
	for _, v := range finite {
		sum, squares = sum+v, squares+v*v
	}
	w.value(tag, step, func(m *protobuf.Message) {
		m.In(valueHistogram, func(m *protobuf.Message) {
			m.Double(histMin, slices.Min(finite))
			m.Double(histMax, slices.Max(finite))
			m.Double(histNum, float64(len(finite)))
			m.Double(histSum, sum)
			m.Double(histSquares, squares)
			m.Doubles(histLimits, limits)
			m.Doubles(histCounts, counts)
		})
	})
}

// bins are upper limits and counts; of numbers that are all equal a single bin.
func bins(values []float64) (limits, counts []float64) {
	const n = 30
	lo, hi := slices.Min(values), slices.Max(values)
	width := hi/n - lo/n
	if width == 0 {
		return []float64{hi}, []float64{float64(len(values))}
	}
	limits, counts = make([]float64, n), make([]float64, n)
	for k := range limits {
		limits[k] = lo + float64(k+1)*width
	}
	limits[n-1] = hi
	for _, v := range values {
		counts[max(0, min(int((v-lo)/width), n-1))]++
	}
	return limits, counts
}

// Image writes a picture, encoded as PNG or JPEG, of channels 1 (grey), 3 (colour) or 4 (with opacity).
func (w *Writer) Image(tag string, step, width, height, channels int, encoded []byte) {
	w.value(tag, step, func(m *protobuf.Message) {
		m.In(valueImage, func(m *protobuf.Message) {
			m.Int(imageHeight, int64(height))
			m.Int(imageWidth, int64(width))
			m.Int(imageColours, int64(channels))
			m.Bytes(imageEncoded, encoded)
		})
	})
}

// Text writes a text in Markdown.
func (w *Writer) Text(tag string, step int, text string) {
	w.value(tag, step, func(m *protobuf.Message) {
		m.In(valueTensor, func(m *protobuf.Message) {
			m.Int(tensorType, tensorTextType)
			m.In(tensorShape, func(m *protobuf.Message) { m.In(shapeDim, func(m *protobuf.Message) { m.Int(dimSize, 1) }) })
			m.Bytes(tensorText, []byte(text))
		})
		m.In(valueMetadata, func(m *protobuf.Message) {
			m.In(metadataPlugin, func(m *protobuf.Message) { m.Text(pluginName, "text") })
		})
	})
}

// Flush writes what waits in memory.
func (w *Writer) Flush() error {
	w.flushed = time.Now()
	if w.err == nil {
		w.err = errors.Wrap(w.buffer.Flush(), "event file")
	}
	return w.err
}

// Close writes what waits and closes the file.
func (w *Writer) Close() error {
	err := w.Flush()
	if e := w.file.Close(); err == nil {
		err = errors.Wrap(e, "event file")
	}
	return err
}
