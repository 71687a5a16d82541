"""Flatness measures."""
