"""Addresses that a service is told to call: none that leads inside, in no spelling."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch.errors import UnsafeUrl
from visionbatch.model.outside import outside_url, why_address_inside, why_inside

OUTSIDE = [
    "https://airflow.example.com/visionbatch/hooks/roboflow/rf/s3cret",
    "https://airflow.example.com:8443/x?y=z#f",
    "https://xn--bcher-kva.example/x",
    "https://EXAMPLE.com./x",
    "https://8.8.8.8/x",
    "https://[2606:4700::1111]/x",
]

INSIDE = [
    "https://localhost/x",
    "https://LOCALHOST./x",
    "https://a.localhost/x",
    "https://airflow/x",
    "https://airflow.local/x",
    "https://metadata.google.internal/x",
    "https://printer.home.arpa/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://0x7f.1/x",
    "https://0x7F000001/x",
    "https://0177.0.0.1/x",
    "https://2130706433/x",
    "https://127.0.0.1./x",
    "https://0/x",
    "https://0x/x",
    "https://10.1.2.3/x",
    "https://172.16.0.1/x",
    "https://192.168.1.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://0xa9fea9fe/x",
    "https://100.64.0.1/x",
    "https://198.18.0.1/x",
    "https://224.0.0.1/x",
    "https://255.255.255.255/x",
    "https://[::]/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:a9fe:a9fe]/x",
    "https://[64:ff9b::a9fe:a9fe]/x",
    "https://[2002:7f00:1::]/x",
    "https://[fe80::1]/x",
    "https://[fe80::1%25eth0]/x",
    "https://[fd00:ec2::254]/x",
    "https://[fec0::1]/x",
    "https://[ff0e::1]/x",
]

TWO_WAYS = [
    "https://user@example.com/x",
    "https://example.com@127.0.0.1/x",
    "https://@example.com/x",
    "https://example.com\\@127.0.0.1/x",
    "https://example.com\t/x",
    "https://example.com/a b",
    "https://example.com:0/x",
    "https://example.com:99999/x",
    "https://exa%6dple.com/x",
    "https://\uff11\uff12\uff17.0.0.1/x",
    "https://1.2.3.4.5/x",
    "https://256.1.1.1/x",
    "https://09.1.1.1/x",
    "https://example.0x7f/x",
    "https://8.8.2056/x",
    "https://010.8.8.8/x",
    "https://[::1/x",
    "https://-a.example/x",
    "https://a..example/x",
    "https:///x",
    "//example.com/x",
    "http://example.com/x",
    "ftp://example.com/x",
    "javascript:alert(1)",
    "",
    None,
    b"https://example.com/x",
]


@pytest.mark.parametrize("url", OUTSIDE)
def test_an_address_of_the_internet_is_taken_as_it_is(url):
    assert outside_url(url, what="notifications_url") == url


@pytest.mark.fault("WH5")
@pytest.mark.parametrize("url", INSIDE)
def test_a_receiver_inside_the_network_is_refused_before_anything_is_sent(url):
    with pytest.raises(UnsafeUrl, match=r"notifications_url leads to .*Do not retry") as refused:
        outside_url(url, what="notifications_url")
    assert "/x" not in str(refused.value), "the path holds the receiver's secret"


@pytest.mark.parametrize("url", TWO_WAYS, ids=str)
@pytest.mark.parametrize("allow_inside", [False, True])
def test_what_two_parsers_read_in_two_ways_is_refused_even_where_the_inside_is_allowed(url, allow_inside):
    with pytest.raises(UnsafeUrl):
        outside_url(url, what="notifications_url", allow_inside=allow_inside)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://receiver:8080/x", "http://[::1]:8080/x", "http://localhost/x"]
)
def test_a_mock_s_receiver_can_be_allowed(url):
    assert outside_url(url, what="notifications_url", schemes=("http", "https"), allow_inside=True) == url


@pytest.mark.parametrize("url", ["https://0x7f.1/x", "https://2130706433/x", "https://127.1/x"])
def test_allowing_the_inside_allows_no_odd_spelling(url):
    with pytest.raises(UnsafeUrl):
        outside_url(url, what="notifications_url", allow_inside=True)


spelt = st.sampled_from([str, hex, lambda number: f"0{number:o}"])


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.lists(spelt, min_size=4, max_size=4))
def test_every_spelling_that_a_c_library_takes_means_the_same_address(number, pieces, spellings):
    heads = [number >> 8 * (3 - place) & 255 for place in range(pieces - 1)]
    last = number & (256 ** (5 - pieces) - 1)
    host = ".".join(spelling(part) for spelling, part in zip(spellings, [*heads, last], strict=False))
    assert IPv4Address(socket.inet_aton(host)) == IPv4Address(number)
    plain = why_address_inside(IPv4Address(number))
    assert why_inside(host) == (plain or why_inside(host))
    assert bool(why_inside(host)) == bool(plain or host != str(IPv4Address(number)))


@given(st.text(max_size=30))
def test_no_text_is_too_odd_to_be_judged(host):
    why_inside(host)


@pytest.mark.parametrize(
    ("address", "inside"), [("93.184.215.14", False), ("::ffff:10.0.0.1", True), ("2606:4700::1111", False)]
)
def test_what_a_resolver_answers_is_judged_by_the_same_rule(address, inside):
    assert bool(why_address_inside(address)) is inside
