package jsonfloat

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// TestMarshal_KeepsEveryFloatAnywhere: NaN and both infinities survive a round trip in fields, slices, maps, pointers and
// interfaces, in both widths.
func TestMarshal_KeepsEveryFloatAnywhere(t *testing.T) {
	type inner struct {
		X float64  `json:"x"`
		P *float64 `json:"p,omitempty"`
	}
	type outer struct {
		A float64            `json:"a"`
		B float32            `json:"b"`
		C []float64          `json:"c"`
		D map[string]float64 `json:"d"`
		E inner              `json:"e"`
		F any                `json:"f"`
		inner
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1.5, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		in := outer{A: v, B: float32(v), C: []float64{v}, D: map[string]float64{"k": v}, E: inner{X: v, P: &v}, F: v, inner: inner{X: v}}
		for name, marshal := range map[string]func(any) ([]byte, error){"line": Marshal, "indented": MarshalIndent} {
			text, err := marshal(in)
			if err != nil {
				t.Fatalf("%s of %v: %v", name, v, err)
			}
			if !json.Valid(text) {
				t.Fatalf("%s of %v is no JSON: %s", name, v, text)
			}
			var out outer
			if err := Unmarshal(text, &out); err != nil {
				t.Fatalf("%s of %v: %v", name, v, err)
			}
			same := func(what string, got, want float64) {
				if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("%s of %v: %s is %v", name, v, what, got)
				}
			}
			same("a", out.A, v)
			same("b", float64(out.B), float64(float32(v)))
			same("c", out.C[0], v)
			same("d", out.D["k"], v)
			same("e.x", out.E.X, v)
			same("e.p", *out.E.P, v)
			same("embedded x", out.X, v)
		}
	}
}

// TestMarshal_IsOtherwiseEncodingJSON: what has no such number is written as the standard library writes it.
func TestMarshal_IsOtherwiseEncodingJSON(t *testing.T) {
	v := map[string]any{"b": 1, "a": []string{"x", "é"}, "t": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "f": 1e21, "g": .1, "n": nil,
		"raw": json.RawMessage(`{"k":1}`), "s": struct {
			A int     `json:"a,omitempty"`
			B float64 `json:"b,omitempty"`
			C []int   `json:"c"`
		}{}}
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestUnmarshal_Refuses: text that is no number, and unknown fields where they are not allowed.
func TestUnmarshal_Refuses(t *testing.T) {
	var v struct{ X float64 }
	for _, text := range []string{`{"X":"fast"}`, `{"X":""}`, `{"X":true}`, `{"X":1`, ``} {
		if err := Unmarshal([]byte(text), &v); err == nil {
			t.Errorf("%q is accepted as %v", text, v.X)
		}
	}
	if err := UnmarshalStrict([]byte(`{"X":1,"Y":2}`), &v); err == nil {
		t.Error("an unknown field is accepted")
	}
	if err := Unmarshal([]byte(`{"X":1,"Y":2}`), &v); err != nil || v.X != 1 {
		t.Errorf("%v, %v", v.X, err)
	}
}
