package live

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// Controls are what a page can do to the training of this process. A field that is nil is not offered.
type Controls struct {
	Pause func(paused bool) // between two updates
	Stop  func()            // in order, as Ctrl-C does
	Keep  func()            // writes the checkpoint after the next update
}

// A Server serves the runs below a folder. Its fields are set before it is used.
type Server struct {
	Root     string    // the folder of run folders
	Own      string    // name of the folder of this process's run, if it has one
	Controls *Controls // nil: nothing can be controlled

	token  string // demanded of every request; empty: none
	host   string // that requests must name, with its port
	mu     sync.Mutex
	paused bool
}

//go:embed page.html
var page []byte

// watchEvery is how often folders are looked at for what has changed.
const watchEvery = 500 * time.Millisecond

// ListenAndServe serves on an address, "127.0.0.1:0" for any free port, until the context ends. It calls ready with the URL once it is
// there. Beyond the loopback interface the URL has a token. It is an error if the address is in use, or the folder is none.
func (s *Server) ListenAndServe(ctx context.Context, address string, ready func(url string)) error {
	if info, err := os.Stat(s.Root); err != nil {
		return errors.Wrap(err, "live")
	} else if !info.IsDir() {
		return errors.Errorf("live: %s is no folder: name the one that holds run folders", s.Root)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return errors.Errorf("live: address %q: want HOST:PORT, such as 127.0.0.1:8080 (%v)", address, err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Errorf("live: %v: give another port, or 0 for any that is free", err)
	}
	url := "http://" + l.Addr().String() + "/"
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		s.token = newToken()
		url += "?token=" + s.token
	} else {
		s.host = l.Addr().String()
	}
	ready(url)
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(ending)
		server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return errors.Wrap(err, "live")
	}
	return nil
}

func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// Handler is the page and what it asks for, guarded.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /api/runs", s.serveRuns)
	mux.HandleFunc("GET /api/lines", s.serveLines)
	mux.HandleFunc("GET /api/events", s.serveEvents)
	mux.HandleFunc("GET /files/{run}/{file}", s.serveFile)
	mux.HandleFunc("POST /api/control", s.serveControl)
	return s.guard(mux)
}

const cookie = "pcgraph-token"

// guard refuses requests without the token; on the loopback interface, those that name another host, which a page of somebody else's
// can make a browser send (DNS rebinding). A change that a browser asks for must come from the page itself.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if s.host != "" && !sameHost(r.Host, s.host) {
			http.Error(w, "this page is served as http://"+s.host+"/ alone", http.StatusForbidden)
			return
		}
		if s.token != "" {
			given := r.URL.Query().Get("token")
			if given == "" {
				if c, err := r.Cookie(cookie); err == nil {
					given = c.Value
				}
			}
			if subtle.ConstantTimeCompare([]byte(given), []byte(s.token)) != 1 {
				http.Error(w, "a token is missing or wrong: open the whole address that the program printed, with ?token=...", http.StatusUnauthorized)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		}
		if origin := r.Header.Get("Origin"); r.Method != http.MethodGet && origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host {
			http.Error(w, "changes are taken from the page alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameHost reports whether a request's host is ours, by number or as localhost.
func sameHost(asked, ours string) bool {
	if asked == ours {
		return true
	}
	name, port, err := net.SplitHostPort(asked)
	_, want, _ := net.SplitHostPort(ours)
	return err == nil && port == want && (name == "localhost" || name == "127.0.0.1" || name == "::1")
}

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(page)
}

// A State is all runs, and what can be done to the one of this process.
type State struct {
	Runs   []Run `json:"runs"`
	Pause  bool  `json:"pause"`
	Stop   bool  `json:"stop"`
	Keep   bool  `json:"keep"`
	Paused bool  `json:"paused"`
}

func (s *Server) state() (State, error) {
	runs, err := s.runs()
	st := State{Runs: runs}
	if c := s.Controls; c != nil {
		st.Pause, st.Stop, st.Keep = c.Pause != nil, c.Stop != nil, c.Keep != nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Paused = s.paused
	return st, err
}

func (s *Server) serveRuns(w http.ResponseWriter, _ *http.Request) {
	st, err := s.state()
	answer(w, st, err)
}

func (s *Server) serveLines(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		http.Error(w, "from: want a number of bytes", http.StatusBadRequest)
		return
	}
	name := r.URL.Query().Get("run")
	if !fs.ValidPath(name) {
		http.Error(w, "run: want the name of a folder", http.StatusBadRequest)
		return
	}
	l, err := s.lines(name, from)
	answer(w, l, err)
}

// answer writes a value as JSON, or what went wrong.
func answer(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
}

// serveEvents sends the state of all runs whenever something has changed (server-sent events).
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	flush, can := w.(http.Flusher)
	if !can {
		http.Error(w, "no streaming here", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for last, silent := "", 0; ; silent++ {
		st, err := s.state()
		if err != nil {
			fmt.Fprintf(w, "event: gone\ndata: %s\n\n", strconv.Quote(err.Error()))
			flush.Flush()
			return
		}
		text, _ := json.Marshal(st) // plain data
		switch {
		case string(text) != last:
			last, silent = string(text), 0
			fmt.Fprintf(w, "data: %s\n\n", text)
			flush.Flush()
		case silent > 20: // so that both sides notice a connection that is gone
			silent = 0
			fmt.Fprint(w, ": still here\n\n")
			flush.Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// serveFile sends a picture of a run.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	run, file := r.PathValue("run"), r.PathValue("file")
	if !fs.ValidPath(run) || !picture(file) {
		http.NotFound(w, r)
		return
	}
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer root.Close()
	f, err := root.Open(run + "/" + file)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "image/png")
	io.Copy(w, f)
}

// serveControl does what a page asks for.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	action, c := r.URL.Query().Get("action"), s.Controls
	if c == nil {
		c = &Controls{}
	}
	switch {
	case (action == "pause" || action == "resume") && c.Pause != nil:
		s.mu.Lock()
		s.paused = action == "pause"
		c.Pause(s.paused)
		s.mu.Unlock()
	case action == "stop" && c.Stop != nil:
		c.Stop()
	case action == "keep" && c.Keep != nil:
		c.Keep()
	default:
		http.Error(w, fmt.Sprintf("%q cannot be done to the runs here", action), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
