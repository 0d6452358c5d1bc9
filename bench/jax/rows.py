"""Predictive coding in plain JAX, every function jitted whole, float32 on the CPU: what "demo bench" is held against.

    python rows.py [--rows energy,train,arch] [--repeats 7]

writes the measured rows as JSON to standard output, by the names and units that "demo bench -json" gives its own. Rows:

energy  an MLP of uniform width (relu, biases, squared error): energy with its gradient by the activities, once per call
        of Python ("call") and per step of a descent of 20 steps in one jitted scan ("step"); gradient by the weights
train   whole training steps on data of MNIST's size: feedforward pass, T steps of descent, weight gradient, Adam; BP
arch    energy with gradient by activities ("call") and by weights ("weights"), and BP, of CNNs and transformers

Needs jax and optax and nothing else. Data are random; every measured function takes all its numbers as arguments.
"""

import argparse
import datetime
import json
import platform
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

WINDOW = 0.06  # seconds that one repetition takes at least
MOST_CALLS = 400
DRAW = np.random.default_rng(1)


def normal(*shape, deviation=1.0):
    """Normal random numbers on the device."""
    return jnp.asarray(deviation * DRAW.standard_normal(shape), jnp.float32)


def one_hot(shape, classes):
    """Random classes."""
    return jax.nn.one_hot(DRAW.integers(0, classes, shape), classes, dtype=jnp.float32)


class Bench:
    """Collects rows; measures functions in turn, repetition by repetition, as the Go side does."""

    def __init__(self, repeats):
        self.repeats = repeats
        self.rows = []

    def row(self, kind, name, **functions):
        """Measures jitted functions of no argument; the figure's name is the keyword, or an entry (name, parts, f)."""
        print(f"jax {jax.__version__}: {kind}: {name}", file=sys.stderr, flush=True)
        todo, figures = [], []
        for key, f in functions.items():
            label, parts, f = f if isinstance(f, tuple) else (key, 1, f)
            start = time.perf_counter()
            jax.block_until_ready(f())
            figures.append(figure(label + " compile", "s", [time.perf_counter() - start]))
            todo.append((label, parts, f, calls_for(f)))
        took = {label: [] for label, *_ in todo}
        for _ in range(self.repeats):
            for label, parts, f, calls in todo:
                took[label].append(per_call(f, calls) * 1e3 / parts)
        for label, *_ in todo:
            figures.append(figure(label, "ms", took[label]))
        self.rows.append({"kind": kind, "name": name, "figures": figures})


def figure(name, unit, values):
    return {"name": name, "unit": unit, "median": statistics.median(values), "min": min(values), "max": max(values)}


def per_call(f, calls):
    """Seconds per call. Calls follow each other without waiting, the last result is waited for: best for JAX."""
    jax.block_until_ready(f())
    start = time.perf_counter()
    for _ in range(calls):
        result = f()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / calls


def calls_for(f):
    """Calls that fill the window, found when the function is warm."""
    start, took = time.perf_counter(), 1.0
    while time.perf_counter() - start < WINDOW:
        took = per_call(f, 1)
    return min(MOST_CALLS, 1 + int(WINDOW / took))


# ---- chains: a list of layers, an activity after each but the last, which predicts the target --------------------


def feedforward(layers, params, x):
    """The predictions of all layers, each from the one before."""
    predictions = []
    for layer, p in zip(layers, params):
        x = layer(p, x)
        predictions.append(x)
    return predictions


def half_square(y, prediction):
    return 0.5 * jnp.sum(jnp.square(y - prediction))


def cross_entropy(y, logits):
    return -jnp.sum(y * jax.nn.log_softmax(logits))


def energy(layers, loss, params, activities, x, y):
    """1/B [ sum_l |z_l - f_l(z_{l-1})|^2 / 2 + loss(y, f_L(z_{L-1})) ]"""
    below = [x, *activities]
    hidden = sum(
        half_square(z, layer(p, z_below))
        for layer, p, z_below, z in zip(layers[:-1], params[:-1], below, activities)
    )
    return (hidden + loss(y, layers[-1](params[-1], below[-1]))) / x.shape[0]


