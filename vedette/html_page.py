"""What reports as one HTML file have in common: their style, and pictures that are in the file."""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np

from stream.vision.image import Picture, decode, jpeg_size

WIDTH = 480
QUALITY = 80
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .8rem .25rem 0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; } img { width: 100%; border-radius: 6px; } figcaption { font-size: 13px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
"""


def page(title: str, body: str) -> str:
    """A page that needs nothing else; `body` is HTML."""
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{STYLE}</style>{body}</html>"
    )


def img(words: str, jpeg: bytes) -> str:
    """A picture in the page, and what it shows as text that is escaped already."""
    return f"<img alt='{words}' src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}'>"


def small(jpeg: bytes) -> Picture:
    """A picture as wide as the page shows it."""
    width, height = jpeg_size(jpeg)
    size = WIDTH, round(height * WIDTH / width)
    return np.asarray(cv2.resize(decode(jpeg, target=size), size, interpolation=cv2.INTER_AREA), np.uint8)


def encoded(picture: Picture) -> bytes:
    """A picture as a JPEG."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
