package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tracker stands in for a server: it keeps what is sent, holds MLflow's limits, and can be away.
type tracker struct {
	t      *testing.T
	mu     sync.Mutex
	away   bool
	calls  int
	failAt int // the number of the call that fails, counted from 1; 0: none

	experiments map[string]string
	runs        map[string]*tracked
}

type tracked struct {
	Name, Status string
	tags, params map[string]string
	metrics      map[string][]string // by "key@step"
	files        map[string]string
}

func newTracker(t *testing.T) (*tracker, *Client) {
	k := &tracker{t: t, experiments: map[string]string{}, runs: map[string]*tracked{}}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	return k, NewClient(server.URL)
}

func (k *tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	if k.away || k.calls == k.failAt {
		http.Error(w, "down for the night", http.StatusServiceUnavailable)
		return
	}
	var in struct {
		Name, Run_name, Run_id, Status string
		Tags, Params                   []pair
		Metrics                        []struct {
			Key   string
			Value json.RawMessage
			Step  int64
		}
	}
	if r.Method == "POST" {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			k.t.Error(err)
		}
	}
	answer := map[string]any{}
	switch path := r.URL.Path; {
	case path == api+"/experiments/get-by-name":
		id, is := k.experiments[r.URL.Query().Get("experiment_name")]
		if !is {
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
			break
		}
		answer["experiment"] = map[string]any{"experiment_id": id, "lifecycle_stage": "active"}
	case path == api+"/experiments/create":
		k.experiments[in.Name] = "7"
		answer["experiment_id"] = "7"
	case path == api+"/runs/create":
		id := fmt.Sprintf("run%d", len(k.runs))
		k.runs[id] = &tracked{Name: in.Run_name, Status: "RUNNING", tags: map[string]string{}, params: map[string]string{}, metrics: map[string][]string{}, files: map[string]string{}}
		for _, p := range in.Tags {
			k.runs[id].tags[p.Key] = p.Value
		}
		answer["run"] = map[string]any{"info": map[string]any{"run_id": id, "artifact_uri": "mlflow-artifacts:/7/" + id + "/artifacts"}}
	case path == api+"/runs/log-batch":
		if len(in.Metrics) > 1000 || len(in.Params) > 100 {
			k.t.Errorf("a batch of %d metrics and %d parameters", len(in.Metrics), len(in.Params))
		}
		run := k.runs[in.Run_id]
		for _, p := range in.Params {
			if len([]rune(p.Value)) > 500 {
				k.t.Errorf("parameter %s of %d characters", p.Key, len([]rune(p.Value)))
			}
			run.params[p.Key] = p.Value
		}
		for _, m := range in.Metrics {
			at := fmt.Sprintf("%s@%d", m.Key, m.Step)
			run.metrics[at] = append(run.metrics[at], string(m.Value))
		}
	case path == api+"/runs/update":
		k.runs[in.Run_id].Status = in.Status
	case strings.HasPrefix(path, "/api/2.0/mlflow-artifacts/artifacts/7/") && r.Method == "PUT":
		parts := strings.Split(path, "/")
		text, _ := io.ReadAll(r.Body)
		k.runs[parts[len(parts)-3]].files[parts[len(parts)-1]] = string(text)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	json.NewEncoder(w).Encode(answer)
}

// byName finds a run.
func (k *tracker) byName(name string) *tracked {
	for _, r := range k.runs {
		if r.Name == name {
			return r
		}
	}
	k.t.Fatalf("no run %q on the server", name)
	return nil
}

// folder is a run of PC and BP, of so many steps, in a state.
func folder(t *testing.T, state string, steps int) string {
	dir := filepath.Join(t.TempDir(), "first")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	options := map[string]any{"lr": .001, "widths": []int{2, 8, 2}, "note": strings.Repeat("é", 800), "nested": map[string]any{"deep": true}, "none": nil}
	for i := range 120 {
		options[fmt.Sprintf("option%03d", i)] = i
	}
	setState(t, dir, state, options)
	write(t, dir, metricsName, lines(1, steps))
	write(t, dir, "pc.safetensors", "weights")
	write(t, dir, "curves.png", "picture")
	return dir
}

