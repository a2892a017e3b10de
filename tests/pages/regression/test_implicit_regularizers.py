import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.pages.regression.implicit_regularizers import claims as page
from ibcore.pages.regression.implicit_regularizers import commuting, runs, watched
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.commuting_mirror_flow.id: page.commuting_mirror_flow}
EIGHT = torch.ones(8, dtype=torch.float64)


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_the_control_survives_where_its_assumption_holds(verdicts):
    """The same measurement without the turn, where the quadratic forms commute."""
    found = verdicts["commuting-mirror-flow"].measured
    unturned = [
        runs.drawn(lambda g: runs.turned(runs.FEATURES, 0.3, 0.0, g), seed)
        for seed in range(8)
    ]
    moved = torch.tensor([runs.weights_move(one) for one in unturned]).double()
    judged = page.commuting_mirror_flow.judge(dataclasses.replace(found, turned=moved))
    assert not judged.control.refuted
    assert float(moved.max()) < page.EXACT


@pytest.mark.parametrize("angle", [0.05, 0.3])
def test_even_a_small_turn_breaks_commutation(angle):
    chosen = runs.turned(8, 0.3, angle, torch.Generator().manual_seed(1))
    corner = runs.square(chosen, 2)
    assert corner.size > angle**2 / 10
    assert corner.law < 0.02


def flows(**changed):
    good = {
        "limit": EIGHT * 1e-10,
        "error": EIGHT * 1e-15,
        "path": EIGHT * 1e-10,
        "outside": EIGHT * 1e-10,
        "area": EIGHT * 1e-9,
        "rise": EIGHT * 1e-4,
        "pace": EIGHT * 0.4,
        "weights": EIGHT * 1e-10,
        "bracket": EIGHT * 1e-16,
        "gap": EIGHT * 1e-13,
    }
    return {"u^2 - v^2": commuting.MirrorFlow(**(good | changed))}


def poisoned(values, members):
    lost = values.clone()
    lost[..., :members] = math.nan
    return lost


BAD = {
    "limit": ("_limits", 1, 1e-6),
    "error": ("_limits", 0, 1e-10),
    "path": ("_paths", 0, 1e-6),
    "outside": ("_paths", 1, 1e-6),
    "weights": ("_paths", 2, 1e-6),
    "area": ("_duals", 0, 1e-5),
    "rise": ("_duals", 1, -1e-9),
    "pace": ("_duals", 2, 1.01),
    "bracket": ("_orders", 0, 1e-12),
    "gap": ("_orders", 1, 1e-8),
}


def judged(part, found):
    laws = torch.full((2, 8), 1e-3).double()
    return falls(
        getattr(page, part)(found, laws)
        if part == "_orders"
        else getattr(page, part)(found)
    )


@pytest.mark.parametrize("field", BAD)
def test_each_quantity_can_fail_and_one_lost_member_is_a_failure(field):
    part, place, value = BAD[field]
    good = flows()
    assert judged(part, good) == []
    right = getattr(good["u^2 - v^2"], field)
    one_off = right.clone()
    one_off[3] = value
    for bad in (one_off, poisoned(right, 1)):
        assert judged(part, flows(**{field: bad})) == [place]


def test_laws_of_squares_that_are_missed_or_lost():
    laws = torch.full((2, 8), 1e-3).double()
    assert falls(page._orders(flows(), laws)) == []
    for bad in (laws + 0.05, poisoned(laws, 1)):
        assert falls(page._orders(flows(), bad)) == [2]


def test_a_control_with_lost_members_refutes_nothing(verdicts):
    found = verdicts["commuting-mirror-flow"].measured
    for lost, refuted in ((2, True), (3, False)):
        changed = dataclasses.replace(found, turned=poisoned(EIGHT * 0.1, lost))
        control = page.commuting_mirror_flow.judge(changed).control
        assert control.refuted == refuted


def test_no_parametrization_at_all_confirms_nothing(verdicts):
    found = dataclasses.replace(
        verdicts["commuting-mirror-flow"].measured, commuting={}
    )
    assert not page.commuting_mirror_flow.judge(found).holds


def test_a_flow_that_cannot_fit_has_no_end():
    """From zero a diagonal network never moves."""
    problem = runs.drawn(runs.PARAMETRIZATIONS["u^2 - v^2"], 3)
    stuck = dataclasses.replace(
        problem.parametrization, start=0 * problem.parametrization.start
    )
    lost = dataclasses.replace(problem, parametrization=stuck)
    end = runs.flow(lost)
    assert not end.run.complete
    assert bool(end.w.isnan().all())
    assert math.isnan(runs.weights_move(lost))


