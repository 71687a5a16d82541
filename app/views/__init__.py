"""One file a page, read top to bottom."""
