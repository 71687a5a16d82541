"""What the sample shop sells for the home, each in three styles.

Every form paints itself on a canvas of 100 x 100 units, standing on a table at about y = 84.
"""

from __future__ import annotations

import numpy as np
from PIL import ImageChops

from scripts.sample_shop.canvas import Canvas
from scripts.sample_shop.looks import CREAM, DARK, METAL, WHITE, WOOD, mixed

LEAF = (74, 142, 88)
SOIL = (92, 66, 50)


def mug(c: Canvas) -> None:
    if c.look.style == "playful":
        c.paint(c.ring(62, 42, 87, 72, 6), c.deep, "ball")
        for x in (31, 57):
            c.paint(c.polygon((x, 36), (x + 6, 23), (x + 12, 36)), c.base)
        c.paint(
            c.blob((26, 36), (50, 32), (74, 36), (78, 62), (66, 82), (34, 82), (22, 62)),
            None,
            "ball",
        )
        c.paint(c.ellipse(32, 47, 68, 73), CREAM, edge=0.1)
        c.face(50, 57, 8)
        return
    if c.look.style == "retro":
        c.paint(c.ring(60, 38, 86, 68, 4), c.deep)
        c.paint(c.polygon((24, 30), (72, 30), (67, 83), (29, 83)), None, "tube")
        c.paint(c.box(28, 79, 68, 84, 2), DARK)
        c.paint(c.ellipse(23, 25, 73, 36), DARK)
        c.paint(c.ellipse(26, 27, 70, 35), WHITE, "tube")
        c.paint(c.ellipse(28, 29.5, 68, 35), (126, 84, 58))
        return
    c.paint(c.ring(58, 42, 84, 72, 6), c.base, "ball")
    c.paint(c.box(26, 30, 70, 84, 7), None, "tube")
    c.paint(c.ellipse(26, 25, 70, 37), c.light, edge=0.1)
    c.paint(c.ellipse(29, 27.5, 67, 36), (104, 70, 52))
    c.gleam(c.box(32, 44, 35, 74, 1.5))


def lamp(c: Canvas) -> None:
    glow = c.ellipse(20, 20, 80, 84)
    if c.look.style == "retro":
        c.gleam(glow)
        c.paint(
            c.blob((45, 52), (55, 52), (57, 60), (64, 70), (58, 80), (42, 80), (36, 70), (43, 60)),
            WOOD,
            "ball",
        )
        c.paint(c.box(37, 79, 63, 84, 2), mixed(WOOD, DARK, 0.4))
        c.paint(c.ellipse(24, 47, 76, 57), (255, 236, 176), edge=0)
        c.paint(c.polygon((36, 16), (64, 16), (78, 52), (22, 52)), None, "tube")
        c.paint(c.line((22, 52), (78, 52), width=2), c.deep)
        c.paint(c.line((36, 16), (64, 16), width=2), c.deep)
        return
    if c.look.style == "playful":
        c.paint(c.blob((40, 50), (60, 50), (61, 68), (66, 84), (34, 84), (39, 68)), CREAM, "tube")
        c.face(50, 66, 6)
        c.paint(c.ellipse(20, 46, 80, 58), (255, 234, 170), edge=0.1)
        cap = c.blob((16, 50), (24, 28), (50, 14), (76, 28), (84, 50), (50, 54))
        c.paint(cap, None, "ball")
        c.gleam(c.ellipse(32, 22, 44, 28))
        return
    c.paint(c.box(34, 80, 68, 85, 2.5), c.deep)
    c.paint(c.line((50, 82), (50, 40), width=2.2), METAL, "tube")
    c.paint(c.ellipse(38, 45, 62, 57), (255, 236, 170), "ball", edge=0.1)
    shade = ImageChops.multiply(c.ellipse(20, 18, 80, 84), c.box(0, 0, 100, 51))
    c.paint(shade, None, "ball")
    c.paint(c.box(46, 13, 54, 20, 2), c.deep)


