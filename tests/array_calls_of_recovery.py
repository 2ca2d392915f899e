"""Arguments that fit, for each public function of tensors behind the limits of local_recovery."""

import torch
from array_calls import FRAME, W, X, a, drawn, y

from beyond_kernel.feature_learning.absolute_teacher import drawn_teacher
from beyond_kernel.feature_learning.sampled_recovery import without_affine_part

TEACHER = drawn_teacher([1.0, -1.0], 5, 30.0, seed=0)
V, B = FRAME.T.contiguous(), drawn(2).abs()
SAMPLE = without_affine_part(drawn(20, 5), drawn(20))

RECOVERY_CALLS = {
    "feature_learning.recovery_limits.mirrored_start": {
        "width": 4,
        "scale": 1.0,
        "like": X,
        "generator": torch.Generator().manual_seed(0),
    },
    "feature_learning.recovery_limits.rotations": {"before": W, "after": 2 * W},
    "feature_learning.recovery_limits.descend_nonnegative": {"W": W, "V": V, "b": B, "steps": 1, "rate": 0.1},
    "feature_learning.recovery_limits.weight_found": {"W": W, "a": a, "V": V, "degrees": 5.0},
    "feature_learning.sampled_recovery.without_affine_part": {"X": X, "y": y},
    "feature_learning.sampled_recovery.sampled_pull": {"W": W, "a": a, "sample": SAMPLE},
    "feature_learning.sampled_recovery.sampled_first_step": {"U": W, "sample": SAMPLE},
    "feature_learning.sampled_recovery.fit_sampled_head": {"U": W, "sample": SAMPLE, "penalty": 0.1},
    "feature_learning.sampled_recovery.descend_on_sample": {
        "W": W,
        "a": a,
        "sample": SAMPLE,
        "decays": [0.1],
        "steps": 1,
        "rate": 0.1,
    },
    "feature_learning.sampled_recovery.recover": {
        "X": X,
        "y": y,
        "width": 4,
        "generator": torch.Generator().manual_seed(0),
        "steps": 1,
    },
    "feature_learning.sampled_recovery.sampled_risk": {"W": W, "a": a, "X": X, "y": y, "teacher": TEACHER},
}
