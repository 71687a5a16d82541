"""Panels of the page Train."""
