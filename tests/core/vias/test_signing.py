"""The AK/SK signature: the published example, three more vectors, and Huawei's own signer as a witness."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlencode

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given, settings
from hypothesis import strategies as st

from visionbatch import Secret
from visionbatch.model.credential import Outgoing
from visionbatch.vias.signing import AccessKey, canonical_request, sdk_date, signature

PROJECT = "41be0da3412b4a569409dcec43983908"
SAMPLE = "77b6a44cba5143ab91d13ab9a8ff44fd"
VIAS = f"https://vias.cn-north-4.myhuaweicloud.com/v2/{PROJECT}/batch-tasks"
LIKE = quote("a b/中~*+", safe="")
MADE_UP = ("AKEXAMPLE00000000001", "ExampleSecretKey0000000000000000000000001")
PUBLISHED = ("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc")
BODY = (
    b'{"name":"wdwd","service_name":"fire","service_version":"1.0","batch_input":{"video_source_group":'
    b'[{"video_source_group_id":"group-0001","video_source_list":[{"video_source_id":"source-0001"}]}]},'
    b'"output":{"event_center":true}}'
)
JSON = {"content-type": "application/json"}
NEW_YEAR = "20260101T000000Z"

VECTORS = {
    "A": (
        PUBLISHED,
        "GET",
        f"https://service.region.example.com/v1/{SAMPLE}/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        {**JSON, "host": "service.region.example.com", "x-sdk-date": "20191115T033655Z"},
        b"",
        "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
    ),
    "B": (
        MADE_UP,
        "GET",
        f"{VIAS}?page_num=1&page_size=10&is_paged=true&type_like=batch_task_name&name_like={LIKE}",
        {
            **JSON,
            "host": "vias.cn-north-4.myhuaweicloud.com",
            "x-project-id": PROJECT,
            "x-sdk-date": NEW_YEAR,
        },
        b"",
        "e570a8e3930f4155d6a30ca2bfb3026e9b985e46e4473193d659fa71dbeb97dd",
        "af9b8adffef2dd65d3acbe2ea76af6c6f323012268afd84d85003fb75d37ef95",
    ),
    "C": (
        MADE_UP,
        "POST",
        VIAS,
        {**JSON, "host": "vias.cn-north-4.myhuaweicloud.com", "x-sdk-date": NEW_YEAR},
        BODY,
        "1063c5cbc7054ab063caafd1369856655836de276a8f11f5f79b315f10d0e8b0",
        "6b8fc97bbca15ee5e76ade595fa348f584ffc905ac72b27af2be5aaf08e10d70",
    ),
    "D": (
        MADE_UP,
        "PUT",
        f"http://127.0.0.1:5000/v2/{PROJECT}/batch-tasks/0d47bbf52962414bb7ae27fb6ea24230/action/stop",
        {"host": "127.0.0.1:5000", "x-sdk-date": NEW_YEAR},
        b"",
        "a6f28a9d647860c8e829added7b2cec3cf76eb8e09a2663a6d6e155392604a30",
        "d899d3d312af7b3fe6ad942ca62a9e5009c649dd48224fdc98996cec57436ce2",
    ),
}


@pytest.mark.parametrize("vector", VECTORS)
def test_a_request_is_signed_as_in_the_vendors_examples(vector: str) -> None:
    (ak, sk), method, url, headers, body, canonical_hash, mac = VECTORS[vector]
    assert sha256(canonical_request(method, url, headers, body).encode()).hexdigest() == canonical_hash
    names = ";".join(sorted(headers))
    assert signature(method, url, headers, body, ak, Secret(sk), now=0) == (
        f"SDK-HMAC-SHA256 Access={ak}, SignedHeaders={names}, Signature={mac}"
    )


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
VALUES = st.from_regex(r"[ -~]{0,20}", fullmatch=True)


@settings(max_examples=1000)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    segments=st.lists(TEXT.filter(lambda text: "/" not in text), min_size=1, max_size=5),
    query=st.lists(st.tuples(NAMES, TEXT), max_size=6),
    extra=st.dictionaries(st.from_regex(r"[Xx]-[a-z]{1,6}(_a)?", fullmatch=True), VALUES, max_size=3),
    body=st.binary(max_size=50),
    moment=st.integers(0, 4_000_000_000),
)
def test_the_signature_is_the_one_of_the_vendors_own_signer(
    method: str,
    segments: list[str],
    query: list[tuple[str, str]],
    extra: dict[str, str],
    body: bytes,
    moment: int,
) -> None:
    # Names of headers that differ in case alone are one header to us, and two to a dict.
    extra = {name.lower(): value for name, value in extra.items()}
    host = "vias.cn-north-4.myhuaweicloud.com:8443"
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    headers = {"Content-Type": "application/json", "Host": host, "X-Sdk-Date": sdk_date(moment), **extra}
    witness = Signer(BasicCredentials(*MADE_UP)).sign(
        SdkRequest(
            method=method,
            schema="https",
            host=host,
            resource_path=path,
            query_params=list(query),
            header_params=dict(headers),
            body=body,
        )
    )
    url = f"https://{host}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    ours = signature(method, url, headers, body, MADE_UP[0], Secret(MADE_UP[1]), now=moment)
    assert ours == witness.header_params["Authorization"]


def outgoing(body: bytes = b"") -> Outgoing:
    head = {"Content-Type": "application/json", "User-Agent": "any"}
    moment = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    return Outgoing("POST", "http://127.0.0.1:5000/v2/p/batch-tasks", head, body, moment)


def test_a_key_signs_host_date_and_content_type_and_leaves_out_what_a_proxy_may_change() -> None:
    added = AccessKey(MADE_UP[0], Secret(MADE_UP[1])).sign(outgoing())
    assert added["X-Sdk-Date"].reveal() == NEW_YEAR
    assert added["Host"].reveal() == "127.0.0.1:5000"
    text = added["Authorization"].reveal()
    assert "SignedHeaders=content-type;host;x-sdk-date," in text


def test_a_temporary_keys_token_is_sent_and_signed() -> None:
    added = AccessKey(MADE_UP[0], Secret(MADE_UP[1]), Secret("session")).sign(outgoing())
    assert added["X-Security-Token"].reveal() == "session"
    assert "x-sdk-date;x-security-token," in added["Authorization"].reveal()


def test_another_body_has_another_signature() -> None:
    key = AccessKey(MADE_UP[0], Secret(MADE_UP[1]))
    assert key.sign(outgoing(b"{}"))["Authorization"] != key.sign(outgoing(b"[]"))["Authorization"]


def test_a_key_never_prints() -> None:
    key = AccessKey(MADE_UP[0], Secret(MADE_UP[1]), Secret("session"))
    shown = repr(key) + str(key.sign(outgoing()))
    assert not re.search("ExampleSecret|session'|Signature=", shown)
