"""One strength of one perturbation: accuracy and lists, fast enough for a slider."""
