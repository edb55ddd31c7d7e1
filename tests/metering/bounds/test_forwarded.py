from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from metering import providers
from metering.bounds import Bound, bound
from metering.providers.injection import limit_output
from tests.metering.bounds.asking import WINDOW

ODD = st.sampled_from([None, -1, 0, 1, 7, 10**9, 1e9, 1.5, "12", "x", True, [], {}, [1], {"id": 1}])
JSON = st.recursive(
    ODD | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "type role content text image_url url data source file file_id inlineData mimeType cache_control ttl"
                " input max_uses max_tokens parameters model function".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
MEMBERS = (
    "model messages input contents prompt max_tokens max_completion_tokens max_output_tokens n best_of tools plugins"
    " models generationConfig generation_config max_tool_calls mcp_servers context_management prediction documents"
    " query search_parameters web_search_options fallbacks container conversation service_tier pages document"
).split()
DOCUMENTS = st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=8)
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["web_search_20250305", "advisor_1", "mcp", "function", "openrouter:web_search"])},
        optional={"max_uses": ODD, "max_tokens": ODD, "model": ODD, "parameters": JSON},
    ),
    max_size=3,
)
CONFIGS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["maxOutputTokens", "max_output_tokens", "candidateCount", "candidate_count"], ODD)
)
DOCUMENTS |= st.builds(
    lambda document, tools, config: document | {"tools": tools, "generationConfig": config}, DOCUMENTS, TOOLS, CONFIGS
)
CALLS = [
    (provider, endpoint)
    for provider in providers.PROVIDERS.values()
    for endpoint in provider.endpoints
    if endpoint.metered and not endpoint.form
]


@given(st.sampled_from(CALLS), DOCUMENTS)
def test_whatever_json_it_is_what_is_forwarded_says_what_was_reserved(call: Any, document: dict[str, Any]) -> None:
    provider, endpoint = call
    dialect = endpoint.dialect or provider.dialect
    body = json.dumps(document).encode()
    found = bound(endpoint, dialect, document, len(body), model="m", window=WINDOW)
    assert min(found.input_tokens, found.output_tokens, found.document_pages, found.searches) >= 0
    if found.reason or not found.limits:
        return
    forwarded = limit_output(body, document, found.limits)
    again = bound(endpoint, dialect, json.loads(forwarded), len(body), model="m", window=WINDOW)
    assert again.limits == ()
    # What stood in the place of a number, and went, may have looked like a picture.
    assert again.input_tokens <= found.input_tokens
    assert again.kinds <= found.kinds
    assert alike(again) == alike(found)


def alike(found: Bound) -> Bound:
    return found._replace(input_tokens=0, kinds=frozenset(), cache="", limits=())
