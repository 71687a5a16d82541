"""Where tensors live."""

from __future__ import annotations

from typing import Literal

import torch

from engine.foundation.errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]


def resolve_device(name: str = "auto") -> torch.device:
    """The torch device of a name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises ConfigError where a device is named that this machine lacks.
    """
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if has_mps else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device 'cuda' was asked for, but no CUDA GPU is here; use 'auto'.")
    if name == "mps" and not has_mps:
        raise ConfigError("device 'mps' was asked for, but no Apple GPU is here; use 'auto'.")
    if name not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"device is '{name}'; allowed are auto, cpu, cuda and mps.")
    return torch.device(name)


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that a device has no memory left; only CUDA has a type of its own."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(text in str(error) for text in ("MPS backend out of memory", "DefaultCPUAllocator"))


def multiplies_bfloat16_fast(device: torch.device) -> bool:
    """Whether products of bfloat16 matrices beat float32 on this device."""
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device)[0] >= 8)
    if device.type == "cpu":
        cpu = torch.cpu.get_capabilities()
        return bool(cpu.get("amx_bf16") or cpu.get("avx512_bf16"))
    return False