def chair(c: Canvas) -> None:
    if c.look.style == "retro":
        for x, lean in ((30, -6), (70, 6)):
            c.paint(c.line((x, 74), (x + lean, 90), width=3), WOOD, "tube")
        c.paint(c.box(26, 18, 74, 64, 14), None, "tube")
        for x, y in ((38, 32), (50, 32), (62, 32), (44, 42), (56, 42)):
            c.paint(c.ellipse(x - 1.4, y - 1.4, x + 1.4, y + 1.4), c.deep)
        c.paint(c.box(22, 64, 78, 78, 5), c.deep)
        c.paint(c.box(27, 54, 73, 67, 5), None, "ball")
        for x in (15, 73):
            c.paint(c.box(x, 44, x + 12, 78, 6), c.base, "tube")
        return
    if c.look.style == "playful":
        for x, lean in ((36, -5), (64, 5)):
            c.paint(c.line((x, 74), (x + lean, 90), width=4), WOOD, "tube")
        for turn in np.linspace(-1.15, 1.15, 5):
            x, y = 50 + 24 * np.sin(turn), 56 - 27 * np.cos(turn)
            c.paint(c.ellipse(x - 13, y - 13, x + 13, y + 13), c.light, "ball")
        c.paint(c.ellipse(24, 24, 76, 78), None, "ball")
        c.paint(c.ellipse(20, 58, 80, 82), c.deep, "ball")
        c.paint(c.ellipse(24, 57, 76, 74), None, "ball")
        return
    for x0, x1 in ((34, 30), (66, 70)):
        c.paint(c.line((x0, 56), (x1, 90), width=2.6), WOOD, "tube")
        c.paint(c.line((x0 + (3 if x0 < 50 else -3), 50), (x0, 16), width=2.6), WOOD, "tube")
    for x in (39, 61):
        c.paint(c.line((x, 58), (x, 84), width=2.0), mixed(WOOD, DARK, 0.3), "tube")
    c.paint(c.box(31, 14, 69, 44, 6), None, "tube")
    c.paint(c.blob((30, 54), (50, 51), (70, 54), (76, 64), (50, 67), (24, 64)), None, "ball")
    c.paint(c.line((25, 66), (75, 66), width=1.8), c.deep, edge=0)


def plant(c: Canvas) -> None:
    if c.look.style == "playful":
        c.paint(c.blob((40, 60), (36, 40), (50, 22), (64, 40), (60, 60)), LEAF, "ball")
        for x, tip in ((34, 26), (66, 74)):
            c.paint(
                c.blob((x, 52), (tip, 46), (tip, 38), (x, 44)), mixed(LEAF, CREAM, 0.15), "ball"
            )
        for x in (44, 50, 56):
            c.paint(c.line((x, 32), (x, 58), width=0.8), mixed(LEAF, CREAM, 0.5), edge=0)
        for turn in np.arange(5) * 1.257:
            x, y = 50 + 4 * np.cos(turn), 21 + 4 * np.sin(turn)
            c.paint(c.ellipse(x - 3.4, y - 3.4, x + 3.4, y + 3.4), (250, 136, 160), edge=0.1)
        c.paint(c.ellipse(47.5, 18.5, 52.5, 23.5), (255, 214, 90), edge=0)
        c.paint(c.ellipse(30, 54, 70, 62), SOIL)
        c.paint(
            c.blob((28, 58), (50, 61), (72, 58), (74, 74), (62, 86), (38, 86), (26, 74)),
            None,
            "ball",
        )
        c.paint(c.ellipse(35, 64, 65, 83), CREAM, edge=0.1)
        c.face(50, 72, 6.5)
        return
    if c.look.style == "retro":
        for x in (36, 64):
            c.paint(c.line((x, 78), (x + (x - 50) * 0.2, 90), width=2.4), WOOD, "tube")
        for turn in np.linspace(-1.25, 1.25, 6):
            reach = 31 + 5 * np.cos(4 * turn)
            x, y = 50 + reach * np.sin(turn), 52 - reach * np.cos(turn)
            c.paint(c.line((50, 54), (x, y), width=1.2), mixed(LEAF, DARK, 0.2), edge=0)
            tint = mixed(LEAF, CREAM if turn > 0 else DARK, 0.14)
            c.paint(c.ellipse(x - 8.5, y - 8, x + 8.5, y + 8), tint, "ball")
            c.paint(c.ellipse(x - 1.3, y - 1.3, x + 1.3, y + 1.3), mixed(LEAF, CREAM, 0.6), edge=0)
        c.paint(c.ellipse(29, 48, 71, 58), SOIL)
        c.paint(c.polygon((28, 53), (72, 53), (64, 82), (36, 82)), None, "tube")
        c.paint(c.box(26, 51, 74, 58, 2), c.deep, "tube")
        return
    for x, top, tip in ((38, 30, 33), (62, 26, 68), (44, 18, 42), (57, 34, 60), (51, 12, 52)):
        leaf = c.blob(
            (x - 4, 58),
            (x - 4.5, (58 + top) / 2),
            (tip, top),
            (x + 4.5, (58 + top) / 2),
            (x + 4, 58),
        )
        c.paint(leaf, mixed(LEAF, (226, 214, 120), 0.35), edge=0.1)
        inner = c.blob(
            (x - 2.4, 58),
            (x - 2.8, (60 + top) / 2),
            (tip, top + 5),
            (x + 2.8, (60 + top) / 2),
            (x + 2.4, 58),
        )
        c.paint(inner, mixed(LEAF, DARK, 0.18), edge=0.1)
    c.paint(c.ellipse(28, 47, 72, 59), c.light)
    c.paint(c.ellipse(31, 49, 69, 58), SOIL)
    front = ImageChops.subtract(c.box(28, 50, 72, 85, 5), c.ellipse(28, 44, 72, 59))
    c.paint(front, None, "tube")


