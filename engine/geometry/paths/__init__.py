"""Paths between the weights of two runs."""
