"""Readers of Vertex AI where it differs from Gemini's own API."""

from __future__ import annotations

from metering.providers.google import GeminiReader
from metering.providers.reader import AnswerReader, Counts, Object, inside
from metering.usage import Usage

# google.cloud.aiplatform.v1 UsageMetadata.TrafficType, which comes as a number where a client asked for that.
TRAFFIC = {1: "ON_DEMAND", 2: "PROVISIONED_THROUGHPUT", 3: "ON_DEMAND_PRIORITY", 4: "ON_DEMAND_FLEX"}


class VertexReader(GeminiReader):
    """Gemini's answer, whose kind of traffic may be a number."""

    __slots__ = ()

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        usage = super().measure(raw, counts)
        traffic = raw.get("trafficType")
        if type(traffic) is int:
            self.tier = TRAFFIC.get(traffic, "")
        return usage


class PredictReader(AnswerReader):
    """Text embeddings: each prediction counts its own tokens. Pictures count none."""

    __slots__ = ()

    def fold(self, document: Object) -> None:
        predictions = document.get("predictions")
        if type(predictions) is list:
            made = [inside(one, "embeddings") for one in predictions if type(one) is dict]
            counted = [inside(embedding, "statistics").get("token_count") for embedding in made]
            self.overlay({"token_counts": [count for count in counted if count is not None] or None})

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        counted = raw.get("token_counts")
        return Usage(input_tokens=sum(counts.total(count) for count in counted)) if counted else None
