"""Training runs at the edge of stability, by step size and activation."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure

from ibcore.figures import figure
from ibcore.pages.dynamical_stability.edge_of_stability.figures import (
    plot_loss,
    plot_sharpness,
)
from ibcore.pages.dynamical_stability.edge_of_stability.runs import (
    NEAR,
    Course,
    chebyshev,
    follow,
)

STEP_SIZES = (0.025, 0.05, 0.1, 0.15)
ACTIVATIONS = ("tanh", "elu", "relu")
UNTIL = 100.0


@functools.cache
def edge_courses(activation: str) -> tuple[Course, ...]:
    """One network, trained with every step size for the time 100."""
    steps = round(UNTIL / STEP_SIZES[0])
    batch = chebyshev(activation, [3], STEP_SIZES, steps, torch.device("cpu"), every=20)
    return follow(batch)


def explore_edge(step_size: float, activation: str) -> tuple[Figure, str]:
    """Sharpness and loss over time at one step size, and at the others in gray."""
    courses = edge_courses(activation)
    k = STEP_SIZES.index(step_size)
    fig, (left, right) = figure(2, height=3.3)
    plot_sharpness(left, courses, 0, chosen=k, until=UNTIL)
    plot_loss(right, courses, 0, chosen=k, until=UNTIL)
    return fig, _sentence(courses[k], activation)


def _sentence(course: Course, activation: str) -> str:
    steps = round(UNTIL / course.step_size)
    ratio = course.ratio[course.at <= steps, 0]
    rises = bool((course.rose[: steps - 1, 0] > 0).any())
    start = f"Activation {activation}, step {course.step_size:g}: "
    loss = "the loss goes up and down" if rises else "the loss falls at every step"
    if not bool((ratio >= NEAR).any()):
        return (
            f"{start}the sharpness grows to {float(ratio.amax()):.2f} times the bound "
            f"2/step = {course.bound:.3g}, and {loss}."
        )
    late = float(ratio[len(ratio) // 2 :].mean())
    return (
        f"{start}the sharpness comes to the bound 2/step = {course.bound:.3g}, and in "
        f"the second half of the time it is {late:.2f} times the bound on average, "
        f"while {loss}."
    )
