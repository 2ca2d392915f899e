"""Arguments that fit, for each public function of tensors that the chapter on symmetry added."""

from array_calls import drawn

from beyond_kernel.feature_learning.orbits import group_generators, orbit_counts, orbit_labels

VALUES = drawn(16)
LABELS = orbit_labels(group_generators("cyclic", 4), 4)
COUNTS = orbit_counts(LABELS)
AVERAGE = {"values": VALUES, "labels": LABELS}
ENERGIES = drawn(5).square()
SYMMETRY_CALLS = {
    "foundations.targets.walsh_hadamard.walsh_hadamard": {"values": VALUES},
    "foundations.targets.walsh_hadamard.energies_by_size": {"coefficients": VALUES},
    "feature_learning.orbits.orbit_sums": AVERAGE,
    "feature_learning.orbits.orbit_mean": AVERAGE,
    "feature_learning.shared_weights.input_views": {"X": drawn(3, 4), "sharing": "cyclic"},
    "feature_learning.symmetry_barrier.orbit_correlations": AVERAGE,
    "feature_learning.symmetry_barrier.mean_squares_by_size": {
        "correlations": drawn(int(COUNTS.sum())),
        "labels": LABELS,
    },
    "feature_learning.symmetry_barrier.mean_variance": {"energies": ENERGIES, "counts": COUNTS},
    "feature_learning.symmetry_barrier.mean_cosines": {"energies": ENERGIES, "counts": COUNTS},
    "feature_learning.symmetry_barrier.remembering_risk": AVERAGE | {"n": 3},
}
