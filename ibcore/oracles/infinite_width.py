"""What a wide fully connected ReLU network is at initialization: its covariance, its
tangent kernel, its moments.

The network has hidden layers of widths m_1, ..., m_L in the parametrization of Jacot,
Gabriel and Hongler (2018),

    z^1 = W^1 x / sqrt(d) + b beta^1,   z^(l+1) = W^(l+1) relu(z^l) / sqrt(m_l) + b
    beta^(l+1),   f = z^(L+1),

with all W and beta standard normal; `bias` is b. Kernels are functions of inputs X
(..., n, d) and Z (..., k, d).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from ibcore.threads import threads

KURTOSIS_OF_A_NEURON = 5.0  # Var(relu(g)^2) / (E relu(g)^2)^2 for a standard normal g


def output_covariance(X: Tensor, Z: Tensor, hidden: int, bias: float) -> Tensor:
    """Covariance of the Gaussian process of the outputs in the limit of infinite
    widths, (..., n, k).

    S^1 = x.z/d + b^2 and S^(l+1) = E relu(u) relu(v) + b^2 with (u, v) normal of
    covariance S^l, which is the arc-cosine kernel of order 1 (Cho and Saul 2009).
    hidden: the number L of hidden layers.
    """
    return _recursion(X, Z, hidden, bias)[0]


@threads()
def limit_kernel(X: Tensor, Z: Tensor, hidden: int, bias: float) -> Tensor:
    """The tangent kernel in the limit, (..., n, k): T^1 = S^1 and T^(l+1) = T^l E
    relu'(u) relu'(v) + S^(l+1).
    """
    return _recursion(X, Z, hidden, bias)[1]


def _recursion(X: Tensor, Z: Tensor, hidden: int, bias: float) -> tuple[Tensor, Tensor]:
    """Covariance and tangent kernel after `hidden` layers; angles below 1e-8 are lost
    to rounding.
    """
    features = X.shape[-1]
    S = X @ Z.mT / features + bias**2
    own_x, own_z = (points.square().sum(-1) / features + bias**2 for points in (X, Z))
    T = S
    for _ in range(hidden):
        lengths = (own_x[..., :, None] * own_z[..., None, :]).sqrt()
        angle = torch.acos((S / lengths).clamp(-1, 1))
        S = lengths * arc_cosine(angle) + bias**2
        T = T * (math.pi - angle) / (2 * math.pi) + S
        own_x, own_z = own_x / 2 + bias**2, own_z / 2 + bias**2
    return S, T


def arc_cosine(angle: Tensor) -> Tensor:
    """E relu(u) relu(v) for standard normal u, v whose correlation is the cosine of
    `angle`.
    """
    return (torch.sin(angle) + (math.pi - angle) * torch.cos(angle)) / (2 * math.pi)


def excess_kurtosis(widths: Sequence[int], bias: float, length: float) -> float:
    """E f^4 / (E f^2)^2 - 3 at one input, exactly, for hidden layers of these widths;
    length: |x|^2 / d.

    Given the layers below, f is normal with variance q^(L+1), where q^1 = |x|^2/d + b^2
    and q^(l+1) = b^2 + q^l times the mean of m_l independent relu(g)^2, of mean 1/2 and
    mean square 3/2. So the mean and the mean square of q follow a recursion, and the
    excess kurtosis is 3 Var(q) / (E q)^2: without biases 3 (prod_l (1 + 5/m_l) - 1).
    """
    mean = length + bias**2
    square = mean**2
    for width in widths:
        grown = square * (1 + KURTOSIS_OF_A_NEURON / width) / 4
        square = grown + mean * bias**2 + bias**4
        mean = mean / 2 + bias**2
    return 3 * (square / mean**2 - 1)


def kurtosis_error(widths: Sequence[int], outputs: int, draws: int) -> float:
    """Standard deviation of the excess kurtosis M_4 / M_2^2 - 3 that is estimated from
    `draws` networks without biases.

    M_2 and M_4 are means over all `outputs` of all networks; to first order in 1/draws.
    With q the product of the layers' means of relu(g)^2, each scaled to mean 1, a
    network's means are q and 3 q^2 times averages over its outputs, and the moments of
    q up to the fourth are known.
    """
    q2, q3, q4 = 1.0, 1.0, 1.0
    for m in widths:
        q2 *= 1 + 5 / m
        q3 *= 1 + 15 / m + 44 / m**2
        q4 *= 1 + 30 / m + 251 / m**2 + 558 / m**3
    second = q2 * (1 + 2 / outputs) - 1
    fourth = q4 * (9 + 96 / outputs) - 9 * q2**2
    mixed = q3 * (3 + 12 / outputs) - 3 * q2
    relative = fourth / (3 * q2) ** 2 + 4 * second - 4 * mixed / (3 * q2)
    return 3 * q2 * math.sqrt(relative / draws)


def kernel_variance(X: Tensor, Z: Tensor, bias: float) -> Tensor:
    """m Var of an entry of the tangent kernel of a network with one hidden layer of
    width m, exactly, (..., n, k).

    The kernel is b^2 plus the mean of m independent relu(u) relu(v) + a^2 1[u > 0] 1[v
    > 0] s, with a standard normal, s = x.z/d + b^2 and (u, v) normal with covariance s;
    so its mean is the limit at every width.
    """
    features = X.shape[-1]
    s = X @ Z.mT / features + bias**2
    own_x, own_z = (points.square().sum(-1) / features + bias**2 for points in (X, Z))
    lengths = (own_x[..., :, None] * own_z[..., None, :]).sqrt()
    angle = torch.acos((s / lengths).clamp(-1, 1))
    gates = (math.pi - angle) / (2 * math.pi)
    first = lengths * arc_cosine(angle)
    squares = lengths.square() * normal_moments(angle, 2, 2)
    mean = first + s * gates
    return squares + 2 * s * first + 3 * s.square() * gates - mean.square()


def normal_moments(angle: Tensor, i: int, j: int) -> Tensor:
    """E relu(u)^i relu(v)^j for i + j > 0 and standard normal u, v with correlation
    cos(angle).

    In polar coordinates E r^(i+j) (1 / 2 pi) times the integral of cos(t)^i cos(t -
    angle)^j over the half planes that both see; by Gauss' rule with 24 points, to
    rounding for i + j <= 4.
    """
    nodes, weights = (torch.from_numpy(part).to(angle) for part in leggauss(24))
    half = (math.pi - angle) / 2
    middle = angle / 2
    t = middle[..., None] + half[..., None] * nodes
    values = torch.cos(t) ** i * torch.cos(t - angle[..., None]) ** j
    radial = 2 ** ((i + j) / 2) * math.gamma((i + j) / 2 + 1)
    return radial * half * (values * weights).sum(-1) / (2 * math.pi)


@threads()
def covariance_correction(x: Tensor, z: Tensor, hidden: int, bias: float) -> Tensor:
    """What the covariances (E f(x)^2, E f(x) f(z), E f(z)^2) of width m exceed the
    limit by, times m, as m grows: (3,).

    All hidden layers have width m. The covariances K^l given the layers below are
    random with mean S^l + c^l/m and covariance C^l/m up to smaller terms. With g(K) = E
    relu relu' + b^2, to first order in 1/m, c^(l+1) = g' c^l + g''[C^l]/2 and C^(l+1) =
    g' C^l g'^T + V(S^l), where V is the covariance of the three products of one neuron.
    C^1 = 0, so that the covariance of a network with one hidden layer is exact, and c =
    0.
    x, z: (d,).
    """
    points = torch.stack([x, z]).double()
    first = points @ points.mT / points.shape[-1] + bias**2
    S = torch.stack([first[0, 0], first[0, 1], first[1, 1]])
    c, C = torch.zeros_like(S), S.new_zeros(3, 3)

    def step(K: Tensor) -> Tensor:
        return _next_covariances(K, bias)

    for _ in range(hidden):
        slope = torch.func.jacrev(step)(S)
        bend = torch.func.jacrev(torch.func.jacrev(step))(S)
        c = slope @ c + torch.einsum("kij,ij->k", bend, C) / 2
        C = slope @ C @ slope.mT + _covariance_of_products(S)
        S = step(S)
    return c


def _next_covariances(K: Tensor, bias: float) -> Tensor:
    """(K11, K12, K22) of the next layer in the limit."""
    lengths = (K[0] * K[2]).sqrt()
    mixed = lengths * arc_cosine(torch.acos(K[1] / lengths))
    return torch.stack([K[0] / 2, mixed, K[2] / 2]) + bias**2


def _covariance_of_products(S: Tensor) -> Tensor:
    """Covariance of (relu(u)^2, relu(u) relu(v), relu(v)^2) for (u, v) normal with
    covariances S = (S11, S12, S22).
    """
    p, q = S[0].sqrt(), S[2].sqrt()
    angle = torch.acos(S[1] / (p * q))
    powers = ((2, 0), (1, 1), (0, 2))

    def moment(i: int, j: int) -> Tensor:
        if j == 0 or i == 0:
            own = {2: 0.5, 4: 1.5}[i + j]
            return p**i * q**j * own
        return p**i * q**j * normal_moments(angle, i, j)

    mean = torch.stack([moment(*power) for power in powers])
    rows = [torch.stack([moment(a + c, b + d) for c, d in powers]) for a, b in powers]
    return torch.stack(rows) - mean[:, None] * mean
