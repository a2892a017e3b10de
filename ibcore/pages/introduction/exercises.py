"""Questions of the exercises of the introduction."""

from ibcore.questions import RIGHT, Choice, Formula, Order

EXERCISES = {
    "ex-no-noise": [
        Choice(
            "Which of the test errors are zero, but for rounding?",
            {
                "none of them": "Without noise the cubic itself fits the points. Is "
                "there a degree at which nothing else does?",
                "only that of degree 3": "The cubic is also a polynomial of degree 8, "
                "and ten points determine nine coefficients.",
                "those of degrees 3 and 8": RIGHT,
                "all three": "Many polynomials of degree 60 pass through the ten "
                "points. Has the cubic the least norm of them?",
            },
        ),
        Choice(
            "Which of the three degrees has the largest test error now?",
            {
                "3": "The cubic is a polynomial of degree 3, and least squares finds "
                "what fits exactly.",
                "8": "That was so with noise. What is there for degree 8 to follow "
                "now?",
                "60": RIGHT,
            },
        ),
    ],
    "ex-shake": [
        Choice(
            "Every weight is multiplied by $1 + s\\,\\xi$ with a standard normal "
            "$\\xi$ of its own. From which size $s$ on does training forget the "
            "wiggles of these points?",
            {
                "from 30 % on": "Such a factor changes the size of a bend. Is there "
                "anything in the loss that takes it away?",
                "only from 100 % on": "Even then most of the large weights stay large. "
                "Is there anything in the loss that shrinks them?",
                "not at any size up to 100 %": RIGHT,
            },
        ),
        Choice(
            "Which addition to the training would ask the network to forget them?",
            {
                "a penalty on the weights": RIGHT,
                "more steps": "The runs of the cell have converged: there is nothing "
                "left to fit, and the flow stands still.",
                "a smaller loss at the end": "A wiggly function can have the loss zero.",
            },
        ),
    ],
    "ex-tenth": [
        Order(
            "Put the proof in order.",
            r"""
            - Let $\pi$ be a permutation of the classes. Cross entropy treats all
              outputs alike, and batches do not depend on labels and outputs.
            - So if the labels $y$ and a start lead to a network that predicts $k$ for
              the test digit, then $\pi(y)$ and the start with permuted outputs lead,
              with the same batches, to one that predicts $\pi(k)$.
            - These two pairs of labels and start are equally likely.
            - So the prediction has the same distribution as its image under $\pi$.
            - As this holds for every permutation, all ten classes are predicted with
              the same probability, the true one among them.
            """,
        ),
        Choice(
            "Why does the test accuracy of a single run spread more than that of 797 "
            "independent guesses?",
            {
                "The training labels are not uniform.": "They are drawn uniformly, and "
                "the mean of the accuracy is exactly one tenth.",
                "Digits that look alike get the same prediction.": RIGHT,
                "The start is random.": "So is a guess. What matters is whether the "
                "797 predictions are independent.",
            },
        ),
    ],
    "ex-not-unique": [
        Formula(
            "Let $x_i = 0$ and $x_{i+1} = 1$, with $a = s_i - s_{i-1} > 0$ and "
            "$b = s_{i+1} - s_i > 0$. Another least rough function has one bend in the "
            "place of those at these two points. Where is it?",
            "b/(a + b)",
            {
                "a/(a + b)": "The line from the left leaves the polygon at the rate "
                "$a$, so that it is $a x$ below. Where does the other one meet it?",
                "1/2": "By symmetry, if both differences are equal. What if $a$ is "
                "larger?",
                "a + b": "That is the size of the bend. Asked is its place.",
            },
            variables={"a": (0.5, 3), "b": (0.5, 3)},
        ),
        Order(
            "Put the proof that there is no other in order. Here no two neighboring "
            "slope differences have the same strict sign.",
            r"""
            - Along a least rough function $f$ the total variation of $f'$ is no more
              than that of the slopes $s_1, \dots, s_{n-1}$ in their order.
            - So $f'$ is monotone between a place where it takes $s_{i-1}$ and the next
              one where it takes $s_i$.
            - Suppose that $f'$ is not constant on $[x_i, x_{i+1}]$, an interval with
              neighbors on both sides. Its mean there is $s_i$, so it takes values above
              and below $s_i$.
            - With monotonicity on both sides this forces $s_{i-1} < s_i < s_{i+1}$ or
              the reverse.
            - So two neighboring differences have the same strict sign, which is
              excluded.
            """,
            needs={2: (), 3: (1, 2)},
        ),
    ],
}
