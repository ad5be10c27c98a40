"""Draws docs/kitchen.png, the contact sheet of the synthetic kitchen: the last row shows its truth."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.sheet import sheet

FILE = Path(__file__).parents[1] / "docs" / "kitchen.png"
CHOSEN = ((4, 0, 0.0), (1, 8, 0.0), (1, 12, 0.0), (0, 1, 1.0))
"""Seed, number and share of people of each row's video."""


def main() -> None:
    """Writes the sheet, in few colours so that it stays small."""
    films = [
        direct(Order(seed, index, "test" if index % 5 == 2 else "train", 40.0, 30.0, (456, 256), social=social))
        for seed, index, social in CHOSEN
    ]
    picture = Image.fromarray(np.asarray(sheet(films, len(films), 4, 304)))
    smooth = picture.filter(ImageFilter.MedianFilter(3))
    smooth.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(FILE, optimize=True)


if __name__ == "__main__":
    main()
