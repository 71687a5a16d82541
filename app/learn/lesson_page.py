"""One lesson on one screen: words on the left, the picture they are about on the right."""

from __future__ import annotations

import streamlit as st

from app.learn.lesson import TITLES, Lesson, Play, Step
from app.learn.lessons import LESSONS
from app.learn.playground import PlaygroundSettings, playground


def chosen_lesson() -> tuple[Lesson, int]:
    """The lesson and the step that the address names; the first ones where it names none."""
    keys = {lesson.key: lesson for lesson in LESSONS}
    lesson = keys.get(st.query_params.get("lesson", ""), LESSONS[0])
    text = st.query_params.get("step", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 1
    return lesson, min(max(number, 1), len(lesson.steps)) - 1


def go_to(lesson: Lesson, number: int) -> None:
    """Write a lesson and a step, counted from 0, to the address."""
    st.query_params.update({"lesson": lesson.key, "step": str(number + 1)})


def choose_lesson(current: Lesson) -> None:
    """The lessons by number and title; those gone through carry a tick."""
    done = finished_lessons()
    names = {lesson.key: f"{i}. {lesson.title}" for i, lesson in enumerate(LESSONS, 1)}
    st.session_state["lesson.choice"] = current.key

    def change() -> None:
        by_key = {lesson.key: lesson for lesson in LESSONS}
        go_to(by_key[st.session_state["lesson.choice"]], 0)

    st.selectbox(
        "Lesson",
        list(names),
        format_func=lambda key: names[key] + (" ✓" if key in done else ""),
        key="lesson.choice",
        on_change=change,
        label_visibility="collapsed",
    )


def finished_lessons() -> set[str]:
    """Lessons gone through to the end, as the address says."""
    known = {lesson.key for lesson in LESSONS}
    return known & set(st.query_params.get("done", "").split(","))


def _finish(lesson: Lesson) -> None:
    st.query_params["done"] = ",".join(sorted(finished_lessons() | {lesson.key}))
    following = LESSONS[(LESSONS.index(lesson) + 1) % len(LESSONS)]
    go_to(following, 0)


def show_step(lesson: Lesson, number: int) -> None:
    """The words of one step, its choices, and the way on."""
    step = lesson.steps[number]
    st.markdown(f"**{TITLES[step.kind]}** · step {number + 1} of {len(lesson.steps)}")
    st.markdown(step.text)
    may_go_on = _ask(lesson, number, step) if step.choices else True
    if step.page:
        st.page_link(f"views/{step.page}.py", label=f"See it for your runs: {step.page.title()}")
    back, on = st.columns(2)
    if number > 0:
        back.button("Back", on_click=go_to, args=(lesson, number - 1), width="stretch")
    is_last = number == len(lesson.steps) - 1
    on.button(
        "Finish" if is_last else "Next",
        type="primary",
        disabled=not may_go_on,
        on_click=_finish if is_last else go_to,
        args=(lesson,) if is_last else (lesson, number + 1),
        width="stretch",
    )


def _ask(lesson: Lesson, number: int, step: Step) -> bool:
    """Ask for a prediction and reply to it; whether one was made."""
    texts = [choice.text for choice in step.choices]
    answer = st.radio(
        "Your prediction",
        texts,
        index=None,
        key=f"answer.{lesson.key}.{number}",
        label_visibility="collapsed",
        persist_state="session",
    )
    if answer is None:
        return False
    choice = step.choices[texts.index(answer)]
    if choice.is_right:
        st.success(choice.reply, icon=":material/check:")
    else:
        st.info(f"Not quite. {choice.reply}", icon=":material/lightbulb:")
    return True


def show_picture(lesson: Lesson, number: int) -> None:
    """What the step is about: the playground, or a picture of the demonstration's runs."""
    picture = lesson.picture_at(number)
    if isinstance(picture, Play):
        first = max(i for i, s in enumerate(lesson.steps[: number + 1]) if s.picture is picture)
        settings = PlaygroundSettings.parse(picture.settings)
        playground(settings, key=f"{lesson.key}.{first}", controls=picture.controls)
    elif picture is not None:
        with st.spinner("Loading the engine ..."):
            from app.learn.pictures import PICTURES

        PICTURES[picture.name]()