def first_layer(p, z):
    return z @ p[0] + p[1]


def relu_layer(p, z):
    return jax.nn.relu(z) @ p[0] + p[1]


def mlp(widths):
    """Layers and weights of deviation sqrt(2 / fan-in), .1 for biases."""
    layers = [first_layer] + [relu_layer] * (len(widths) - 2)
    params = [
        (normal(m, n, deviation=(2 / m) ** 0.5), normal(n, deviation=0.1))
        for m, n in zip(widths[:-1], widths[1:])
    ]
    return layers, params


def descend(gradient, activities, rate, steps):
    """Plain descent on the activities as one scan."""

    def step(zs, _):
        return [z - rate * g for z, g in zip(zs, gradient(zs))], None

    return jax.lax.scan(step, activities, None, length=steps)[0]


# ---- rows ---------------------------------------------------------------------------------------------------------


def energy_rows(bench):
    steps, rate = 20, 0.05
    for depth, width, batch in [(8, 128, 64), (32, 128, 64), (8, 512, 64), (128, 128, 64)]:
        layers, params = mlp([width] * (depth + 1))
        x, y = normal(batch, width), normal(batch, width)
        zs = [z + normal(*z.shape, deviation=0.1) for z in feedforward(layers, params, x)[:-1]]

        def f(params, zs, x, y, layers=layers):
            return energy(layers, half_square, params, zs, x, y)

        call = jax.jit(jax.value_and_grad(f, argnums=1))
        weights = jax.jit(jax.value_and_grad(f, argnums=0))
        # The gradient is that of the batch mean: times the batch, it is each sample's own, which the Go side steps on.
        infer = jax.jit(
            lambda params, zs, x, y: descend(
                lambda at: jax.grad(f, argnums=1)(params, at, x, y), zs, rate * x.shape[0], steps
            )
        )
        args = (params, zs, x, y)
        bench.row(
            "energy",
            f"{depth}x{width}x{batch}",
            call=lambda: call(*args),
            step=("step", steps, lambda: infer(*args)),
            weights=lambda: weights(*args),
        )


def train_rows(bench):
    rate = 0.1
    for widths, batch in [([784, 300, 300, 300, 10], 64), ([784, 128, 128, 10], 256)]:
        layers, params = mlp(widths)
        x, y = normal(batch, widths[0]), one_hot(batch, widths[-1])
        adam = optax.adam(1e-3)
        state = adam.init(params)

        def learn(params, state, grads):
            updates, state = adam.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        def loss(params, x, y):
            return half_square(y, feedforward(layers, params, x)[-1]) / x.shape[0]

        def f(params, zs, x, y):
            return energy(layers, half_square, params, zs, x, y)

        @jax.jit
        def bp(params, state, x, y):
            return learn(params, state, jax.grad(loss)(params, x, y))

        def pc(steps):
            @jax.jit
            def train(params, state, x, y):
                zs = feedforward(layers, params, x)[:-1]
                zs = descend(
                    lambda at: jax.grad(f, argnums=1)(params, at, x, y), zs, rate * x.shape[0], steps
                )
                return learn(params, state, jax.grad(f, argnums=0)(params, zs, x, y))

            return lambda: train(params, state, x, y)

        functions = {f"T{steps}": (f"PC T={steps}", 1, pc(steps)) for steps in (1, 2, 5, 20)}
        name = "-".join(map(str, widths))
        bench.row("train", f"{name}/{batch}", BP=lambda: bp(params, state, x, y), **functions)


def chain_row(bench, kind, name, layers, params, x, y):
    """Energy with cross-entropy at the output, at the feedforward pass with noise."""
    zs = [z + normal(*z.shape, deviation=0.1) for z in feedforward(layers, params, x)[:-1]]

    def f(params, zs, x, y):
        return energy(layers, cross_entropy, params, zs, x, y)

    call = jax.jit(jax.value_and_grad(f, argnums=1))
    weights = jax.jit(jax.value_and_grad(f, argnums=0))
    bp = jax.jit(
        jax.value_and_grad(
            lambda params, x, y: cross_entropy(y, feedforward(layers, params, x)[-1]) / x.shape[0]
        )
    )
    bench.row(
        kind,
        name,
        call=lambda: call(params, zs, x, y),
        weights=lambda: weights(params, zs, x, y),
        BP=lambda: bp(params, x, y),
    )


