package graph

// Convert is v in numbers of another type, in memory of its own: rounded where T is float32 and v of float64, and then
// infinite where they are too large for it.
func Convert[T, From Float](v *Vector[From]) *Vector[T] {
	c := NewVector[T](v.fields...)
	for i, x := range v.data {
		c.data[i] = T(x)
	}
	return c
}
