"""Panels of the page Embeddings."""
