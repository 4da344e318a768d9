"""Who may come in: signatures and tokens, verified with Huawei's own signer and client, and Keystone's."""

import io
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar

import keystoneauth1.identity.v3
import keystoneauth1.session
import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.client import Client, ClientBuilder
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.sdk_response import SdkResponse
from huaweicloudsdkcore.signer.signer import Signer

from support.huawei import DEADLINE_S
from visionbatch_mock.vias.signature import Credential, Received, canonical_requests, signature

PROJECT = "41be0da3412b4a569409dcec43983908"
AK, SK = "AKEXAMPLE00000000001", "ExampleSecretKey0000000000000000000000001"
BODY_C = (
    b'{"name":"wdwd","service_name":"fire","service_version":"1.0","batch_input":{"video_source_group":'
    b'[{"video_source_group_id":"group-0001","video_source_list":[{"video_source_id":"source-0001"}]}]},'
    b'"output":{"event_center":true}}'
)
JSON = {"content-type": "application/json"}
HOST = {"host": "vias.cn-north-4.myhuaweicloud.com"}
VECTORS = [
    pytest.param(
        "GET",
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        {"host": "service.region.example.com", "x-sdk-date": "20191115T033655Z", **JSON},
        b"",
        "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
        id="A, published",
    ),
    pytest.param(
        "GET",
        f"/v2/{PROJECT}/batch-tasks?page_num=1&page_size=10&is_paged=true&type_like=batch_task_name"
        "&name_like=a%20b/%E4%B8%AD~*%2B",
        {**HOST, **JSON, "x-project-id": PROJECT, "x-sdk-date": "20260101T000000Z"},
        b"",
        SK,
        "af9b8adffef2dd65d3acbe2ea76af6c6f323012268afd84d85003fb75d37ef95",
        id="B, a query with everything in it",
    ),
    pytest.param(
        "POST",
        f"/v2/{PROJECT}/batch-tasks",
        {**HOST, **JSON, "x-sdk-date": "20260101T000000Z"},
        BODY_C,
        SK,
        "6b8fc97bbca15ee5e76ade595fa348f584ffc905ac72b27af2be5aaf08e10d70",
        id="C, a body",
    ),
    pytest.param(
        "PUT",
        f"/v2/{PROJECT}/batch-tasks/0d47bbf52962414bb7ae27fb6ea24230/action/stop",
        {"host": "127.0.0.1:5000", "x-sdk-date": "20260101T000000Z"},
        b"",
        SK,
        "d899d3d312af7b3fe6ad942ca62a9e5009c649dd48224fdc98996cec57436ce2",
        id="D, a port and no body",
    ),
]


@pytest.mark.parametrize(("method", "target", "headers", "body", "secret", "wanted"), VECTORS)
def test_the_signatures_of_the_test_vectors_come_out(method, target, headers, body, secret, wanted):
    received = Received(method, target, headers, body)
    (canonical,) = canonical_requests(received, tuple(sorted(headers)))
    assert signature(secret, received.date, canonical) == wanted


def signed(account, method, path, body="", query=(), headers=None, secret="secret", key=None):
    """A request that Huawei's signer has signed, not yet sent."""
    host = account.mock.url.removeprefix("http://")
    told = SdkRequest(
        method=method,
        schema="http",
        host=host,
        resource_path=path,
        query_params=list(query),
        header_params={"Content-Type": "application/json", **(headers or {})},
        body=body,
    )
    made = Signer(SimpleNamespace(ak=key or account.key, sk=secret)).sign(told)
    return requests.Request(
        method, f"http://{host}{made.uri}", headers=made.header_params, data=body.encode()
    ).prepare()


def send(account, *args, **options):
    return account.http.send(signed(account, *args, **options), timeout=DEADLINE_S)


def reason(answer):
    assert answer.status_code == 401
    told = answer.json()
    assert (set(told), told["error_code"]) == ({"error_msg", "error_code", "request_id"}, "APIGW.0301")
    assert told["request_id"] == answer.headers["X-Request-Id"]
    return told["error_msg"].removeprefix("Incorrect IAM authentication information: ")


def test_huaweis_signer_is_believed_for_every_kind_of_query_and_body(account):
    query = [("is_paged", "true"), ("name_like", "a b/中~*+"), ("page_size", "10"), ("title", "")]
    assert send(account, "GET", f"/v2/{account.project}/batch-tasks", query=query[:3]).status_code == 200
    group, sources = account.group("cam-a")
    body = json.dumps(account.request(group, sources, description="中 文"), ensure_ascii=False)
    made = send(account, "POST", f"/v2/{account.project}/batch-tasks", body)
    assert made.json()["succeed_count"] == 1
    assert send(account, "PUT", f"/v2/{account.project}/batch-tasks/{made.json()['id']}/action/stop").status_code == 200