def clock(c: Canvas) -> None:
    if c.look.style == "retro":
        for x, lean in ((34, -6), (66, 6)):
            c.paint(c.line((x, 76), (x + lean, 87), width=4), METAL, "tube")
            c.paint(c.ellipse(x - 12 + lean, 12, x + 12 + lean, 32), METAL, "ball")
        c.paint(c.line((50, 22), (50, 12), width=2.4), DARK)
        c.paint(c.ring(36, 4, 64, 30, 2.2), DARK)
        c.paint(c.ellipse(17, 20, 83, 86), None, "ball")
        c.paint(c.ring(17, 20, 83, 86, 2.5), c.deep)
        dial(c, 50, 53, 19, numerals=True)
        return
    if c.look.style == "playful":
        for x, turn in ((50, 0.0), (40, 0.0), (60, 0.0)):
            c.paint(c.line((x, 70), (x + turn, 90 if x == 50 else 84), width=1), DARK, edge=0)
            c.paint(
                c.ellipse(
                    x - 3.4, (89 if x == 50 else 83) - 3, x + 3.4, (89 if x == 50 else 83) + 3.6
                ),
                (232, 184, 84),
                "ball",
            )
        c.paint(c.box(24, 38, 76, 78, 3), None, "tube")
        c.paint(c.polygon((14, 42), (50, 10), (86, 42), (80, 48), (50, 22), (20, 48)), c.deep)
        c.paint(c.polygon((26, 43), (50, 22), (74, 43)), None)
        c.paint(c.ellipse(45, 26, 55, 36), DARK)
        c.paint(c.ellipse(47, 29, 53, 35), (255, 212, 90))
        dial(c, 50, 57, 15, numerals=False)
        return
    c.paint(c.ellipse(14, 16, 86, 88), None, "ball")
    c.paint(c.ring(14, 16, 86, 88, 2), c.light)
    dial(c, 50, 52, 18, numerals=False)


def dial(c: Canvas, x: float, y: float, radius: float, *, numerals: bool) -> None:
    """A cream clock face, its hands at a time of their own."""
    c.paint(c.ellipse(x - radius, y - radius, x + radius, y + radius), CREAM, edge=0.15)
    for hour in range(0, 12, 1 if numerals else 3):
        sine, cosine = np.sin(hour * np.pi / 6), np.cos(hour * np.pi / 6)
        inner, outer = radius * 0.74, radius * 0.86
        c.paint(
            c.line(
                (x + inner * sine, y - inner * cosine),
                (x + outer * sine, y - outer * cosine),
                width=1.3,
            ),
            DARK,
            edge=0,
        )
    minute = int(c.rng.integers(60))
    hour_turn = (int(c.rng.integers(12)) + minute / 60) * np.pi / 6
    for turn, reach, width in ((hour_turn, 0.46, 2.0), (minute * np.pi / 30, 0.68, 1.4)):
        tip = (x + radius * reach * np.sin(turn), y - radius * reach * np.cos(turn))
        c.paint(c.line((x, y), tip, width=width), DARK, edge=0)
    c.paint(c.ellipse(x - 1.6, y - 1.6, x + 1.6, y + 1.6), c.deep, edge=0)
