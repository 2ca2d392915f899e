"""Arguments that fit, for each public function of tensors in Part IV and in the last chapter."""

import torch
from array_calls import FRAME, NETWORK, W, X, drawn, y

from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.transfer.rank_one_task import rank_one_task
from beyond_kernel.transfer.shared_heads import frozen_features
from beyond_kernel.transfer.spiked_neuron import spiked_neuron

TRANSFER_CALLS: dict[str, dict] = {}

TRANSFER_CALLS |= {
    "transfer.joint_training.joint_gradient": {
        "W": W,
        "b": drawn(6),
        "A": drawn(2, 6),
        "X": drawn(2, 3, 5),
        "Y": drawn(2, 3),
    },
    "transfer.many_tasks.first_heads": {"W": W, "X": X, "y": y},
    "transfer.many_tasks.many_task_gradient": {"W": W, "samples": [Sample(X, y)]},
    "transfer.many_tasks.linear_part": {"X": X, "y": y},
    "transfer.many_tasks.quadratic_part": {"X": X, "y": y},
    "transfer.many_tasks.recovery": {"W": W, "directions": FRAME},
    "transfer.many_tasks.measured_pull": {"G": drawn(6, 5), "W": W, "directions": FRAME},
    "transfer.many_tasks.accuracy": {"prediction": y, "labels": y},
}

TRANSFER_CALLS |= {
    "transfer.turned_source.learnt_shares": {"source": parse_target("h2(z1)", 5), "directions": FRAME},
}

_SPIKED = {"task": spiked_neuron("he3", 9, 1.0, 0.6), "starts": drawn(4, 2) / 10}
_RATES = {"rates": torch.full((4,), 0.01)}
TRANSFER_CALLS |= {
    "transfer.spiked_neuron.state_overlaps": {"task": _SPIKED["task"], "states": _SPIKED["starts"]},
    "transfer.spiked_neuron.told_signs": _SPIKED,
    "transfer.spiked_chain.spiked_sgd": _SPIKED | _RATES | {"at": [2], "generator": torch.Generator()},
    "transfer.spiked_chain.spiked_hits": _SPIKED | _RATES | {"budget": 2, "generator": torch.Generator()},
    "transfer.spiked_flow.mean_change": {"task": _SPIKED["task"], "states": _SPIKED["starts"]},
    "transfer.spiked_flow.flow_paths": _SPIKED | {"times": [0.0, 0.1]},
    "transfer.spiked_flow.flow_labels": _SPIKED | {"step": 0.01},
    "transfer.unlabelled_pretraining.signed_by_labels": _SPIKED | {"labels": 2, "generator": torch.Generator()},
}

_RANK_ONE = rank_one_task("he2", 8, 2)
_TUNED = {"task": _RANK_ONE, "rates": torch.full((4,), 0.01), "steps": 1, "generator": torch.Generator()}
_BASE = {"task": _RANK_ONE, "X": drawn(12, 8), "y": y}
TRANSFER_CALLS |= {
    "transfer.rank_one_task.network_risk": {"task": _RANK_ONE, "rows": drawn(2, 3)},
    "transfer.low_rank_finetuning.rank_one_risk": {"task": _RANK_ONE, "state": drawn(3, 4) / 10},
    "transfer.low_rank_finetuning.train_rank_one": _TUNED | {"state": drawn(3, 4) / 10},
    "transfer.low_rank_finetuning.train_all_rows": _TUNED | {"rows": drawn(4, 2, 8)},
    "transfer.low_rank_finetuning.samples_needed": {"risks": drawn(4, 3).abs(), "level": 0.5},
    "transfer.low_rank_finetuning.median_samples": {"times": drawn(4, 3).abs()},
    "transfer.first_gradient.first_gradient": _BASE,
    "transfer.first_gradient.fit_around_base": _BASE,
    "transfer.first_gradient.adapter": {"gradient": drawn(3, 5)},
    "transfer.fitted_update.linear_update": _BASE,
    "transfer.fitted_update.fit_update": _BASE | {"start": drawn(8), "rounds": 2},
}

TRANSFER_CALLS |= {
    "transfer.shared_heads.fit_shared_ridge": {"features": X, "Y": drawn(12, 2)},
    "transfer.shared_heads.frozen_features": {"network": NETWORK, "X": X},
    "transfer.shared_heads.nested_risks": {
        "frozen": frozen_features(NETWORK, drawn(7, 5)),
        "X": X,
        "Y": drawn(12, 2),
        "truths": drawn(7, 2),
        "sizes": [6, 12],
    },
}

_GRAM, _OUTPUTS = X @ X.T, drawn(len(X), 3)
TRANSFER_CALLS |= {
    "transfer.digit_measures.class_error": {"outputs": _OUTPUTS, "labels": drawn(len(X), 3)},
    "transfer.digit_measures.accuracy": {"outputs": _OUTPUTS, "labels": drawn(len(X), 3)},
    "transfer.digit_measures.class_contrast": {"X": X, "labels": drawn(len(X), 3)},
    "transfer.digit_measures.tile_shares": {"metric": _GRAM, "tiles": 2},
    "transfer.digit_measures.tile_root": {"metric": _GRAM, "tiles": 2},
    "transfer.digit_measures.root_of": {"metric": _GRAM},
    "transfer.digit_machines.gradient_outer_product": {"X": X, "dual": _OUTPUTS, "length": 1.0},
    "transfer.digit_machines.rooted_kernel": {"X": X, "Z": X, "length": 1.0, "root": drawn(X.shape[1], 2)},
    "transfer.digit_machines.gaussian_family": {"train": Sample(X, _OUTPUTS), "root": drawn(X.shape[1], 2)},
    "transfer.digit_parts.found_parts": {"X": X, "count": 2},
    "transfer.digit_parts.share_in_tiles": {"X": X, "parts": [torch.tensor([0, 2, 1])], "tiles": 1},
    "transfer.digit_parts.parts_kernel": {"X": X, "Z": X, "length": 1.0, "parts": [torch.tensor([0, 2])]},
    "transfer.digit_learners.step_directions": {"X": X, "outputs": _OUTPUTS, "W": W, "a": drawn(len(W), 3)},
    "transfer.digit_curve.row_spectrum": {"gram": _GRAM, "outputs": _OUTPUTS},
    "transfer.digit_curve.measured_errors": {
        "gram": _GRAM,
        "outputs": _OUTPUTS,
        "sizes": [3],
        "penalty": 0.1,
        "draws": 1,
        "generator": torch.Generator(),
    },
}
