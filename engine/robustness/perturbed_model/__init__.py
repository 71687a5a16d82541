"""The trained model under a perturbation: its factors, its ranks, and exposure of items."""
