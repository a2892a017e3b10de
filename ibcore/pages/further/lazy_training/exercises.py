"""Questions of the exercises of the page on lazy training."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "lazy-ex-width": [
        Number(
            "16 times the width and 4 times the targets: how many percent does it move?",
            4,
            {
                1: "Targets count, and of the width only its root.",
                16: "So much without the larger width.",
                0.25: "Larger targets ask for more movement.",
            },
        ),
        Number(
            "16 times the width, 4 times the output, and the old targets: how many "
            "percent?",
            0.25,
            {
                4: "A network whose output is multiplied has to move less, not more.",
                1: "Scale and width both count.",
                0.0625: "Of the width only the root counts.",
                0.5: "The scale itself counts, not its root.",
            },
        ),
    ],
    "lazy-ex-odd": [
        Order(
            "Put the proof in order.",
            r"""
            - Let $\pi$ exchange the twins of every pair and change the sign of all
              $a_j$. It is linear and orthogonal, it turns $f$ into $-f$, and leaves
              $\theta_0$ as it is.
            - So the loss with targets $-y$ at $\pi\theta$ is the loss with targets $y$
              at $\theta$.
            - As $\pi$ is orthogonal, the gradient of the one at $\pi\theta$ is $\pi$
              times the gradient of the other at $\theta$.
            - By induction over the steps, where the path towards $y$ is at $\theta_k$,
              the path towards $-y$ is at $\pi\theta_k$.
            - So the two networks are negatives of each other after every step.
            """,
        ),
        Choice(
            "Training $f$ towards $s = y/\\alpha$ ends at outputs $F(s)$, and $h = "
            "\\alpha F(y/\\alpha)$. Let $F$ be smooth. Which term of its expansion around "
            "zero would give $h$ a term of order $1/\\alpha$?",
            {
                "the constant one": r"It would give a term of order $\alpha$.",
                "the linear one": "It gives the limit, which does not depend on "
                r"$\alpha$.",
                "the quadratic one": RIGHT,
                "the cubic one": r"It gives a term of order $1/\alpha^2$.",
            },
        ),
    ],
    "lazy-ex-balance": [
        Choice(
            "Which layer has the larger relative movement?",
            {
                "the first for large $c$, the output weights for small $c$": RIGHT,
                "the output weights for large $c$, the first for small $c$": "The "
                "derivative by one layer is proportional to the weights of the other.",
                "the first, for large and for small $c$": r"The kernel is $c^{-2} K_a + "
                r"c^2 K_W$. Which part counts at each end?",
                "the output weights, for large and for small $c$": r"The kernel is "
                r"$c^{-2} K_a + c^2 K_W$. Which part counts at each end?",
            },
        ),
        Number(
            "For large $c$ the relative movement of the output weights goes like a power "
            "of $c$. What is the exponent?",
            -4,
            {
                -3: "That is the movement. They are $c$ times as long.",
                -1: "That is the movement of the first layer.",
                0: "That is for the first layer, which is $1/c$ times as long as before.",
                -2: "So the kernel's inverse falls. What of the derivative by the output "
                "weights, and of their length?",
            },
        ),
        Formula(
            r"Let $a_j = \pm 1$ and $\|(w_j, b_j)\|^2 = d + 1$ before the factor is "
            "applied, and let $c$ be small. Below which value can the flow never bring "
            r"$\|(w_j, b_j)\|^2$? (The largest value that balancedness allows to state.)",
            "(d + 1)/c^2 - c^2",
            {
                "(d + 1)/c^2": r"That is how it starts. It may fall as far as $a_j^2$ can.",
                "(d + 1)/c^2 + c^2": r"Which difference does the flow keep?",
                "d": "That is the difference before the factor is applied.",
                "c^2 - (d + 1)/c^2": r"That is the imbalance, $a_j^2 - \|(w_j, b_j)\|^2$.",
            },
            variables={"d": (1, 5), "c": (0.4, 0.8)},
        ),
    ],
}
