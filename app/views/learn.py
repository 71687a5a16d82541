"""Learn: eight short lessons on flat, sharp and robust, each on one screen."""

from __future__ import annotations

import streamlit as st

from app.learn.lesson_page import choose_lesson, chosen_lesson, show_picture, show_step

lesson, number = chosen_lesson()
title, choice = st.columns([3, 2], vertical_alignment="center")
title.title(lesson.title)
with choice:
    choose_lesson(lesson)
words, picture = st.columns([4, 9], gap="medium")
with words:
    show_step(lesson, number)
with picture:
    show_picture(lesson, number)
