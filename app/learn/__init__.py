"""The playground and the lessons."""
