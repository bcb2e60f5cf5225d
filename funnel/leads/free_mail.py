"""Mail domains that anybody can have an address at, so that they tell no company."""

from pathlib import Path

FREE_MAIL = frozenset(Path(__file__).with_suffix(".txt").read_text().split())
