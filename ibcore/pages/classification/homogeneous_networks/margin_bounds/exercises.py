"""Questions of the exercises of the page on margin bounds for networks."""

from ibcore.questions import RIGHT, Choice, Formula, Order

EXERCISES = {
    "nmb-ex-scaling": [
        Formula(
            "Every layer is multiplied by $c$. By what factors do the margins, $R_A$ "
            "and $F_A$ change? Three expressions, separated by commas.",
            "c^k, c^k, c^k",
            {
                "c, c, c": "Every one of the $k$ layers contributes a factor.",
                "c^k, c, c^k": r"Only the ratios $r_j$ are free of scale. $R_A$ has a "
                "product in front.",
                "c^k, 1, c^k": r"Only the ratios $r_j$ are free of scale. $R_A$ has a "
                "product in front.",
                "c^k, c^(2*k), c^k": r"The ratios $r_j$ are free of scale.",
                "c, c^k, c^k": "The ReLU passes a positive factor on, so that $f$ gets "
                "one from every layer.",
            },
            variables={"c": (0.5, 2.5), "k": (2, 5)},
        ),
        Choice(
            "Only the first layer is multiplied by $c$, and the last divided by it. "
            "Which of the three change?",
            {
                "none": RIGHT,
                "the margins": "The ReLU passes the factor on, and the last layer "
                "divides by it.",
                "$R_A$": "Both layers keep their $r_j$. What of the product?",
                "$F_A$": r"It has the product of the norms, which sees $c \cdot 1/c$.",
            },
        ),
    ],
    "nmb-ex-data": Choice(
        "With more digits the gap between true and random labels, in margins over "
        "$R_A$,",
        {
            "shrinks": "What do more true labels add to what the network has to "
            "learn, and what do more random ones?",
            "stays the same": "What do more true labels add to what the network has to "
            "learn, and what do more random ones?",
            "grows": RIGHT,
        },
    ),
    "nmb-ex-norms": [
        Order(
            r"Put the proof in order. Here $\gamma$ is one of the margins.",
            r"""
            - The ReLU does not stretch, and layer $j$ stretches by at most $\|A_j\|_2$,
              so that $\|f(x_i)\| \le \|x_i\| \prod_j \|A_j\|_2$.
            - A margin is a difference of two outputs, hence at most $2 \|x_i\| \prod_j
              \|A_j\|_2$.
            - As $\|A^{\mathsf T}\|_{2,1} \ge \|A\|_F \ge \|A\|_2$, every $r_j$ is at
              least 1, and $R_A \ge k^{3/2} \prod_j \|A_j\|_2$.
            - Inputs of equal norm have $\|X\|_F = \sqrt n\, \|x_i\|$, and in the
              quotient $\|X\|_F R_A/(\gamma n)$ the products cancel: it is at least
              $\frac12 k^{3/2}/\sqrt n$.
            """,
            needs={2: (), 3: (1, 2)},
        ),
        Formula(
            "The term can fall below 1 only for $n$ larger than what, in terms of $k$?",
            "k^3/4",
            {
                "k^3": "A margin can be twice the norm of an output.",
                "k^3/2": "The factor of one half is squared, too.",
                "k^(3/2)/2": "The term falls like $1/\\sqrt n$.",
                "k^(3/2)": "The term falls like $1/\\sqrt n$.",
            },
            variables={"k": (2, 9)},
        ),
    ],
}
