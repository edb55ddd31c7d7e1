"""Reader of Mistral's document reading, billed by the page: https://docs.mistral.ai/api."""

from __future__ import annotations

from metering.providers.reader import AnswerReader, Counts, Object
from metering.usage import Usage


class PagesReader(AnswerReader):
    """`usage_info.pages_processed`, or the number of pages that came back."""

    __slots__ = ()

    def fold(self, document: Object) -> None:
        model = document.get("model")
        if type(model) is str:
            self.model = model
        usage = document.get("usage_info")
        if usage and type(usage) is dict:
            self.raw = usage

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        if raw.get("pages_processed") is None:
            return None
        return Usage(document_pages=counts.total(raw["pages_processed"]))