func setState(t *testing.T, dir, state string, options map[string]any) {
	text, err := json.Marshal(map[string]any{"command": "train-moons", "state": state, "again": "demo train", "started": "2026-12-01T10:00:00Z", "options": options,
		"version": map[string]any{"revision": "abc"}, "files": []string{"pc.safetensors", "curves.png", "../evil", "gone.png", metricsName}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, manifestName, string(text))
}

func lines(from, to int) string {
	var text strings.Builder
	for i := from; i <= to; i++ {
		loss := fmt.Sprint(1 / float64(i))
		if i == 3 {
			loss = `"NaN"`
		}
		for _, rule := range []string{"PC", "BP"} {
			fmt.Fprintf(&text, `{"kind":"step","rule":"%s","step":%d,"loss":%s,"terms":{"block1":%d},"status":"converged","seconds":%d}`+"\n", rule, i, loss, i, i)
		}
	}
	return text.String()
}

func write(t *testing.T, dir, name, text string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// holds checks that the server has a run's numbers, each once.
func holds(t *testing.T, r *tracked, steps int) {
	t.Helper()
	for i := 1; i <= steps; i++ {
		want := fmt.Sprint(1 / float64(i))
		if i == 3 {
			want = `"NaN"`
		}
		got := r.metrics[fmt.Sprintf("step/loss@%d", i)]
		var f float64
		if len(got) != 1 || got[0] != want && (json.Unmarshal([]byte(got[0]), &f) != nil || math.Abs(f-1/float64(i)) > 1e-15) {
			t.Fatalf("%s: loss of step %d is %v, want %s once", r.Name, i, got, want)
		}
		if got := r.metrics[fmt.Sprintf("step/terms/block1@%d", i)]; len(got) != 1 {
			t.Fatalf("%s: term of step %d is %v", r.Name, i, got)
		}
	}
	if len(r.metrics) != 3*steps {
		t.Errorf("%s: %d metrics, want %d", r.Name, len(r.metrics), 3*steps)
	}
}

func TestLog_SendsARun(t *testing.T) {
	k, c := newTracker(t)
	const steps = 1500 // more than a batch
	dir := folder(t, "done", steps)
	log := &Log{Dir: dir, Client: c}
	must(t, log.Sync(t.Context()))
	pc, bp := k.byName("first PC"), k.byName("first BP")
	holds(t, pc, steps)
	holds(t, bp, steps)
	if len(k.experiments) != 1 || k.experiments["train-moons"] == "" || pc.Status != "FINISHED" || bp.Status != "FINISHED" {
		t.Errorf("experiments %v, status %s and %s", k.experiments, pc.Status, bp.Status)
	}
	if p := pc.params; len(p) != 124 || p["lr"] != "0.001" || p["widths"] != "[2,8,2]" || p["nested/deep"] != "true" || !strings.HasSuffix(p["note"], "...") || p["option119"] != "119" {
		t.Errorf("%d parameters: %v", len(p), p)
	}
	if pc.tags["pcgraph.rule"] != "PC" || pc.tags["mlflow.source.git.commit"] != "abc" {
		t.Errorf("tags %v", pc.tags)
	}
	if len(pc.files) != 4 || pc.files["pc.safetensors"] != "weights" || pc.files["curves.png"] != "picture" || len(bp.files) != 0 {
		t.Errorf("files %v and %v", pc.files, bp.files)
	}
	calls := k.calls
	must(t, log.Sync(t.Context()))
	if k.calls != calls {
		t.Error("a run that has been sent is sent again")
	}
}

// TestLog_CatchesUp: whichever call fails, and however often, in the end the server has everything once.
func TestLog_CatchesUp(t *testing.T) {
	for failAt := 1; ; failAt++ {
		k, c := newTracker(t)
		dir := folder(t, "running", 40)
		log := &Log{Dir: dir, Client: c}
		k.failAt = failAt
		first := log.Sync(t.Context())
		write(t, dir, metricsName, lines(1, 80)+`{"kind":"step","rule":"PC","st`) // the last line is being written
		second := log.Sync(t.Context())
		write(t, dir, metricsName, lines(1, 90))
		setState(t, dir, "interrupted", nil)
		third := log.Sync(t.Context())
		must(t, log.Sync(t.Context()))
		seen := map[string]int{}
		for _, r := range k.runs {
			seen[r.Name]++
			if r.Status == "RUNNING" && len(r.metrics) == 0 { // the answer to its making was lost
				continue
			}
			holds2(t, r, 90)
			if r.Status != "KILLED" {
				t.Errorf("call %d failed: %s is %s", failAt, r.Name, r.Status)
			}
		}
		if first == nil && second == nil && third == nil {
			if failAt < 8 {
				t.Errorf("after %d calls nothing fails", failAt)
			}
			return
		}
	}
}

// holds2 is holds where a batch whose answer was lost may have been sent again with the same numbers, which the server merges.
func holds2(t *testing.T, r *tracked, steps int) {
	t.Helper()
	for at, values := range r.metrics {
		for _, v := range values {
			if v != values[0] {
				t.Fatalf("%s: %s has %v", r.Name, at, values)
			}
		}
		r.metrics[at] = values[:1]
	}
	holds(t, r, steps)
}

func TestLog_Follows(t *testing.T) {
	k, c := newTracker(t)
	dir := folder(t, "running", 5)
	log := &Log{Dir: dir, Client: c}
	k.away = true
	ctx, cancel := context.WithCancel(t.Context())
	said, done := make(chan string, 10), make(chan struct{})
	go func() { log.Follow(ctx, 5*time.Millisecond, func(s string) { said <- s }); close(done) }()
	if text := <-said; !strings.Contains(text, "503") || !strings.Contains(text, "the run goes on") {
		t.Error(text)
	}
	k.mu.Lock()
	k.away = false
	k.mu.Unlock()
	if text := <-said; !strings.Contains(text, "is back") {
		t.Error(text)
	}
	cancel()
	<-done
	holds(t, k.byName("first PC"), 5)
}

func TestLog_SaysWhatIsWrong(t *testing.T) {
	_, c := newTracker(t)
	other := NewClient("http://127.0.0.1:1")
	done := folder(t, "done", 2)
	must(t, (&Log{Dir: done, Client: c}).Sync(t.Context()))
	damaged := folder(t, "done", 2)
	write(t, damaged, StateName, "{")
	shorter := folder(t, "running", 9)
	must(t, (&Log{Dir: shorter, Client: c}).Sync(t.Context()))
	write(t, shorter, metricsName, lines(1, 2))
	for want, log := range map[string]*Log{
		"want http://":       {Dir: done, Client: NewClient("127.0.0.1:5000")},
		"connection refused": {Dir: folder(t, "done", 1), Client: other},
		"a run folder":       {Dir: t.TempDir(), Client: c},
		"remove it to send":  {Dir: done, Client: other},
		"is damaged":         {Dir: damaged, Client: c},
		"another run is in":  {Dir: shorter, Client: c},
	} {
		if err := log.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestClient_Authenticates(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"experiment":{"experiment_id":"1"}}`)
	}))
	defer server.Close()
	t.Setenv("MLFLOW_TRACKING_USERNAME", "ada")
	t.Setenv("MLFLOW_TRACKING_PASSWORD", "secret")
	if _, err := NewClient(server.URL+"/").experiment(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MLFLOW_TRACKING_TOKEN", "abc")
	if _, err := NewClient(server.URL).experiment(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, ", ") != "Basic YWRhOnNlY3JldA==, Bearer abc" {
		t.Error(got)
	}
}
