"""Perturbations of pictures, seen through the frozen image encoder."""
