"""What a linear decoder converges to that is trained on next tokens: a finite part and
a direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import EPS, Array
from ibcore.oracles.max_margin import CLOSE, MaxMargin, certify
from ibcore.oracles.separability import separating_direction
from ibcore.threads import threads
from ibcore.validation import InvalidInput, real_tensor

_STATIONARY = 1e-10  # gradient at the finite part, over the length of the contexts


@dataclass(frozen=True)
class NextTokenLimit:
    """Both parts of the limit of a decoder W (V, d), float64 on the CPU.

    basis: (V d, r) orthonormal, of F, the span of (e_z - e_z') h_j^T over tokens z, z'
    that follow context j.
    finite: (V, d) in F, the minimizer of the cross entropy among the tokens that
    follow; where some decoder realizes their log odds, it does.
    divergence: what that cross entropy is above the entropy, 0 where the odds are
    realized.
    gradient_norm: of it at `finite`, its certificate.
    direction: (V, d) W_mm, the shortest W orthogonal to F that puts every token that
    follows a context ahead of every one that does not, by 1 or more.
    program: its certificate, with one row a pair of a context and a token that does not
    follow it, in the order of `pairs`.
    pairs: (M, 2), these contexts and tokens.
    drift: (V, d) in F, the c of W_F = finite + c/t.
    """

    basis: Tensor
    finite: Tensor
    divergence: float
    gradient_norm: float
    direction: Tensor
    program: MaxMargin
    pairs: Tensor
    drift: Tensor

    def inside(self, decoders: Tensor) -> Tensor:
        """The parts in F of decoders (..., V, d)."""
        flat = decoders.flatten(-2)
        return (flat @ self.basis @ self.basis.T).unflatten(-1, decoders.shape[-2:])


@dataclass(frozen=True)
class _Data:
    """Contexts (m, d), their weights (m,) and what follows them, (m, V)."""

    contexts: Array
    weights: Array
    shares: Array

    @property
    def support(self) -> NDArray[np.bool_]:
        return np.asarray(self.shares > 0)

    @property
    def size(self) -> tuple[int, int]:
        return self.shares.shape[1], self.contexts.shape[1]


@threads()
def next_token_limit(
    contexts: object, weights: object, shares: object
) -> NextTokenLimit:
    """The limit of gradient flow on the cross entropy of next tokens.

    contexts: h_j, (m, d).      weights: how often they occur, (m,), above 0.
    shares: how often each of V tokens follows, (m, V), rows of sum 1.

    Thrampoulidis (2024), Definitions 1 to 3 and Theorem 2. The program of W_mm is
    solved as stated there and finished on its support set; the finite part solves
    linear equations, and Newton's method where they have no solution. The drift is
    derived on the page on attention and language.

    Equivariant under a common factor s of the contexts: finite and direction become 1/s
    of what they were. Raises `NotSeparable` where no decoder has the margins, and
    `InvalidInput` for shapes that do not match, where every token follows every context
    and where double precision does not resolve the limit.
    """
    data = _checked(contexts, weights, shares)
    basis = _span(data)
    finite, gradient = _finite(data, basis)
    pairs = np.argwhere(~data.support)
    rows = _rows(data.contexts, _anchors(data.support), pairs)
    rows = rows - rows @ basis @ basis.T
    separating_direction(
        rows,
        "no decoder puts the tokens that follow each context ahead of all others while "
        "it keeps them level",
        "Take more dimensions than contexts: then one does (Thrampoulidis 2024, Lemma "
        "1).",
    )
    program = certify(rows, _program(data, pairs))
    inner = np.where(data.support, _within(data, finite), 0)
    left = data.shares * (np.log(np.where(data.support, data.shares, 1)) - inner)
    return NextTokenLimit(
        torch.from_numpy(basis),
        torch.from_numpy(finite),
        float(data.weights @ left.sum(1)),
        gradient,
        program.primal.unflatten(0, data.size),
        program,
        torch.from_numpy(pairs),
        torch.from_numpy(_drift(data, basis, finite, program.dual.numpy(), pairs)),
    )


def _checked(contexts: object, weights: object, shares: object) -> _Data:
    h = real_tensor("contexts", contexts, ndim=2).detach().cpu().double().numpy()
    p = real_tensor("shares", shares, ndim=2).detach().cpu().double().numpy()
    pi = real_tensor("weights", weights, ndim=1).detach().cpu().double().numpy()
    if not len(h) == len(p) == len(pi):
        raise InvalidInput(
            f"there are {len(h)} contexts, {len(pi)} weights and {len(p)} rows of "
            "shares; expected as many of each."
        )
    if (p < 0).any() or (pi <= 0).any() or (np.abs(p.sum(1) - 1) > 1e-9).any():
        raise InvalidInput(
            "weights must be above 0, and shares rows of nonnegative numbers of sum 1."
        )
    if (p > 0).all():
        raise InvalidInput(
            "every token follows every context, so that no margin is asked for."
        )
    return _Data(h, pi, p)


def _anchors(support: NDArray[np.bool_]) -> Array:
    """The first token that follows each context, as a row of zeros and a one, (m, V)."""
    return np.eye(support.shape[1])[support.argmax(1)]


def _rows(contexts: Array, heads: Array, pairs: NDArray[np.int64]) -> Array:
    """(heads_j - e_v) h_j^T for all pairs (j, v), flattened, (M, V d)."""
    signs = heads[pairs[:, 0]] - np.eye(heads.shape[1])[pairs[:, 1]]
    rows: Array = signs[:, :, None] * contexts[pairs[:, 0]][:, None]
    return rows.reshape(len(pairs), heads.shape[1] * contexts.shape[1])


def _span(data: _Data) -> Array:
    """An orthonormal basis (V d, r) of F."""
    others = data.support & (_anchors(data.support) == 0)
    rows = _rows(data.contexts, _anchors(data.support), np.argwhere(others))
    if not len(rows):
        return np.zeros((rows.shape[1], 0))
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(right[values > EPS * max(rows.shape) * values[0]].T)


def _within(data: _Data, W: Array) -> Array:
    """log of the softmax shares among the tokens that follow, (m, V), -inf elsewhere."""
    logits = np.where(data.support, data.contexts @ W.T, -np.inf)
    logits -= logits.max(1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))


def _finite(data: _Data, basis: Array) -> tuple[Array, float]:
    """The minimizer in F of the cross entropy among the tokens that follow, and its
    gradient.
    """
    shares, support = data.shares, data.support
    others = np.argwhere(support & (_anchors(support) == 0))
    odds = np.log(shares[np.arange(len(shares)), support.argmax(1)])[others[:, 0]]
    odds = odds - np.log(shares[others[:, 0], others[:, 1]])
    rows = _rows(data.contexts, _anchors(support), others) @ basis
    u = np.linalg.lstsq(rows, odds, rcond=None)[0] if len(odds) else odds
    scale = float(np.linalg.norm(data.contexts, axis=1).max())

    def gradient(u: Array) -> Array:
        inner = np.exp(_within(data, (basis @ u).reshape(data.size)))
        pull = (data.weights[:, None] * (inner - shares)).T @ data.contexts
        return np.asarray(pull.ravel() @ basis)

    def value(u: Array) -> float:
        inner = _within(data, (basis @ u).reshape(data.size))
        return -float(data.weights @ (shares * np.where(support, inner, 0)).sum(1))

    for _ in range(100):
        slope = gradient(u)
        if np.linalg.norm(slope) <= 1e-15 * scale:
            break
        bend = basis.T @ _hessian(data, (basis @ u).reshape(data.size)) @ basis
        step, size = -np.linalg.lstsq(bend, slope, rcond=None)[0], 1.0
        while value(u + size * step) > value(u) + 1e-15 and size > 1e-8:
            size /= 2
        u = u + size * step
    left = float(np.linalg.norm(gradient(u))) / scale
    if not left <= _STATIONARY:
        raise InvalidInput(
            f"the finite part is not resolved in double precision: a gradient of "
            f"{left:.0e} is left. Center and scale the contexts."
        )
    return (basis @ u).reshape(data.size), left


def _hessian(data: _Data, W: Array) -> Array:
    """Of the cross entropy among the tokens that follow, (V d, V d)."""
    inner = np.exp(_within(data, W))
    spread = inner[:, :, None] * (np.eye(inner.shape[1]) - inner[:, None])
    h = data.contexts
    out = np.einsum("j,jzv,jd,je->zdve", data.weights, spread, h, h)
    return np.asarray(out.reshape(W.size, W.size))


def _program(data: _Data, pairs: NDArray[np.int64]) -> Array:
    """Dual variables of the margins by Clarabel, (M,), or zeros where it does not end."""
    scale, first = np.abs(data.contexts).max(), data.support.argmax(1)
    W = cp.Variable(data.size)
    logits = data.contexts / scale @ W.T
    level = np.argwhere(data.support & (_anchors(data.support) == 0))
    own = logits[pairs[:, 0], first[pairs[:, 0]]]
    ahead = own - logits[pairs[:, 0], pairs[:, 1]] >= 1
    constraints = [ahead]
    if len(level):
        heads = logits[level[:, 0], first[level[:, 0]]]
        constraints.append(heads == logits[level[:, 0], level[:, 1]])
    problem = cp.Problem(cp.Minimize(cp.sum_squares(W) / 2), constraints)
    if not programs.clarabel_at_best(problem, CLOSE):
        return np.zeros(len(pairs))
    return np.asarray(ahead.dual_value)


def _drift(
    data: _Data,
    basis: Array,
    finite: Array,
    dual: Array,
    pairs: NDArray[np.int64],
) -> Array:
    """c with which the part in F approaches its limit, (V, d).

    Late in training the tokens that do not follow push with dual/t, and the Hessian of
    the cross entropy among those that do holds against the part of the push in F.
    """
    heads = np.exp(_within(data, finite))
    push = dual @ _rows(data.contexts, heads, pairs) @ basis
    bend = basis.T @ _hessian(data, finite) @ basis
    c = np.linalg.lstsq(bend, push, rcond=None)[0] if len(push) else push
    return (basis @ c).reshape(data.size)
