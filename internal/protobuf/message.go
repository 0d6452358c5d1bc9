// Package protobuf writes messages in the encoding of that name: a message is fields, each a key (number << 3 | wire type) and a value: a
// varint (0), 8 bytes (1), a length and so many bytes (2: text, messages, packed numbers), or 4 bytes (5).
package protobuf

import (
	"encoding/binary"
	"math"
)

// A Message is an encoding that grows.
type Message []byte

func (m *Message) key(field, wire int) { *m = binary.AppendUvarint(*m, uint64(field)<<3|uint64(wire)) }

// Int adds a whole number.
func (m *Message) Int(field int, v int64) {
	m.key(field, 0)
	*m = binary.AppendUvarint(*m, uint64(v))
}

// Bytes adds bytes.
func (m *Message) Bytes(field int, v []byte) {
	m.key(field, 2)
	*m = append(binary.AppendUvarint(*m, uint64(len(v))), v...)
}

// Text adds text, unless it is empty.
func (m *Message) Text(field int, v string) {
	if v != "" {
		m.Bytes(field, []byte(v))
	}
}

// In adds a message.
func (m *Message) In(field int, write func(m *Message)) {
	var inner Message
	write(&inner)
	m.Bytes(field, inner)
}

// Float adds a number of four bytes.
func (m *Message) Float(field int, v float32) {
	m.key(field, 5)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(v))
}

// Double adds a number of eight bytes.
func (m *Message) Double(field int, v float64) {
	m.key(field, 1)
	*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(v))
}

// Doubles adds packed numbers of eight bytes.
func (m *Message) Doubles(field int, v []float64) {
	m.key(field, 2)
	*m = binary.AppendUvarint(*m, uint64(8*len(v)))
	for _, x := range v {
		*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(x))
	}
}
