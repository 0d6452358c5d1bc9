package report

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
)

// TestGraph_LabelsAreEscaped: a name made of XML's own signs stays text.
func TestGraph_LabelsAreEscaped(t *testing.T) {
	svg, err := Graph([]byte(`digraph g { n0 [label="<b> & \"q\"", shape=box, style="filled", fillcolor="#cfe2f3"]; n1 [label="]]>", shape=box]; n0 -> n1; }`), "<title>")
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(svg, new(struct{})); err != nil || !bytes.Contains(svg, []byte("&lt;b&gt; &amp; &#34;q&#34;")) {
		t.Errorf("error %v in %s", err, svg)
	}
}

// TestGraph_RefusesWhatItCannotDraw: text that is no graph, and an edge to no node.
func TestGraph_RefusesWhatItCannotDraw(t *testing.T) {
	for _, text := range []string{"digraph {", "digraph { a [label=b]; a -> c; }", "digraph { a [label=b]; c [label=d]; a -> c -> a; }"} {
		if _, err := Graph([]byte(text), ""); err == nil || !strings.Contains(err.Error(), "read the graph") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}
