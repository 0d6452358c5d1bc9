"""Runs "demo bench" and rows.py in turn, kind by kind and round by round, and prints the ratios with their targets.

    python compare.py [--rounds 3] [--rows energy,train,arch,own] [--demo FILE] PYTHON [PYTHON ...]

Each PYTHON is an interpreter that has jax and optax; the better one of each row is the bar. Rows: energy, train, arch (CNNs
and transformers), own (the targets that need no JAX: growth, start, memory, the muPC demo). Needs nothing but Python and Go.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# By the kinds of rows.py, those of "demo bench" that are measured in turn with them.
COUNTERPART = {"energy": "energy", "train": "train", "arch": "arch"}
OWN = "growth,start,memory,mupc"

# JAX's time over ours must be this, by kind and figure. The evaluation is the better of call and step on either side.
AT_LEAST = {("energy", "evaluation"): 1.3}
AT_LEAST.update({("train", figure): 1.3 for figure in ["BP", "PC T=1", "PC T=2", "PC T=5", "PC T=20"]})
AT_LEAST.update({(kind, figure): 1.0 for kind in ["cnn", "transformer"] for figure in ["call", "weights"]})
AIM = {key: 1.5 for key in AT_LEAST if key[0] in ["cnn", "transformer"]}  # beyond the target

DEEP = "784-300-300-300-10/64"
# Our own figures: kind, row, figure, bound, and whether it is the most or the least that is allowed.
BOUNDS = [
    ("energy", "8x128x64", "share of peak", 70, min),
    ("energy", "32x128x64", "share of peak", 70, min),
    ("energy", "8x512x64", "share of peak", 80, min),
    ("energy", "128x128x64", "share of peak", 70, min),
    ("train", DEEP, "PC T=1 / BP", 1.2, max),
    ("train", DEEP, "PC T=2 / BP", 1.5, max),
    ("train", DEEP, "PC T=5 / BP", 2.2, max),
    ("mupc", "30x128, MNIST", "in all", 30, max),
    ("mupc", "30x128, MNIST", "accuracy at 900", 93, min),
    ("start", "made data", "to the first finished step", 0.2, max),
    ("start", "MNIST read", "to the first finished step", 1, max),
    ("memory", "MNIST training", "peak memory of the process", 120, max),
    ("growth", "depth", "largest deviation from linear, step", 15, max),
    ("growth", "batch", "largest deviation from linear, step", 15, max),
    ("growth", "compile 512x128x64", "compile", 0.5, max),
]


class Side:
    """One of the programs that are compared: its figures by (kind, row, figure), a value per round."""

    def __init__(self, name, command):
        self.name, self.command = name, command
        self.values, self.units = {}, {}
        self.about = ""

    def run(self, *args):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        done = subprocess.run([*self.command, *args], env=env, stdout=subprocess.PIPE, check=True)
        report = json.loads(done.stdout)
        version = report["version"]
        self.about = f"JAX {version['jax']}" if "jax" in version else f"{report['cpu']}, {version['cores']} cores, kernels {version['kernels']}"
        for row in report["rows"]:
            figures = {f["name"]: f["median"] for f in row["figures"]}
            for f in row["figures"]:
                self.units[row["kind"], row["name"], f["name"]] = f["unit"]
            if row["kind"] == "energy":
                better = min(("call", "step"), key=figures.get)
                figures["evaluation"] = figures[better]
                if f"{better} share of peak" in figures:
                    figures["share of peak"] = figures[f"{better} share of peak"]
            for name, value in figures.items():
                self.values.setdefault((row["kind"], row["name"], name), []).append(value)

    def median(self, key):
        return statistics.median(self.values[key])


def build(folder):
    """The command, built from this checkout."""
    binary = pathlib.Path(folder) / "demo"
    subprocess.run(["go", "build", "-o", str(binary), "./cmd/demo"], cwd=HERE.parent.parent, check=True)
    return str(binary)


def measure(ours, others, args):
    repeats = str(args.repeats)
    for round_ in range(args.rounds):
        for kind in args.rows:
            print(f"round {round_ + 1} of {args.rounds}: {kind}", file=sys.stderr, flush=True)
            if kind == "own":
                if round_ == 0:
                    ours.run("bench", "-json", "-", "-rows", OWN, "-repeats", repeats)
                continue
            ours.run("bench", "-json", "-", "-rows", COUNTERPART[kind], "-repeats", repeats)
            for other in others:
                other.run("--rows", kind, "--repeats", repeats)


def table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())
    print()


def compared(ours, others):
    """The table of what both sides measured, and how many targets are met, of how many."""
    rows, met, of = [], 0, 0
    keys = [k for k in others[0].values if ours.units.get(k) == others[0].units.get(k) == "ms" or k[2] == "evaluation"]
    for key in keys:
        if key not in ours.values:
            continue
        times = [o.median(key) for o in others]
        ratio = min(times) / ours.median(key)
        by_round = [min(at) / own for own, *at in zip(ours.values[key], *(o.values[key] for o in others))]
        target = AT_LEAST.get((key[0], key[2]))
        verdict = ""
        if target:
            of, met = of + 1, met + (ratio >= target)
            verdict = "met" if ratio >= target else "NOT met"
        aim = AIM.get((key[0], key[2]))
        if aim and ratio >= aim:
            verdict += f", and the aim of {aim}"
        rows.append(
            [f"{key[0]} {key[1]}", key[2], f"{ours.median(key):.3f}", *(f"{t:.3f}" for t in times)]
            + [f"{ratio:.2f}", f"{min(by_round):.2f} .. {max(by_round):.2f}", f">= {target}" if target else "", verdict]
        )
    if rows:
        print("ms, median of the rounds' medians; ratio: the better JAX over ours, and its range over the rounds")
        table(["row", "figure", "ours", *(o.about for o in others), "ratio", "range", "target", ""], rows)
    return met, of


def alone(ours, others):
    """The table of what JAX alone measured."""
    rows = []
    for key in others[0].values:
        if key not in ours.values and others[0].units.get(key) == "ms":
            rows.append([f"{key[0]} {key[1]}", key[2], *(f"{o.median(key):.3f}" for o in others)])
    if rows:
        print("ms, JAX alone")
        table(["row", "figure", *(o.about for o in others)], rows)


def bounded(ours):
    """The table of our own targets, and how many are met, of how many."""
    rows, met, of = [], 0, 0
    for kind, name, figure, bound, worse in BOUNDS:
        key = (kind, name, figure)
        if key not in ours.values:
            continue
        value = ours.median(key)
        ok = worse(value, bound) == bound
        of, met = of + 1, met + ok
        sign = "<=" if worse is max else ">="
        rows.append([f"{kind} {name}", figure, f"{value:.3g}", f"{sign} {bound}", "met" if ok else "NOT met"])
    if rows:
        table(["row", "figure", "ours", "target", ""], rows)
    return met, of


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pythons", nargs="+", metavar="PYTHON", help="interpreters with jax and optax")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=7, help="repetitions within a round")
    parser.add_argument("--rows", default="energy,train,arch,own", help="comma-separated: energy, train, arch, own")
    parser.add_argument("--demo", help="the demo command (default: built from this checkout)")
    args = parser.parse_args()
    args.rows = args.rows.split(",")
    for kind in args.rows:
        if kind != "own" and kind not in COUNTERPART:
            parser.error(f"unknown rows {kind!r}: want energy, train, arch or own")
    if args.rounds < 1 or args.repeats < 1:
        parser.error("--rounds and --repeats: want 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        ours = Side("ours", [args.demo or build(folder)])
        others = [Side(p, [p, str(HERE / "rows.py")]) for p in args.pythons]
        measure(ours, others, args)
    if ours.about:
        print(ours.about + "\n")
    met, of = compared(ours, others)
    alone(ours, others)
    met_own, of_own = bounded(ours)
    print(f"{met + met_own} of {of + of_own} targets met")


if __name__ == "__main__":
    main()
