"""From a result to a Plotly figure. Imports no streamlit, so notebooks draw the same charts."""
