package report

import (
	"math"
	"testing"
)

// TestCounts_TicksAreWholeNumbers: at most nine of them, all in the range, labelled without decimals.
func TestCounts_TicksAreWholeNumbers(t *testing.T) {
	for _, r := range [][2]float64{{0, 3}, {0, 79}, {1, 938}, {99, 101}, {0, 1e6}, {5, 5}} {
		ticks := CountTicks{}.Ticks(r[0], r[1])
		if len(ticks) == 0 || len(ticks) > 9 {
			t.Errorf("%v: %d ticks", r, len(ticks))
		}
		for _, tick := range ticks {
			if tick.Value != math.Trunc(tick.Value) || tick.Value < r[0] || tick.Value > r[1] {
				t.Errorf("%v: tick %v (%s)", r, tick.Value, tick.Label)
			}
		}
	}
}

// TestRules_LookTheSameEverywhere: PC is solid and blue, BP dashed and vermillion, whatever the order of the lines.
func TestRules_LookTheSameEverywhere(t *testing.T) {
	if RuleDash("PC") != nil || RuleDash("iPC") != nil || len(RuleDash("BP")) == 0 || RuleColour("PC") != Blue || RuleColour("BP") != Vermillion {
		t.Error("the convention is broken")
	}
}

// TestBands_TheBarSaysWhatTheMapShows: the grey of a value is the grey that the bar has to the right of its lower border.
func TestBands_TheBarSaysWhatTheMapShows(t *testing.T) {
	bar := BandBar("energy")
	for _, c := range []struct {
		value float64
		label int
	}{{1. / 32, 0}, {1. / 8, 1}, {.5, 2}, {2, 3}, {8, 4}} {
		l := bar.Labels[c.label]
		if got, want := bandColour(bandOf(c.value*1.01)), bar.Colour(l.At+1e-6); got != want {
			t.Errorf("%v (label %s): %v in the map, %v in the bar", c.value, l.Text, got, want)
		}
		if got, want := bandColour(bandOf(c.value*.99)), bar.Colour(l.At-1e-6); got != want {
			t.Errorf("below %v (label %s): %v in the map, %v in the bar", c.value, l.Text, got, want)
		}
	}
}