@pytest.mark.parametrize("change", ["body", "target", "host", "header", "secret"])
def test_a_request_that_is_not_the_signed_one_is_refused(account, change):
    path = f"/v2/{account.project}/batch-tasks"
    made = signed(account, "POST", path, "{}", secret="other" if change == "secret" else "secret")
    if change == "body":
        made.body = "{ }"
        made.headers["Content-Length"] = "3"
    elif change == "target":
        made.url += "?page_num=2"
    elif change == "host":
        made.headers["Host"] = "localhost"
    elif change == "header":
        made.headers["Content-Type"] = "text/plain"
    answer = account.http.send(made, timeout=DEADLINE_S)
    assert reason(answer).startswith("verify aksk signature fail, canonicalRequest:POST|")


def test_a_signature_is_good_for_fifteen_minutes_of_the_tenants_clock(account):
    path = f"/v2/{account.project}/tasks"
    account.inside.clock.advance(880)
    assert send(account, "GET", path).status_code == 200
    account.inside.clock.advance(60)
    assert reason(send(account, "GET", path)).startswith("calc aksk signature fail:signature expired, signature time:")
    account.inside.configure(vias_skew_s=1000)
    assert send(account, "GET", path).status_code == 200


def test_unknown_keys_and_headers_that_say_nothing_are_refused(account):
    path = f"/v2/{account.project}/tasks"
    assert "err:ak not exist" in reason(send(account, "GET", path, key="invalid-key"))
    assert "malformed" in reason(
        account.http.get(account.mock.url + path, headers={"Authorization": "SDK-HMAC-SHA256 x"})
    )
    assert reason(account.http.get(account.mock.url + path)) == "x-auth-token not found"
    assert reason(account.http.get(account.mock.url + path, headers={"X-Auth-Token": "x"})) == "decrypt token fail"


def test_a_key_is_locked_after_more_than_five_wrong_signatures_in_a_row(account):
    path = f"/v2/{account.project}/tasks"
    for _ in range(5):
        assert "canonicalRequest" in reason(send(account, "GET", path, secret="wrong"))
    assert send(account, "GET", path).status_code == 200
    for _ in range(6):
        send(account, "GET", path, secret="wrong")
    assert reason(send(account, "GET", path)) == "AK access failed to reach the limit,forbidden"
    account.inside.clock.advance(300)
    assert send(account, "GET", path).status_code == 200


def test_a_temporary_key_needs_its_token_and_has_to_sign_it(account):
    path = f"/v2/{account.project}/tasks"
    account.inside.configure(vias_security_token="temporary")
    assert reason(send(account, "GET", path)) == "decrypt token fail"
    assert send(account, "GET", path, headers={"X-Security-Token": "temporary"}).status_code == 200
    made = signed(account, "GET", path)
    made.headers["X-Security-Token"] = "temporary"
    assert "x-security-token is not signed" in reason(account.http.send(made, timeout=DEADLINE_S))


def test_an_unsigned_payload_is_taken_as_such(account):
    path = f"/v2/{account.project}/batch-tasks"
    made = signed(account, "POST", path, "anything", headers={"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"})
    assert account.http.send(made, timeout=DEADLINE_S).json()["error_code"] == "VIAS.00010004"
    forged = signed(account, "POST", path, "{}", headers={"X-Sdk-Content-Sha256": "0" * 64})
    assert reason(account.http.send(forged, timeout=DEADLINE_S)).startswith("verify aksk signature fail")


def test_checks_can_be_switched_off(account):
    account.inside.configure(vias_check_signatures=False, vias_check_tokens=False)
    path = f"/v2/{'0' * 32}/tasks"
    assert send(account, "GET", path, secret="wrong").status_code == 200
    headers = {"X-Auth-Token": account.key}
    assert account.http.get(account.mock.url + path, headers=headers, timeout=DEADLINE_S).status_code == 200
    assert len(account.inside.journal.entries("vias.tasks.list")) == 2


def test_the_project_of_another_account_is_not_permitted(account):
    answer = send(account, "GET", f"/v2/{'0' * 32}/tasks")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "APIGW.0302")


class Answer(SdkResponse):
    """A model without fields, which leaves the body as it came."""

    openapi_types: ClassVar[dict[str, str]] = {}


