"""Lesson 2: why a flat minimum may help."""

from app.learn.lesson import Choice, Lesson, Play, Step

LESSON = Lesson(
    key="flatness",
    title="Why flat may help",
    minutes=6,
    steps=(
        Step(
            "predict",
            "Test data are never exactly the training data: the **test landscape** is a little "
            "different. Suppose it is the same curve, shifted by 0.3 to the right, and the weight "
            "stays where training left it.\n\n**At which minimum does the loss rise more?**",
            choices=(
                Choice(
                    "At the sharp one",
                    "Right: the same shift climbs a steep wall there.",
                    is_right=True,
                ),
                Choice(
                    "At the flat one",
                    "The flat minimum's wall is shallow: a shift of 0.3 climbs little.",
                ),
                Choice(
                    "Equally, both have the same depth",
                    "Depth is the loss at the minimum. The rise depends on the curvature.",
                ),
            ),
            picture=Play(
                {
                    "landscape": "one-weight",
                    "steppers": ["plain"],
                    "start": [-1.0, 0.0],
                    "rate": 0.05,
                    "shift": 0.0,
                },
                ("shift",),
            ),
        ),
        Step("act", "Move **Shift of the test landscape** to 0.3, then to 0.6, then to -0.3."),
        Step(
            "see",
            "At 0.3 the bars read about +0.41 at the sharp minimum and +0.04 at the flat one. The "
            "sharp minimum loses everything it had gained once the shift is about twice its width.",
        ),
        Step(
            "explain",
            "Flat *may* help: it helps against changes that act like a shift of the weights. "
            "Whether a changed picture or a new season of shoppers acts like that is a question "
            "about data, to be measured, not a law. The later lessons measure it.",
            page="landscape",
        ),
        Step(
            "formula",
            "For a small shift $s$ the rise is $\\tfrac12 \\lambda s^2$: for $s = 0.3$, "
            "$\\tfrac12 \\cdot 12.8 \\cdot 0.09 = 0.58$ at the sharp minimum (0.41 measured: the "
            "wall bends over) and $\\tfrac12 \\cdot 0.8 \\cdot 0.09 = 0.04$ at the flat one.",
        ),
    ),
)
