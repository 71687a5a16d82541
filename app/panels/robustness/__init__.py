"""Panels of the page Robustness."""
