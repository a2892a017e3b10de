"""Questions of the exercises of the page on KKT points."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "ex-kkt-points-balance": Order(
        "Put the proof in order.",
        r"""
        - At a KKT point $a_j = \sum_i \lambda_i y_i\, \phi(w_j \cdot x_i)$ and $w_j =
          \sum_i \lambda_i y_i\, a_j\, \phi'(w_j \cdot x_i)\, x_i$.
        - Multiplied by $q a_j$ the first gives $q a_j^2 = \sum_i \lambda_i y_i\, a_j\,
          q\, \phi(w_j \cdot x_i)$.
        - The product of the second with $w_j$ gives $\|w_j\|^2 = \sum_i \lambda_i y_i\,
          a_j\, (w_j \cdot x_i)\, \phi'(w_j \cdot x_i)$.
        - By Euler's identity, $z \phi'(z) = q \phi(z)$, the two right sides are equal;
          on a kink both terms are zero.
        """,
        needs={1: (0,), 2: (0,), 3: (1, 2)},
    ),
    "ex-kkt-points-rescale": [
        Number(
            "Take the neurons as balanced. By which factor does the norm "
            "of all weights grow?",
            "sqrt(17/8)",
            {
                "17/8": "That is the factor of the squared norm.",
                "17/4": "Balanced means that the two layers have half of the squared "
                "norm each.",
                "sqrt(17/4)": "Balanced means that the two layers have half of the "
                "squared norm each.",
                2: "The output weights are doubled, and the input weights halved.",
                1: "The outputs stay the same, but the norm does not.",
                "5/4": "Add the squares of the norms of the layers, not the norms.",
            },
        ),
        Number(
            "By which factor does the normalized margin fall? (The larger value over "
            "the smaller.)",
            "17/8",
            {
                "sqrt(17/8)": "The network has the degree 2: the margin is divided by "
                "the square of the norm.",
                1: "The margin is the same, but it is divided by a power of the norm.",
                4: "The squared norm of the output weights grows by that, the other "
                "falls.",
            },
            tolerance=0.02,
        ),
        Choice(
            "And the KKT residual?",
            {
                "It stays small, as the outputs are the same.": "The conditions are "
                "about the weights. What did you prove in the first exercise?",
                "It becomes large.": RIGHT,
            },
        ),
    ],
    "ex-kkt-points-two-layers": Formula(
        r"What is the limit of $t\, L \log t$, in terms of $\gamma$ (write gamma)?",
        "1/(2*gamma)",
        {
            "1/gamma^2": r"That is the limit of $t L$ for one layer.",
            "1/(4*gamma)": r"The normalized margin $g$ of the network is not $\gamma$: "
            r"with balanced layers the product has the norm $\rho^2/2$.",
            "1/gamma": "Two layers of equal norm: how does the norm of the product go "
            r"with $\rho^2$?",
            "1/(4*gamma^2)": r"In {eq}`eq-kkt-rate` the power of the margin depends on "
            "the degree.",
        },
        variables={"gamma": (0.2, 2)},
    ),
}
