"""Join two pictures that `hatch run demo` writes into the one in the README.

Run this after the demo: `hatch run python scripts/demo_picture.py`
"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
HEIGHT = 360


def main() -> None:
    """Put the curves and the confusion matrix side by side, in 32 colours to keep it small."""
    pictures = [Image.open(ROOT / "demo" / f"{name}.png") for name in ("curves", "confusion")]
    pictures = [p.convert("RGB").resize((p.width * HEIGHT // p.height, HEIGHT)) for p in pictures]
    joined = Image.new("RGB", (sum(p.width for p in pictures), HEIGHT), "white")
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        left += picture.width
    joined.quantize(32).save(ROOT / "docs" / "images" / "demo.png", optimize=True)


if __name__ == "__main__":
    main()
