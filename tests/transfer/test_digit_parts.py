"""Parts are found without labels, and the sum over them is the one that is written down."""

import itertools

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.digit_data import load_rows
from beyond_kernel.transfer.digit_machines import SCALES
from beyond_kernel.transfer.digit_parts import (
    fit_one_part,
    fit_parts,
    found_parts,
    one_part_family,
    parts_family,
    parts_kernel,
    share_in_tiles,
)
from beyond_kernel.transfer.real_digits import ClassProblem, draw_classes


def blocks(n: int, sizes=(3, 5, 2), seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    """Entries of a block share a factor, and blocks are independent."""
    generator = generator_for(seed, "blocks")
    parts = []
    for size in sizes:
        factor = torch.randn(n, 1, generator=generator, dtype=torch.float64)
        parts.append(factor + 0.5 * torch.randn(n, size, generator=generator, dtype=torch.float64))
    return torch.cat(parts, 1).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_blocks_are_found_in_any_order_of_the_entries(dtype):
    X = blocks(200, dtype=dtype)
    order = torch.randperm(10, generator=generator_for(0, "order"))
    inverse = order.argsort()
    found = {tuple(sorted(part.tolist())) for part in found_parts(X[:, order], 3)}
    expected = {tuple(sorted(inverse[list(block)].tolist())) for block in (range(3), range(3, 8), range(8, 10))}
    assert found == expected


@pytest.mark.parametrize(("data", "tiles"), [("digits", 4), ("digits", 2), ("digits", 9), ("mnist", 4)])
def test_tiles_of_images_are_found(data, tiles):
    """All pixels that vary by a third of the mean lie on one tile a part; the labels are not looked at."""
    problem = draw_classes(load_rows(data), 50, tiles, 7)
    side = problem.train.X.shape[1] // tiles
    sizes = problem.unlabelled.std(0)
    parts = found_parts(problem.unlabelled, tiles)
    assert sorted(itertools.chain(*(part.tolist() for part in parts))) == list(range(tiles * side))
    strong = [set((part[sizes[part] > sizes.mean() / 3] // side).tolist()) for part in parts]
    assert sorted(itertools.chain(*strong)) == list(range(tiles))


@pytest.mark.parametrize("parts", [[[3, 5, 0, 4], [6, 7], [1, 2, 8]], [[1, 3], [2], [0, 4, 5, 6, 7, 8]]], ids=str)
def test_the_share_is_that_of_the_best_match_by_brute_force(parts):
    """Every order of the tiles is tried, each tile has one part; entries that do not vary count for nothing."""
    X = blocks(60, (3, 3, 3)) * torch.tensor([1.0, 2, 3, 1, 0, 2, 4, 1, 1], dtype=torch.float64)
    parts = [torch.tensor(part) for part in parts]
    variances = X.var(0, correction=0)

    def shared(order: tuple[int, ...]) -> float:
        pairs = zip(parts, order, strict=True)
        return sum(float(variances[entry]) for part, tile in pairs for entry in part.tolist() if entry // 3 == tile)

    shares = [shared(order) for order in itertools.permutations(range(3))]
    assert share_in_tiles(X, parts, 3) == pytest.approx(max(shares) / float(variances.sum()), abs=1e-12)


def test_parts_of_images_are_the_tiles_and_those_of_independent_columns_are_not():
    images = draw_classes(load_rows("digits"), 50, 4, 7).unlabelled
    assert share_in_tiles(images, found_parts(images, 4), 4) > 0.99
    columns = torch.randn(800, 24, generator=generator_for(0, "columns"), dtype=torch.float64)
    assert share_in_tiles(columns, found_parts(columns, 4), 4) < 0.7


def test_the_kernel_is_the_mean_of_that_of_each_part():
    X, Z = blocks(6), blocks(4, seed=1)
    parts = [torch.tensor([0, 4]), torch.tensor([1]), torch.tensor([2, 3, 9])]
    found = parts_kernel(X, Z, length=1.3, parts=parts)
    for i, j in itertools.product(range(6), range(4)):
        gaps = [float((X[i, part] - Z[j, part]).square().sum()) for part in parts]
        assert float(found[i, j]) == pytest.approx(np.mean(np.exp(-np.array(gaps) / (2 * 1.3**2))))


def test_lengths_are_those_of_a_part():
    """For parts of equal size the mean square of a part is the whole's over their number."""
    X = blocks(400, (4, 4))
    parts = [torch.arange(4), torch.arange(4, 8)]
    middle = float(torch.pdist(X).median()) / 2**0.5
    found = [kernel.keywords["length"] for kernel in parts_family(Sample(X, X), parts)]
    np.testing.assert_allclose(found, [scale * middle for scale in SCALES], rtol=1e-6)


def test_one_part_is_all_that_a_kernel_of_the_choice_sees():
    """Its four kernels are those of a Gaussian on that part's columns, at lengths in units of their median distance."""
    X, Z = blocks(50), blocks(4, seed=1)
    parts = [torch.tensor([0, 4]), torch.tensor([2, 3, 9])]
    kernels = one_part_family(Sample(X, X), parts)
    assert len(kernels) == len(parts) * len(SCALES)
    for (part, scale), kernel in zip(itertools.product(parts, SCALES), kernels, strict=True):
        length = scale * float(torch.pdist(X[:, part]).median())
        expected = torch.exp(-torch.cdist(X[:, part], Z[:, part]).square() / (2 * length**2))
        torch.testing.assert_close(kernel(X, Z), expected)


@pytest.mark.parametrize("home", [0, 4, 9])
def test_the_part_that_labels_ask_for_is_chosen(home):
    """The label is the sign of one entry, which lies on one block of three: the machine moves with that block alone."""
    X = blocks(400)
    y = torch.nn.functional.one_hot((X[:, home] > 0).long(), 2).double()
    machine = fit_one_part(ClassProblem(Sample(X[:80], y[:80]), Sample(X, y), unlabelled=X, tiles=3), generator_for(0))
    block = next(block for block in (range(3), range(3, 8), range(8, 10)) if home in block)
    other = torch.randn(400, 10, generator=generator_for(1, "other"), dtype=torch.float64)
    other[:, list(block)] = X[:, list(block)]
    torch.testing.assert_close(machine(other), machine(X))
    assert float(((machine(X)[:, 1] > 0.5) == (X[:, home] > 0)).double().mean()) > 0.8


def test_parts_come_from_the_pool_and_labels_do_not_count_for_them():
    X = blocks(300)
    y = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).double()
    problem = ClassProblem(Sample(X[:40], y[:40]), Sample(X[40:], y[40:]), unlabelled=X, tiles=3)
    found = fit_parts(problem, generator_for(0, "fit")).kernel.keywords["parts"]
    assert [part.tolist() for part in found] == [part.tolist() for part in found_parts(X, 3)]
    assert len(found_parts(X, 1)) == 1 and len(found_parts(X, 1)[0]) == 10


def test_bad_input_is_refused():
    with pytest.raises(BadParameter, match="vary in 2 entries"):
        found_parts(torch.zeros(5, 3), 2)
    with pytest.raises(BadParameter, match="count = 11"):
        found_parts(blocks(9), 11)
    for bad, match in ((3, "tiles = 3"), (5, "tiles = 5")):
        with pytest.raises(BadParameter, match=match):
            share_in_tiles(blocks(9), [torch.arange(5), torch.arange(5, 10)], bad)
    with pytest.raises(BadParameter, match="one part"):
        parts_kernel(blocks(3), blocks(3), length=1.0, parts=[])
