package live_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/report/live"
)

// What a page asks a server for: here without a network.
func ExampleServer_Handler() {
	root, err := os.MkdirTemp("", "runs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(root)
	run := filepath.Join(root, "first")
	os.Mkdir(run, 0o755)
	os.WriteFile(filepath.Join(run, "manifest.json"), []byte(`{"command": "train", "state": "running"}`), 0o644)

	s := &live.Server{Root: root}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/runs", nil))
	var state live.State
	if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil {
		panic(err)
	}
	for _, r := range state.Runs {
		fmt.Println(r.Name, r.Command, r.State)
	}
	// Output: first train running
}
