// Package mlflow sends run folders to an MLflow tracking server through its REST interface (version 2.0), while they grow or later.
//
//	log := &mlflow.Log{Dir: "runs/mnist-1", Client: mlflow.NewClient("http://127.0.0.1:5000"), Experiment: "mnist"}
//	err := log.Sync(ctx)
//
// The run folder is the queue: metrics.jsonl holds every number, and mlflow.json in the folder how far they have been sent. A server
// that is away therefore loses nothing: the next Sync goes on where the last one was. Each rule of a run is a run of its own there,
// with the options as parameters, the numbers of every line as metrics, and the files as artifacts when the run has ended.
package mlflow

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A Client speaks to one server.
type Client struct {
	URL            string // such as http://127.0.0.1:5000
	User, Password string // of basic authentication; empty: none
	Token          string // of bearer authentication; empty: none
	HTTP           *http.Client
}

// NewClient is a client with the credentials that MLflow's own clients take from the environment: MLFLOW_TRACKING_USERNAME,
// MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN.
func NewClient(server string) *Client {
	return &Client{URL: strings.TrimRight(server, "/"), User: os.Getenv("MLFLOW_TRACKING_USERNAME"), Password: os.Getenv("MLFLOW_TRACKING_PASSWORD"),
		Token: os.Getenv("MLFLOW_TRACKING_TOKEN"), HTTP: &http.Client{Timeout: 30 * time.Second}}
}

// Validate reports a URL that is none.
func (c *Client) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.Errorf("mlflow: %q is not the address of a server: want http://HOST:PORT or https://HOST", c.URL)
	}
	return nil
}

// An apiError is what the server answered.
type apiError struct {
	Status  int    `json:"-"`
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("mlflow: the server answers %d: %s", e.Status, cmp.Or(e.Message, e.Code, http.StatusText(e.Status)))
}

// call sends in as JSON, if it is not nil, and reads the answer into out, if that is not nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return errors.Wrap(err, "mlflow")
		}
		body = bytes.NewReader(text)
	}
	answer, err := c.send(ctx, method, path, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	return errors.Wrapf(json.Unmarshal(answer, out), "mlflow: the answer of %s", path)
}

// send makes a request and returns the answer's body.
func (c *Client) send(ctx context.Context, method, path, kind string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return nil, errors.Wrap(err, "mlflow")
	}
	r.Header.Set("Content-Type", kind)
	switch {
	case c.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.Token)
	case c.User != "":
		r.SetBasicAuth(c.User, c.Password)
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return nil, errors.Wrap(err, "mlflow")
	}
	defer answer.Body.Close()
	const most = 1 << 24
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return nil, errors.Wrap(err, "mlflow")
	}
	if answer.StatusCode/100 != 2 {
		failed := &apiError{Status: answer.StatusCode}
		if json.Unmarshal(text, failed) != nil {
			failed.Message = strings.TrimSpace(string(text[:min(len(text), 200)]))
		}
		return nil, failed
	}
	return text, nil
}

const api = "/api/2.0/mlflow"

// experiment is the ID of an experiment, which is made if there is none of the name.
func (c *Client) experiment(ctx context.Context, name string) (id string, err error) {
	var got struct {
		Experiment struct {
			ID    string `json:"experiment_id"`
			Stage string `json:"lifecycle_stage"`
		} `json:"experiment"`
		ID string `json:"experiment_id"`
	}
	err = c.call(ctx, http.MethodGet, api+"/experiments/get-by-name?experiment_name="+url.QueryEscape(name), nil, &got)
	var failed *apiError
	switch {
	case err == nil && got.Experiment.Stage == "deleted":
		return "", errors.Errorf("mlflow: the experiment %q has been deleted on the server: restore it, or give another name", name)
	case err == nil:
		return got.Experiment.ID, nil
	case errors.As(err, &failed) && failed.Code == "RESOURCE_DOES_NOT_EXIST":
		err = c.call(ctx, http.MethodPost, api+"/experiments/create", map[string]any{"name": name}, &got)
	}
	return got.ID, err
}

// A pair is a parameter or a tag.
type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A metric is one number of one step. NaN and infinities are words, as protobuf's JSON has them.
type metric struct {
	Key       string `json:"key"`
	Value     any    `json:"value"`
	Timestamp int64  `json:"timestamp"` // milliseconds
	Step      int64  `json:"step"`
}

// created is a run on the server.
type created struct {
	ID        string `json:"id"`
	Artifacts string `json:"artifacts"` // its URI
}

// create makes a run.
func (c *Client) create(ctx context.Context, experiment, name string, started time.Time, tags []pair) (r created, err error) {
	var got struct {
		Run struct {
			Info struct {
				ID  string `json:"run_id"`
				URI string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"run"`
	}
	err = c.call(ctx, http.MethodPost, api+"/runs/create", map[string]any{"experiment_id": experiment, "run_name": name, "start_time": started.UnixMilli(), "tags": tags}, &got)
	if err == nil && got.Run.Info.ID == "" {
		err = errors.New("mlflow: the server made a run without an ID: is it an MLflow tracking server?")
	}
	return created{got.Run.Info.ID, got.Run.Info.URI}, err
}

// upload sends a file as an artifact of a run, through the server's own proxy of artifacts. A server that keeps them elsewhere is an error.
func (c *Client) upload(ctx context.Context, r created, name string, file io.Reader) error {
	path, proxied := strings.CutPrefix(r.Artifacts, "mlflow-artifacts:")
	if !proxied {
		return errors.Errorf("mlflow: artifacts of this server are at %s, where only its own clients write: start it with --serve-artifacts", r.Artifacts)
	}
	if _, rest, hosted := strings.Cut(path, "//"); hosted { // mlflow-artifacts://host/path
		_, path, _ = strings.Cut(rest, "/")
	}
	_, err := c.send(ctx, http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/"+strings.Trim(path, "/")+"/"+url.PathEscape(name), "application/octet-stream", file)
	return err
}
