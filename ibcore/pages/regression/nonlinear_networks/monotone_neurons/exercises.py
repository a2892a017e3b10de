"""Questions of the exercises of the page on monotone neurons."""

from ibcore.questions import RIGHT, Choice, Formula, Order

EXERCISES = {
    "mono-ex-split": Choice(
        "Which neuron ends nearest to the point of the solution space that is closest to "
        "$u(0)$?",
        {
            "that with imbalance 0": "Its output weight is always as long as its "
            r"hidden weights, and $Q$ has the radial part $\frac23 r^{3/2}$. When is $Q$ a "
            "squared distance?",
            "that with imbalance 1": "Its output weight still moves. When is $Q$ a squared "
            "distance?",
            "that with imbalance 100": RIGHT,
            "none: they start with the same $u(0)$ and compute with $u$ only": "The flow "
            "is in $a$ and $w$, and so $Q$ depends on the imbalance.",
        },
    ),
    "mono-ex-square": [
        Choice(
            "Where does the proof break?",
            {
                "The gradient is a combination of the inputs.": "It still is, with "
                r"$\phi'(w \cdot x_i)$ among the coefficients.",
                "So $w(t) - w(0)$ is a combination of the inputs at all times.": "This "
                "follows from the gradient, whatever the activation is.",
                "Zero loss determines $Xw$.": RIGHT,
                "Of all solutions of $Xw = b$ only one differs from $w(0)$ by a "
                "combination of the inputs.": "This is about a linear system with given "
                "$b$, and the inputs are independent.",
            },
        ),
        Formula(
            "Of how many affine spaces do the solutions consist, for $n$ labels?",
            "2^n",
            {
                "2": "Each example has two solutions of its own.",
                "2*n": "The signs of the examples are chosen independently.",
                "1": "Which $z$ solve $z^2 = y$?",
            },
            variables={"n": (1.5, 6)},
        ),
        Choice(
            "What is still true of the limit, if the loss goes to zero?",
            {
                "It is the solution nearest to $w(0)$.": "The signs that the dynamics "
                "selects need not be those of the nearest solution.",
                "In one of these affine spaces it is the point nearest to $w(0)$.": RIGHT,
                "It is the shortest solution.": "From which $w(0)$ would that be so?",
                "Nothing: it depends on the dynamics alone.": "The dynamics decides about "
                "the signs. What is left to decide then?",
            },
        ),
    ],
    "mono-ex-root": [
        Formula(
            r"Let $\delta = 0$ and $w(0) \to 0$. How long is $\nabla Q(u)$, if $u$ has the "
            "length $r$?",
            "sqrt(r)",
            {
                "2/3*r^(3/2)": "That is $Q$.",
                "r": r"That is $|a|\,\|w\|$.",
                "3/2*sqrt(r)": r"$Q$ has the factor $\frac23$.",
            },
            variables={"r": (0.3, 4)},
        ),
        Order(
            "Put the rest of the proof in order, for $a > 0$.",
            r"""
            - From $\delta = 0$ follows $a^2 = \|w\|^2 = \|u\|$.
            - The flow is $\dot a = -w \cdot \nabla_u L$ and $\dot w = -a \nabla_u L$.
            - By the product rule $\dot u = -(a^2 I + w w^\top) \nabla_u L$.
            - With the value of $a^2$ and $w w^\top = \|u\|\, \bar u \bar u^\top$ this is
              the equation for $\dot u$.
            - Since $\nabla Q(u) = w$, also $\frac{d}{dt} \nabla Q(u) = -\|u\|^{1/2}\,
              \nabla_u L$.
            """,
            needs={1: (), 2: (1,), 3: (0, 2), 4: (0, 1)},
        ),
    ],
}
