"""Panels of the page Curvature."""
