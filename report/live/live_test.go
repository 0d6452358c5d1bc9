package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var browser = flag.String("browser", "", "a Chromium that shows the page")

// folder makes a folder with runs: a training, a grid, and what is no run.
func folder(t *testing.T) string {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("training/manifest.json", `{"command":"train-moons","state":"running","seed":7,"started":"2026-12-01T10:00:00Z","files":["digits.png","../secret.png","metrics.jsonl"]}`)
	write("training/digits.png", "picture")
	write("training/metrics.jsonl", `{"kind":"step","rule":"PC","step":1,"loss":0.5,"terms":{"block1":0.25},"status":"converged","residual":0.125,"seconds":0.5}
{"kind":"eval","rule":"PC","step":1,"loss":0.5,"accuracy":0.75}
{"kind":"step","rule":"PC","step":2,"lo`)
	write("grid <b>x/manifest.json", `{"command":"claims","state":"done","started":"2026-12-01T09:00:00Z"}`)
	write("grid <b>x/metrics.jsonl", `{"cell":{"params":{"depth":2},"result":{"a":1},"seconds":1},"experiment":"limits/x"}`+"\n")
	write("broken/manifest.json", `{"command":`)
	write("other/notes.txt", "")
	write("secret.png", "no")
	return root
}

func get(t *testing.T, h http.Handler, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", target, nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decoded[V any](t *testing.T, w *httptest.ResponseRecorder) (v V) {
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestServer_ListsRuns(t *testing.T) {
	s := &Server{Root: folder(t), Own: "training", Controls: &Controls{Stop: func() {}}}
	st := decoded[State](t, get(t, s.Handler(), "/api/runs"))
	if len(st.Runs) != 2 || st.Runs[0].Name != "training" || st.Runs[1].Name != "grid <b>x" {
		t.Fatalf("runs %+v, want the training and the grid, newest first", st.Runs)
	}
	if r := st.Runs[0]; !r.Own || r.Seed != 7 || r.State != "running" || len(r.Files) != 1 || r.Files[0] != "digits.png" || r.Size == 0 {
		t.Errorf("run %+v", r)
	}
	if st.Pause || !st.Stop || st.Keep || st.Runs[1].Own {
		t.Errorf("controls %+v", st)
	}
}

// TestServer_LinesGoOn: whole lines only, each once, from where the reader was; a file that was replaced is read anew.
func TestServer_LinesGoOn(t *testing.T) {
	s := &Server{Root: folder(t)}
	h := s.Handler()
	first := decoded[Lines](t, get(t, h, "/api/lines?run=training&from=0"))
	if len(first.Lines) != 2 || first.Reset || first.Every != 1 {
		t.Fatalf("lines %+v, want the two that are whole", first)
	}
	path := filepath.Join(s.Root, "training", metricsName)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "ss\":0.25}\nnot JSON\n{\"kind\":\"eval\",\"rule\":\"PC\",\"step\":2}\n")
	f.Close()
	second := decoded[Lines](t, get(t, h, fmt.Sprintf("/api/lines?run=training&from=%d", first.Next)))
	if len(second.Lines) != 2 || !strings.Contains(string(second.Lines[0]), `"loss":0.25`) {
		t.Fatalf("lines %s", second.Lines)
	}
	if err := os.WriteFile(path, []byte("{\"kind\":\"eval\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if third := decoded[Lines](t, get(t, h, fmt.Sprintf("/api/lines?run=training&from=%d", second.Next))); !third.Reset || len(third.Lines) != 1 {
		t.Errorf("after another run in the folder: %+v", third)
	}
	os.Remove(path)
	if none := decoded[Lines](t, get(t, h, "/api/lines?run=training&from=9")); !none.Reset || len(none.Lines) != 0 {
		t.Errorf("before a run writes: %+v", none)
	}
}

// TestServer_LeavesOutStepsOfLongTrainings, but no evaluation and not the last step of a rule.
func TestServer_LeavesOutStepsOfLongTrainings(t *testing.T) {
	s := &Server{Root: folder(t)}
	var text bytes.Buffer
	const steps = 3*mostSteps + 2
	for i := 1; i <= steps; i++ {
		fmt.Fprintf(&text, `{"kind":"step","rule":"PC","step":%d}`+"\n", i)
		if i%1000 == 0 {
			fmt.Fprintf(&text, `{"kind":"eval","rule":"PC","step":%d}`+"\n", i)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Root, "training", metricsName), text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	l := decoded[Lines](t, get(t, s.Handler(), "/api/lines?run=training&from=0"))
	evals := 0
	for _, line := range l.Lines {
		if strings.Contains(string(line), "eval") {
			evals++
		}
	}
	if l.Every != 4 || evals != 6 || len(l.Lines)-evals > mostSteps+1 || !strings.Contains(string(l.Lines[len(l.Lines)-1]), fmt.Sprint(steps)) || l.Next != int64(text.Len()) {
		t.Errorf("every %d, %d evaluations, %d lines, last %s", l.Every, evals, len(l.Lines), l.Lines[len(l.Lines)-1])
	}
}

// TestServer_RefusesWhatIsNotItsOwn: other hosts and origins, paths out of the folder, files that are no pictures, missing tokens.
func TestServer_RefusesWhatIsNotItsOwn(t *testing.T) {
	s := &Server{Root: folder(t), host: "127.0.0.1:8410", Controls: &Controls{Stop: func() { t.Error("stopped by somebody else") }}}
	h := s.Handler()
	local := func(r *http.Request) { r.Host = "localhost:8410" }
	for target, want := range map[string]int{
		"/": 200, "/files/training/digits.png": 200, "/nothing": 404,
		"/files/training/manifest.json": 404, "/files/training/..%2F..%2Fsecret.png": 404, "/files/..%2Ftraining/digits.png": 404, "/files/training/.hidden.png": 404,
		"/api/lines?run=../x&from=0": 400, "/api/lines?run=nope&from=0": 404, "/api/lines?run=training&from=x": 400, "/api/lines?run=/etc&from=0": 400,
	} {
		if w := get(t, h, target, local); w.Code != want {
			t.Errorf("%s: status %d, want %d", target, w.Code, want)
		}
	}
	if w := get(t, h, "/", func(r *http.Request) { r.Host = "evil.example:8410" }); w.Code != http.StatusForbidden {
		t.Errorf("another host: status %d", w.Code)
	}
	post := func(r *http.Request) { r.Method = "POST"; r.Header.Set("Origin", "http://evil.example") }
	if w := get(t, h, "/api/control?action=stop", local, post); w.Code != http.StatusForbidden {
		t.Errorf("another origin: status %d", w.Code)
	}
	s.host, s.token = "", newToken()
	for given, want := range map[string]int{"/": 401, "/?token=x": 401, "/api/runs?token=": 401, "/?token=" + s.token: 200} {
		if w := get(t, h, given); w.Code != want {
			t.Errorf("%s: status %d, want %d", given, w.Code, want)
		}
	}
	kept := get(t, h, "/?token="+s.token).Result().Cookies()
	if w := get(t, h, "/api/runs", func(r *http.Request) { r.AddCookie(kept[0]) }); w.Code != http.StatusOK || !kept[0].HttpOnly {
		t.Errorf("with the cookie: status %d", w.Code)
	}
}

func TestServer_Controls(t *testing.T) {
	var did []string
	s := &Server{Root: folder(t), Own: "training", Controls: &Controls{Pause: func(p bool) { did = append(did, fmt.Sprint("pause ", p)) }, Keep: func() { did = append(did, "keep") }}}
	h := s.Handler()
	for _, action := range []string{"pause", "keep", "resume", "stop", "other"} {
		w := get(t, h, "/api/control?action="+action, func(r *http.Request) { r.Method = "POST" })
		if want := map[bool]int{true: http.StatusNoContent, false: http.StatusConflict}[action != "stop" && action != "other"]; w.Code != want {
			t.Errorf("%s: status %d, want %d", action, w.Code, want)
		}
	}
	if got := strings.Join(did, ", "); got != "pause true, keep, pause false" {
		t.Error(got)
	}
	if w := get(t, h, "/api/control?action=keep"); w.Code == http.StatusNoContent {
		t.Error("a GET has changed something")
	}
}

// TestServer_TellsOfChanges over a real connection, and ends with its context.
func TestServer_TellsOfChanges(t *testing.T) {
	s := &Server{Root: folder(t)}
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- s.ListenAndServe(ctx, "127.0.0.1:0", func(url string) { ready <- url }) }()
	url := <-ready
	r, err := http.Get(url + "api/events")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(r.Body)
	next := func() string {
		for in.Scan() {
			if in.Text() != "" {
				return in.Text()
			}
		}
		return ""
	}
	if first := next(); !strings.Contains(first, `"train-moons"`) {
		t.Error(first)
	}
	path := filepath.Join(s.Root, "training", manifestName)
	text, _ := os.ReadFile(path)
	if err := os.WriteFile(path, bytes.Replace(text, []byte("running"), []byte("interrupted"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if second := next(); !strings.Contains(second, `"interrupted"`) {
		t.Error(second)
	}
	os.RemoveAll(s.Root)
	if gone := next(); gone != "event: gone" {
		t.Error("after the folder was removed: " + gone)
	}
	r.Body.Close()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it serves on after its end")
	}
}

func TestServer_SaysWhyItCannotServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	never := func(string) { t.Error("it serves") }
	for want, f := range map[string]func() error{
		"give another port": func() error {
			return (&Server{Root: t.TempDir()}).ListenAndServe(t.Context(), l.Addr().String(), never)
		},
		"want HOST:PORT": func() error { return (&Server{Root: t.TempDir()}).ListenAndServe(t.Context(), "8080", never) },
		"no such file":   func() error { return (&Server{Root: "nowhere"}).ListenAndServe(t.Context(), "127.0.0.1:0", never) },
		"no folder":      func() error { return (&Server{Root: "doc.go"}).ListenAndServe(t.Context(), "127.0.0.1:0", never) },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{Root: t.TempDir()}
	err = s.ListenAndServe(ctx, "0.0.0.0:0", func(url string) {
		if !strings.Contains(url, "?token="+s.token) || len(s.token) != 32 {
			t.Errorf("beyond the loopback interface: %s", url)
		}
		cancel()
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPage_IsSmallAndItsOwn: it asks for nothing elsewhere, and puts no text into the page as markup.
func TestPage_IsSmallAndItsOwn(t *testing.T) {
	if len(page) > 200_000 {
		t.Errorf("%d bytes", len(page))
	}
	for _, not := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://", "src=\"http"} {
		if bytes.Contains(page, []byte(not)) {
			t.Errorf("the page has %q", not)
		}
	}
}

// TestPage_InABrowser: what the page shows of the runs, names with markup as they are.
func TestPage_InABrowser(t *testing.T) {
	if *browser == "" {
		t.Skip("name a Chromium with -browser")
	}
	s := &Server{Root: folder(t), Own: "training", Controls: &Controls{Pause: func(bool) {}}}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	out, err := exec.CommandContext(t.Context(), *browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom", server.URL+"/?once").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<td>training</td>", "grid &lt;b&gt;x", "Energy by layer over training", "2 runs, 1 running", `<td class="number">75</td>`, `<button id="pause">Pause</button>`} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the page does not show %q", want)
		}
	}
}
