import math

import numpy as np
import pytest

from ibcore.claims import Setting
from ibcore.claims.regression.matrix_factorization import norm_to_infinity as page


@pytest.fixture(scope="module")
def verdict():
    return page.mf_norm_to_infinity.verify(Setting("quick", 0))


def test_the_claim_holds_and_its_control_is_refuted(verdict):
    assert [check for check in verdict.evidence.checks if not check.holds] == []
    assert verdict.evidence.control.refuted


def test_figures_get_finite_arrays(verdict):
    for name in ("entry", "loss", "log_ratio"):
        for values in verdict.data[name].values():
            assert values.shape == (1, len(verdict.data["times"]))
            assert bool(np.isfinite(values).all())


def test_starts_are_symmetric_with_eigenvalues_in_the_stated_range():
    for seed in range(20):
        matrix = page.draw_matrix(seed)
        values = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-16)
        assert page.LEAST <= values[0] <= values[1] <= page.LARGEST
        assert np.linalg.det(page.mirrored(matrix)) == pytest.approx(
            -np.linalg.det(matrix)
        )


def test_the_alarm_is_silent_where_the_weights_can_be_trusted():
    layers = page.balanced_layers(page.draw_matrix(5), 2)
    run, _ = page.follow_raw(layers, page.EARLY, 1e-10)
    assert run.complete
    assert run.drift["sign"] == 0
    late, found = page.follow_raw(layers, page.LATE, 1e-10)
    assert late.drift["sign"] == 2
    assert math.isclose(float(found[-1, 0, 1]), 1, rel_tol=1e-9)
