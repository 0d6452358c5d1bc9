// Package jsonfloat encodes and decodes JSON whose numbers may be NaN or infinite, which JSON itself cannot express.
//
// A float that is not finite is written as one of the strings "NaN", "Infinity" and "-Infinity", as Protocol Buffers and
// most readers of such files do (Python's float and JavaScript's Number accept all three). Everything else is encoded as
// encoding/json does it. Decode with Unmarshal: a number may be written as one of these strings wherever the target is a float.
//
// Use it for every file that holds measured numbers: a run that diverged has to be written down as well as one that did not.
package jsonfloat

import (
	"errors"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

var options = json.JoinOptions(
	jsonv1.DefaultOptionsV1(),
	jsontext.EscapeForHTML(false),
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(func(e *jsontext.Encoder, v float64) error { return encode(e, v) }),
		json.MarshalToFunc(func(e *jsontext.Encoder, v float32) error { return encode(e, float64(v)) }),
	)),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *float64) error { return decode(d, 64, func(f float64) { *v = f }) }),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *float32) error {
			return decode(d, 32, func(f float64) { *v = float32(f) })
		}),
	)),
)

// Marshal returns the JSON of v on one line.
func Marshal(v any) ([]byte, error) { return json.Marshal(v, options) }

// MarshalIndent returns the JSON of v, indented by two spaces.
func MarshalIndent(v any) ([]byte, error) { return json.Marshal(v, options, jsontext.WithIndent("  ")) }

// Unmarshal decodes text into what v points to. Unknown fields are ignored, as encoding/json does.
func Unmarshal(text []byte, v any) error { return json.Unmarshal(text, v, options) }

// UnmarshalStrict decodes text into what v points to and refuses fields that v does not have.
func UnmarshalStrict(text []byte, v any) error {
	return json.Unmarshal(text, v, options, json.RejectUnknownMembers(true))
}

// encode writes a float that is not finite as a string and leaves the others to the default.
func encode(e *jsontext.Encoder, v float64) error {
	switch {
	case math.IsNaN(v):
		return e.WriteToken(jsontext.String("NaN"))
	case math.IsInf(v, 1):
		return e.WriteToken(jsontext.String("Infinity"))
	case math.IsInf(v, -1):
		return e.WriteToken(jsontext.String("-Infinity"))
	}
	return errors.ErrUnsupported
}

// decode reads a string as a float and leaves everything else to the default.
func decode(d *jsontext.Decoder, bits int, set func(float64)) error {
	if d.PeekKind() != '"' {
		return errors.ErrUnsupported
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(token.String(), bits)
	if err != nil {
		return err
	}
	set(f)
	return nil
}
