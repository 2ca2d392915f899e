"""neural-tangents at work in an interpreter of its own: one JSON line in, one JSON line out.

It needs old versions (benchmarks/peers.txt) and starts with one thread; its seconds are CPU seconds of this process.
This file imports nothing of the package.
"""

import json
import os
import sys
import time
import types

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")  # needs more than jax
import neural_tangents  # noqa: E402
from neural_tangents import stax  # noqa: E402


def analytic(x):
    """Return a function without arguments that computes the tangent kernel of a two-layer ReLU network."""
    _, _, kernel = stax.serial(stax.Dense(1), stax.Relu(), stax.Dense(1))
    compiled = jax.jit(lambda points: kernel(points, None, "ntk"))
    return lambda: compiled(x)


def empirical(x, weights, head):
    """Return the same for one network with weights (d, m) and head (m, 1), by structured derivatives."""

    def network(parameters, points):
        first, last = parameters
        return jax.nn.relu(points @ first) @ last / len(last) ** 0.5  # as matrix products: its rules know these

    implementation = neural_tangents.NtkImplementation.STRUCTURED_DERIVATIVES
    kernel = neural_tangents.empirical_ntk_fn(network, trace_axes=(), vmap_axes=0, implementation=implementation)
    compiled = jax.jit(kernel)
    return lambda: compiled(x, None, (weights, head)).reshape(len(x), len(x))


def answer(prepared, order):
    """Run one order: {"key", "job", "files"}; arrays are read and functions compiled once for each key."""
    key = order["key"]
    if key not in prepared:
        arrays = [jax.numpy.asarray(np.load(path)) for path in order["files"]]
        prepared[key] = {"analytic": analytic, "empirical": empirical}[order["job"]](*arrays)
        prepared[key]().block_until_ready()
    start = time.process_time()
    result = prepared[key]().block_until_ready()
    seconds = time.process_time() - start
    return {"seconds": seconds, "answer": np.asarray(result[0], dtype=float).tolist()}


def main():
    versions = {"neural-tangents": neural_tangents.__version__, "jax": jax.__version__}
    print(json.dumps({"versions": versions}), flush=True)
    prepared = {}
    for line in sys.stdin:
        print(json.dumps(answer(prepared, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
