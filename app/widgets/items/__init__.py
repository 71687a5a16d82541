"""Items as cards, pictures and choices."""
