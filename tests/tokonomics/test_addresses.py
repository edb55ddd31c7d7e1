from __future__ import annotations

import ipaddress

import pytest

from tokonomics.addresses import check_base_url, is_allowed, is_public

NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "168.63.129.15",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", "8.8.8.8"])
def test_a_laptop_may_call_its_own_network(address: str) -> None:
    assert is_allowed(ipaddress.ip_address(address), allow_private=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "::ffff:10.0.0.1"])
def test_private_addresses_need_permission(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address), allow_private=False)


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "0.0.0.0"])
def test_the_metadata_of_a_cloud_is_never_allowed(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address), allow_private=True)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("https://llm.example.com/v1", "https://llm.example.com/v1"),
        ("HTTPS://LLM.Example.com./v1/", "https://llm.example.com/v1"),
        ("https://llm.example.com:443", "https://llm.example.com"),
        ("https://llm.example.com:8443/a/b-c/", "https://llm.example.com:8443/a/b-c"),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1"),
        ("https://gооgle.com/v1", "https://xn--ggle-55da.com/v1"),
        ("https://1.1.1.1/v1", "https://1.1.1.1/v1"),
        ("https://[2606:4700:4700:0:0:0:0:1111]/v1", "https://[2606:4700:4700::1111]/v1"),
        (
            "https://api.example.com/v1/projects/p/locations/eu:x@y",
            "https://api.example.com/v1/projects/p/locations/eu:x@y",
        ),
    ],
)
def test_a_base_url_is_normalised(typed: str, url: str) -> None:
    assert check_base_url(typed) == url


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:80/v1", "http://[::1]/v1"),
        ("https://10.0.0.1/", "https://10.0.0.1"),
        ("http://ollama:11434", "http://ollama:11434"),
    ],
)
def test_a_laptop_may_name_its_own_network(typed: str, url: str) -> None:
    assert check_base_url(typed, allow_private=True) == url
    with pytest.raises(ValueError, match=r"[a-z]\.$"):
        check_base_url(typed, allow_private=False)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "not complete"),
        ("llm.example.com/v1", "not complete"),
        ("https://", "not complete"),
        ("https:///v1", "not complete"),
        ("http://llm.example.com/v1", "must start with https"),
        ("ftp://llm.example.com", "must start with https"),
        ("file:///etc/passwd", "not complete"),
        ("gopher://llm.example.com:6379", "must start with https"),
        ("javascript:alert(1)", "not complete"),
        ("https://llm.example.com:22", "Port 22"),
        ("https://llm.example.com:5432", "Port 5432"),
        ("https://llm.example.com:9999", "Port 9999"),
        ("https://llm.example.com:99999", "not a URL"),
        ("https://llm.example.com:x", "not a URL"),
        ("https://user:pass@llm.example.com", "user name"),
        ("https://example.com@127.0.0.1/", "user name"),
        ("https://127.0.0.1#@example.com/", "without"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https://llm.example.com/v1?x=1", "without"),
        ("https://llm.example.com/v1?", "without"),
        ("https://llm.example.com/v1#", "without"),
        ("https://llm.example.com/ v1", "blank"),
        ("https://llm.example.com/\r\nX: y", "blank"),
        ("https://llm.example.com/v1\x00", "blank"),
        ("https://" + "a" * 2050, "longer"),
        ("https://llm.example.com/../admin", "path"),
        ("https://llm.example.com/a/..", "path"),
        ("https://llm.example.com/./a", "path"),
        ("https://llm.example.com/%2e%2e/a", "path"),
        ("https://llm.example.com//evil.example.com", "path"),
        ("https://localhost/v1", "private network"),
        ("https://localhost./v1", "private network"),
        ("https://redis/v1", "private network"),
        ("https://metadata.google.internal/", "private network"),
        ("https://127.0.0.1/", "not an address on the internet"),
        ("https://0.0.0.0/", "not an address on the internet"),
        ("https://[::1]/", "not an address on the internet"),
        ("https://[::]/", "not an address on the internet"),
        ("https://[::ffff:127.0.0.1]/", "not an address on the internet"),
        ("https://[fe80::1%25eth0]/", "IP address|internet"),
        ("https://[127.0.0.1]/", "IP address|not a URL"),
        ("https://169.254.169.254/latest", "not an address on the internet"),
        ("https://127.1/", "usual form"),
        ("https://0x7f.1/", "usual form"),
        ("https://0X7F000001/", "usual form"),
        ("https://2130706433/", "usual form"),
        ("https://0177.0.0.1/", "usual form"),
        ("https://①②⑦.0.0.1/", "not an address on the internet"),
        ("https://127。0。0。1/", "not an address on the internet"),
        ("https://-bad.example.com/", "not a host name"),
        ("https://a..example.com/", "not a host name"),
        ("https://exa$mple.com/", "not a host name"),
        ("https://" + "é" * 70 + ".com/", "not a host name"),
    ],
)
def test_a_wrong_base_url_is_refused_with_its_reason(typed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_base_url(typed)


@pytest.mark.parametrize(
    "typed", ["http://127.0.0.1:6379", "http://169.254.169.254/", "http://127.1:8000", "ftp://localhost"]
)
def test_permission_for_private_addresses_is_not_permission_for_everything(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        check_base_url(typed, allow_private=True)
