"""One first layer trained to the end on many tasks at once, each with a head of its own, by Adam."""

from collections.abc import Sequence

import torch

from beyond_kernel.checks import BadParameter, floating, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.learning.adam import Adam
from beyond_kernel.foundations.learning.samples import Sample

EPOCHS = 10
"""Passes over all labels. In trials 5 did as well with many labels a task and 20 no better."""
BATCH = 16
"""Fewest labels of each task in one batch."""
MOST_STEPS = 250
"""Most steps in an epoch; with more labels batches are larger."""
RATE, DECAY = 0.02, 3.0
"""First step size of Adam and weight decay in units of it, of least error on a fifth of the labels that was held out.

Tried were 0.001 to 0.03 and 0.3 to 10, on 32 balanced tasks of 500 labels at d = 50, without noise and with 0.5. With
many more labels 0.01 was a little better by that rule, with few labels or on even tasks 0.03.
"""
ONE_TASK = {"rate": 0.01, "decay": 0.3}
"""Step size and decay for one task with very many labels, chosen in the same way among 0.003 to 0.02 and 0.3 to 3.

Tried were three kinds of tasks with 32,000 labels at d = 50; with the settings of many tasks, neurons that only one
task needs die.
"""
PRECISION = torch.float32
"""Of the training, whatever that of the samples, as the noise of a batch is far above rounding."""


def joint_gradient(
    W: torch.Tensor, b: torch.Tensor, A: torch.Tensor, X: torch.Tensor, Y: torch.Tensor
) -> list[torch.Tensor]:
    """Return the gradient of the mean square of A_t . relu(W x + b) - y over all tasks t and their points.

    Args:
        W: neurons that all tasks share, of shape (m, d).
        b: their biases, of shape (m,).
        A: a head for each task, of shape (T, m).
        X: inputs by task, of shape (T, n, d).
        Y: labels by task, of shape (T, n).

    Returns:
        Gradients in W, b and A, of their shapes.

    Raises:
        BadParameter: if shapes do not fit.
        TypeError: if one is no floating-point tensor.

    Source: the chain rule. Chapter: many_tasks.
    """
    vector("b", b, len(matrix("W", W)))
    matrix("A", A, len(W))
    if floating("X", X).ndim != 3 or (len(X), X.shape[2]) != (len(A), W.shape[1]) or not X.numel():
        raise BadParameter(f"X has shape {tuple(X.shape)}: it must have shape ({len(A)}, n, {W.shape[1]}), non-empty.")
    if floating("Y", Y).shape != X.shape[:2]:
        raise BadParameter(f"Y has shape {tuple(Y.shape)}: it must have shape {tuple(X.shape[:2])}.")
    tasks, n, d = X.shape
    rows = X.reshape(tasks * n, d)
    features = torch.addmm(b, rows, W.T).relu_()
    by_task = features.view(tasks, n, -1)
    pull = (torch.bmm(by_task, A[:, :, None])[..., 0] - Y) * (2 / (tasks * n))
    heads = torch.bmm(by_task.transpose(1, 2), pull[..., None])[..., 0]
    inner = ((pull[..., None] * A[:, None, :]).view(tasks * n, -1)).mul_(features > 0)
    return [inner.T @ rows, inner.sum(0), heads]


def train_together(
    samples: Sequence[Sample],
    width: int,
    generator: torch.Generator,
    epochs: int = EPOCHS,
    rate: float = RATE,
    decay: float = DECAY,
) -> torch.Tensor:
    """Train a two-layer ReLU network on all tasks at once, and return each neuron times the length of its heads.

    The first layer and its biases are shared; each task has a head. All labels, less the mean of their task, are seen
    in every epoch, in batches that hold as many of each task; nothing is chosen on them.

    Args:
        samples: one labelled sample a task, all of one size.
        width: m.
        generator: source of the start and of the batches.
        epochs: passes over all labels.
        rate: first step size of Adam, above 0; it falls linearly to 0.
        decay: of all weights, in units of the step size, at least 0.

    Returns:
        Neurons, of shape (m, d), weighted by what the tasks make of them; dtype and device of the samples.

    Raises:
        BadParameter: if there is no sample, sizes differ, or a number is out of range.

    Source: Adam with decoupled decay as in ``torch.optim.AdamW``. Chapter: many_tasks.
    """
    if not samples or len({len(sample) for sample in samples}) > 1:
        raise BadParameter(f"samples holds {len(samples)} tasks: it must hold at least one, all of one size.")
    real_number("rate", rate, above=0), real_number("decay", decay, least=0)
    X = torch.stack([sample.X for sample in samples]).to(PRECISION)
    Y = torch.stack([sample.y - sample.y.mean() for sample in samples]).to(PRECISION)
    tasks, n, d = X.shape
    W, A = (
        torch.randn(shape, generator=generator, dtype=PRECISION, device=generator.device).to(X) * scale
        for shape, scale in (((whole_number("width", width), d), d**-0.5), ((tasks, width), 0.01))
    )
    weights = [W, torch.zeros_like(A[0]), A]
    size = min(max(BATCH, n // MOST_STEPS), n)
    rates = torch.full((1,), rate, dtype=PRECISION, device=X.device)
    adam = Adam(weights, rates, whole_number("epochs", epochs) * (n // size), torch.full_like(rates, decay))
    for _ in range(epochs):
        order = torch.randperm(n, generator=generator, device=generator.device).to(X.device)
        for rows in order[: n - n % size].split(size):
            adam.step(joint_gradient(*weights, X[:, rows], Y[:, rows]))
    return (weights[0] * weights[2].norm(dim=0)[:, None]).to(samples[0].X)
