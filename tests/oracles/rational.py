"""The margin of small data in rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st


def solved(matrix, target):
    """The solution of a square system of fractions by elimination."""
    n = len(matrix)
    table = [[*row, value] for row, value in zip(matrix, target, strict=True)]
    for column in range(n):
        pivot = next(i for i in range(column, n) if table[i][column])
        table[column], table[pivot] = table[pivot], table[column]
        table[column] = [v / table[column][column] for v in table[column]]
        for i in range(n):
            if i != column and table[i][column]:
                factor = table[i][column]
                table[i] = [
                    v - factor * w for v, w in zip(table[i], table[column], strict=True)
                ]
    return [row[n] for row in table]


def dot(a, b):
    return sum(p * q for p, q in zip(a, b, strict=True))


def nearest(X, y):
    """Wolfe's nearest point of the hull of the rows y_i x_i to the origin, in
    fractions: {row: weight}, the point.

    The margin through the origin is its length, and the data are separable where it is
    not zero.
    """
    rows = [
        [Fraction(float(v)) * int(label) for v in x]
        for x, label in zip(X, y, strict=True)
    ]
    shortest = min(range(len(rows)), key=lambda i: dot(rows[i], rows[i]))
    weights = {shortest: Fraction(1)}
    while True:
        point = [
            sum(v * rows[i][k] for i, v in weights.items()) for k in range(len(rows[0]))
        ]
        lowest = min(range(len(rows)), key=lambda i: dot(rows[i], point))
        if dot(rows[lowest], point) >= dot(point, point):
            return weights, point
        weights[lowest] = Fraction(0)
        while True:
            on = list(weights)
            gram = [[dot(rows[i], rows[j]) for j in on] + [Fraction(1)] for i in on]
            goal = [Fraction(0)] * len(on) + [Fraction(1)]
            new = solved([*gram, [Fraction(1)] * len(on) + [Fraction(0)]], goal)[:-1]
            steps = [
                weights[i] / (weights[i] - v)
                for i, v in zip(on, new, strict=True)
                if v < 0
            ]
            share = min(steps, default=Fraction(1))
            weights = {
                i: weights[i] + share * (v - weights[i])
                for i, v in zip(on, new, strict=True)
            }
            weights = {i: v for i, v in weights.items() if v > 0}
            if not steps:
                break


def length(point):
    return math.sqrt(dot(point, point))


@st.composite
def small_integers(draw):
    n, d = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    row = st.lists(st.integers(-3, 3), min_size=d, max_size=d)
    X = np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=float)
    y = np.array(draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=n, max_size=n)))
    return X, y
