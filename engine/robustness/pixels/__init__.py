"""Attacks on pictures through the image encoder, and pictures before and after."""