def test_huaweis_generic_client_finds_the_project_signs_and_reads_errors(account):
    region = Region("cn-north-4", account.mock.url)
    client = (
        ClientBuilder(Client, "BasicCredentials")
        .with_http_config(HttpConfig(timeout=(DEADLINE_S, DEADLINE_S), ignore_ssl_verification=True))
        .with_credentials(BasicCredentials(account.key, "secret").with_iam_endpoint(account.mock.url))
        .with_region(region)
        .build()
    )
    client.model_package = SimpleNamespace(Answer=Answer)
    told = {"method": "GET", "resource_path": "/v2/{project_id}/batch-tasks", "response_type": "Answer"}
    answer = client.do_http_request(**told, query_params=[("page_size", 10), ("name_like", "a b/中+")])
    assert json.loads(answer.raw_content) == {"count": 0, "batch_task_list": []}
    with pytest.raises(ClientRequestException) as refused:
        client.do_http_request(**told, query_params=[("page_size", 1)])
    assert (refused.value.status_code, refused.value.error_code) == (400, "VIAS.00010001")
    assert refused.value.request_id
    assert len(account.inside.journal.entries("iam.projects.list")) == 1


def test_keystones_client_gets_a_token_the_project_and_the_endpoint(account):
    auth = keystoneauth1.identity.v3.Password(
        auth_url=f"{account.mock.url}/v3",
        username=account.key,
        password="password",
        user_domain_name="firm",
        project_name="cn-north-4",
    )
    session = keystoneauth1.session.Session(auth=auth)
    assert session.get_project_id() == account.project
    endpoint = session.get_endpoint(service_type="vias", interface="public")
    assert endpoint == account.base
    assert session.get(f"{endpoint}/tasks").json()["tasks"] == []
    assert [entry["scoped"] for entry in account.effects("iam.token_issued")] == [True]


def test_a_token_lives_a_day_of_the_tenants_clock_and_a_new_one_leaves_it_alive(account):
    answer = account.ask_token(nocatalog="1")
    told = answer.json()["token"]
    expires = datetime.fromisoformat(told["expires_at"])
    assert answer.status_code == 201
    assert expires - datetime.fromisoformat(told["issued_at"]) == timedelta(days=1)
    assert expires.tzinfo == UTC
    assert told["catalog"] == []
    assert told["project"]["id"] == account.project
    account.token()
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    assert account.call("GET", "/tasks", headers=headers).status_code == 200
    account.inside.clock.advance(86_401)
    assert reason(account.call("GET", "/tasks", headers=headers)).startswith("token expires, expires_at: 20")


def test_a_change_of_the_password_ends_tokens_and_a_new_one_helps(account):
    assert account.call("GET", "/tasks").status_code == 200
    account.inside.iam.revoke_tokens()
    assert reason(account.call("GET", "/tasks")) == "decrypt token fail"
    fresh = account.ask_token().headers["X-Subject-Token"]
    assert account.call("GET", "/tasks", headers={"X-Auth-Token": fresh}).status_code == 200


def test_a_token_without_a_project_opens_iam_and_not_vias(account):
    headers = {"X-Auth-Token": account.ask_token(scope=False).headers["X-Subject-Token"]}
    assert account.call("GET", "/tasks", headers=headers).status_code == 403
    found = account.http.get(f"{account.mock.url}/v3/projects", headers=headers, timeout=DEADLINE_S).json()
    assert [project["id"] for project in found["projects"]] == [account.project]


def test_iam_refuses_in_keystones_words(account):
    wrong = account.ask_token(password="wrong")
    assert (wrong.status_code, set(wrong.json())) == (401, {"error"})
    assert wrong.json()["error"]["title"] == "Unauthorized"
    assert account.ask_token(scope={"project": {"name": "eu-west-0"}}).status_code == 401
    url = f"{account.mock.url}/v3/auth/tokens"
    assert account.http.post(url, json={"auth": {}}, timeout=DEADLINE_S).status_code == 400
    assert account.http.post(url, data=io.BytesIO(b"{"), timeout=DEADLINE_S).status_code == 400
    assert account.effects("iam.token_issued") == []


def test_projects_are_found_by_the_name_of_the_region(account):
    url, headers = f"{account.mock.url}/v3/projects", {"X-Auth-Token": account.token()}
    for name, count in (("cn-north-4", 1), ("eu-west-0", 0)):
        found = account.http.get(url, params={"name": name}, headers=headers, timeout=DEADLINE_S).json()
        assert len(found["projects"]) == count


def test_a_credential_of_the_sdk_is_read_and_no_other():
    text = f"SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={'0' * 64}"
    assert Credential.of(text) == Credential("AK", ("host", "x-sdk-date"), "0" * 64)
    assert Credential.of(text.replace(" Access", ", Access")) is None
    assert Credential.of("Token AK") is None


def test_faults_are_met_at_iam_too(account):
    plan = account.plan("iam.tokens.create", {"fault": "return-503", "retry_after": 1}, "drop-response")
    refused = account.ask_token()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, 503)
    with pytest.raises(requests.ConnectionError):
        account.ask_token()
    assert plan.completed
    assert len(account.effects("iam.token_issued")) == 1
