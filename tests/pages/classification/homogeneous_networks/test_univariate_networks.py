import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.network import of_neurons
from ibcore.pages.classification.homogeneous_networks.univariate_networks import (
    claims as page,
)
from ibcore.pages.classification.homogeneous_networks.univariate_networks import runs
from ibcore.validation import InvalidInput
from tests.conformance import Conformance

CLAIMS = {page.univariate_linear_regions.id: page.univariate_linear_regions}
CPU = torch.device("cpu")


class TestClaims(Conformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def found(verdicts):
    return verdicts["univariate-linear-regions"].measured


def failing(checks):
    return [check.name for check in checks if not check.holds]


def test_shapes_and_kinds_of_what_is_measured(found):
    assert found.least.tolist() == [3] * 8
    assert found.fine.shape == found.coarse.shape == (8, 2, 3)
    assert found.margins.shape == found.misplaced.shape == (8, 2)
    assert found.frozen.shape == (8,)
    assert bool((found.fine >= found.coarse).all())


def test_narrow_networks_are_padded_with_neurons_that_never_move():
    start = runs.padded_start((3, 8), torch.Generator().manual_seed(0))
    w, a = start[0].split([16, 8])
    assert bool((a[3:] == 0).all())
    assert bool((w.view(8, 2)[3:] == 0).all())
    [batch] = page.draw_lines(
        Setting("quick", 0), cases=((3, 3, 1),), widths=(5, 8), effort=20
    )
    [line] = runs.train(batch, CPU)
    trained, _ = line.net.neurons(line.trained)
    assert bool((trained[0, 5:] == 0).all())


def test_kinks_of_the_largest_margin_are_where_the_networks_bend(found):
    line = found.lines[0]
    assert line.best_kinks().regions(1e-3) == line.least == 3
    x, y = line.problem.x.numpy(), line.problem.y.numpy()
    inner = [
        k
        for k in line.best_kinks().positions.tolist()
        if any(x[y == sign].min() < k < x[y == sign].max() for sign in (-1, 1))
    ]
    assert len(inner) == 2
    assert bool((line.misplaced() < 0.01).all())


def test_margins_of_trained_networks_are_theirs_and_none_beats_the_largest(found):
    for line in found.lines:
        values = (line.problem.y * line.net.outputs(line.trained)).amin(-1)
        own = values / (line.trained.square().sum(-1) / 2) / line.best.margin
        torch.testing.assert_close(line.margins, own, rtol=1e-2, atol=0)
        assert bool((line.margins <= 1 + 1e-6).all())


@pytest.mark.parametrize("shift", [-0.2, 0.2])
def test_kinks_misplaced_to_either_side_are_measured(found, shift):
    line = found.lines[0]
    moved = line.best.directions.clone()
    moved[:, 1] -= shift * line.problem.gap * moved[:, 0]
    trained = torch.stack(
        [of_neurons(line.best.masses, w) for w in (line.best.directions, moved)]
    )
    made_up = dataclasses.replace(line, start=trained, trained=trained)
    assert made_up.misplaced().tolist() == pytest.approx([0, abs(shift)], abs=0.03)


def test_a_network_without_the_kinks_is_infinitely_far(found):
    line = found.lines[0]
    flat = torch.zeros_like(line.trained)
    far = dataclasses.replace(line, trained=flat).misplaced()
    assert far.tolist() == [math.inf] * 2


def test_a_torn_kink_costs_the_square_of_its_width(found):
    for line in found.lines:
        lost = [1 - line.split_margin(distance) for distance in (0.0, 0.025, 0.05)]
        assert lost[0] == pytest.approx(0, abs=1e-7)
        assert 0 < lost[1] < 1e-4
        assert lost[2] / lost[1] == pytest.approx(4, rel=0.05)


def test_the_control_survives_where_the_hidden_layer_learns(found):
    """The same count, of the networks both of whose layers were trained."""
    control = page.univariate_linear_regions.judge(
        dataclasses.replace(found, frozen=found.coarse[:, -1, 1])
    ).control
    assert not control.refuted


def test_the_control_is_not_refuted_by_networks_that_broke_down():
    counts = torch.full((8,), 2.1).double()
    assert page._frozen_control(counts).refuted
    counts[:3] = math.nan
    assert not page._frozen_control(counts).refuted


def made_up():
    """Least (N,), margins (N, W), regions at both resolutions (N, W, 3)."""
    least, margins = torch.full((8,), 3.0).double(), torch.full((8, 2), 0.99).double()
    counts = torch.ones(8, 2, 3).double()
    return least, margins, 5 * counts, 3 * counts


def test_regions_are_judged_against_the_sign_changes():
    least, margins, fine, coarse = made_up()
    assert failing(page._region_checks(least, margins, fine, coarse)) == []
    many, more = fine.clone(), coarse.clone()
    many[:, :, 2], more[:5, 1, 1] = 7, 4
    assert failing(page._region_checks(least, margins, many, coarse)) == [
        "regions over r at most 2, kinks within 0.02 gaps merged"
    ]
    assert failing(page._region_checks(least, margins, fine, more)) == [
        "exactly r regions, kinks within 0.5 gaps merged, widest"
    ]
    broken = math.nan * margins
    assert len(failing(page._region_checks(least, broken, fine, coarse))) == 4


def test_margins_and_places_are_judged():
    _, margins, _, _ = made_up()
    near = torch.full((8, 2), 1e-3).double()
    assert failing(page._margin_checks(margins, near)) == []
    margin, place = (
        "normalized margin over the largest possible at least 0.95",
        "merged kinks within 0.002 gaps of the optimum's",
    )
    for bad in (0.9 * margins, margins * math.nan):
        assert failing(page._margin_checks(bad, near)) == [margin]
    for bad in (5 * near, near * math.nan, near + math.inf):
        assert failing(page._margin_checks(margins, bad)) == [place]


def test_own_points_take_the_place_of_drawn_ones():
    X = [[30.0], [10.0], [12.0], [19.0], [21.0], [28.0]]
    y = [1.0, 1.0, 1.0, -1.0, -1.0, 1.0]
    problem = runs.given_points(X, y)
    assert problem.x.tolist() == pytest.approx([-2, -1.6, -0.2, 0.2, 1.6, 2])
    assert problem.y.tolist() == [1, 1, -1, -1, 1, 1]
    assert (problem.changes, problem.gap) == (2, pytest.approx(1.4))
    [batch] = page.univariate_linear_regions.problems(Setting(), (X, y))
    assert len(batch.lines) == 8
    assert batch.steps == 320
    assert not torch.equal(batch.lines[0].start, batch.lines[1].start)


@pytest.mark.parametrize(
    ("X", "y", "word"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], [1.0, -1.0], "2 columns"),
        ([[0.0], [1.0]], [1.0, 1.0], "0 times"),
        ([[float(k)] for k in range(12)], [1.0, -1.0] * 6, "11 times"),
        ([[0.0], [1.0], [1.0]], [1.0, -1.0, 1.0], "same place"),
    ],
)
def test_points_that_are_refused(X, y, word):
    with pytest.raises(InvalidInput, match=word):
        runs.given_points(X, y)
