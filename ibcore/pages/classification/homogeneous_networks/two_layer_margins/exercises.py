"""Questions of the exercises of the page on margins of two-layer networks."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "tlm-ex-three": [
        Choice(
            "Where does the normalized margin go?",
            {
                r"to $\frac14$": "With two neurons, one of them dead, that would be "
                "so. What does the third one change in the softmax weights?",
                r"to $\sqrt{17}/8$": RIGHT,
                r"to a value between $\frac14$ and $\sqrt{17}/8$": "The third neuron "
                "covers one point. Does the first one stay where it is?",
            },
        ),
        Choice(
            "And the neuron that sees both points at first?",
            {
                "It dies.": "Then nothing would be left for $x_2$, whose weight in the "
                "gradient would grow.",
                "It turns until it no longer sees $x_2$.": "The margin of $x_1$ "
                "becomes the larger one. Which point has the larger weight then?",
                "It goes on to see both.": "It would if the softmax weights evened "
                "out. The third neuron adds to the margin of one point only.",
                "It turns until it no longer sees $x_1$.": RIGHT,
            },
        ),
    ],
    "tlm-ex-leak": [
        Number(
            "What does the second neuron add to $f(x_1)$ at the start?",
            "-0.05*0.1*0.1/4",
            {
                0: "That is the neuron with a ReLU. Below zero the slope is 0.1 now.",
                "-0.05*0.1/4": "Below zero the slope is 0.1, not 1.",
                "-0.1*0.1/4": "Its output weight $a_2$ is missing.",
                "-0.1*0.1*0.1/4": "Its output weight is $a_2 = 0.05$; 0.1 is $a_1$.",
                "-0.05*0.1*0.1": "The second entry of $x_1$ is one quarter.",
            },
        ),
        Choice(
            "What does the flow do with the output weight $a_2$ at first?",
            {
                "It leaves it, as the neuron is dead.": "With a leak every neuron has "
                "a gradient at every point off its kink.",
                "It makes it larger.": "Look at the sign of what the neuron adds to "
                "the margins.",
                "It makes it smaller.": RIGHT,
            },
        ),
        Choice(
            "Does the network still end below the best margin of the ReLU network?",
            {
                r"Yes, near $\frac14$.": RIGHT,
                r"No, at $\sqrt{17}/8$: both neurons are alive.": "To be alive is not "
                "enough. Where would the second neuron have to point to be useful?",
                "No, above it.": "The first neuron sees both points and is linear "
                "there, and the second one is of no use where it stands.",
            },
        ),
    ],
    "tlm-ex-one": [
        Order(
            "Put the proof in order.",
            r"""
            - If all margins of a single neuron are positive, it sees every point and
              has $a > 0$.
            - So it is the linear predictor $x \mapsto a\, w \cdot x$ at the points, and
              its margins are $a\, w \cdot x_i$.
            - As $\frac12 (a^2 + \|w\|^2) \ge a \|w\|$, its normalized margin is at most
              $\min_i w \cdot x_i/\|w\|$, with equality for $a = \|w\|$.
            - This is at most $\gamma$, with equality for $w$ along $\hat w$.
            - So a network of any width can have the normalized margin $\gamma$, with
              all neurons but one zero: $\gamma_{F_1} \ge \gamma$.
            """,
        ),
        Number(
            r"What is $\gamma$ for the two points of this page?",
            "1/4",
            {
                "sqrt(17)/8": "That is the best margin of networks with two neurons.",
                "sqrt(17)/4": "That is the length of the points.",
                1: r"Both labels are $+1$: $(1, 0)$ is right for one of the points "
                "only.",
                "1/8": "Here the margin is divided by half of the squared norm, not by all of "
                "it.",
                "1/sqrt(17)": "You have divided the points by their length.",
            },
        ),
    ],
}
