"""Words that a first-year student does not know, each explained once, shown where they stand."""

from __future__ import annotations

import streamlit as st

GLOSSARY: dict[str, str] = {
    "Adversarial training": "training on inputs that were changed to raise the loss most",
    "AMR": "Adversarial Multimedia Recommendation (arXiv 1809.07062): each item's features are "
    "nudged, within epsilon, in the direction that raises the loss most, and the model is trained "
    "to get those right too",
    "Baseline": "the strategy that all others are compared with, usually plain training",
    "BPR": "Bayesian Personalised Ranking (arXiv 1205.2618): the loss is small where items that a "
    "user chose score above items they did not",
    "Calibrated": "scores multiplied by one number, fitted on validation data, so that their size "
    "means the same for every run",
    "Epoch": "one pass over all training interactions",
    "Epsilon": "how far an attack may move a feature row, as a share of the row's own length",
    "Features": "what the model knows of an item beside who liked it: numbers made from its "
    "picture and text",
    "FGSM": "Fast Gradient Sign Method: an attack in one step, along the gradient of the loss",
    "Flat, sharp": "around a flat solution the loss rises slowly when the weights move, around a "
    "sharp one fast",
    "Frozen triples": "the same draws of (user, liked item, other item) for every point and every "
    "run, so that differences are the weights' alone",
    "Hessian": "the matrix of second derivatives of the loss; its eigenvalues say how sharply the "
    "loss bends in each direction",
    "Interval": "95 % interval of a mean over seeds (Student's t): where the mean of many more "
    "seeds may well lie",
    "Invariant": "unchanged when the same recommender is written down differently, e.g. user "
    "factors doubled and item factors halved",
    "Mirror Gradient": "arXiv 2402.11262: now and then a step down is followed by a smaller step "
    "up on the same batch, which favours flat regions; alpha 1 and alpha 2 are the sizes of both, "
    "beta says how often",
    "Nats": "the unit of the loss: natural logarithms of probability",
    "NDCG@k": "like recall, but a hit near the top of the list counts more",
    "Objective": "what training minimises: the loss with all terms added to it",
    "PGD": "Projected Gradient Descent: an attack in several steps, each held within epsilon",
    "Random control": "a random change of the same size as the attack's: what an attack costs "
    "beyond it is due to its direction",
    "Recall@k": "share of a user's held-out items that are among the first k recommended",
    "Reliance": "accuracy lost when the features are removed; a model that loses nothing does not "
    "use them, and then no attack on them can hurt it",
    "SAM": "Sharpness-Aware Minimisation (arXiv 2010.01412): each step uses the gradient at the "
    "worst point nearby",
    "Seed": "the number that decides all random draws of a training; several seeds show how much "
    "is chance",
    "Stepper": "how training moves the weights: plain steps, Mirror Gradient, SAM and others",
    "Strategy": "two choices: what is minimised (objective) and how it steps (stepper)",
    "Trace": "sum of all eigenvalues of the Hessian",
    "Warm start": "epochs of plain training before the adversarial ones",
}
"""Explanation by term, in alphabetical order."""


def explain(*terms: str) -> str:
    """The explanations of some terms as the text of a tooltip."""
    return "\n\n".join(f"**{term}**: {GLOSSARY[term]}." for term in terms)


def glossary() -> None:
    """Every term, in a window that opens from the sidebar."""
    with st.sidebar.popover("Words", icon=":material/menu_book:", width="stretch"):
        st.markdown(explain(*GLOSSARY))
