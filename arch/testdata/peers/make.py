"""Makes the files of this folder: networks of Equinox, as JPC has them, with what they predict. make_pcx.py makes that of pcx.

    pip install equinox numpy safetensors      # equinox 0.13.8, jax 0.10.2
    python make.py

mlp.eqx         jpc.make_mlp(key, input_dim=6, width=8, depth=3, output_dim=3, act_fn="relu", use_bias=True): a list of Sequential(Lambda, Linear);
                the package itself is not on PyPI, its function is written out below
headed.eqx      the same behind a line of JSON, as Equinox's documentation saves hyperparameters
cnn.eqx         Conv2d(2, 4, 3, padding=1), relu, Conv2d(4, 3, 3, groups=1), tanh
expected.safetensors   inputs and outputs
"""

import json

import equinox as eqx
import equinox.nn as nn
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from safetensors.numpy import save_file


def make_mlp(key, input_dim, width, depth, output_dim):
    layers = []
    for i, k in enumerate(jr.split(key, depth)):
        a = input_dim if i == 0 else width
        b = output_dim if i + 1 == depth else width
        act = nn.Lambda(jax.nn.relu) if i > 0 else nn.Lambda(lambda x: x)
        layers.append(nn.Sequential([act, nn.Linear(a, b, use_bias=True, key=k)]))
    return layers


key = jr.PRNGKey(0)
mlp = make_mlp(key, 6, 8, 3, 3)
eqx.tree_serialise_leaves("mlp.eqx", mlp)
with open("headed.eqx", "wb") as f:
    f.write((json.dumps({"width": 8}) + "\n").encode())
    eqx.tree_serialise_leaves(f, mlp)

k1, k2 = jr.split(jr.PRNGKey(1))
cnn = [nn.Conv2d(2, 4, 3, padding=1, key=k1), nn.Sequential([nn.Lambda(jax.nn.relu), nn.Conv2d(4, 3, 3, key=k2)])]
eqx.tree_serialise_leaves("cnn.eqx", cnn)


def run(net, x):
    for layer in net:
        x = layer(x)
    return x


x = jr.normal(jr.PRNGKey(2), (5, 6))
images = jr.normal(jr.PRNGKey(3), (4, 2, 6, 5))
save_file({
    "mlp.x": np.asarray(x), "mlp.y": np.asarray(jax.vmap(lambda v: run(mlp, v))(x)),
    "cnn.x": np.ascontiguousarray(np.asarray(images).transpose(0, 2, 3, 1)),
    "cnn.y": np.ascontiguousarray(np.asarray(jax.vmap(lambda v: run(cnn, v))(images)).transpose(0, 2, 3, 1)),
}, "expected.safetensors")
