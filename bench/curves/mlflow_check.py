"""Compares what an MLflow server has of a run with the run's own files.

    pip install mlflow
    mlflow server --host 127.0.0.1 --port 5055 --backend-store-uri sqlite:///m.db --artifacts-destination ./art --serve-artifacts
    demo train -data moons -mlflow http://127.0.0.1:5055 -out RUN
    python bench/curves/mlflow_check.py RUN http://127.0.0.1:5055

Every number of every step in metrics.jsonl must be there, equal and once, and every file of the run.
"""

import json
import math
import sys

from mlflow.tracking import MlflowClient

folder, url = sys.argv[1:]
client = MlflowClient(url)
sent = json.load(open(folder + "/mlflow.json"))
manifest = json.load(open(folder + "/manifest.json"))
want = {}


def numbers(path, value, at, rule):
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)) or value in ("NaN", "Infinity", "-Infinity"):
        want.setdefault((rule, path), {})[at] = float(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            numbers(path + "/" + key, part, at, rule)


for line in open(folder + "/metrics.jsonl"):
    line = json.loads(line)
    if "rule" in line and "step" in line:
        for key, value in line.items():
            if key not in ("kind", "rule", "step"):
                numbers(line["kind"] + "/" + key, value, line["step"], line["rule"])

compared = 0
for (rule, path), by_step in want.items():
    history = client.get_metric_history(sent["runs"][rule]["id"], path)
    got = {}
    for m in history:
        assert m.step not in got, f"{rule} {path}: step {m.step} is there twice"
        got[m.step] = m.value
    assert got.keys() == by_step.keys(), f"{rule} {path}: {len(got)} steps, want {len(by_step)}"
    for step, value in by_step.items():
        # SQL stores keep NaN as 0 with a mark, and infinities as the largest number
        assert got[step] == value or math.isnan(value) or math.isinf(value), f"{rule} {path} at {step}: {got[step]}, want {value}"
        compared += 1

files = set()
for rule, run in sent["runs"].items():
    info = client.get_run(run["id"]).info
    assert info.status == {"done": "FINISHED", "interrupted": "KILLED"}.get(manifest["state"], "FAILED"), info.status
    files |= {a.path for a in client.list_artifacts(run["id"])}
missing = {f for f in manifest["files"] if "/" not in f} - files - {"mlflow.json"}
assert not missing, f"files that are not there: {missing}"
print(f"{compared} numbers and {len(files)} files are equal, {len(sent['runs'])} runs are {info.status}")
