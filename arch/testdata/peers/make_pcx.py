"""Makes pcx.npz, the parameters of a model of pcx as its own save_params writes them, and pcx.safetensors, what it predicts.

    pip install pcx safetensors      # pcx 0.6.3, which wants jax < 0.5: an environment of its own
    python make_pcx.py
"""

import jax
import numpy as np
import pcx as px
import pcx.nn as pxnn
import pcx.predictive_coding as pxc
import pcx.utils as pxu
from safetensors.numpy import save_file


class Model(pxc.EnergyModule):
    def __init__(self):
        super().__init__()
        self.layers = [pxnn.Linear(6, 8), pxnn.Linear(8, 8), pxnn.Linear(8, 3)]

    def __call__(self, x):
        x = self.layers[0](x)
        for layer in self.layers[1:]:
            x = layer(jax.nn.relu(x))
        return x


px.RKG.seed(0)
model = Model()
pxu.save_params(model, "pcx.npz")
x = jax.random.normal(jax.random.PRNGKey(2), (5, 6))
save_file({"x": np.asarray(x), "y": np.asarray(jax.vmap(lambda v: model(v))(x))}, "pcx.safetensors")
print(np.load("pcx.npz").files)
