package data

// A Guess is a decision that a reader made where the file leaves a choice.
type Guess struct {
	About  string `json:"about"`                  // what it is about: "header", "separator", "decimal sign", "target", "classes", "constant columns", "held out", ...
	Taken  string `json:"taken"`                  // what was taken, a clause in plain English ("line 1 was read as names of columns")
	Field  string `json:"field,omitempty"`        // the field of the source or of its Preparation that decides it otherwise ("Targets", "Task", "Header", ...); empty if there is none
	Likely bool   `json:"likely_wrong,omitempty"` // it is probably not what was meant: shown as a warning
}

// Guesses returns what was guessed where the set was read: the same for both parts of a Load. It is nil for data sets by name and for
// tasks made from a seed. It is the set's own memory and must not be changed.
func (s *Set) Guesses() []Guess { return s.guesses }
