"""Questions of the exercises of the page on modified losses."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "modified-ex-small": [
        Number(
            r"Up to about which $\eta\lambda$ is the rate of the flow on $\tilde L$ at "
            "most 10 % short of that of gradient descent?",
            "0.5",
            {
                1: "There the rate of gradient descent is infinite.",
                2: "There gradient descent no longer converges.",
                "0.1": "There the two rates differ by less than half a percent.",
                "0.19": "That is for gradient flow on $L$ itself. The modified loss has "
                "one more term of the series.",
            },
            tolerance=0.05,
        ),
        Number(
            r"At which $\eta\lambda$ does gradient descent arrive in a single step?",
            1,
            {
                2: "There it jumps to the other side, as far out as it was.",
                "0.5": r"There a step halves $s$.",
            },
        ),
        Choice(
            r"What happens at an $\eta\lambda$ slightly above 2?",
            {
                "Both converge, at different rates.": r"A step multiplies $s$ by $1 - "
                r"\eta\lambda$, which is below $-1$.",
                "Gradient descent diverges, the flow converges.": RIGHT,
                "Both diverge.": r"The flow has the rate $\lambda + \frac{\eta "
                r"\lambda^2}{2}$, which is positive.",
            },
        ),
    ],
    "modified-ex-reverse": [
        Choice(
            "Which order of agreement with the modified loss of SGD do you expect?",
            {
                "2": "A single order of the batches has that. The reverse one makes up "
                "for what is missing.",
                "3": RIGHT,
                "4": "The terms of third order do not cancel.",
            },
        ),
        Choice(
            "Which property of the random order does the proof use?",
            {
                "that every batch comes first equally often": "An order and its reverse "
                "begin with two batches only.",
                "that of any two batches each comes before the other equally often": RIGHT,
                r"that all $m!$ orders are equally likely": "Less is enough: which "
                "batches meet in the double sum of {eq}`eq-modified-epoch`?",
            },
        ),
    ],
    "modified-ex-noise": [
        Choice(
            "One of these lines of a proof is wrong. Which one?",
            {
                r"Where the clean residuals vanish, the loss of example $i$ has the "
                r"gradient $-2 \xi_i \nabla f_\theta(x_i)$.": "The residual is $-\\xi_i$ "
                "there.",
                r"Its squared norm is $4\sigma^2 \|\nabla f_\theta(x_i)\|^2$ in the mean "
                "over the noise.": r"The mean of $\xi_i^2$ is $\sigma^2$.",
                r"Of the Hessian $\frac2n \sum_i (\nabla f \nabla f^\top + (f - y) "
                r"\nabla^2 f)$ of the mean square loss only the first part is left.": (
                    "The residuals $f - y$ of the clean labels vanish."
                ),
                r"So $\operatorname{tr} H = \frac1n \sum_i \|\nabla "
                r"f_\theta(x_i)\|^2$.": RIGHT,
            },
        ),
        Formula(
            r"What is the term for batches of $B$ examples? Write T for "
            r"$\operatorname{tr} H$.",
            "eta*sigma^2*T/(2*B)",
            {
                "eta*sigma^2*T/2": "That is for one example a batch.",
                "eta*sigma^2*T/(2*B^2)": "The mean of $B$ independent vectors of mean "
                "zero has a squared norm that is $1/B$ of theirs.",
                "eta*sigma^2*T*B/2": "The noise of the examples of a batch averages out "
                "in part.",
            },
            variables={
                "eta": (0.1, 1),
                "sigma": (0.5, 2),
                "T": (1, 5),
                "B": (2, 8),
            },
        ),
    ],
    "modified-ex-epochs": Order(
        r"Put the proof in order. $\vartheta_k$ is the iterate after $k$ epochs, "
        r"$\chi_k$ the flow at the same time, and $\Phi(\theta)$ the mean after one epoch "
        r"from $\theta$.",
        r"""
        - The iterate moves by $\vartheta_{k+1} = \Phi(\vartheta_k) + \Delta_{k+1}$,
          where $\Delta_{k+1}$ has mean zero given $\vartheta_k$ and norm $O(\eta^2)$.
        - So $\|\vartheta_{k+1} - \chi_{k+1}\| \le (1 + C\eta) \|\vartheta_k - \chi_k\| +
          C\eta^2$.
        - Over $N = O(1/\eta)$ epochs every path stays within $O(\eta)$ of the flow.
        - In the mean $\Delta$ drops out: $\mathbb{E}\vartheta_{k+1} - \chi_{k+1}$ is
          $\Phi'(\chi_k)(\mathbb{E}\vartheta_k - \chi_k)$, plus $\Phi(\chi_k) -
          \chi_{k+1}$, plus $O(\eta\, \mathbb{E}\|\vartheta_k - \chi_k\|^2)$.
        - Of these the last two are $O(\eta^3)$, the one by the theorem on one epoch and
          the other because the paths are close to the flow.
        - With $\|\Phi'\| \le 1 + C\eta$ they add up to $O(\eta^2)$ over all epochs.
        """,
        needs={3: (0,), 4: (2, 3)},
    ),
}
