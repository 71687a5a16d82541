"""Perturbations that follow a gradient, and what they raise."""
