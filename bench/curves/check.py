"""Reads the event files of a run with TensorBoard's own reader and compares them with metrics.jsonl.

    demo train -data moons -curves tensorboard -out run && python bench/curves/check.py run      (pip install tensorboard)
"""
import json
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = sys.argv[1]
want = {}
with open(os.path.join(run, "metrics.jsonl")) as f:
    for line in f:
        o = json.loads(line)
        if "rule" in o and "step" in o:
            want.setdefault(o["rule"], []).append((o["kind"] + "/loss", o["step"], o.get("loss")))
worst = count = 0
for rule, points in want.items():
    a = EventAccumulator(os.path.join(run, "tensorboard", "".join(c if c.isalnum() and c.isascii() or c in "-." else "_" for c in rule)), size_guidance={"scalars": 0})
    a.Reload()
    for tag in {p[0] for p in points}:
        got = [(e.step, e.value) for e in a.Scalars(tag)]
        ours = [(s, v) for t, s, v in points if t == tag]
        assert [s for s, _ in got] == [s for s, _ in ours], (rule, tag, len(got), len(ours))
        worst = max([worst] + [abs(g - w) / (abs(w) + 1e-30) for (_, g), (_, w) in zip(got, ours)])
        count += len(ours)
assert worst < 1e-6, worst
print(f"{len(want)} runs, {count} losses, relative difference at most {worst:.1g} (float32)")
