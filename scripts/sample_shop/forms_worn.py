"""What the sample shop sells to wear and carry, each in three styles.

Every form paints itself on a canvas of 100 x 100 units, standing on a table at about y = 84.
"""

from __future__ import annotations

from PIL import ImageChops

from scripts.sample_shop.canvas import Canvas
from scripts.sample_shop.looks import CREAM, DARK, METAL, WHITE, mixed


def t_shirt(c: Canvas) -> None:
    left = [(40, 20), (28, 24), (10, 42), (21, 54), (30, 46), (30, 84)]
    right = [(100 - x, y) for x, y in reversed(left)]
    neck = c.ellipse(39, 11, 61, 30)
    body = ImageChops.subtract(c.polygon(*left, *right), neck)
    c.paint(ImageChops.subtract(c.ellipse(38, 13, 62, 30), c.ellipse(40, 6, 60, 24)), c.deep)
    c.paint(body, None, "tube")
    for x in (30.5, 69.5):
        c.paint(c.line((x, 47), (x, 60), width=0.7), c.deep, edge=0)
    if c.look.style == "minimal":
        c.paint(ImageChops.subtract(neck, c.ellipse(40.5, 8, 59.5, 28)), c.light)
        c.paint(c.box(56, 42, 66, 54, 1.5), c.light, edge=0.3)
        return
    if c.look.style == "retro":
        trim = mixed(c.base, DARK, 0.55)
        c.paint(
            ImageChops.subtract(c.ellipse(37.5, 10, 62.5, 32.5), c.ellipse(40, 7, 60, 29.5)), trim
        )
        c.paint(c.polygon((10, 42), (14, 38), (25, 50), (21, 54)), trim)
        c.paint(c.polygon((90, 42), (86, 38), (75, 50), (79, 54)), trim)
        c.paint(c.box(30, 80, 70, 84), trim)
        return
    c.paint(c.ellipse(35, 40, 65, 70), CREAM, edge=0.1)
    c.face(50, 53, 7)


def backpack(c: Canvas) -> None:
    c.paint(c.ring(41, 8, 59, 28, 3.2), c.deep)
    if c.look.style == "retro":
        leather = (150, 96, 58)
        for x in (17, 71):
            c.paint(c.box(x, 50, x + 12, 78, 4), c.deep, "tube")
        c.paint(c.box(24, 20, 76, 85, 10), None, "tube")
        c.paint(c.blob((23, 22), (50, 15), (77, 22), (77, 46), (50, 54), (23, 46)), c.deep)
        for x in (35, 59):
            c.paint(c.box(x, 30, x + 6, 66, 2), leather)
            c.paint(c.box(x - 1, 54, x + 7, 60, 1.5), METAL)
        return
    if c.look.style == "playful":
        for x in (24, 58):
            c.paint(c.ellipse(x, 12, x + 18, 30), c.base, "ball")
            c.paint(c.ellipse(x + 4.5, 16.5, x + 13.5, 25.5), (246, 184, 184))
        c.paint(
            c.blob((24, 30), (50, 18), (76, 30), (82, 60), (72, 84), (28, 84), (18, 60)),
            None,
            "ball",
        )
        c.paint(c.box(30, 46, 70, 78, 14), CREAM, edge=0.15)
        c.face(50, 60, 8)
        return
    c.paint(c.box(24, 16, 76, 85, 17), None, "tube")
    c.paint(c.line((31, 36), (69, 36), width=1.1), c.deep, edge=0)
    c.paint(c.box(66, 35, 70, 42, 1), METAL, edge=0)
    c.paint(c.box(31, 53, 69, 79, 6), c.deep, edge=0.3)
    c.paint(c.line((35, 58), (65, 58), width=1.1), c.light, edge=0)


def shoes(c: Canvas) -> None:
    """A pair, the far shoe peeping out behind the near one."""
    for dx, dy in ((8, -9), (0, 0)):
        one_shoe(c, dx, dy)


def one_shoe(c: Canvas, dx: float, dy: float) -> None:
    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + dx - 5, y + dy) for x, y in points]

    laces = mixed(WHITE, c.base, 0.05)
    if c.look.style == "retro":
        c.paint(
            c.polygon(*at((16, 34), (42, 34), (46, 52), (66, 62), (82, 68), (84, 78), (15, 78))),
            None,
            "ball",
        )
        c.paint(c.blob(*at((66, 62), (80, 65), (87, 76), (68, 78))), WHITE)
        c.paint(c.polygon(*at((13, 76), (88, 76), (88, 84), (13, 84))), WHITE)
        c.paint(c.line(*at((13, 80), (88, 80)), width=1.3), c.deep, edge=0)
        c.paint(c.ellipse(*at((21, 46))[0], *at((33, 58))[0]), WHITE)
        for step in range(4):
            c.paint(
                c.line(
                    *at((38 + 5 * step, 40 + 6 * step), (47 + 6 * step, 37 + 6.6 * step)), width=1.9
                ),
                laces,
                edge=0,
            )
        return
    if c.look.style == "playful":
        upper = at((14, 50), (24, 44), (40, 50), (56, 50), (76, 58), (87, 68), (84, 74), (14, 74))
        c.paint(c.blob(*upper), None, "ball")
        for x in (42, 52):
            c.paint(c.polygon(*at((x, 46), (x + 6, 46), (x + 10, 62), (x + 3, 62))), laces)
        sole = at((11, 71), (50, 72), (90, 70), (92, 80), (84, 86), (50, 84), (16, 86), (9, 80))
        c.paint(c.blob(*sole), CREAM, "tube")
        for step in range(5):
            c.paint(c.ellipse(*at((20 + 14 * step, 77))[0], *at((25 + 14 * step, 82))[0]), c.deep)
        return
    upper = at((14, 54), (20, 48), (34, 50), (52, 56), (70, 60), (84, 68), (86, 77), (14, 77))
    c.paint(c.blob(*upper), None, "ball")
    c.paint(c.blob(*at((18, 51), (34, 48), (42, 53), (30, 56))), c.deep)
    c.paint(c.polygon(*at((40, 53), (48, 56), (42, 64), (34, 60))), c.light)
    c.paint(c.box(*at((12, 75))[0], *at((88, 83))[0], 4), WHITE, "tube")
