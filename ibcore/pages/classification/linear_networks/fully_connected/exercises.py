"""Questions of the exercises of the page on fully connected linear networks."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "deep-ex-price": Number(
        r"By which factors must $\log(1/L)$ grow at depth 2 and at depth 4? Two numbers.",
        [100, 10000],
        {
            "(10, 10)": "The ratio falls more slowly than $\\log(1/L)$ grows: see "
            "{eq}`eq-deep-rank`.",
            "(sqrt(10), 10^(1/4))": "That is by how much the ratio falls when "
            "$\\log(1/L)$ grows by a factor of ten.",
            "(20, 40)": "The depth is in the exponent.",
        },
    ),
    "deep-ex-balanced": [
        Choice(
            "The singular values of the layers at such a start, if it is not zero:",
            {
                "Every layer has one that is not zero, the same for all layers.": RIGHT,
                "Every layer has one that is not zero, of its own size.": "Balanced "
                "neighbors have the same nonzero singular values.",
                "All layers have the same, and as many as the hidden layers are wide.": (
                    "How many has the last layer?"
                ),
                "They are all equal to one.": "The scale of the start is free.",
            },
        ),
        Choice(
            "And later?",
            {
                "The layers come to rank one in the limit.": "What is $b_j$ for this "
                "start?",
                "All layers have rank one at all times.": RIGHT,
                "The layers gain rank, as the data ask for it.": "What is $b_j$ for this "
                "start?",
            },
        ),
    ],
    "deep-ex-conservation": [
        Order(
            r"Put the proof in order. Here $G = -\partial L/\partial(W_k \cdots W_1)$.",
            r"""
            - By the chain rule $\dot W_j = (W_k \cdots W_{j+1})^\top\, G\, (W_{j-1}
              \cdots W_1)^\top$.
            - So $W_{j+1}^\top \dot W_{j+1}$ and $\dot W_j W_j^\top$ are the same product,
              $(W_k \cdots W_{j+1})^\top\, G\, (W_j \cdots W_1)^\top$.
            - Each of the two, added to its own transpose, is a derivative: of
              $W_{j+1}^\top W_{j+1}$ and of $W_j W_j^\top$.
            - So both have the same derivative, and their difference is constant.
            """,
        ),
        Choice(
            "Does it need the loss to be convex?",
            {
                "yes": "At which step of the proof?",
                "no": RIGHT,
                "only with several outputs": "At which step of the proof?",
            },
        ),
    ],
}
