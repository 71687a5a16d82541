import streamlit as st

st.title("embeddings")
