package claim

// A Figure is a picture as a value: panels side by side. Colours, fonts and sizes are chosen by the code that draws it, so that
// all pictures look alike.
type Figure struct {
	Name    string // of the file, without ending
	Caption string // what one sees, and what was measured: sizes, seeds
	Columns int    // panels in a row; 0 means up to two
	Panels  []Panel
}

// A Panel is one pair of axes with lines, or a map.
type Panel struct {
	Title string
	X, Y  Axis
	Lines []Line
	Map   *Map // instead of lines
}

// An Axis says what it shows.
type Axis struct {
	Label    string // with the unit
	Log      bool
	Min, Max float64 // both 0: as the data need
}

// A Line is a series with a band. Points whose value is not finite, or not positive on a logarithmic axis, are left out.
type Line struct {
	Name      string // in the legend; empty for none
	X, Y      []float64
	Low, High []float64 // the band, as a rule a standard error to both sides; nil for none
	Points    bool      // dots at the points
	NoLine    bool      // only the dots
	Reference bool      // grey and dotted: a theory, a bound, somebody else's values
	// Series is the colour: lines of the same series, counted from 1, share one. 0 is a colour of the line's own.
	Series int
	Dash   int // how it is dashed; 0 is solid
}

// A Map is a table of numbers as colours, with the numbers written in it if there is room.
type Map struct {
	Columns, Rows []string    // labels, from the left and from the bottom
	Values        [][]float64 // by rows; NaN is left blank
	Low, High     float64     // what is lightest and darkest; both 0: the extremes of the values
	Levels        []float64   // contours
}
