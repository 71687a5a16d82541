"""Basin's engine: everything that computes. Imports neither streamlit nor plotly."""

__version__ = "0.1.0"
