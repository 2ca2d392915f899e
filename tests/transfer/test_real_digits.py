"""Problems hide nothing: rows, tiles and labels are where they are said to be, and measures are what they say."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer.digit_data import LabelledRows
from beyond_kernel.transfer.real_digits import (
    check_sizes,
    draw_classes,
    draw_transfer,
    one_hot,
    pool_size,
    split_rows,
)


def marked(count: int = 100, classes: int = 5) -> LabelledRows:
    """Rows that say in both of their entries which row they are."""
    rows = np.repeat(np.arange(1.0, count + 1)[:, None], 2, axis=1) / count
    return LabelledRows(rows, np.arange(count) % classes, tuple(map(str, range(classes))), None)


def places(X: torch.Tensor, tile: int, count: int = 100) -> np.ndarray:
    return (X[:, 2 * tile] * count).round().numpy().astype(int) - 1


def test_rows_for_testing_are_never_in_the_pool():
    test, pool = split_rows(100, 3)
    assert sorted([*test.tolist(), *pool.tolist()]) == list(range(100)) and len(test) == 20
    assert pool_size(marked()) == len(pool)
    assert len(split_rows(7000, 0)[0]) == 1000


def test_the_first_tile_is_labelled_and_the_others_know_nothing():
    data = marked()
    problem = draw_classes(data, 60, 3, seed=4)
    test, pool = (set(part.tolist()) for part in split_rows(100, 4))
    for sample, own in ((problem.train, pool), (problem.test, test)):
        labelled = places(sample.X, 0)
        assert set(labelled) <= own and len(set(labelled)) == len(labelled)
        np.testing.assert_array_equal(sample.y.argmax(1), data.labels[labelled])
        for tile in (1, 2):
            beside = places(sample.X, tile)
            assert set(beside) <= own and len(set(beside)) < len(beside)  # drawn with replacement
            assert np.mean(beside == labelled) < 0.2
    assert problem.unlabelled.shape == (80, 6) and problem.tiles == 3
    torch.testing.assert_close(problem.unlabelled[:60], problem.train.X)


def test_a_smaller_sample_begins_a_larger_one_and_all_are_scored_alike():
    small, large = (draw_classes(marked(), n, 2, seed=1) for n in (10, 50))
    torch.testing.assert_close(small.train.X, large.train.X[:10])
    torch.testing.assert_close(small.test.X, large.test.X)
    torch.testing.assert_close(small.unlabelled, large.unlabelled)


def test_noise_beside_has_the_mean_square_of_the_rows():
    data = LabelledRows(np.random.default_rng(0).random((4000, 9)), np.arange(4000) % 2, ("0", "1"), 3)
    X = draw_classes(data, 3000, 3, seed=0, beside="noise").train.X
    assert X[:, 9:].square().mean() == pytest.approx(np.square(data.rows).mean(), rel=0.02)
    assert abs(float(X[:, 9:].mean())) < 0.02 and float(X[:, 9:18].mul(X[:, 18:]).mean()) < 0.02


def test_odd_asks_for_the_parity_of_the_class():
    assert one_hot(marked(), "odd").argmax(1).tolist() == [place % 5 % 2 for place in range(100)]
    assert one_hot(marked(), "class").sum(1).tolist() == [1.0] * 100


def test_source_and_target_share_no_class_or_no_row():
    data = marked(200, 5)
    source, target = draw_transfer(data, 2, 30, seed=0)
    assert source.train.y.shape == (30, 3) and target.train.y.shape[1] == 2
    assert set(data.labels[places(source.train.X, 0, 200)]) == {0, 1, 2}
    assert set(data.labels[places(target.train.X, 0, 200)]) == {3, 4} == set(data.labels[places(target.test.X, 0, 200)])
    np.testing.assert_array_equal(target.train.y.argmax(1) + 3, data.labels[places(target.train.X, 0, 200)])
    two = marked(200, 2)
    source, target = draw_transfer(two, 1, 1000, seed=0)
    assert not set(places(source.train.X, 0, 200)) & set(places(target.train.X, 0, 200))
    assert source.train.y.shape[1] == target.train.y.shape[1] == 2


def test_bad_input_is_refused():
    data = marked()
    for fault in ({"n": 81}, {"n": 0}, {"tiles": 0}, {"tiles": 17}, {"beside": "pictures"}, {"question": "even"}):
        with pytest.raises(BadParameter, match=str(next(iter(fault.values())))):
            draw_classes(data, **({"n": 10, "tiles": 2, "seed": 0} | fault))


def test_sizes_must_ascend_and_have_rows_enough():
    """Of 100 rows 80 are in the pool, and two of five classes have at most 40 rows."""
    right = {"sizes": [20, 80], "sizes_target": [10, 20], "rows": 80}
    check_sizes(marked(), [0, 1], **right)
    for fault, said in (
        ({"sizes": [80, 20]}, r"sizes = \[80, 20\]"),
        ({"sizes": [20, 81]}, r"sizes\[-1\] = 81"),
        ({"sizes_target": [10, 40]}, r"sizes_target\[-1\] = 40"),
        ({"rows": 81}, "rows = 81"),
    ):
        with pytest.raises(BadParameter, match=said):
            check_sizes(marked(), [0, 1], **(right | fault))
