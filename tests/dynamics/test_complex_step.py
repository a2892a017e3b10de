import numpy as np

from ibcore.dynamics.complex_step import complex_jacobian


def test_the_jacobian_is_exact_to_rounding():
    def field(x):
        return np.stack(
            [np.exp(x[..., 0]) * x[..., 1], np.sqrt(x[..., 1]), x[..., 0] ** 3], -1
        )

    x = np.array([0.3, 2.0, 5.0])
    expected = [
        [2 * np.exp(0.3), np.exp(0.3), 0],
        [0, 0.5 / np.sqrt(2), 0],
        [3 * 0.09, 0, 0],
    ]
    np.testing.assert_allclose(complex_jacobian(field)(x), expected, rtol=1e-15)
