"""The bounds of calls that write no text, or read something else: embeddings, pictures, recordings, pages. Pure."""

from __future__ import annotations

from metering.bounds.base import HIDDEN_TOKENS, Bound, Call
from metering.bounds.numbers import stated
from metering.bounds.prompt import IMAGE_TOKENS, Prompt

MOST_IMAGES = 10
MOST_EDITED = 16
EDITED_TOKENS = 16_384
"""A picture that is edited: OpenAI's high fidelity takes less than 7,000 tokens."""
LEAST_AUDIO = 250
"""Bytes a second: no codec for speech goes below 2 kbit/s; recordings of silence may."""
LEAST_SECONDS = 10
TOKENS_A_SECOND = 32
MOST_PAGES = 1_000
"""Pages of a document that Mistral reads."""

AGENT = "What an agent does is set at the provider."
FAR_AUDIO = "The length of a recording that is only referred to is not known: send the file itself."
IMAGES = f"State n as a number of images from 1 to {MOST_IMAGES}."


def embeddings(call: Call) -> Bound:
    """Text, tokens or media in, nothing out."""
    prompt = Prompt(call.dialect).read(call.document)
    return Bound(prompt.tokens(call.body_bytes, call.window) + HIDDEN_TOKENS, kinds=prompt.every_kind())


def rerank(call: Call) -> Bound:
    """Each document is read with the query before it."""
    documents, query = call.document.get("documents"), call.document.get("query")
    if type(documents) is not list or type(query) is not str:
        return Bound(call.body_bytes + HIDDEN_TOKENS)
    return Bound(call.body_bytes + HIDDEN_TOKENS + len(documents) * (len(query.encode(errors="replace")) + 16))


def images(call: Call) -> Bound:
    """Pictures drawn from a text, or from up to 16 others."""
    count = stated(call.document, ("n",), usual=1, most=MOST_IMAGES, silent=True)
    if count.limits and call.endpoint.form:
        return Bound(reason=IMAGES)
    edited = MOST_EDITED * EDITED_TOKENS if call.endpoint.kind == "images.edits" else 0
    text = 0 if call.endpoint.form else call.body_bytes
    read = text + HIDDEN_TOKENS + edited
    kinds = frozenset({"image"} if edited else ())
    return Bound(read, count.value * IMAGE_TOKENS, limits=count.limits, kinds=kinds)


def transcriptions(call: Call) -> Bound:
    """A recording, by its bytes."""
    if any(call.document.get(name) for name in ("url", "file_url", "file_id")):
        return Bound(reason=FAR_AUDIO)
    seconds = max(LEAST_SECONDS, -(-call.body_bytes // LEAST_AUDIO))
    tokens = seconds * TOKENS_A_SECOND + HIDDEN_TOKENS
    return Bound(tokens, tokens, kinds=frozenset({"audio"}), audio_seconds=seconds)


def pages(call: Call) -> Bound:
    """A document's pages: those that the request names, or as many as are read at all."""
    named = call.document.get("pages")
    document = call.document.get("document")
    picture = type(document) is dict and document.get("type") == "image_url"
    count = len(named) if type(named) is list and named else MOST_PAGES
    return Bound(document_pages=1 if picture else min(count, MOST_PAGES))


def agent(call: Call) -> Bound:
    """Somebody else's prompt, model and tools."""
    return Bound(reason=AGENT)
