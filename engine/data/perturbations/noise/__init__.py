"""Perturbations without an adversary: noise, loss and exchange of features."""
