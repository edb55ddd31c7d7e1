from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from tokonomics.templatetags import fmt

VIENNA = datetime(2026, 6, 23, 14, 32, 7, 5, tzinfo=ZoneInfo("Europe/Vienna"))


def test_a_total_has_its_exact_value_on_hover() -> None:
    assert fmt.total(4_594_114_999_999) == '<span title="$4594.114999999">$4,594.11</span>'
    assert fmt.total(1) == '<span title="$0.000000001">&lt;$0.01</span>'
    assert fmt.cents(1) == "<$0.01"


def test_tokens_are_exact_on_hover_where_they_are_short() -> None:
    assert fmt.tokens(11_604) == "11,604"
    assert fmt.tokens(1_240_001) == '<span title="1,240,001">1.24\N{NO-BREAK SPACE}M</span>'


def test_times_read_in_their_zone_with_utc_on_hover() -> None:
    assert fmt.clock(VIENNA) == (
        '<time datetime="2026-06-23T12:32:07.000005+00:00" title="2026-06-23 12:32:07 UTC">14:32:07</time>'
    )
    assert "23 June, 14:32:07" in fmt.moment(VIENNA)
    assert fmt.on_day(VIENNA).endswith('title="2026-06-23 12:32:07 UTC">23 June</time>')


def test_queries_are_quoted() -> None:
    assert fmt.query([("a", "x y"), ("tag.b", "&")]) == "a=x+y&tag.b=%26"
    assert fmt.tag_query("project", "a&b") == "tag.project=a%26b"
