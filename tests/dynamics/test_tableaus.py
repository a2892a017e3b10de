import numpy as np
import pytest

from ibcore.dynamics.tableaus import DORMAND_PRINCE_8, RODAS_4


def pendulum(y):
    return np.array([y[1], -np.sin(y[0])])


def pendulum_jacobian(y):
    return np.array([[0.0, 1.0], [-np.cos(y[0]), 0.0]])


def explicit_step(f, y, h):
    stages = []
    for row in DORMAND_PRINCE_8.a:
        stages.append(
            f(
                y
                + h
                * sum(
                    (a * k for a, k in zip(row, stages, strict=False)), np.zeros_like(y)
                )
            )
        )
    third, fifth = (
        h * weights @ np.array([*stages, f(y)])[: len(weights)]
        for weights in (DORMAND_PRINCE_8.e3, DORMAND_PRINCE_8.e5)
    )
    return y + h * DORMAND_PRINCE_8.b @ np.array(stages), fifth, third


def rosenbrock_step(f, jacobian, y, h):
    left = np.eye(len(y)) / (h * RODAS_4.gamma) - jacobian(y)
    u = np.zeros((len(RODAS_4.b), len(y)))
    for j in range(len(u)):
        u[j] = np.linalg.solve(left, f(y + RODAS_4.a[j] @ u) + RODAS_4.c[j] @ u / h)
    return y + RODAS_4.b @ u, u[-1]


def solve(step, count):
    y = np.array([1.0, 0.5])
    for _ in range(count):
        y = step(y, 2.0 / count)[0]
    return y


def observed_order(step, counts):
    exact = solve(lambda y, h: explicit_step(pendulum, y, h), 400)
    errors = [np.linalg.norm(solve(step, count) - exact) for count in counts]
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


def test_dormand_prince_has_order_eight():
    order = observed_order(
        lambda y, h: explicit_step(pendulum, y, h), [4, 6, 8, 12, 16]
    )
    assert order == pytest.approx(DORMAND_PRINCE_8.order, abs=0.6)


def test_rodas_has_order_four():
    order = observed_order(
        lambda y, h: rosenbrock_step(pendulum, pendulum_jacobian, y, h),
        [32, 64, 128, 256],
    )
    assert order == pytest.approx(RODAS_4.order, abs=0.2)


@pytest.mark.parametrize(
    ("estimate", "order"), [(1, 6), (2, 4)], ids=["fifth", "third"]
)
def test_error_weights_of_dormand_prince_have_their_order(estimate, order):
    y, sizes = np.array([1.0, 0.5]), np.array([0.4, 0.2, 0.1, 0.05])
    errors = [np.linalg.norm(explicit_step(pendulum, y, h)[estimate]) for h in sizes]
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(
        order, abs=0.3
    )


def test_last_stage_of_rodas_estimates_an_error_of_order_four():
    y, sizes = np.array([1.0, 0.5]), np.array([0.2, 0.1, 0.05, 0.025])
    errors = [
        np.linalg.norm(rosenbrock_step(pendulum, pendulum_jacobian, y, h)[1])
        for h in sizes
    ]
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(
        RODAS_4.order, abs=0.3
    )


def test_first_order_conditions():
    np.testing.assert_allclose(DORMAND_PRINCE_8.b.sum(), 1, rtol=1e-14)
    assert not np.triu(DORMAND_PRINCE_8.a).any()
    assert not np.triu(RODAS_4.a).any()
    assert not np.triu(RODAS_4.c).any()


def stability(z):
    """R(z) of RODAS: one step of y' = z y with h = 1 from y = 1, also for complex z."""
    u = np.zeros(len(RODAS_4.b), dtype=complex)
    for j in range(len(u)):
        u[j] = (z * (1 + RODAS_4.a[j] @ u) + RODAS_4.c[j] @ u) / (1 / RODAS_4.gamma - z)
    return 1 + RODAS_4.b @ u


def test_rodas_is_l_stable():
    assert abs(stability(-1e8)) < 1e-7
    assert max(abs(stability(1j * y)) for y in np.logspace(-2, 6, 400)) <= 1 + 1e-12
    assert abs(stability(1e-2) - np.exp(1e-2)) < 1e-11
