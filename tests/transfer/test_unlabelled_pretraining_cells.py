"""The experiments of unlabelled_pretraining: what is counted, what is a median, and what the page says of them."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.spiked_inputs import first_component
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.transfer import unlabelled_pretraining_cells as cells
from beyond_kernel.transfer.spiked_flow import flow_labels
from beyond_kernel.transfer.spiked_neuron import spiked_neuron, spiked_task
from beyond_kernel.transfer.unlabelled_pretraining_cells import (
    SIGN_LABELS,
    component_cell,
    price_cell,
    savings_cell,
    start_cell,
)

EASY = {"strength": 1.0, "cosine": 0.8}


def test_a_component_finds_what_a_random_start_does_not():
    found = start_cell("h3(z1)", 60, 20.0, 120.0, [0.006], 1.0, 0.6, groups=1, replicas=24, seed=0)
    assert found["component_final"][0, 0] > 0.9 and found["component_found"][0] > 0.8
    assert found["random_final"][0, 0] < 0.3


def test_labels_until_the_direction_is_found_count_those_of_the_sign():
    """At cosine 1 the component is the direction: only the labels of the sign are needed, ten a dimension."""
    found = start_cell("h3(z1)", 50, 200.0, 30.0, [0.005], 1.0, 1.0, groups=2, replicas=8, seed=1)
    assert found["needed"] == pytest.approx(np.full((1, 2), SIGN_LABELS), abs=1e-9)
    even = start_cell("h2(z1)", 50, 200.0, 30.0, [0.005], 1.0, 1.0, groups=2, replicas=8, seed=1)
    assert even["needed"] == pytest.approx(np.zeros((1, 2)), abs=1e-9)  # an even link needs no sign
    own = savings_cell("h3(z1)", 50, [200.0], 30.0, 0.005, 1.0, 1.0, groups=2, replicas=8, seed=1)
    assert own["needed"] == pytest.approx(np.full((1, 2), SIGN_LABELS), abs=1e-9)
    assert own["expected"] == pytest.approx([SIGN_LABELS], abs=1e-9)


def test_labelled_inputs_of_a_component_are_paid_once():
    """They choose the sign as well: up to ten a dimension they cost nothing beyond it, for an even link all of them."""
    given = {"labels": 12.0, "step": 0.005, "groups": 1, "replicas": 2, "seed": 1} | EASY
    assert savings_cell("h3(z1)", 20, [0.0, 4.0, 10.0, 25.0], **given)["extra"].tolist() == [0.0, 0.0, 0.0, 15.0]
    assert savings_cell("h2(z1)", 20, [4.0, 25.0], **given)["extra"].tolist() == [4.0, 25.0]


@pytest.mark.parametrize("ratio", [10, 20])
def test_labels_of_the_inputs_of_a_component_tell_its_sign(ratio):
    """Explicit inputs: a component, and its sign by the labels of the same inputs, is right in each of ten draws."""
    right = 0
    for seed in range(10):
        task = spiked_task(spiked_neuron("h3(z1)", 60, 1.0, 0.45), seed)
        sample = draw_problem(task, 60 * ratio, 0.0, seed, n_test=1).train
        w = first_component(sample.X)
        z = sample.X @ w
        gain = float((sample.y * (task.neuron.link(z) - task.neuron.link(-z))).sum())
        right += gain * float(w @ task.directions[:, 0].to(w)) > 0
    assert right >= (9 if ratio == 10 else 10)


def test_until_the_sign_is_bought_the_component_stays_where_it_is():
    found = start_cell("h3(z1)", 50, 20.0, 40.0, [0.005], groups=2, replicas=6, points=9, seed=2, **EASY)
    assert found["labels"].tolist() == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]
    component, chance = found["component"], found["random"]
    assert component.shape == chance.shape == (9, 1, 2)
    assert (component[0] == component[2]).all() and (component[3] != component[2]).all()
    assert (chance[1] != chance[0]).all()


def test_a_random_start_has_a_label_more_for_each_unlabelled_input(monkeypatch):
    seen = []
    run = cells.spiked_sgd
    monkeypatch.setattr(cells, "spiked_sgd", lambda *args, **options: seen.append(args[3]) or run(*args, **options))
    found = start_cell("h3(z1)", 50, 8.0, 20.0, [0.005], groups=1, replicas=3, points=3, seed=3, **EASY)
    assert seen == [[0, 500, 1000, 1400]]  # 0, 10 and 20 d labels, or 0, 0 and 10 d after the sign; 28 d at the end
    assert found["random_final"] != pytest.approx(found["random"][-1])
    assert found["component_final"] == pytest.approx(found["component"][-1])


def test_results_are_medians_and_shares_of_single_neurons(monkeypatch):
    """Overlaps 0.1, ..., 0.6 of six neurons in two groups: medians 0.2 and 0.5; hits at 1, ..., 6 d steps."""
    reached = 50.0 * torch.arange(1.0, 13.0, dtype=torch.float64)
    overlaps = torch.arange(1.0, 13.0, dtype=torch.float64).div(10).repeat(3, 1)

    def given(task, starts, rates, at, generator, level):
        assert level == 0.9 and rates.tolist() == [0.01 / 50] * 12
        return type("Run", (), {"overlaps": overlaps[:1].repeat(len(at), 1), "reached": reached})

    monkeypatch.setattr(cells, "spiked_sgd", given)
    found = start_cell("h3(z1)", 50, 2.0, 14.5, [0.01], groups=2, replicas=3, points=2, seed=0, **EASY)
    assert found["component_final"] == pytest.approx(np.array([[0.2, 0.5]]))
    assert found["random_final"] == pytest.approx(np.array([[0.8, 1.1]]))
    assert found["component_found"] == [0] and found["random_found"] == pytest.approx([4 / 6])
    assert np.array_equal(
        found["needed"], [[12.0, np.nan]], equal_nan=True
    )  # 2 d steps and 10 d labels; 15 d are too many
    assert found["random_needed"] == pytest.approx(np.array([[8.0, 11.0]]))
    assert found["median"] == pytest.approx([14.0])  # of all six, the upper of 3 d and 4 d


def test_a_group_in_which_fewer_than_half_arrive_needs_nobody_knows_how_many(monkeypatch):
    steps = torch.tensor([1.0, math.inf, 3.0, math.inf, 5.0, math.inf, math.inf, 8.0], dtype=torch.float64) * 50
    monkeypatch.setattr(cells, "spiked_hits", lambda *args, **options: steps)
    found = savings_cell("h3(z1)", 50, [0.0, 4.0], 100.0, 0.01, groups=2, replicas=2, seed=0, **EASY)
    assert np.array_equal(found["needed"], np.full((2, 2), np.nan), equal_nan=True)
    assert found["found"] == pytest.approx([0.5, 0.5])
    one = savings_cell("h3(z1)", 50, [0.0, 4.0], 100.0, 0.01, groups=1, replicas=4, seed=0, **EASY)
    assert np.isnan(one["needed"]).all()
    monkeypatch.setattr(cells, "spiked_hits", lambda *args, **options: torch.full((8,), 100.0, dtype=torch.float64))
    two = savings_cell("h3(z1)", 50, [0.0, 4.0], 100.0, 0.01, groups=2, replicas=2, seed=0, **EASY)
    assert two["needed"].tolist() == [[2.0, 2.0], [12.0, 12.0]]  # the random start buys no sign
    assert two["median"].tolist() == [2.0, 12.0]
    short = savings_cell("h3(z1)", 50, [0.0, 4.0], 11.0, 0.01, groups=2, replicas=2, seed=0, **EASY)
    assert short["found"].tolist() == [1.0, 0.0] and np.isnan(short["needed"][1]).all()


def test_more_inputs_need_fewer_labels():
    found = savings_cell("h3(z1)", 60, [3.0, 100.0], 150.0, 0.006, 1.0, 0.6, groups=1, replicas=40, seed=4)
    assert found["needed"][1, 0] < found["needed"][0, 0]
    assert found["expected"][1] < found["expected"][0]
    assert found["needed"][1, 0] == pytest.approx(found["expected"][1], rel=0.25)


def test_a_random_start_arrives_in_the_end():
    found = savings_cell("h3(z1)", 12, [0.0], 900.0, 0.01, 1.0, 0.6, groups=1, replicas=24, seed=5)
    assert found["found"][0] > 0.7 and np.isnan(found["expected"][0])


def test_a_linear_part_against_the_direction_is_a_trap_for_random_starts():
    theta, rho = 2.0, 0.8
    trap = f"h3(z1) - {3 / (2 * 6**0.5) * theta * rho**2:.4f}*z1"
    shares = {}
    for link in ("h3(z1)", trap):
        found = start_cell(link, 80, 20.0, 150.0, [0.005], theta, rho, groups=1, replicas=24, seed=6)
        assert found["component_final"][0, 0] > 0.9
        shares[link] = found["random_found"][0]
    assert shares[trap] <= 0.25 and shares["h3(z1)"] > 2 * shares[trap]


def test_the_component_cell_holds_the_exact_law_against_its_limit():
    found = component_cell(400, 20.0, 1.0, 21, seed=0)
    assert found["predicted"] == pytest.approx(math.sqrt((1 - 1 / 20) / (1 + 1 / 20)))
    assert found["measured"] == pytest.approx(found["predicted"], abs=0.02)


def test_the_price_is_that_of_the_flow_and_labels_of_the_sign():
    start = torch.tensor([[math.sqrt((1 - 1 / 20) / (1 + 1 / 20)), 0.0]], dtype=torch.float64)
    by_hand = float(flow_labels(spiked_neuron("h3(z1)", 9, 1.0, 0.45), start, 0.005, horizon=12.0))
    found = price_cell("h3(z1)", 1.0, 0.45, 20.0, [0.005, 0.5], [0.0, 1.5], seed=0)
    assert found["expected"][0] == pytest.approx(by_hand + SIGN_LABELS)
    assert math.isinf(found["expected"][1])  # a step that noise outweighs
    assert found["overlaps"][0] == pytest.approx(0.45 * float(start[0, 0])) and found["overlaps"][1] > 0.99
    assert found["spikes"] == pytest.approx([float(start[0, 0]), 0.45], abs=0.02)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: start_cell("h3(z1)", 50, 5.0, 9.0, [0.01], 1.0, 0.5, 1, 1, seed=0), "labels = 9"),
        (lambda: start_cell("h3(z1)", 50, 5.0, 20.0, [0.0], 1.0, 0.5, 1, 1, seed=0), r"steps\[0\] = 0"),
        (lambda: start_cell("h3(z1)", 50, 5.0, 20.0, [0.1], 1.0, 1.5, 1, 1, seed=0), "cosine = 1.5"),
        (lambda: savings_cell("h3(z1)", 50, [-1.0], 20.0, 0.1, 1.0, 0.5, 1, 1, seed=0), r"ratios\[0\] = -1"),
        (lambda: component_cell(50, 0.0, 1.0, 2, seed=0), "ratio = 0"),
    ],
)
def test_bad_values_end_in_one_sentence(call, named):
    with pytest.raises(BadParameter, match=named):
        call()