def test_one_problem_that_breaks_takes_nobody_with_it():
    setting = Setting("quick", 0)
    problems = commuting.draw_problems(
        setting, datasets=2, parametrizations=("u^2 - v^2",)
    )
    good = problems.commuting["u^2 - v^2"]
    bad = dataclasses.replace(good[0], X=good[0].X[[0, 0, 0]])
    broken = dataclasses.replace(problems, commuting={"u^2 - v^2": (bad, good[1])})
    found = commuting.measure_flows(broken, setting)
    limits = found.commuting["u^2 - v^2"].limit
    assert bool(limits[0].isnan())
    assert float(limits[1]) < page.EXACT
    assert any("u^2 - v^2" in reason for reason in found.broken)


@pytest.mark.parametrize("name", runs.PARAMETRIZATIONS)
def test_the_mirror_map_is_where_the_fields_lead(name):
    """theta after time 1 along a combination of the fields, against the closed form."""
    chosen = runs.PARAMETRIZATIONS[name](torch.Generator().manual_seed(7))
    reach = 0.05 * torch.randn(
        chosen.width, generator=torch.Generator().manual_seed(8), dtype=torch.float64
    )
    model = chosen.coordinates

    def field(x):
        pulled = model.pullback(torch.from_numpy(x)[None], reach[None])
        return pulled[0].numpy()

    end = runs.integrate(
        field, None, chosen.start, times=[1.0], method="DOP853", tolerance=1e-12
    ).state
    torch.testing.assert_close(
        model.outputs(end[None])[0], chosen.potential.primal(reach)
    )


def test_a_hidden_neuron_keeps_its_sign_and_its_regularizer():
    for seed in range(4):
        problem = runs.drawn(lambda g: runs.neuron(8, g), seed)
        *first, sent = problem.parametrization.start
        assert float(sent) > float(torch.stack(first).norm())
        assert runs.weights_move(problem) < page.EXACT
        assert runs.square(problem.parametrization, seed).size > 0.1


def test_layers_that_are_turned_by_nothing_are_a_diagonal_network():
    plain = runs.powers(6, 2, 0.2)
    other = runs.turned(6, 0.2, 0.0, torch.Generator().manual_seed(3))
    theta = torch.randn(4, 12, generator=torch.Generator().manual_seed(4)).double()
    torch.testing.assert_close(
        plain.coordinates.outputs(theta), other.coordinates.outputs(theta)
    )


def test_what_the_figures_follow():
    problem = runs.drawn(runs.PARAMETRIZATIONS["u^2 - v^2"], 5)
    seen = watched.watch(problem, [0.05, 0.5, 5.0, 5e4])
    assert len(seen.times) < 4
    torch.testing.assert_close(seen.dual, seen.areas)
    assert bool((seen.values <= seen.dual).all())
    assert seen.outside < 1e-8
    found = watched.regimes(problem.X, problem.y, [1e-3, 3.0], [1e-3, 3.0])
    torch.testing.assert_close(found.predicted, found.trained, rtol=1e-4, atol=1e-8)
    assert float(found.trained[0, 1]) < 1e-4
    assert float(found.trained[0, 0]) > 0.3
    with pytest.raises(InvalidInput, match="no potential"):
        watched.watch(runs.drawn(lambda _: runs.plain(8), 1), [1.0])


def test_own_data_take_the_place_of_drawn_ones():
    rng = np.random.default_rng(7401)
    X = rng.normal(size=(4, 8)) * 50
    setting = Setting("quick", 0)
    problems = commuting.own_problems(
        setting, X, X @ np.ones(8), datasets=8, parametrizations=()
    )
    assert "U U^T" not in problems.commuting
    assert {len(group) for group in problems.commuting.values()} == {1}
    assert len(problems.turned) == 8
    assert float(problems.turned[0].X.square().mean()) == pytest.approx(1)
    for bad, y, words in (
        (X[:, :5], X[:, 0], "features"),
        (X, 0 * X[:, 0], "zero"),
        (X[[0, 1, 0]], X[:3, 0], "dependent"),
        (0 * X, X[:, 0], "dependent"),
    ):
        with pytest.raises(InvalidInput, match=words):
            commuting.own_problems(setting, bad, y, datasets=8, parametrizations=())
