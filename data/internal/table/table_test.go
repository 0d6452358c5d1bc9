package table

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRead_LimitsOfFieldsAndLines(t *testing.T) {
	for text, want := range map[string]string{
		"a,y\n" + strings.Repeat("9", maxField+1) + ",0\n1,1\n":    fmt.Sprintf("line 2, column 1: a field of %d bytes", maxField+1),
		"a,y\n\"" + strings.Repeat("9\n", maxField/2+1) + "\",0\n": "line 2, column 1: a quoted field of more than",
		"a\x00,y\n1,0\n2,1\n": "line 1, byte 2: a zero byte",
	} {
		if _, err := Read(strings.NewReader(text), int64(len(text)), Options{Say: func(string, string, string, bool) {}}, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	r := newRecordReader(strings.NewReader("1,0\n"+strings.Repeat("1", maxLine+1)), '\n', ',')
	if err := r.next(); err != nil {
		t.Fatal(err)
	}
	if err := r.next(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line 2 has more than %d bytes", maxLine)) {
		t.Errorf("a line without an end: %v", err)
	}
	// What is packed is counted as it is unpacked.
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(bytes.Repeat([]byte("1,2,0\n"), 1<<18))
	z.Close()
	text, err := textOf(&packed, int64(packed.Len()), 1<<18)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, text); err == nil || !strings.Contains(err.Error(), "more than 262144 bytes of text") || n > 1<<18 {
		t.Errorf("%d bytes of a limit of %d: %v", n, 1<<18, err)
	}
}

// A table without names is not taken for one with numbers as names, more often than one in a hundred times.
func TestGuess_SamplesAreNotNames(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 0))
	for kind, line := range map[string]func(i int) string{
		"real numbers and labels": func(i int) string {
			return fmt.Sprintf("%.3f,%.3f,%.3f,%d", r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.IntN(3))
		},
		"petals": func(i int) string {
			return fmt.Sprintf("%.1f,%.1f,%.1f,%.1f,%d", 5+r.Float64(), 3+r.Float64(), 1+5*r.Float64(), 2*r.Float64(), i/17)
		},
		"real numbers": func(i int) string { return fmt.Sprintf("%.2f,%.2f,%.2f", r.Float64(), r.Float64(), r.Float64()) },
		"one-hot columns": func(i int) string {
			k := r.IntN(3)
			return fmt.Sprintf("%.2f,%d,%d,%d,%d", r.Float64(), one(k == 0), one(k == 1), one(k == 2), r.IntN(2))
		},
		"digits": func(i int) string { return fmt.Sprintf("%d,%d,%d,%d", r.IntN(10), r.IntN(10), r.IntN(10), r.IntN(10)) },
		"an index and digits": func(i int) string {
			return fmt.Sprintf("%d,%d,%d,%d,%d", i, r.IntN(10), r.IntN(10), r.IntN(10), r.IntN(4))
		},
		"many digits": func(i int) string {
			return fmt.Sprintf("%d,%d,%d,%d,%d,%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(10))
		},
		"sorted numbers": func(i int) string {
			a, b := r.Float64(), r.Float64()
			return fmt.Sprintf("%.3f,%.3f,%.3f", a, a+b, a+b+r.Float64())
		},
		"times that go on":           func(i int) string { return fmt.Sprintf("%d,%d,%d,%.2f", i, 2*i, 3*i, r.Float64()) },
		"whole numbers and a rare 1": func(i int) string { return fmt.Sprintf("%d,%.2f,%d", r.IntN(100), r.Float64(), one(i%9 == 0)) },
		"ratings and a whole price":  func(i int) string { return fmt.Sprintf("%d,%d,%d", 1+r.IntN(5), 1+r.IntN(5), 100*r.IntN(50)) },
		"whole numbers, real targets": func(i int) string {
			return fmt.Sprintf("%d,%d,%d,%.1f", r.IntN(20), r.IntN(20), r.IntN(20), 10*r.Float64())
		},
	} {
		alarms, tables := 0, 200
		for range tables {
			text := lines(51, line)
			said := false
			d := &dialect{Options: Options{Say: func(about, _, _ string, likely bool) { said = said || about == "header" && likely }}}
			if err := d.guess([]byte(text), true, ""); err != nil {
				continue // may be a header that counts
			}
			if said {
				alarms++
			}
		}
		if alarms*100 > tables {
			t.Errorf("%s: %d of %d are said to be names", kind, alarms, tables)
		}
	}
}

// lines is f(0) .. f(n-1), a line each.
func lines(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, f(i))
	}
	return b.String()
}

// one is 1 if it is so, else 0.
func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
