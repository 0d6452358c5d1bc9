"""Trains linear residual networks with exact inference in plain JAX: an independent check of the claim mupc/perfect-inference.

    python equilibrium.py --data DIR [--hidden 32] [--scaling mupc] [--rate 0.1]

The energy at equilibrium is F* = mean r' S^-1 r / 2 with r = y - M x, M the product of all Jacobians, and S the sum of P P' over
the products P of the last Jacobians, none of them to all but the first (docs/NOTATION.md). JAX differentiates it by the
weights; nothing is taken from the Go code. Prints the energy, the test accuracy and trace(S)/10 along training. DIR has the four
IDX files of MNIST, "demo data" tells where they are. Needs jax.
"""

import argparse
import gzip
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels, as everywhere


def idx(folder, name):
    """Reads an IDX file of bytes, compressed or not."""
    path = next(p for p in sorted(folder.iterdir()) if p.name.startswith(name))
    raw = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def pictures(folder, name):
    x = idx(folder, name)
    return (x.reshape(len(x), -1) / 255 - MEAN) / DEVIATION


class Net:
    """H hidden layers of a width, with identity skips between them."""

    def __init__(self, hidden, width, scaling, rng):
        dims = [784] + [width] * hidden + [10]
        if scaling == "mupc":
            self.factors = [784**-0.5] + [(width * (hidden + 1)) ** -0.5] * (hidden - 1) + [1 / width]
            spread = [1.0] * (hidden + 1)
        else:
            self.factors = [1.0] * (hidden + 1)
            spread = [(3 * d) ** -0.5 for d in dims[:-1]]  # as a uniform distribution up to d**-0.5 has
        self.start = [jnp.array(s * rng.normal(size=(o, i))) for i, o, s in zip(dims, dims[1:], spread)]

    def maps(self, weights):
        """The map M from input to output, and S."""
        last = len(weights) - 1
        jacobians = [a * w for a, w in zip(self.factors, weights)]
        jacobians = [j + jnp.eye(len(j)) if 0 < l < last else j for l, j in enumerate(jacobians)]
        product, s = jacobians[last], jnp.eye(10)
        for j in reversed(jacobians[:last]):
            s, product = s + product @ product.T, product @ j
        return product, s

    def energy(self, weights, x, y):
        m, s = self.maps(weights)
        r = y - x @ m.T
        return 0.5 * jnp.mean(jnp.sum(r * jnp.linalg.solve(s, r.T).T, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--scaling", choices=["mupc", "sp"], default="mupc")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()

    x, y = pictures(o.data, "train-images"), np.eye(10)[idx(o.data, "train-labels")]
    tests, labels = pictures(o.data, "t10k-images"), idx(o.data, "t10k-labels")
    rng = np.random.default_rng(o.seed)
    net = Net(o.hidden, o.width, o.scaling, rng)

    @jax.jit
    def adam(weights, first, second, t, x, y):
        f, g = jax.value_and_grad(net.energy)(weights, x, y)
        first = [0.9 * m + 0.1 * d for m, d in zip(first, g)]
        second = [0.999 * v + 0.001 * d * d for v, d in zip(second, g)]
        hat = [m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8) for m, v in zip(first, second)]
        return [w - o.rate * h for w, h in zip(weights, hat)], first, second, f

    weights = net.start
    first = [jnp.zeros_like(w) for w in weights]
    second = first
    order = rng.permutation(len(x))
    for t in range(1, o.iterations + 1):
        at = order[(t - 1) * 64 % (len(x) - 63) :][:64]
        weights, first, second, f = adam(weights, first, second, float(t), x[at], y[at])
        if t % 100 == 0 or t == o.iterations:
            m, s = net.maps(weights)
            accuracy = (np.array(tests @ np.array(m).T).argmax(1) == labels).mean()
            print(f"{t:5d}  energy {float(f):.4g}  accuracy {accuracy:.4f}  trace(S)/10 {float(jnp.trace(s)) / 10:.4g}", flush=True)


if __name__ == "__main__":
    main()
