"""Lesson 8: what held, with intervals."""

from app.learn.lesson import Choice, Lesson, Picture, Step

LESSON = Lesson(
    key="what-held",
    title="What held",
    minutes=6,
    steps=(
        Step(
            "predict",
            "A recommender keeps all of its accuracy under every attack on its features.\n\n"
            "**What can you conclude?**",
            choices=(
                Choice(
                    "It is robust",
                    "A recommender that never looks at its features also keeps everything.",
                ),
                Choice(
                    "Nothing yet: ask what it scores without features",
                    "Right. If that is the same, the attack had nothing to attack.",
                    is_right=True,
                ),
                Choice(
                    "The attack was too weak",
                    "It may have been: that is why the worst of several attacks counts. But "
                    "there is a simpler explanation to rule out first.",
                ),
            ),
            picture=Picture("what_held"),
        ),
        Step(
            "act",
            "Find each strategy's points: a small one is a run (one seed), the large one their "
            "mean. Point at one for its numbers.",
        ),
        Step(
            "see",
            "To the right: runs that **rely** on their features. Up: runs that keep their accuracy "
            "under the **worst attack**. Up and to the right is what we want; up and to the left "
            "is disuse.",
            page="compare",
        ),
        Step(
            "explain",
            "The papers report one number per model: Mirror Gradient's accuracy with its flat "
            "minima, AMR's under the attack it was trained on. Here: several seeds with intervals, "
            "attacks that neither was trained on, and reliance beside each. An interval that holds "
            "zero is a result too: *not shown here*. What holds on a made-up shop is a property "
            "of that shop until your own data say so.",
            page="train",
        ),
        Step(
            "formula",
            "$$\\text{reliance} = \\text{clean} - \\text{features removed}, \\qquad "
            "\\text{worst} = \\min_a \\text{accuracy under attack } a$$\n\n"
            "over a standard set of attacks $a$ of one strength, by seed; intervals are Student's "
            "$t$ over seeds.",
        ),
    ),
)
