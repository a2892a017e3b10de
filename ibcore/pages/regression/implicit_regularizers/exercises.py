"""Questions of the exercises of the page on implicit regularizers."""

from ibcore.questions import RIGHT, Choice, Formula, Order

EXERCISES = {
    "implicit-ex-exp": [
        Choice(
            "Does the parametrization commute?",
            {
                "yes": RIGHT,
                "no": r"Which entries of $\theta$ do $V_i$ and $V_j$ move?",
            },
        ),
        Formula(
            "What is $Q(w)$ for a predictor with a single coordinate $w$ that starts "
            "at $w_0 = a$? Choose the constant such that $Q$ is zero at the start.",
            "w/a - 1 - log(w/a)",
            {
                "w/a - log(w/a)": "Up to a constant. At $w = a$ it should be zero.",
                "1/a - 1/w": "That is the slope of $Q$.",
                "w*log(w/a) - w + a": r"Its curvature is $1/w$. Here $J J^\top = w^2$, "
                "and the curvature of $Q$ is the inverse.",
                "-log(w/a)": "The curvature is right. At the start the slope of $Q$ "
                r"should be $\xi = 0$.",
                "log(w/a)^2/2": r"That is half the square of how far $\theta$ has "
                "come. The flow does not go straight.",
            },
            variables={"w": (0.3, 3), "a": (0.5, 2)},
        ),
        Choice(
            "On which data does the flow fit?",
            {
                "wherever some $w$ fits": r"An entry $e^{\theta_j}$ is never negative.",
                "wherever a $w$ with positive entries fits": RIGHT,
                "on some data that a $w$ with positive entries fits, but not on all": "What "
                r"does $H$ do at the boundary of $\Omega$?",
            },
        ),
    ],
    "implicit-ex-curriculum": [
        Choice(
            "Where does $u^2 - v^2$ end?",
            {
                "at the same point as without the curriculum": RIGHT,
                "at a fit that depends on how long the first phase lasts": "In both "
                r"phases $\xi$ moves by combinations of the examples. How many such "
                r"$\xi$ lead to a fit?",
                "at a point that fits the last two examples better than the first": "In "
                "the second phase all three are trained, until all are fitted.",
            },
        ),
        Choice(
            "Where do turned layers end?",
            {
                "at the same point as without the curriculum": "Nothing commutes: it "
                "matters in which order one moves along the gradients.",
                "at another point that fits": RIGHT,
                "at a point that does not fit": "They have more parameters than are "
                "needed, and in the second phase all three examples are trained.",
            },
        ),
    ],
    "implicit-ex-area": [
        Order(
            "Put the proof in order.",
            r"""
            - With $w = \theta$ the gradient $V_i$ of coordinate $i$ is the unit vector
              $e_i$ everywhere, so that $w = w_0 + \xi$.
            - This is $\nabla H(\xi)$, and $H(0) = 0$: so $H(\xi) = \xi \cdot w_0 +
              \frac12 \|\xi\|^2$.
            - In $Q(w) = \xi \cdot w - H(\xi)$ insert $\xi = w - w_0$: what is left is
              $Q(w) = \frac12 \|w - w_0\|^2$.
            - By {eq}`eq-implicit-area` $2 \int_0^\infty L\, dt$ is this at $w_\infty$,
              and twice as much is the squared distance.
            """,
        ),
        Choice(
            "Which is larger, the squared distance from start to end or the squared "
            "length of the way?",
            {
                "the squared distance, or both are equal": "A straight line is the "
                "shortest way between two points.",
                "the squared length of the way, or both are equal": RIGHT,
                "they are equal on all data": "Parts of the residual fall at rates of "
                "their own, and then the way bends.",
            },
        ),
    ],
    "implicit-ex-neuron": [
        Order(
            "Put the proof in order.",
            r"""
            - $G_i = a z_i$, so $V_i$ has the component $z_i$ along $a$, the component
              $a$ along $z_i$, and no other.
            - Along $V_i$ the first component of $V_j$, which is $z_j$, changes by
              $a\, \delta_{ij}$, and the second, which is $a$, by $z_i$.
            - This says $\nabla V_j\, V_i = a\, \delta_{ij}\, \partial_a + z_i\,
              \partial_{z_j}$.
            - Subtract the same with $i$ and $j$ exchanged. The part along $a$ cancels,
              and the bracket is $z_i\, \partial_{z_j} - z_j\, \partial_{z_i}$.
            - The bracket turns $z$: it changes neither $a$ nor $\|z\|$.
            - $V_i$ changes $a^2 - \|z\|^2$ by $2a z_i - 2 z_i a = 0$.
            - So no combination of the $V_i$ and their brackets changes $a^2 -
              \|z\|^2$.
            """,
            needs={5: (0,), 6: (4, 5)},
        ),
        Formula(
            "At a point with $a \\ne 0$ and $z \\in \\mathbb{R}^d$, how many dimensions "
            "do $V_1, \\dots, V_d$ and all their brackets span together?",
            "d",
            {
                "d + 1": "All of them are tangent to the set with the same $a^2 - "
                r"\|z\|^2$.",
                "d*(d + 1)/2": "So many vectors they are, and they live in a space of "
                "$d + 1$ dimensions.",
                "d - 1": "The brackets alone span so many where $z \\ne 0$.",
            },
            variables={"d": (2, 6)},
        ),
    ],
}
