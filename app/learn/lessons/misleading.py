"""Lesson 5: a shop whose pictures mislead."""

from app.learn.lesson import Choice, Lesson, Picture, Step

LESSON = Lesson(
    key="misleading",
    title="A shop whose pictures mislead",
    minutes=6,
    steps=(
        Step(
            "predict",
            "A recommender that sees pictures was trained on our made-up shop. Now sellers "
            "exchange pictures: a share of all products shows the picture of another product.\n\n"
            "**What happens to the lists of the shoppers?**",
            choices=(
                Choice(
                    "Nothing, the model knows who bought what",
                    "It knows that too, but part of every score comes from the picture.",
                ),
                Choice(
                    "They change, for those products that show another picture",
                    "Right: a product's score moves with its picture, up or down.",
                    is_right=True,
                ),
                Choice(
                    "All lists become random at once",
                    "Only a share of the pictures changed, and pictures are one part of a score.",
                ),
            ),
            picture=Picture("one_shopper"),
        ),
        Step("act", "Turn the knob from 0 to 1, slowly. Watch one shopper's first five products."),
        Step(
            "see",
            "At 0 both lists are the clean ones. As the share grows products leave the list and "
            "strangers enter. Read Recall@20: how much of the accuracy is left, and for which "
            "training?",
            page="robustness",
        ),
        Step(
            "explain",
            "Two risks. **Inherent noise**: a picture never told the whole truth. **Adjusted "
            "information**: it changed after training. A training that loses less than another may "
            "use the pictures more wisely, or *use them less*: lesson 8 tells the two apart.",
        ),
        Step(
            "formula",
            "Recall@20 is the share of a shopper's later purchases that stand among the first 20 "
            "products, averaged over shoppers. The drop is\n\n"
            "$$\\text{Recall@20}(x) - \\text{Recall@20}(x'),$$\n\n"
            "with the features $x$ as trained and $x'$ as changed, and the same weights.",
        ),
    ),
)
