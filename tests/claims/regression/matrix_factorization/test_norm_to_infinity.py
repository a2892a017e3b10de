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
            assert values.shape == (2, len(verdict.data["times"]))
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


def test_starts_off_symmetry_are_so_and_have_a_positive_determinant():
    for seed in range(1107010, 1107030):
        matrix = page.draw_lopsided(seed)
        assert np.linalg.det(matrix) > 0
        assert matrix[0, 1] > 0.7
        assert abs(matrix[1, 0]) < 0.1


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_bound_that_holds_for_symmetric_matrices_only_is_noticed(depth, monkeypatch):
    """(1 - sqrt(3 L / 2))^2 / sqrt(3 L), continued beyond L = 1/6, is above W_11 on every path off symmetry."""
    matrices = [page.draw_lopsided(seed) for seed in range(1107030, 1107034)]
    assert page.judge_off_symmetry(page.run_off_symmetry(matrices, [depth])).holds
    monkeypatch.setattr(
        page.law,
        "least_entry",
        lambda value: (1 - math.sqrt(1.5 * value)) ** 2 / math.sqrt(3 * value),
    )
    ratios = page.run_off_symmetry(matrices, [depth])
    assert max(ratios) < 1
    assert not page.judge_off_symmetry(ratios).holds


def test_a_run_off_symmetry_without_a_small_loss_or_with_an_alarm_is_noticed(
    monkeypatch,
):
    assert math.isnan(page.least_over_bound(np.ones(3), np.full(3, 0.5)))
    for wrong in (math.nan, 0.99):
        assert not page.judge_off_symmetry([1.2, wrong, 1.3]).holds
    follow = page.follow_raw

    def alarmed(*arguments):
        run, path = follow(*arguments)
        run.drift["sign"] = 2.0
        return run, path

    monkeypatch.setattr(page, "follow_raw", alarmed)
    assert math.isnan(page.run_off_symmetry([page.draw_lopsided(1107034)], [2])[0])


def test_the_control_survives_where_the_determinant_is_positive(monkeypatch):
    matrices = [page.draw_matrix(seed) for seed in (1295070, 1295071)]
    assert page._negative(matrices, [3]).refuted
    monkeypatch.setattr(page, "mirrored", lambda matrix: matrix)
    assert not page._negative(matrices, [3]).refuted
