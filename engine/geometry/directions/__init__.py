"""Directions through weight space."""
