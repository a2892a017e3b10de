import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.runaway_completion import balanced_layers
from ibcore.oracles import runaway_completion as law
from ibcore.pages.regression.matrix_factorization.norm_to_infinity import claims as page
from ibcore.pages.regression.matrix_factorization.norm_to_infinity import runs
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {claim.id: claim for claim in (page.mf_norm_to_infinity,)}


class TestClaims(UnbrokenConformance):
    pass


def test_figures_get_finite_arrays(verdicts):
    measured = verdicts["mf-norm-to-infinity"].measured
    for paths in measured.reduced.values():
        for values in (paths.entry, paths.loss, paths.log_ratio):
            assert values.shape == (2, len(measured.times))
            assert bool(values.isfinite().all())


def test_starts_are_symmetric_with_eigenvalues_in_the_stated_range():
    for seed in range(20):
        matrix = runs.draw_matrix(seed)
        values = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-16)
        assert runs.LEAST <= values[0] <= values[1] <= runs.LARGEST
        assert np.linalg.det(runs.mirrored(matrix)) == pytest.approx(
            -np.linalg.det(matrix)
        )


def test_the_alarm_is_silent_where_the_weights_can_be_trusted():
    layers = balanced_layers(runs.draw_matrix(5), 2)
    run, _ = runs.follow_raw(layers, runs.EARLY, 1e-10)
    assert run.complete
    assert run.drift["sign"] == 0
    late, found = runs.follow_raw(layers, runs.LATE, 1e-10)
    assert late.drift["sign"] == 2
    assert math.isclose(float(found[-1, 0, 1]), 1, rel_tol=1e-9)


def test_starts_off_symmetry_are_so_and_have_a_positive_determinant():
    for seed in range(1107010, 1107030):
        matrix = runs.draw_lopsided(seed)
        assert np.linalg.det(matrix) > 0
        assert matrix[0, 1] > 0.7
        assert abs(matrix[1, 0]) < 0.1


def lopsided(*seeds):
    return torch.from_numpy(np.stack([runs.draw_lopsided(seed) for seed in seeds]))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_bound_that_holds_for_symmetric_matrices_only_is_noticed(depth, monkeypatch):
    """(1 - sqrt(3 L / 2))^2 / sqrt(3 L), continued beyond L = 1/6, is above W_11 on
    every path off symmetry.
    """
    flows = {depth: runs.off_symmetry(lopsided(*range(1107030, 1107034)), depth)}
    assert page.above_the_bound_off_symmetry(flows).holds
    monkeypatch.setattr(
        page.law,
        "least_entry",
        lambda value: (1 - math.sqrt(1.5 * value)) ** 2 / math.sqrt(3 * value),
    )
    assert max(page.trusted_over_bound(flows[depth])) < 1
    assert not page.above_the_bound_off_symmetry(flows).holds


def test_a_run_off_symmetry_without_a_small_loss_or_with_an_alarm_is_noticed():
    one = torch.ones(3)
    assert math.isnan(page.least_over_bound(one, one / 2))
    flows = runs.off_symmetry(lopsided(1107034, 1107035), 2)
    assert page.above_the_bound_off_symmetry({2: flows}).holds
    for place, wrong in (("signs", 2.0), ("signs", math.nan), ("entry", 0.1)):
        changed = getattr(flows, place).clone()
        changed[1] = wrong
        found = {2: dataclasses.replace(flows, **{place: changed})}
        assert not page.above_the_bound_off_symmetry(found).holds


def test_a_run_that_ends_early_has_no_signs_to_trust(monkeypatch):
    whole = runs.integrate

    def cut(*given, **settings):
        return dataclasses.replace(whole(*given, **settings), status="out of steps")

    monkeypatch.setattr(runs, "integrate", cut)
    assert runs.off_symmetry(lopsided(1107034), 2).signs.isnan().all()
    path = runs.follow(runs.draw_matrix(6), 3, runs.REDUCED)
    assert path.lost == "depth 3: out of steps"
    assert np.isnan(path.entry).all()
    found = page.mf_norm_to_infinity.verify(Setting("quick", 1), starts=1, depths=(3,))
    assert found.evidence.broken == ("depth 3: out of steps",)
    assert not found.evidence.holds


