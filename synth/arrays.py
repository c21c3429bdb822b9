"""Names for the array types that pass between the modules of this room."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RgbImage = NDArray[np.uint8]
"""(H, W, 3) uint8, colour order RGB."""

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
