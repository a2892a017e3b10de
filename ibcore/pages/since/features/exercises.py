"""Questions of the exercises of the page on features."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "features-ex-three": [
        Number(
            "What is the largest normalized margin for $p = 3$?",
            "sqrt(2/27)/(2*sqrt(3))",
            {
                "sqrt(2/27)/6": "Below the line is the root of $p$, not $p$.",
                "sqrt(2/27)/2": r"The factor $\sqrt p$ below the line is missing.",
                "sqrt(2/27)/sqrt(3)": "The factor $p - 1 = 2$ below the line is "
                "missing.",
                "2/27/(2*sqrt(3))": "Above the line is the root of $2/27$.",
                "sqrt(2/27)/(3*sqrt(3))": "The factor is $p - 1$, not $p$.",
            },
        ),
        Number(
            "How many neurons does the construction of the proof use?",
            8,
            {
                4: "There are sixteen pairs of phases, and two by two they give the "
                "same neuron.",
                16: "It uses eight for a frequency, and there are $(p - 1)/2$ of these.",
                12: "It is $p - 1$ that enters, not $p$.",
                24: "It uses eight for a frequency, and there are $(p - 1)/2$ of these.",
                1: "That is the number of frequencies.",
            },
        ),
        Choice(
            "What does the theorem say about networks with fewer neurons?",
            {
                "They cannot have this margin.": "Read its first sentence again: is "
                "the number of neurons enough, or is it needed?",
                "They can have this margin as well.": "The construction of the proof "
                "has so many. Does the theorem have another one?",
                "Their margin is at most this, and it leaves open whether they can "
                "have it.": RIGHT,
            },
        ),
    ],
    "features-ex-norm": [
        Formula(
            r"$N$ neurons have the same length. What is $\lVert\theta\rVert^3$ over "
            r"$\sum_j \lVert\theta_j\rVert^3$?",
            "sqrt(N)",
            {
                "N": r"The cube of the Euclidean norm is $\bigl(\sum_j "
                r"\lVert\theta_j\rVert^2\bigr)^{3/2}$.",
                "1/sqrt(N)": "It is the other way round.",
                "N^(3/2)": r"That is $\lVert\theta\rVert^3$ over the cube of one "
                "neuron. There are $N$ of them in the sum.",
                "1": "That is so for one neuron.",
            },
            variables={"N": (2, 30)},
        ),
        Choice(
            "Do you expect more or fewer neurons in use?",
            {
                "more": "In the Euclidean norm the same scores cost more if they are "
                "divided among more neurons.",
                "fewer": RIGHT,
                "as many": r"To $\sum_j \lVert\theta_j\rVert^3$ it is all the same "
                "among how many neurons the work is divided. And to the Euclidean "
                "norm?",
            },
        ),
    ],
    "features-ex-equal": [
        Order(
            "Put the proof in order.",
            r"""
            - The derivative $\partial_i L = \frac2n\, x_i \cdot (X\beta - y)$ depends on
              $i$ through the column $x_i$ alone.
            - So for equal columns $x_i = x_j$ the derivatives $\partial_i L$ and
              $\partial_j L$ are equal at every $\beta$.
            - Hence $s_i$ and $s_j$ change by the same amount in every piece of the
              path.
            - As both start at zero, they are equal all along, and reach $\pm 1$ at the
              same moment.
            """,
        ),
        Number(
            r"Let $X = (1, 1)$ and $y = 1$. At which $\beta_1, \beta_2$ does the flow "
            r"from $u_i = v_i = \alpha$ end?",
            "1/2, 1/2",
            {
                "1, 0": "This fits, but the two entries stay equal along the flow.",
                "0, 1": "This fits, but the two entries stay equal along the flow.",
                "1, 1": "This does not fit: the sum of the entries should be 1.",
                "0, 0": "That is where the flow starts, as $\\alpha$ goes to zero.",
            },
        ),
        Choice(
            "Which assumption of the theorem fails?",
            {
                "that there are interpolants": r"All $\beta$ with $\beta_1 + \beta_2 = "
                "1$ are interpolants.",
                r"that the flow starts from $u_i = v_i = \alpha$": "It does start there.",
                "that the data are in general position": RIGHT,
            },
        ),
    ],
    "features-ex-when": [
        Number(
            r"When does the accuracy change with $\alpha = e^8$ and $\lambda = 10^{-3}$?",
            9500,
            {
                11000: r"What stays the same is $\lambda t - \log\alpha$, not "
                r"$\lambda t/\log\alpha$.",
                5500: r"The change comes later by 4 in $\lambda t$, not in $t$.",
                8000: r"That is where $\tau = 0$. The change came at another $\tau$ "
                "from $e^4$.",
                4000: "That is by how much later it comes.",
                1500: r"A larger start makes the change later: $\log\alpha$ grows.",
            },
        ),
        Choice(
            r"And with $\lambda = 10^{-4}$ and $\alpha = e^4$, compared with $5500$?",
            {
                "some ten times as early": "Weaker decay takes longer.",
                "at about the same time": r"The time enters as $\lambda t$.",
                "some three times as late": r"The time enters as $\lambda t$, not as "
                r"$\sqrt\lambda\, t$.",
                "some ten times as late": RIGHT,
            },
        ),
    ],
}
