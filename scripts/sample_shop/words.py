"""The words of the sample shop: what its titles, descriptions and prices are made from."""

PRICES = {
    "mug": 11,
    "t-shirt": 19,
    "lamp": 44,
    "backpack": 52,
    "shoes": 64,
    "chair": 129,
    "plant": 24,
    "clock": 36,
}
SHELVES = {
    "mug": ("morning coffee", "tea for one", "a slow breakfast", "the office kitchen"),
    "t-shirt": ("everyday wear", "a day at the beach", "the weekend", "layering"),
    "lamp": ("late-night reading", "a dark corner", "the bedside table", "a warm welcome"),
    "backpack": ("the school run", "a day trip", "your laptop and lunch", "city and trail"),
    "shoes": ("long walks", "the playground", "dancing till late", "dashing for the bus"),
    "chair": ("the reading nook", "the kitchen table", "long conversations", "a sunny window"),
    "plant": ("a sunny windowsill", "forgetful gardeners", "a new home", "your desk"),
    "clock": ("the hallway", "early risers", "the kitchen wall", "never being late again"),
}
MATERIALS = {
    "mug": ("glazed stoneware", "hand-dipped enamel", "fine porcelain"),
    "t-shirt": ("soft organic cotton", "brushed jersey", "heavy combed cotton"),
    "lamp": ("spun steel with a linen cord", "turned wood and fabric", "frosted glass"),
    "backpack": ("waxed canvas", "recycled ripstop", "sturdy cotton twill"),
    "shoes": ("washable canvas with a rubber sole", "soft microfibre", "light woven mesh"),
    "chair": ("solid beech and wool felt", "bent plywood", "a hardwood frame with deep foam"),
    "plant": ("a fired clay pot", "a glazed ceramic pot", "a pot of recycled stone"),
    "clock": ("a silent quartz movement", "a lacquered birch case", "powder-coated metal"),
}
PATTERN_WORDS = {
    "plain": ("plain and unfussy", "in one plain colour", "left plain"),
    "stripes": ("with crisp stripes", "with bold stripes", "in even stripes"),
    "dots": ("with cheerful dots", "sprinkled with dots", "with big round dots"),
    "checks": ("in woven checks", "with picnic checks", "in tidy checks"),
    "zigzag": ("with a lively zigzag", "in a mountain zigzag", "with zigzag all over"),
    "flowers": ("strewn with flowers", "with little flowers", "covered in flowers"),
}
STYLE_WORDS = {
    "minimal": (
        "A minimal design with clean lines",
        "Quiet, minimal and easy to live with",
        "A minimal shape, nothing extra",
    ),
    "retro": (
        "A retro favourite, straight from the seventies",
        "Warm retro charm",
        "Retro lines your grandparents would recognise",
    ),
    "playful": (
        "A playful companion that makes people smile",
        "Playful and a little bit silly",
        "A playful piece for the young at heart",
    ),
}
COLOUR_WORDS = {
    "red": ("red", "cherry red"),
    "mustard": ("mustard", "golden mustard"),
    "green": ("green", "leaf green"),
    "teal": ("teal", "deep teal"),
    "navy": ("navy", "navy blue"),
    "purple": ("purple", "plum purple"),
    "pink": ("pink", "blossom pink"),
    "grey": ("grey", "pebble grey"),
}
MAKERS = (
    "Alba",
    "Bramble",
    "Cleo",
    "Dorrit",
    "Elva",
    "Fenn",
    "Gusto",
    "Hollis",
    "Isla",
    "Juno",
    "Kip",
    "Lumi",
    "Marlow",
    "Nell",
    "Otto",
    "Pippa",
    "Quill",
    "Rosa",
    "Sorrel",
    "Tove",
)
