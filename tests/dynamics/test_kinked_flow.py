"""The flow of a ReLU network through its kinks, against closed forms, descent and
another integrator.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.kinked_flow import KinkedRun, KinkEvent, _Run, kinked_flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.stiff_flow import integrate
from ibcore.dynamics.trajectory import REACHED
from ibcore.losses import Square
from ibcore.models.network import Network
from ibcore.validation import InvalidInput


def problem(seed, n=8, d=3, m=6):
    g = torch.Generator().manual_seed(seed)
    X, y = (torch.randn(*shape, generator=g).double() for shape in ((n, d), (n,)))
    net = Network(X[None], (m,), "relu")
    return X, y, net, net.initial(1, g)


@pytest.mark.parametrize("seed", [7101, 7102, 7103])
def test_descent_with_small_steps_comes_as_near_as_its_step_is_long(seed):
    X, y, net, start = problem(seed)
    end = kinked_flow(X, y, start[0], times=[4.0], tolerance=1e-11).path[0]
    apart = []
    for count in (1000, 4000):
        run = descend(
            Objective(net, Square(), y), start, constant(4 / count), steps=[count]
        )
        apart.append(float((run.theta[0, 0] - end).norm()))
    assert apart[0] < 0.02
    assert apart[1] < 0.5 * apart[0]


def test_flows_that_slide_are_among_those_tested():
    counts = []
    for seed in (7101, 7102, 7103):
        X, y, _, start = problem(seed)
        counts.append(kinked_flow(X, y, start[0], times=[4.0]).count("slide"))
    assert max(counts) > 0


def test_a_step_whose_error_is_its_tolerance_is_taken(monkeypatch):
    tries, attempt = [], _Run._try

    def exact(run, h):
        tries.append(h)
        return attempt(run, h)[0], 1.0

    monkeypatch.setattr(_Run, "_try", exact)
    X, y, _, start = problem(7101)
    run = kinked_flow(X, y, start[0], times=[1e-4])
    assert run.status == REACHED
    assert len(tries) == run.steps == 1


@pytest.mark.parametrize(
    ("share", "slides"),
    [(1 + 0.9e-9, True), (1 + 1.1e-9, False), (-0.9e-9, True), (-1.1e-9, False)],
)
def test_a_share_beyond_rounding_ends_a_slide(share, slides):
    run = object.__new__(_Run)
    run.slide = np.array([[True], [True]])
    run.on, run.theta = np.zeros((2, 1), dtype=bool), np.zeros(1)
    shares = np.array([[0.3], [share]])
    run.net = SimpleNamespace(
        shares=lambda _theta, _on, slide: np.where(slide, shares, 0.5)
    )
    run._note = lambda _pair: None
    run._settle(0)
    assert run.slide[:, 0].tolist() == [True, slides]
    assert bool(run.on[1, 0]) is (not slides and share > 0.5)


def test_without_kinks_it_is_the_smooth_flow():
    """One neuron far on the active side of all inputs."""
    X = torch.tensor([[1.0], [2.0], [3.0]]).double()
    y = torch.tensor([1.0, 1.5, 2.5]).double()
    start = torch.tensor([0.5, 0.3, 0.8, 0.1]).double()
    net = Network(X[None], (1,), "relu")
    objective = Objective(net, Square(), y)

    def field(x):
        return objective.at(torch.from_numpy(x)[None]).slope[0][0].numpy()

    other = integrate(field, None, start, times=[1.0, 3.0], tolerance=1e-12)
    run = kinked_flow(X, y, start, times=[1.0, 3.0], tolerance=1e-12)
    assert run.complete
    assert run.events == ()
    torch.testing.assert_close(run.path, other.path, rtol=1e-9, atol=1e-9)


def test_the_loss_falls_across_kinks_and_along_them():
    X, y, net, start = problem(7102)
    path = kinked_flow(X, y, start[0], times=np.linspace(0.05, 4, 80)).path
    losses = Objective(net, Square(), y).mean(torch.cat([start, path]))
    assert bool((losses.diff() < 0).all())


def test_while_a_pair_slides_its_input_stays_at_the_kink():
    for seed in range(7101, 7121):
        X, y, net, start = problem(seed)
        run = kinked_flow(X, y, start[0], times=[4.0])
        held = [e for e in run.events if e.then == "slide"]
        for event in held:
            later = [
                e.time
                for e in run.events
                if (e.neuron, e.example) == (event.neuron, event.example)
                and e.time > event.time
            ]
            end = min(later, default=4.0)
            middle = (event.time + end) / 2
            state = kinked_flow(X, y, start[0], times=[middle]).path
            weights, shift = net.layers(state)[0]
            z = weights[0, event.neuron] @ X[event.example] + shift[0, event.neuron]
            assert abs(float(z)) < 1e-12
        if held:
            return
    raise AssertionError("no flow slides")


def test_weight_decay_alone_shrinks_a_dead_network():
    """A neuron that no input activates, and labels that the output bias fits: theta =
    exp(-decay t) theta(0).
    """
    X = torch.tensor([[1.0], [2.0]]).double()
    start = torch.tensor([-1.0, -0.5, 0.7, 0.0]).double()
    run = kinked_flow(X, torch.zeros(2).double(), start, times=[2.0], decay=0.5)
    torch.testing.assert_close(run.path[0], start * math.exp(-1), rtol=1e-9, atol=0)


def test_limits_and_refusals():
    X, y, _, start = problem(7101)
    run = kinked_flow(X, y, start[0], times=[4.0], max_steps=3)
    assert not run.complete
    assert run.status.startswith("step limit")
    assert bool(run.path.isnan().all())
    with pytest.raises(InvalidInput, match="fit"):
        kinked_flow(X, y, start[0, :-1], times=[1.0])
    with pytest.raises(InvalidInput, match="rise"):
        kinked_flow(X, y, start[0], times=[1.0, 1.0])
    late = kinked_flow(X, y, start[0], times=[4.0], max_seconds=1e-9)
    assert late.status.startswith("wall-clock limit")
    assert np.isfinite(start.numpy()).all()


def end_of_descent(X, y, start, count, time=4.0):
    net = Network(X[None], ((len(start) - 1) // (X.shape[1] + 2),), "relu")
    objective = Objective(net, Square(), y)
    run = descend(objective, start[None], constant(time / count), steps=[count])
    return run.theta[0, 0]


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_equal_inputs_count_as_one(seed):
    """The flow of every input twice is that of each once, with the mean of the two
    labels.
    """
    g = torch.Generator().manual_seed(seed)
    X = torch.randn(4, 2, generator=g).double()
    y = torch.randn(8, generator=g).double()
    start = Network(X[None], (6,), "relu").initial(1, g)[0]
    once = kinked_flow(X, (y[:4] + y[4:]) / 2, start, times=[4.0])
    twice = kinked_flow(torch.cat([X, X]), y, start, times=[4.0])
    assert twice.complete
    torch.testing.assert_close(twice.path, once.path, rtol=1e-12, atol=1e-12)
    assert {e.example for e in twice.events} <= set(range(4))
    end = end_of_descent(torch.cat([X, X]), y, start, 4000)
    assert float((twice.path[0] - end).norm()) < 1e-3


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("part", ["input and bias 0", "output weights 0"])
def test_starts_on_a_kink_and_without_output(seed, part):
    g = torch.Generator().manual_seed(seed)
    X, y = torch.randn(6, 2, generator=g).double(), torch.randn(6, generator=g).double()
    start = Network(X[None], (6,), "relu").initial(1, g)[0].clone()
    if part == "output weights 0":
        start[18:24] = 0
    else:
        X[0], start[12:18] = 0, 0
    run = kinked_flow(X, y, start, times=[4.0])
    assert run.complete
    assert float((run.path[0] - end_of_descent(X, y, start, 4000)).norm()) < 2e-3


def test_a_kink_that_is_met_twice_within_a_step_is_not_overlooked():
    """Stops that are close together bound the steps, and must make no difference."""
    g = torch.Generator().manual_seed(4033)
    X = torch.randn(12, 2, generator=g).double()
    y = 2 * torch.randn(12, generator=g).double()
    start = Network(X[None], (20,), "relu").initial(1, g)[0]
    few = kinked_flow(X, y, start, times=[8.0], tolerance=1e-8)
    times = [*np.linspace(6, 6.4, 40), 8.0]
    many = kinked_flow(X, y, start, times=times, tolerance=1e-8)
    assert len(few.events) == len(many.events)
    assert float((few.path[-1] - many.path[-1]).norm()) < 1e-7


def test_where_a_slide_begins_to_repel_the_flow_is_not_unique():
    """An output weight passes through 0 while its neuron slides: a Clarke flow stays,
    descent leaves at either side.
    """
    X = torch.tensor([[-2.0], [2.0]]).double()
    y = torch.tensor([-10.0, -10.0]).double()
    start = torch.tensor([0.25, 0.5, 0.05, 0.0]).double()
    run = kinked_flow(X, y, start, times=[0.004, 0.1])
    assert [event.then for event in run.events] == ["slide"]
    assert float(run.path[0, 2]) > 0 > float(run.path[1, 2])
    assert abs(float(run.path[1, 1] - 2 * run.path[1, 0])) < 1e-12
    before = end_of_descent(X, y, start, 2000, 0.004)
    assert float((run.path[0] - before).norm()) < 1e-4
    after = end_of_descent(X, y, start, 2000, 0.1)
    assert float((run.path[1] - after).norm()) > 0.1
    conserved = run.path[:, 2] ** 2 - run.path[:, 0] ** 2 - run.path[:, 1] ** 2
    assert float((conserved - 0.05**2 + 0.3125).abs().max()) < 1e-8


def test_several_inputs_slide_in_one_neuron():
    g = torch.Generator().manual_seed(7000)
    X = torch.randn(12, 6, generator=g).double()
    y = 2 * torch.randn(12, generator=g).double()
    start = Network(X[None], (3,), "relu").initial(1, g)[0].clone()
    start[-4:-1] *= 2
    run = kinked_flow(X, y, start, times=[12.0])
    held, most = set(), 0
    for event in run.events:
        pair = (event.neuron, event.example)
        (held.add if event.then == "slide" else held.discard)(pair)
        most = max(most, *(sum(j == k for j, _ in held) for k in range(3)))
    assert most >= 3
    coarse, fine = (
        float((run.path[0] - end_of_descent(X, y, start, count, 12.0)).norm())
        for count in (4000, 16000)
    )
    assert fine < 0.5 * coarse < 2e-3


def test_meetings_are_counted_by_what_follows():
    after = ["on", "slide", "off", "slide", "on", "slide"]
    events = tuple(KinkEvent(float(k), 0, k, then) for k, then in enumerate(after))
    run = KinkedRun(torch.zeros(1, 2), events, REACHED, 9)
    assert [run.count(then) for then in ("on", "off", "slide")] == [2, 1, 3]
    assert run.complete
