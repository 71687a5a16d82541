"""Panels of the page Landscape."""
