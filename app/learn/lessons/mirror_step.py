"""Lesson 3: Mirror Gradient, step by step."""

from app.learn.lesson import Choice, Lesson, Play, Step

VALLEY = {
    "landscape": "valley",
    "steppers": ["plain", "mirror"],
    "start": [2.55, 0.45],
    "rate": 0.28,
    "alpha2": 0.9,
    "beta": 1,
}

LESSON = Lesson(
    key="mirror-gradient",
    title="Mirror Gradient, step by step",
    minutes=8,
    steps=(
        Step(
            "predict",
            "Mirror Gradient takes one step **down** and then, from there, a smaller step back "
            "**up**, on the same batch. The picture is a valley: all along its floor the loss is "
            "0, and it is flatter toward the middle.\n\n**What can stepping back up be good for?**",
            choices=(
                Choice(
                    "It is just a slower descent",
                    "On a straight slope, yes. Where the slope changes, the two half-steps see "
                    "different gradients, and the difference is the point.",
                ),
                Choice(
                    "In a sharp place it overshoots and is pushed on; in a flat one it rests",
                    "Right: the sharper the place, the more the second half-step undoes.",
                    is_right=True,
                ),
                Choice(
                    "It adds randomness",
                    "Nothing is random here: both half-steps use the same batch.",
                ),
            ),
            picture=Play(VALLEY, ("alpha2", "rate", "optimiser")),
        ),
        Step(
            "act",
            "Press **One step** a few times: the solid arrow is the descent, the dashed one the "
            "ascent. Then press **Play** and wait for 300 steps.",
        ),
        Step(
            "see",
            "Gradient descent stays where it came down (top eigenvalue about 6.6). Mirror Gradient "
            "is thrown from wall to wall and rests at about 2.06, where $u = v$ nearly. Set "
            "**alpha2** to 0.2: it rests near 5.8. Set the **learning rate** to 0.1: it stays in "
            "the sharp part too.",
        ),
        Step(
            "explain",
            "At a minimum of curvature $h$ a mirror step multiplies the distance to it by "
            "$(1 - \\alpha_1 r h)(1 + \\alpha_2 r h)$. Beyond some $h$ that is more than 1: the "
            "minimum is too sharp to rest in. Plain descent has such a limit too, $h = 2 / r$; "
            "Mirror Gradient's is lower. Where both can rest, both stay.",
        ),
        Step(
            "predict",
            "Recommenders are mostly trained with **Adam**, which divides by the size of recent "
            "gradients and keeps momentum.\n\n**Does the second half-step still go up then?**",
            choices=(
                Choice(
                    "Yes, its sign is reversed",
                    "The gradient's sign is, but Adam's step is a running mean of gradients: the "
                    "descent before outweighs it.",
                ),
                Choice(
                    "Mostly not: momentum carries on downhill",
                    "Right. Look at the cosine: 1 means uphill, negative means downhill.",
                    is_right=True,
                ),
            ),
            picture=Play(
                VALLEY | {"optimiser": "adam", "rate": 0.02, "alpha2": 0.2, "noise": 0.3},
                ("alpha2", "rate", "optimiser", "noise"),
            ),
        ),
        Step(
            "see",
            "Press **Play**. With noise in the gradient, as batches have, the column **Cosine** is "
            "below zero in most steps: the second half-step goes further down. Choose **SGD**: it "
            "is 1.00 in every step.",
            page="compare",
        ),
        Step(
            "formula",
            "$$w' = w - \\alpha_1 r\\, g(w), \\qquad w \\leftarrow w' + \\alpha_2 r\\, g(w')$$\n\n"
            "To second order in the rate $r$ this descends $(\\alpha_1 - \\alpha_2) L + "
            "\\tfrac12 \\alpha_1 \\alpha_2 r \\lVert \\nabla L \\rVert^2$ (arXiv 2402.11262, "
            "Algorithm 1): a penalty on the size of the gradient, under SGD.",
        ),
    ),
)
