"""Writes python.safetensors: see README.md."""
import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "block1/W": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
        "block1/b": np.array([-1, 0.1, 1e300], dtype=np.float64),
        "scalar": np.array(2.5, dtype=np.float32),
        "none": np.zeros((0, 3), dtype=np.float32),
        "bytes": np.array([0, 255, 7], dtype=np.uint8),
    },
    "python.safetensors",
    metadata={"made by": "Python"},
)
