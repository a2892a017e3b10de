"""Questions of the exercises of the page on adversarial robustness."""

from ibcore.questions import Formula, Number, Order

EXERCISES = {
    "robust-ex-scaling": Number(
        "By which factor does the length change with four times as many points, and by "
        "which with four times as many dimensions? Give two numbers.",
        "1/2, 1",
        {
            "1/2, 2": "In absolute terms, yes. But the inputs have become longer by the "
            "same factor.",
            "1/4, 1": "It falls like one over the root of the number of points.",
            "2, 1": r"The more points there are, the longer is $\sum_i y_i x_i$, and with "
            "it what all neurons have in common.",
            "1, 1": r"The length is about $t_i/\sqrt n$ lengths of an input.",
            "1/2, 1/2": "The inputs have become longer too, and are the unit.",
        },
    ),
    "robust-ex-threshold": [
        Formula(
            r"For which $\beta$ is the guaranteed radius largest, in terms of $q = p/d$?",
            "(1 + q)/2",
            {
                "(1 - q)/2": r"That is the radius at the best $\beta$, over $\sqrt d$.",
                "1 - q": r"The neuron of a point stays positive up to $\sqrt d\,(1 - "
                r"\beta)$, the others stay silent up to $\sqrt d\,(\beta - q)$. Where is "
                "the smaller of the two largest?",
                "1/2": r"So it is for orthogonal inputs, where $q = 0$.",
                "q": "There the other neurons are about to wake up.",
                "1": "There the neuron of a point is about to fall silent.",
            },
            variables={"q": (0.1, 0.8)},
        ),
        Number(
            r"What is the guaranteed radius at $\beta = 0.8$, in units of $\sqrt d$, if "
            r"$p/d \le 0.6$?",
            "0.2",
            {
                "0.8": "So far the neurons of other points stay silent if all inputs are "
                "orthogonal. The neuron of the point itself falls silent sooner.",
                "0.5": r"That is at $\beta = \frac12$ with orthogonal inputs.",
            },
        ),
    ],
    "robust-ex-best": [
        Order(
            "Put the proof in order.",
            r"""
            - Take two points of different classes. They are orthogonal and of length
              $\sqrt d$, so their distance is $\sqrt{2d}$.
            - Their midpoint is at the distance $\sqrt{d/2}$ from both.
            - At the midpoint the function has one sign at most, which is wrong for one
              of the two points.
            - A perturbation of length $\sqrt{d/2} < r$ leads this point there, so the
              function is not robust at it.
            """,
        ),
        Number(
            "By which factor is the radius of {eq}`eq-robust-built` on orthogonal "
            "inputs smaller than this limit?",
            "sqrt(2)",
            {
                2: r"The limit is $\sqrt{d/2}$, not $\sqrt d$.",
                "sqrt(2)/2": "That is the share of the limit that it reaches.",
            },
        ),
        Formula(
            r"A trained network is flipped at $t \sqrt{d/n}$. By which factor, in terms "
            "of $n$ and $t$, is that less than the limit?",
            "sqrt(n/2)/t",
            {
                "sqrt(n)/(2*t)": "That is beside the constructed network. The limit is "
                r"larger by $\sqrt2$.",
                "sqrt(n)/t": r"The limit is $\sqrt{d/2}$.",
                "t*sqrt(2/n)": "That is the share of the limit that it reaches.",
            },
            variables={"n": (10, 100), "t": (1, 2)},
        ),
    ],
}
