"""Text that is not ours (names of runs and datasets, titles, paths, links), made safe to show."""

from __future__ import annotations

import re

LONGEST = 32
"""Characters of a name that a chart or a sentence shows."""

_SIGNS = re.compile(
    r"""[\\`*\[\]<>{}$&~|"]"""  # read as more than themselves anywhere
    r"|(?<![^\W_])_|_(?![^\W_])"  # at the edge of a word
    r"|^[-+#](?=[ #])|(?<=^\d)[.)](?= )"  # at the beginning: a list, a heading
)


def escape(text: object) -> str:
    """The text with every sign that markdown, HTML or Plotly would read as more than itself as a
    numeric entity, which all three show as that sign; line breaks become spaces.
    """
    line = " ".join(str(text).split())
    return _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", line)


def short(name: object, longest: int = LONGEST) -> str:
    """A name whose middle is left out where it is too long, so that its beginning and end show."""
    line = " ".join(str(name).split())
    if len(line) <= longest:
        return line
    head = (longest - 1) * 2 // 3
    return f"{line[:head]}…{line[len(line) - (longest - 1 - head) :]}"


def chart_name(name: object, longest: int = LONGEST) -> str:
    """A name as charts write it: shortened, then escaped."""
    return escape(short(name, longest))
