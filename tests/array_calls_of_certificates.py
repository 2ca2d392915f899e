"""Arguments that fit, for each public function of tensors behind local_recovery and its certificates."""

import torch
from array_calls import FRAME, W, X, a, drawn

from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher
from beyond_kernel.feature_learning.dual_certificate import pre_certificate

ROOM = "feature_learning."
V, B = FRAME.T.contiguous(), drawn(2)
TEACHER = AbsoluteTeacher(V, B)
ETA = pre_certificate(V, B.sign())
UNIT = torch.nn.functional.normalize(X, dim=1)
STUDENT, BOTH = {"W": W, "a": a}, {"W": W, "a": a, "V": V, "b": B}

CERTIFICATE_CALLS = {
    ROOM + "population_kernel.absolute_kernel": {"cosines": UNIT @ V.T},
    ROOM + "population_kernel.kernel_slope": {"cosines": UNIT @ V.T},
    ROOM + "population_kernel.masses": STUDENT,
    ROOM + "population_kernel.population_loss": BOTH,
    ROOM + "population_kernel.residual": BOTH,
    ROOM + "population_kernel.potential": {"U": UNIT, "points": V, "weights": B},
    ROOM + "absolute_teacher.angles_to": {"W": W, "V": V},
    ROOM + "local_recovery.first_step": {"U": W, "V": V, "b": B},
    ROOM + "local_recovery.fit_head": {"U": UNIT, "V": V, "b": B, "penalty": 0.1},
    ROOM + "local_recovery.balanced": {"U": W, "c": a},
    ROOM + "local_recovery.descend": BOTH | {"decays": drawn(1).abs(), "steps": 1, "rate": 0.01, "at": [1]},
    ROOM + "local_recovery.recovered_mass": STUDENT | {"V": V},
    ROOM + "local_recovery.mean_angle": STUDENT | {"V": V},
    ROOM + "local_recovery.total_mass": STUDENT,
    ROOM + "dual_certificate.pre_certificate": {"V": V, "signs": B.sign()},
    ROOM + "dual_certificate.residual_certificate": BOTH | {"U": UNIT, "decay": 0.1},
    ROOM + "dual_certificate.inequality": STUDENT | {"teacher": TEACHER, "eta": ETA, "decay": 0.1},
    ROOM + "dual_certificate.steepness": {"eta": ETA, "U": UNIT, "V": V},
    ROOM + "dual_certificate.circle": {"count": 3, "like": X},
    ROOM + "grid_lasso.grid_lasso": {"U": UNIT, "V": V, "b": B, "decay": 0.1},
    ROOM + "grid_lasso.lower_bound": STUDENT | {"U": UNIT, "teacher": TEACHER, "decay": 0.1},
}
BATCHED = {  # arguments that may have more sizes in front
    (ROOM + "population_kernel.absolute_kernel", "cosines"),
    (ROOM + "population_kernel.kernel_slope", "cosines"),
    (ROOM + "population_kernel.potential", "U"),
    (ROOM + "absolute_teacher.angles_to", "W"),
    (ROOM + "local_recovery.first_step", "U"),
    (ROOM + "local_recovery.fit_head", "U"),
    (ROOM + "dual_certificate.residual_certificate", "U"),
    (ROOM + "dual_certificate.steepness", "U"),
    (ROOM + "dual_certificate.circle", "like"),
    (ROOM + "grid_lasso.lower_bound", "U"),
}
