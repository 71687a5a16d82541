"""Perturbations of product texts, seen through the frozen sentence encoder."""
