import streamlit as st

st.title("curvature")