def convolve(w, z):
    """3x3, stride 1, padding 1: z [batch, channels, height, width], w [out, in, 3, 3]."""
    return jax.lax.conv_general_dilated(z, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))


def residual(w, z):
    return z + convolve(w, jnp.tanh(z))


def halve(_, z):
    """Average over 2x2."""
    return jax.lax.reduce_window(z, 0.0, jax.lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4


def readout(w, z):
    return z.reshape(z.shape[0], -1) @ w


def cnn_rows(bench):
    """Three stages of convolution, residual convolution and pooling, an activity after each; a linear readout."""
    for channels, size, colours, batch in [(16, 32, 3, 32), (32, 32, 3, 32), (8, 28, 1, 64)]:
        layers, params, below = [], [], colours
        for _ in range(3):
            layers += [convolve, residual, halve]
            params += [
                normal(channels, below, 3, 3, deviation=0.1),
                normal(channels, channels, 3, 3, deviation=0.1),
                jnp.zeros(()),
            ]
            below = channels
        layers.append(readout)
        params.append(normal(channels * (size // 8) ** 2, 10, deviation=0.1))
        x, y = normal(batch, colours, size, size), one_hot(batch, 10)
        chain_row(bench, "cnn", f"{channels}x{size}x{batch}", layers, params, x, y)


def normalise(z):
    """Layer norm without parameters."""
    centred = z - z.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + 1e-5)


def block_layer(heads, blocks):
    """Causal attention with logits divided by the head's width, then an MLP with gelu, each divided by the number of blocks."""

    def block(p, z):
        qkv, out, up, down = p
        batch, length, width = z.shape
        per_head = width // heads
        parts = (normalise(z) @ qkv).reshape(batch, length, 3, heads, per_head)
        q, k, v = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]
        logits = jnp.einsum("bihd,bjhd->bhij", q, k) / per_head
        logits = jnp.where(jnp.tril(jnp.ones((length, length), bool)), logits, -jnp.inf)
        mixed = jnp.einsum("bhij,bjhd->bihd", jax.nn.softmax(logits, -1), v)
        z = z + mixed.reshape(z.shape) @ out / blocks
        return z + jax.nn.gelu(normalise(z) @ up) @ down / blocks

    return block


def transformer_rows(bench):
    """Embedding with positions, blocks, head: an activity after each."""
    vocabulary = 65
    for width, blocks, heads, length, batch in [(64, 4, 4, 32, 16), (128, 6, 8, 32, 32)]:
        layers = [lambda p, z: z @ p[0] + p[1]]
        params = [(normal(vocabulary, width, deviation=0.3), normal(length, width, deviation=0.3))]
        for _ in range(blocks):
            layers.append(block_layer(heads, blocks))
            params.append(
                tuple(
                    normal(*shape, deviation=0.1)
                    for shape in [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
                )
            )
        layers.append(lambda p, z: z @ p / z.shape[-1])
        params.append(normal(width, vocabulary))
        x, y = one_hot((batch, length), vocabulary), one_hot((batch, length), vocabulary)
        chain_row(bench, "transformer", f"{width}x{blocks}x{heads}x{length}x{batch}", layers, params, x, y)


def arch_rows(bench):
    cnn_rows(bench)
    transformer_rows(bench)


ROWS = {"energy": energy_rows, "train": train_rows, "arch": arch_rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="energy,train,arch", help="comma-separated: energy, train, arch")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    rows = args.rows.split(",")
    for name in rows:
        if name not in ROWS:
            parser.error(f"unknown rows {name!r}: want energy, train or arch")
    started = datetime.datetime.now(datetime.timezone.utc).isoformat()
    bench = Bench(args.repeats)
    for name in rows:
        ROWS[name](bench)
    report = {
        "schema": 1,
        "started": started,
        "version": {"jax": jax.__version__, "python": platform.python_version()},
        "repeats": args.repeats,
        "rows": bench.rows,
    }
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
