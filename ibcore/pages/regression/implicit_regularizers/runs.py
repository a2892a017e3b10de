"""Parametrizations, gradient flow in their raw parameters, and mirror flow with the
potential that theory gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.measures.brackets import brackets
from ibcore.models.base import Model
from ibcore.models.deep_linear import DeepLinear
from ibcore.models.diagonal import Diagonal
from ibcore.models.matrix_factorization import DeepFactorization, SymmetricFactorization
from ibcore.models.observations import Sensing
from ibcore.models.observed import Observed
from ibcore.models.unshared_diagonal import UnsharedDiagonal
from ibcore.oracles.commuting import (
    MirrorPotential,
    of_layers,
    of_powers,
    of_squares,
)

Array = NDArray[np.float64]
EXAMPLES, FEATURES = 3, 8
TOLERANCE = 1e-10  # of the integrator, a step
FITTED = 1e-22  # loss at which a flow ends
ANGLE = 1.0  # radians by which one layer is turned against the other
FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the time to a ten-thousandth
SIDE = 0.05  # of a square, times the norm of the Hessians of G
_ORDERS = ((0, 1), (1, 0))


@dataclass(frozen=True)
class Parametrization:
    """w = G(theta) with a start; `potential` is what gradient flow minimizes, None
    where theory names none.

    coordinates: a model with the outputs G_1, ..., G_m, `width` of them.   start: (P,).
    positive: w > 0 always.
    """

    name: str
    coordinates: Model
    width: int
    start: Tensor
    potential: MirrorPotential | None = None
    positive: bool = False

    def on(self, X: Tensor) -> Observed:
        """The predictor seen through the rows of X (n, m)."""
        return Observed(self.coordinates, X, self.width)


@dataclass(frozen=True)
class Problem:
    """A parametrization on data: X (n, m) and y (n,) = X w for some w, which is
    positive where G is.
    """

    parametrization: Parametrization
    X: Tensor
    y: Tensor

    def weighted(self, weights: Tensor) -> Problem:
        """The loss (1/n) sum_i p_i (f_i - y_i)^2 for `weights` p (n,), as the plain
        loss of scaled rows.
        """
        root = weights.sqrt()
        return replace(self, X=root[:, None] * self.X, y=root * self.y)


def powers(size: int, depth: int, alpha: float) -> Parametrization:
    """w = u^D - v^D from u = v = alpha."""
    model = Diagonal(torch.eye(size, dtype=torch.float64), depth)
    start = torch.full((2 * size,), alpha, dtype=torch.float64)
    name = f"u^{depth} - v^{depth}"
    return Parametrization(name, model, size, start, of_powers(alpha, depth))


def layers(size: int, first: float, second: float) -> Parametrization:
    """w = u+ v+ - u- v- from u = `first` and v = `second`."""
    model = UnsharedDiagonal(torch.eye(size, dtype=torch.float64))
    pair = torch.tensor([first, second], dtype=torch.float64)
    start = pair.repeat(2).repeat_interleave(size)
    return Parametrization(
        "u+ v+ - u- v-", model, size, start, of_layers(first, second)
    )


def squares(size: int, alpha: float, generator: torch.Generator) -> Parametrization:
    """The diagonal of U U^T in a random orthonormal basis, from U = alpha I."""
    basis = torch.linalg.qr(_normal(generator, size, size))[0]
    model = SymmetricFactorization(Sensing(torch.einsum("ka,kb->kab", basis, basis)))
    start = alpha * torch.eye(size, dtype=torch.float64).flatten()
    return Parametrization(
        "U U^T", model, size, start, of_squares(alpha), positive=True
    )


def turned(
    size: int, alpha: float, angle: float, generator: torch.Generator
) -> Parametrization:
    """w = u * (R u) - v * (R v) entry by entry from u = v = alpha, R a turn by `angle`
    in random planes.

    Without the turn it is u^2 - v^2, and its potential; with it the quadratic forms w_k
    do not commute.
    """
    planes = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]],
        dtype=torch.float64,
    )
    basis = torch.linalg.qr(_normal(generator, size, size))[0]
    rest = torch.eye(size % 2, dtype=torch.float64)
    turn = basis @ torch.block_diag(*[planes] * (size // 2), rest) @ basis.mT
    forms = torch.zeros(size, size, size, dtype=torch.float64)
    forms[range(size), range(size)] = turn
    forms = (forms + forms.mT) / 2
    signed = torch.stack([torch.block_diag(form, -form) for form in forms])
    start = torch.full((2 * size,), alpha, dtype=torch.float64)
    known = of_powers(alpha, 2) if angle == 0 else None
    model = SymmetricFactorization(Sensing(signed), 1)
    return Parametrization("u * Tu - v * Tv", model, size, start, known)


def connected(
    size: int, neurons: int, scale: float, generator: torch.Generator
) -> Parametrization:
    """w = W^T a of a fully connected linear network with one hidden layer, from normal
    weights times `scale`.
    """
    model = DeepLinear(torch.eye(size, dtype=torch.float64), (neurons,))
    start = scale * _normal(generator, neurons * (size + 1))
    return Parametrization(f"W^T a, {neurons}", model, size, start)


def neuron(size: int, generator: torch.Generator) -> Parametrization:
    """w = a v of one hidden linear neuron, from normal v times 1/2 and an output weight
    a = |v| + 1/2.
    """
    chosen = connected(size, 1, 0.5, generator)
    start = torch.cat([chosen.start[:-1], chosen.start[:-1].norm()[None] + 0.5])
    return replace(chosen, name="a v", start=start)


def product(size: int, generator: torch.Generator) -> Parametrization:
    """The entries of W_2 W_1, square matrices, row by row, from normal weights times
    1/2.
    """
    units = torch.eye(size**2, dtype=torch.float64).unflatten(1, (size, size))
    model = DeepFactorization(Sensing(units), (size,))
    return Parametrization(
        "W_2 W_1", model, size**2, 0.5 * _normal(generator, 2 * size**2)
    )


def plain(size: int) -> Parametrization:
    """w itself, as w = u - v from u = v, half as fast."""
    model = Diagonal(torch.eye(size, dtype=torch.float64), 1)
    start = torch.ones(2 * size, dtype=torch.float64)
    return Parametrization("w", model, size, start)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class Flow:
    """Gradient flow in the raw parameters: where it ended, and at the times that were
    asked for.

    w: (m,), NaN where the flow did not fit the data.      path: (K, m).      areas: (K
    + 1,), the integral of the loss until each time and until the end.
    """

    w: Tensor
    path: Tensor
    areas: Tensor
    run: StiffRun


def flow(
    problem: Problem,
    times: Sequence[float] = (),
    *,
    tolerance: float = TOLERANCE,
    target: float = FITTED,
) -> Flow:
    """Gradient flow of the mean square loss in theta, and the area under it, until the
    loss is `target`.
    """
    model, y = problem.parametrization.on(problem.X), problem.y

    def rest(x: Array) -> tuple[Tensor, Tensor]:
        point = torch.from_numpy(x[:-1])[None]
        return point, model.outputs(point) - y

    def field(x: Array) -> Array:
        point, r = rest(x)
        moved = -2 / len(y) * model.pullback(point, r)[0]
        return np.append(moved.numpy(), float(r.square().mean()))

    def jacobian(x: Array) -> Array:
        point, r = rest(x)
        rows = model.jacobian(point)[0]
        curved = rows.mT @ rows + model.hessian(point, r)[0]
        slopes = torch.cat([-curved, model.pullback(point, r)])
        full = torch.nn.functional.pad(slopes, (0, 1))
        return (2 / len(y) * full).numpy()

    start = torch.cat([problem.parametrization.start, y.new_zeros(1)])
    run = integrate(
        field,
        jacobian,
        start,
        times=times,
        horizon=math.inf,
        done=lambda x: float(rest(x)[1].square().mean()) <= target,
        tolerance=tolerance,
        max_seconds=math.inf,
    )
    states = torch.cat([run.path, run.state[None]])
    w = model.predictor(states[:, :-1])
    last = w[-1] if run.complete else torch.full_like(w[-1], math.nan)
    return Flow(last, w[:-1], states[:, -1], run)


def mirror_flow(problem: Problem) -> tuple[list[float], Tensor]:
    """Times and predictors (K, m) of mirror flow, in the n numbers nu with w = grad
    H(X^T nu).

    The times are `FRACTIONS` of that at which the loss has fallen to a ten-thousandth.
    """
    X, y = problem.X.numpy(), problem.y.numpy()
    potential = problem.parametrization.potential
    if potential is None:
        raise ValueError("theory names no potential for this parametrization")

    def primal(nu: Array) -> Array:
        return potential.primal(torch.from_numpy(nu @ X)).numpy()

    def field(nu: Array) -> Array:
        return np.asarray(2 / len(y) * (y - X @ primal(nu)))

    first = float(np.square(field(np.zeros(len(y)))).sum())
    zero = np.zeros(len(y))
    until = integrate(
        field,
        None,
        zero,
        done=lambda nu: float(np.square(field(nu)).sum()) <= 1e-4 * first,
        tolerance=1e-6,
        floor=1e-8,
    ).time
    times = [share * until for share in FRACTIONS]
    path = integrate(field, None, zero, times=times, tolerance=1e-12, floor=1e-14).path
    return times, potential.primal(path @ problem.X)


@dataclass(frozen=True)
class Square:
    """Two ways around a square: along grad G_1 and then grad G_2, and in the other
    order.

    size: of all brackets at the corner, relative, see `Brackets`.      gap: how far
    apart the two leave w, over side^2 times the norms of the Hessians and gradients of
    G_1 and G_2.      law: the mean gap of sides of both signs, apart from side^2 J
    [grad G_1, grad G_2], relative to that.
    """

    size: float
    gap: float
    law: float


def square(parametrization: Parametrization, seed: int) -> Square:
    """A small square at a normal point theta."""
    model = parametrization.coordinates
    generator = torch.Generator().manual_seed(seed)
    theta = _normal(generator, len(parametrization.start))
    found = brackets(model, theta)
    units = torch.eye(parametrization.width, dtype=torch.float64)[:2]
    bends = [model.hessian(theta[None], unit[None]).norm() for unit in units]
    bend = float(torch.stack(bends).max())
    steep = float(model.jacobian(theta[None])[0, :2].norm(dim=1).prod())
    side = SIDE / bend
    there, back = (square_gap(parametrization, theta, s) for s in (side, -side))
    expected = side**2 * found.seen[0, 1]
    law = ((there + back) / 2 - expected).norm() / expected.norm()
    return Square(
        found.size, float(there.norm()) / (side**2 * bend * steep), float(law)
    )


def square_gap(parametrization: Parametrization, theta: Tensor, side: float) -> Tensor:
    """How far apart two orders leave w (m,): along grad G_1 and then grad G_2 for the
    time `side`, or G_2 first.
    """
    first, second = (walk(parametrization, theta, order, side) for order in _ORDERS)
    return first[-1] - second[-1]


def walk(
    parametrization: Parametrization,
    theta: Tensor,
    order: Sequence[int],
    side: float,
    stops: int = 1,
) -> Tensor:
    """w (len(order) * stops + 1, m) along grad G_i for the time `side`, for each i of
    `order`, from theta (P,).
    """
    path = [theta[None]]
    for place in order:
        path.append(_along(parametrization, path[-1][-1], place, side, stops))
    return parametrization.coordinates.outputs(torch.cat(path))


def _along(
    parametrization: Parametrization,
    theta: Tensor,
    place: int,
    time: float,
    stops: int,
) -> Tensor:
    """theta (stops, P) up to the time |time| along grad G_place, backwards if `time` is
    negative.
    """
    unit = torch.zeros(1, parametrization.width, dtype=torch.float64)
    unit[0, place] = math.copysign(1.0, time)
    model = parametrization.coordinates

    def field(x: Array) -> Array:
        return model.pullback(torch.from_numpy(x)[None], unit)[0].numpy()

    times = [abs(time) * (k + 1) / stops for k in range(stops)]
    return integrate(
        field, None, theta, times=times, method="DOP853", tolerance=1e-13
    ).path


Make = Callable[[torch.Generator], Parametrization]
PARAMETRIZATIONS: dict[str, Make] = {
    "u^2 - v^2": lambda _: powers(FEATURES, 2, 0.3),
    "u^3 - v^3": lambda _: powers(FEATURES, 3, 0.5),
    "u^4 - v^4": lambda _: powers(FEATURES, 4, 0.6),
    "u+ v+ - u- v-": lambda _: layers(FEATURES, 0.5, 0.1),
    "U U^T": lambda generator: squares(5, 0.4, generator),
}


def drawn(make: Make, seed: int) -> Problem:
    """A parametrization on three normal examples, with targets of a w of norm one,
    positive where G is.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = make(generator)
    X, truth = (
        _normal(generator, *shape)
        for shape in ((EXAMPLES, chosen.width), (chosen.width,))
    )
    truth = truth.abs() if chosen.positive else truth
    return Problem(chosen, X, X @ (truth / truth.norm()))


def weights_move(problem: Problem) -> float:
    """How far skewed weights move the end of training, relative; NaN where one of the
    flows does not fit.
    """
    usual = flow(problem).w
    moved = flow(problem.weighted(skewed(len(problem.y)))).w - usual
    return float(moved.norm() / usual.norm())


def skewed(count: int) -> Tensor:
    """Weights of `count` examples that fall from 4 to 1/4."""
    return 4 ** torch.linspace(1, -1, count, dtype=torch.float64)
