"""How a worker's C library gives memory back.

Dask asks it to give back every 64 KiB, which also turns off its own learning of block sizes: each
step of a training then maps and unmaps its tensors anew, and half of its time is spent in the
kernel. These are the values that the library reaches by itself where it is left alone.
"""

MALLOC_SETTINGS = {
    "MALLOC_TRIM_THRESHOLD_": 64 * 2**20,
    "MALLOC_MMAP_THRESHOLD_": 32 * 2**20,
}
"""Environment variables of glibc, in bytes; set before a worker starts."""
