"""Holds exported models against ONNX's checker and onnxruntime.

    python -m venv venv && venv/bin/pip install onnx onnxruntime safetensors numpy
    mkdir models && go test ./arch -run TestExportONNX -onnx $PWD/models && venv/bin/python bench/onnx/check.py models

The test writes, for every layer and for whole networks, a model, and inputs with what Model.Predict gives for batches of 1 and 7.
Every model must pass onnx.checker (with shape inference), and onnxruntime must give Predict's numbers within 1e-5 max(1, |y|).
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from safetensors.numpy import load_file

TOL = 1e-5
worst, bad, models = 0.0, 0, 0
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    models += 1
    onnx.checker.check_model(str(path), full_check=True)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    errors = []
    for batch in (1, 7):
        f = load_file(f"{path.parent / path.stem}.{batch}.safetensors")
        feeds = {}
        for i in session.get_inputs():
            assert i.shape[0] == "N", (path, i.name, i.shape)
            feeds[i.name] = f["in:" + i.name].reshape([batch] + i.shape[1:])
        outs = session.run(None, feeds)
        got = np.concatenate([o.reshape(batch, -1) for o in outs], axis=1)
        want = f["want"]
        assert got.shape == want.shape, (path, got.shape, want.shape)
        errors.append(float(np.max(np.abs(got - want) / np.maximum(1, np.abs(want)))))
    worst = max(worst, *errors)
    fails = not max(errors) <= TOL
    bad += fails
    nodes = len(onnx.load(str(path), load_external_data=False).graph.node)
    print(f"{'FAIL' if fails else 'ok  '} {path.stem:55} {nodes:3} nodes  batch 1: {errors[0]:.1e}  batch 7: {errors[1]:.1e}")
print(f"{models} models, {bad} beyond {TOL}, largest difference {worst:.1e}; onnx {onnx.__version__}, onnxruntime {ort.__version__}")
sys.exit(bad > 0 or models == 0)
