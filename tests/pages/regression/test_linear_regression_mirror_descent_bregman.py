import dataclasses
import math
from importlib import import_module

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.least_squares import minimum_norm
from ibcore.pages.regression.linear_regression import claims as page
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.mirror_descent_bregman.id: page.mirror_descent_bregman}
SETTING = Setting("quick", 4)
mirror = import_module(f"{page.__name__}.mirror_descent_bregman")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_another_seed_holds():
    assert page.mirror_descent_bregman.verify(Setting("quick", 5)).stands


def test_the_ends_of_different_potentials_differ(verdicts):
    runs = verdicts["mirror-descent-bregman"].measured.runs
    apart = runs["hypentropy, beta = 1e-4"].w - runs["p = 3"].w
    assert float(apart.norm(dim=-1).min()) > 0.1
    assert float(runs["entropy"].w.min()) > 0


def test_the_table_has_a_potential_in_every_row_and_column(verdicts):
    table = verdicts["mirror-descent-bregman"].measured.table
    assert table.shape == (5, 5, 8)
    diagonal = table.diagonal(dim1=0, dim2=1)
    assert float(diagonal.max()) < 1e-10
    assert float((table + torch.eye(5)[..., None]).min()) > 1e-3


def poisoned(values):
    """The same values, with NaN in place of the last."""
    lost = values.clone()
    lost.view(-1)[-1] = math.nan
    return lost


def test_a_projection_without_certificate_or_a_run_that_did_not_fit_fails():
    problems = page.mirror_descent_bregman.problems(SETTING, problems=8, n=5, d=12)
    potential = mirror.POTENTIALS["p = 3"]
    run = mirror._mirrored(problems.projections["p = 3"], potential)
    others = torch.ones(8).double()
    assert falls(mirror._mirror_checks({"p = 3": run}, others)) == []
    for name, fails in (
        ("certificate", [0]),
        ("moved", [2]),
        ("best", [1]),
        ("w", [1]),
    ):
        bad = dataclasses.replace(run, **{name: poisoned(getattr(run, name))})
        assert falls(mirror._mirror_checks({"p = 3": bad}, others)) == fails
    assert not mirror._mirror_checks({"p = 3": run}, poisoned(others))[-1].holds


def test_every_run_counts_in_the_judgment(verdicts):
    found = verdicts["mirror-descent-bregman"].measured
    for place, (name, run) in enumerate(found.runs.items(), start=1):
        lost = dataclasses.replace(run, w=poisoned(run.w))
        checks = page.mirror_descent_bregman.judge(
            dataclasses.replace(found, runs=found.runs | {name: lost})
        ).checks
        expected = [place] if name == mirror.ENTROPY else [place, len(checks) - 1]
        assert falls(checks) == expected


def test_projections_that_return_nan_make_the_claim_fall(monkeypatch):
    found = mirror.bregman_projection

    def uncertified(*arguments):
        return dataclasses.replace(found(*arguments), gap=math.nan, outside=math.nan)

    monkeypatch.setattr(mirror, "bregman_projection", uncertified)
    verdict = page.mirror_descent_bregman.verify(SETTING)
    assert not verdict.evidence.checks[0].holds
    assert verdict.evidence.checks[0].broken == 48


def test_a_projection_that_breaks_down_takes_nobody_with_it(monkeypatch):
    found, count = mirror.bregman_projection, iter(range(1000))

    def breaks_once(*arguments):
        if next(count) == 3:
            raise ArithmeticError("made up")
        return found(*arguments)

    monkeypatch.setattr(mirror, "bregman_projection", breaks_once)
    evidence = page.mirror_descent_bregman.verify(SETTING).evidence
    assert evidence.broken == ("ArithmeticError: made up",)
    assert [check.broken for check in evidence.checks[:3]] == [1, 1, 0]
    assert evidence.control.refuted


def test_runs_without_a_fit_refute_nothing():
    far = torch.full((8,), 0.4).double()
    assert mirror._natural_control(far).refuted
    assert not mirror._natural_control(0 * far).refuted
    assert not mirror._natural_control(math.nan * far).refuted


def test_the_control_survives_for_mirror_descent_and_nearly_for_short_steps(verdicts):
    """The natural gradient misses by its steps: half of them leave about half, mirror
    descent leaves nothing.
    """
    found = verdicts["mirror-descent-bregman"].measured
    run = found.runs[mirror.ENTROPY]
    assert not mirror._natural_control(mirror.relative(run.w, run.best)).refuted
    full, half = found.natural
    assert bool(((half / full > 0.3) & (half / full < 0.7)).all())


def test_own_data_are_projected_with_every_potential():
    rng = np.random.default_rng(1105051)
    X, y = rng.normal(size=(4, 10)), rng.normal(size=4)
    projections = page.mirror_descent_bregman.problems(SETTING, (X, y)).projections
    assert list(projections) == list(mirror.POTENTIALS)
    plain, positive = (projections[name].data for name in ("p = 3", mirror.ENTROPY))
    shortest = minimum_norm(plain.X[0], plain.y[0]).weights
    torch.testing.assert_close(
        positive.y[0], plain.X[0] @ shortest.abs(), rtol=0, atol=1e-12
    )
    verdict = page.mirror_descent_bregman.verify(SETTING, data=(X, y))
    assert verdict.evidence.holds


@pytest.mark.parametrize("name", mirror.POTENTIALS)
def test_projections_do_not_know_of_training(name):
    """Their certificate alone says that they are right: they fit, and the mirrored move
    is in the row space.
    """
    one = page.mirror_descent_bregman.problems(SETTING).projections[name]
    fit = one.data.outputs(one.best) - one.data.y
    assert float(fit.norm(dim=-1).max()) < 1e-10
    assert one.broken == ()
