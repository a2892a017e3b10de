"""Questions of the exercises of the page on attention and language."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "attention-ex-two": [
        Choice(
            "Along which curve does the query move?",
            {
                r"on a straight line, in the direction of $z$": RIGHT,
                r"toward the ray of $\hat p$ and then along it": "The gradient of $q$ "
                "is $z$ everywhere. Nothing moves the query across $z$.",
                r"along a curve that comes ever closer to the ray of $\hat p$": "The "
                "angle to the ray falls. Does the distance?",
            },
        ),
        Number(
            "Let $z = (2, 0)$ and $p(0) = (-3, 2)$. How far from the ray is the query "
            "at late times?",
            "2",
            {
                0: "Only the direction converges.",
                3: "That is the part of the start along $z$, which is made good.",
                "sqrt(13)": "That is the length of the start.",
            },
        ),
    ],
    "attention-ex-depth": Number(
        "Above which $R$ does B stay?",
        "4*log((1 + e)/2*41/4)",
        {
            "log((1 + e)/2*41/4)": "That is $(g - 1) R$.",
            "4*log(41/4)": "The slopes of the loss at the margins 1 and 0 differ by a "
            "factor of $(1 + e)/2$.",
            "4*log((1 + e)/2*61/4)": "B also pulls $p_1$ back, which helps it to stay.",
            "4*log((1 + e)/2)": "The token of B is far away, and its pull is longer.",
        },
        tolerance=0.02,
    ),
    "attention-ex-unit": [
        Formula(
            "What is the square of the shortest vector of $V$ scores that is level on "
            "$k$ tokens and lower by 1 or more on all others?",
            "k*(V - k)/V",
            {
                "k": "That is for scores of 1 and 0. Shift them: only differences "
                "count.",
                "V - k": "That is for scores of 0 and $-1$. Shift them: only "
                "differences count.",
                "V/4": "That is for scores of one half and minus one half. The fewer "
                "tokens should move the more.",
                "(V - k)/V": "That is the score of a token that follows.",
            },
            variables={"k": (1, 5), "V": (8, 16)},
        ),
        Order(
            "Put the proof in order.",
            r"""
            - The constraints of context $j$ speak of the vector $W h_j$ alone.
            - As the contexts are orthonormal, $\|W\|_F^2 \ge \sum_j \|W h_j\|^2$, with
              equality where the rows of $W$ lie in their span: each $W h_j$ can be
              found for itself.
            - It is level on $S_j$, at $a$ say, and in the shortest one all other
              entries are $a - 1$.
            - With $k = |S_j|$ its square is $k a^2 + (V - k) (1 - a)^2$.
            - This is least at $a = (V - k)/V$, where it is $k (V - k)/V$.
            """,
        ),
    ],
}
