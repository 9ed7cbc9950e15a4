"""How the C library keeps memory that tensors gave back.

glibc returns each freed block of some megabytes to the kernel, and a model on the CPU asks for the same sizes again in
every layer: zeroing the pages anew was measured as 4 to 10 % of its time.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
LARGEST = 32 * 2**20  # bytes: the most that glibc takes from its heap instead of from the kernel
KEPT = 256 * 2**20  # bytes that the top of a heap may hold unused


@cache
def keep_freed_memory() -> bool:
    """Let this process keep freed blocks up to ``LARGEST`` for the next tensors; False where there is no glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(*setting) == 1 for setting in ((M_MMAP_THRESHOLD, LARGEST), (M_TRIM_THRESHOLD, KEPT)))