def test_the_control_survives_where_the_determinant_is_positive(monkeypatch):
    matrices = torch.from_numpy(
        np.stack([runs.draw_matrix(seed) for seed in (1295070, 1295071)])
    )

    def refuted():
        flows = {3: runs.of_negative_determinant(matrices, 3)}
        return page.negative_determinant(flows).refuted

    assert refuted()
    monkeypatch.setattr(runs, "mirrored", lambda matrix: matrix)
    assert not refuted()


def on_the_laws(depth):
    """Eight flows that follow the leading terms exactly from t = 1.5e4 on."""
    times = np.array(runs.REDUCED)
    entry = np.array([law.entry(depth, t) for t in times])
    loss = np.array([law.loss(depth, t) for t in times])
    power = 0.0 if depth == 2 else law.ratio_exponent(depth)
    ratio = -(entry**2) / 2 if depth == 2 else power * np.log(times)
    rows = (torch.from_numpy(part).repeat(8, 1) for part in (entry, loss, ratio))
    return runs.Paths(*rows)


def judged(**changes):
    """Places of the checks on made-up flows of depths 2 and 3 that fall when a part of
    the first flow is changed.
    """
    groups = {k: on_the_laws(k) for k in (2, 3)}
    for name, (depth, place, factor) in changes.items():
        getattr(groups[depth], name)[0, place] *= factor
    return falls(
        (
            *page.entry_at_the_middle(groups),
            *page.laws_at_the_end(groups),
            page.above_the_bound(groups),
            *page.rank_falls(groups),
        )
    )


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"entry": (2, 7, 1.001)}, [0]),
        ({"entry": (3, 7, math.nan)}, [1, 5]),
        ({"entry": (2, -1, 1.001)}, [2]),
        ({"entry": (3, -1, math.nan)}, [2, 3]),
        ({"entry": (3, 8, 1.1)}, [3]),
        ({"entry": (2, 4, 0.5)}, [5]),
        ({"loss": (2, -1, 1.001)}, [4]),
        ({"loss": (2, -1, math.nan)}, [4]),
        ({"log_ratio": (3, -1, 1.1)}, [6]),
        ({"log_ratio": (3, -1, math.nan)}, [6]),
        ({"log_ratio": (2, -1, 1.001)}, [7]),
        ({"log_ratio": (2, -1, math.nan)}, [7]),
    ],
)
def test_laws_are_judged_flow_by_flow(changes, places):
    assert judged(**changes) == places


def raw(**changes):
    """Made-up raw weights of eight flows of depth 2 that end at a finite entry, with
    one member changed.
    """
    parts = {
        "entry": torch.full((8, 5), 12.0).double(),
        "loss": torch.full((8, 5), 1e-24).double(),
        "signs": torch.full((8,), 2.0).double(),
    }
    for name, value in changes.items():
        parts[name][3] = value
    return runs.Raw(**parts)


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"entry": 800.0}, [0]),
        ({"entry": math.nan}, [0]),
        ({"loss": 1e-10}, [0]),
        ({"loss": math.nan}, [0]),
        ({"signs": 0.0}, [1]),
        ({"signs": math.nan}, [1]),
    ],
)
def test_a_false_result_is_told_by_every_start(changes, places):
    flows = raw(**changes)
    assert falls(page.false_result(flows)) == places
    assert page.negative_determinant({2: flows}).refuted == (0 not in places)


def test_raw_weights_are_compared_with_reduced_coordinates_time_by_time():
    paths = {2: on_the_laws(2)}
    entry = paths[2].entry[:1, :3]
    good = runs.Raw(entry, entry, torch.zeros(1).double())
    assert falls(page.raw_weights_agree({2: good}, paths)) == []
    for factor in (1.001, math.nan):
        wrong = entry.clone()
        wrong[0, 1] *= factor
        bad = dataclasses.replace(good, entry=wrong)
        assert falls(page.raw_weights_agree({2: bad}, paths)) == [0]
    for sign in (2.0, math.nan):
        bad = dataclasses.replace(good, signs=torch.full((1,), sign).double())
        assert falls(page.raw_weights_agree({2: bad}, paths)) == [1]
