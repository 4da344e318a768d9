"""Roboflow's data staging: keys, batches, shards, references, and how long they live."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support.receiver import Receiver
from support.roboflow_wire import STAGING, tar_of

SAFE = "https://storage.googleapis.com/field"


def refer(workspace, batch_id, names, host=SAFE, **more):
    references = [{"name": name, "url": f"{host}/{name}?signature=s"} for name in names]
    return workspace.post(f"{STAGING}/{batch_id}/bulk-upload/image-references", {"imageReferences": references, **more})


def test_the_root_names_the_workspace_of_a_key_in_the_query_or_the_header(workspace):
    assert workspace.get("/").json()["workspace"] == "mock-workspace"
    headers = {"Authorization": f"Bearer {workspace.key}"}
    assert workspace.call("GET", "/", {"api_key": None}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("query", "header"), [(None, None), ("invalid-key", None), ("one", "Bearer other"), (None, "Bearer invalid")]
)
def test_a_missing_a_wrong_and_a_contradicted_key_are_refused_with_the_nested_form(workspace, query, header):
    headers = {} if header is None else {"Authorization": header}
    answer = workspace.call("GET", "/", {"api_key": query}, headers=headers)
    assert answer.status_code == 401
    assert isinstance(answer.json()["error"]["message"], str)


def test_a_revoked_key_opens_nothing(workspace):
    workspace.inside.revoke()
    assert workspace.get(STAGING).status_code == 401


def test_another_workspace_is_not_found(workspace):
    assert workspace.get("/data-staging/v1/external/elsewhere/batches").status_code == 404
    assert workspace.get("/batch-processing/v1/external/elsewhere/jobs").status_code == 404


def test_errors_come_as_text_or_as_object_by_setting(workspace):
    assert isinstance(workspace.get(f"{STAGING}/none").json()["error"], str)
    workspace.inside.configure(roboflow_error_form="object")
    assert isinstance(workspace.get(f"{STAGING}/none").json()["error"]["message"], str)


@pytest.mark.parametrize("part", ["file", "a.jpg"])
def test_an_image_counts_at_once_whatever_its_part_is_called(workspace, photo, part):
    assert workspace.get(f"{STAGING}/b").status_code == 404
    assert workspace.upload("b", "a.jpg", photo(), part, displayName="Poles").json() == {"status": "ok"}
    assert workspace.count("b") == 1
    told = workspace.get(f"{STAGING}/b").json()["batch"]
    assert (told["displayName"], told["batchType"], told["batchContentType"]) == ("Poles", "simple-batch", "images")
    assert told["createdDate"].endswith("Z")


def test_of_images_of_one_name_the_last_one_counts(workspace, photo):
    for shade in (1, 2):
        workspace.upload("b", "a.jpg", photo(shade=shade))
    assert workspace.count("b") == 1
    assert [entry["again"] for entry in workspace.effects("image_stored")] == [False, True]
    (file,) = workspace.files("b")
    assert workspace.http.get(file["downloadURL"]).content == photo(shade=2)


def test_no_image_a_large_one_and_a_form_without_a_file_are_refused(workspace, photo):
    assert workspace.upload("b", "a.jpg", b"no image").status_code == 400
    workspace.inside.configure(roboflow_max_image_bytes=100)
    assert workspace.upload("b", "a.jpg", photo()).status_code == 400
    assert workspace.post(f"{STAGING}/b/upload/image", {}, fileName="a.jpg").status_code == 400
    assert workspace.effects("image_stored") == []
    assert workspace.get(f"{STAGING}/b").status_code == 404


def test_kinds_of_upload_do_not_mix_in_one_batch(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    answer = workspace.post(f"{STAGING}/b/bulk-upload/image-files")
    assert answer.status_code == 400
    assert "mixed" in answer.json()["error"]
    assert workspace.post(f"{STAGING}/b/upload/video", fileName="a.mp4").status_code == 400


@pytest.mark.parametrize("batch_id", ["UPPER", "a b", "x" * 65])
def test_an_id_that_breaks_the_documented_pattern_is_refused(workspace, batch_id):
    assert workspace.post(f"{STAGING}/{batch_id}/bulk-upload/image-files").status_code == 400


def test_a_video_is_there_as_soon_as_its_body_is(workspace):
    signed = workspace.sign_video("v", "a.mp4")
    assert workspace.count("v") == 0
    assert workspace.put(signed, b"film").status_code == 200
    assert workspace.count("v") == 1
    (file,) = workspace.files("v")
    assert (file["fileName"], file["contentType"]) == ("a.mp4", "videos")
    assert "a.mp4" not in file["downloadURL"]


def test_a_shard_is_counted_after_the_indexing_delay(workspace, photos):
    workspace.inside.configure(roboflow_indexing_s=60)
    workspace.shard("b", photos(3))
    assert [shard["statusName"] for shard in workspace.shards("b")] == ["registered"]
    workspace.inside.clock.advance(30)
    assert [shard["statusName"] for shard in workspace.shards("b")] == ["processing"]
    assert workspace.count("b") == 0
    workspace.inside.clock.advance(30)
    (shard,) = workspace.shards("b")
    assert (shard["statusName"], shard["statusType"], shard["shardObjectsCount"]) == ("ingested", "success", 3)
    assert workspace.count("b") == 3
    (stored,), (ingested,) = workspace.effects("shard_stored"), workspace.effects("shard_ingested")
    assert ingested.at == stored.at + 60


def test_what_is_no_image_or_too_large_or_in_a_folder_is_rejected_by_name(workspace, photo):
    workspace.inside.configure(roboflow_max_image_bytes=2000)
    members = {"a.jpg": photo(), "b.txt": b"text", "c.jpg": b"\xff\xd8" + b"x" * 3000, "d/e.jpg": photo()}
    workspace.shard("b", members)
    workspace.inside.clock.advance(1)
    (shard,) = workspace.shards("b")
    rejected = {each["file_name"]: each["type"] for each in shard["statusMetadata"]["failedFiles"]}
    assert rejected == {
        "b.txt": "not-an-image",
        "c.jpg": "file-size-limit-exceeded",
        "d/e.jpg": "file-name-not-allowed",
    }
    assert (shard["statusType"], workspace.count("b")) == ("success", 1)


@pytest.mark.parametrize("damage", ["no tar", "gzip", "truncated", "too many", "empty"])
def test_a_shard_of_which_nothing_can_be_taken_fails_with_a_reason(workspace, photos, damage):
    workspace.inside.configure(roboflow_max_images_in_archive=2)
    bodies = {
        "no tar": b"no tar" * 500,
        "gzip": gzip.compress(tar_of(photos(1))),
        "truncated": tar_of(photos(1))[:700],
        "too many": tar_of(photos(3)),
        "empty": tar_of({}),
    }
    workspace.put(workspace.sign("b"), bodies[damage])
    workspace.inside.clock.advance(1)
    (shard,) = workspace.shards("b")
    assert (shard["statusName"], shard["statusType"]) == ("failed", "error")
    assert shard["statusMetadata"]["error"]["reason"]
    assert workspace.count("b") == 0


def test_an_archive_sent_again_to_its_url_replaces_the_first(workspace, photos):
    signed = workspace.sign("b")
    for number in (2, 3):
        workspace.put(signed, tar_of(photos(number)))
        workspace.inside.clock.advance(1)
    assert workspace.count("b") == 3
    assert len(workspace.shards("b")) == 1
    assert [entry["again"] for entry in workspace.effects("shard_stored")] == [False, True]


def test_shards_that_arrive_at_once_are_each_taken_once(workspace, photos):
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(one_shard, workspace, photos(2, f"s{number}")) for number in range(16)]:
            assert done.result() == 200
    workspace.inside.clock.advance(1)
    assert workspace.count("b") == 32
    assert len({entry["shard_id"] for entry in workspace.effects("shard_ingested")}) == 16


def one_shard(workspace, members) -> int:
    with requests.Session() as http:
        http.trust_env = False
        url = f"{workspace.mock.url}{STAGING}/b/bulk-upload/image-files"
        signed = http.post(url, params={"api_key": workspace.key}, timeout=20).json()["signedURLDetails"]
        answer = http.put(signed["uploadURL"], tar_of(members), headers=signed["extensionHeaders"], timeout=20)
        return answer.status_code


def test_names_count_in_every_shard(workspace, photos):
    for _ in range(2):
        workspace.shard("b", photos(2))
    workspace.inside.clock.advance(1)
    assert workspace.count("b") == 4


def test_shards_fail_by_number_and_have_other_words_by_setting(workspace, photos):
    workspace.inside.configure(roboflow_lost_shards=[2], roboflow_shard_words={"error": "sorry"})
    for _ in range(3):
        workspace.shard("b", photos(1))
    workspace.inside.clock.advance(1)
    assert [shard["statusType"] for shard in workspace.shards("b")] == ["success", "sorry", "success"]


def test_the_signed_headers_have_to_come_with_their_values(workspace, photos):
    signed, body = workspace.sign("b"), tar_of(photos(1))
    assert signed["maxFilesInArchive"] == 500
    for headers in ({}, {"x-goog-content-length-range": "0,1"}, {**signed["extensionHeaders"], "x-goog-acl": "x"}):
        answer = workspace.http.put(signed["uploadURL"], data=body, headers=headers)
        assert answer.status_code == 403
        assert "<Code>SignatureDoesNotMatch</Code>" in answer.text
    assert workspace.effects("shard_stored") == []


def test_a_body_of_unknown_or_too_great_length_is_refused(workspace):
    signed = workspace.sign("b")
    chunked = workspace.http.put(signed["uploadURL"], data=iter([b"x"]), headers=signed["extensionHeaders"])
    assert chunked.status_code == 411
    workspace.inside.configure(roboflow_max_file_bytes=10)
    assert "<Code>EntityTooLarge</Code>" in workspace.put(signed, b"x" * 11).text


def test_a_signed_url_expires_on_the_clock_and_a_damaged_one_never_worked(workspace, photos):
    signed = workspace.sign("b")
    damaged = {**signed, "uploadURL": signed["uploadURL"][:-1] + "z"}
    assert workspace.put(damaged, b"").status_code == 403
    workspace.inside.clock.advance(3600)
    answer = workspace.put(signed, tar_of(photos(1)))
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/xml; charset=UTF-8")
    assert "<Code>ExpiredToken</Code>" in answer.text


def test_a_url_is_signed_for_one_method(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    (file,) = workspace.files("b")
    assert workspace.http.get(workspace.sign("c")["uploadURL"]).status_code == 403
    assert workspace.http.put(file["downloadURL"], data=b"x").status_code == 403


def test_downloads_have_ranges_and_notice_a_change(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    url = workspace.files("b")[0]["downloadURL"]
    part = workspace.http.get(url, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, photo()[4:10])
    changed = {"Range": "bytes=4-9", "If-Range": '"other"'}
    assert workspace.http.get(url, headers=changed).status_code == 200
    same = {"Range": "bytes=4-9", "If-Range": part.headers["ETag"]}
    assert workspace.http.get(url, headers=same).status_code == 206


def test_an_image_of_a_shard_is_cut_out_of_its_archive(workspace, photos):
    members = photos(3)
    workspace.shard("b", members)
    workspace.inside.clock.advance(1)
    found = {file["fileName"]: workspace.http.get(file["downloadURL"]).content for file in workspace.files("b")}
    assert found == members


def test_download_urls_expire_while_the_batch_lives(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    url = workspace.files("b")[0]["downloadURL"]
    workspace.inside.clock.advance(24 * 3600)
    assert workspace.http.get(url).status_code == 403
    assert workspace.http.get(workspace.files("b")[0]["downloadURL"]).status_code == 200


def test_a_batch_and_its_urls_end_after_seven_days(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    workspace.inside.clock.advance(7 * 24 * 3600 - 1)
    url = workspace.files("b")[0]["downloadURL"]
    workspace.inside.clock.advance(1)
    assert workspace.get(f"{STAGING}/b").status_code == 404
    assert workspace.http.get(url).status_code == 403
    assert [entry["batch_id"] for entry in workspace.effects("batch_expired")] == ["b"]


def test_listings_come_in_pages(workspace, photo):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        workspace.upload("b", name, photo())
    first = workspace.get(f"{STAGING}/b/list", pageSize=2).json()
    second = workspace.get(f"{STAGING}/b/list", pageSize=2, nextPageToken=first["nextPageToken"]).json()
    names = [[file["fileName"] for file in page["filesMetadata"]] for page in (first, second)]
    assert names == [["a.jpg", "b.jpg"], ["c.jpg"]]
    assert second["nextPageToken"] is None
    assert workspace.get(f"{STAGING}/b/list", nextPageToken="nonsense").status_code == 400
    assert workspace.get(f"{STAGING}/b/list", pageSize=0).status_code == 400


def test_the_last_page_may_lack_its_token_and_pages_may_loop(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    workspace.inside.configure(roboflow_null_tokens=False)
    assert "nextPageToken" not in workspace.get(f"{STAGING}/b/list").json()
    workspace.inside.configure(roboflow_looping_tokens=True)
    first = workspace.get(f"{STAGING}/b/list").json()
    again = workspace.get(f"{STAGING}/b/list", nextPageToken=first["nextPageToken"]).json()
    assert again["nextPageToken"] == first["nextPageToken"]
    assert again["filesMetadata"][0]["fileName"] == "a.jpg"


def test_parts_are_for_multipart_batches_only(workspace, photo):
    workspace.upload("b", "a.jpg", photo())
    assert workspace.get(f"{STAGING}/b/parts").status_code == 400
    assert workspace.get(f"{STAGING}/b/list", partName="results").status_code == 404


def test_references_become_shards_after_the_delay(workspace):
    told = refer(workspace, "b", [f"{n}.jpg" for n in range(501)], ingestId="mine").json()
    assert (told["ingestId"], told["duplicated"], len(told["shardIds"])) == ("mine", False, 2)
    assert workspace.count("b") == 0
    workspace.inside.clock.advance(1)
    assert workspace.count("b") == 501
    assert [shard["shardObjectsCount"] for shard in workspace.shards("b")] == [500, 1]
    assert workspace.http.get(workspace.files("b", pageSize=1)[0]["downloadURL"]).content.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("sameness", "same_id", "same_list", "duplicated"),
    [
        ("either", True, False, True),
        ("either", False, True, True),
        ("ingest-id", False, True, False),
        ("content", True, False, False),
    ],
)
def test_a_repeated_request_is_recognised_by_the_setting(workspace, sameness, same_id, same_list, duplicated):
    workspace.inside.configure(roboflow_sameness=sameness)
    first = refer(workspace, "b", ["a.jpg"], ingestId="one").json()
    names = ["a.jpg"] if same_list else ["b.jpg"]
    second = refer(workspace, "b", names, ingestId="one" if same_id else "two").json()
    assert second["duplicated"] is duplicated
    assert (second["shardIds"] == first["shardIds"]) is duplicated
    assert len(workspace.effects("references_taken")) == 2 - duplicated


@pytest.mark.parametrize("host", ["https://internal.example/x", "http://storage.googleapis.com", "https://127.0.0.1"])
def test_a_url_on_a_host_that_is_not_trusted_fails_the_whole_ingest(workspace, host):
    refer(workspace, "b", ["a.jpg", "b.jpg"], host=host)
    workspace.inside.clock.advance(1)
    (shard,) = workspace.shards("b")
    assert shard["statusMetadata"]["error"]["type"] == "unsafe-url-detected"
    assert workspace.count("b") == 0


def test_a_name_that_comes_twice_is_rejected_once(workspace):
    refer(workspace, "b", ["a.jpg", "a.jpg"])
    workspace.inside.clock.advance(1)
    assert workspace.count("b") == 1
    (rejected,) = workspace.shards("b")[0]["statusMetadata"]["failedFiles"]
    assert rejected["type"] == "duplicated-file-name"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"imageReferences": []},
        {"imageReferences": [{"name": "a"}]},
        {"imageReferences": [{"name": "a", "url": "u"}] * 20_001},
        {"imageReferences": [], "imageReferencesURL": "https://x"},
        {"imageReferences": [{"name": "a", "url": "u"}], "notificationCategories": ["other"]},
    ],
)
def test_a_request_for_references_that_breaks_a_rule_is_refused(workspace, body):
    assert workspace.post(f"{STAGING}/b/bulk-upload/image-references", body).status_code == 400


def test_references_are_fetched_by_setting(workspace, photo):
    with Receiver({"/a.jpg": photo(), "/b.jpg": b"no image"}) as store:
        workspace.inside.configure(roboflow_fetch_references=True, roboflow_trusted_hosts=["127.0.0.1"])
        refer(workspace, "b", ["a.jpg", "b.jpg", "gone.jpg"], host=store.url)
        workspace.inside.clock.advance(1)
        (shard,) = workspace.shards("b")
    rejected = {each["file_name"]: each["type"] for each in shard["statusMetadata"]["failedFiles"]}
    assert rejected == {"b.jpg": "not-an-image", "gone.jpg": "url-not-reachable"}
    assert workspace.http.get(workspace.files("b")[0]["downloadURL"]).content == photo()


def test_a_list_behind_a_url_is_fetched_and_names_no_shards(workspace):
    lines = "\n".join(json.dumps({"name": name, "url": f"{SAFE}/{name}"}) for name in ("a.jpg", "b.jpg")) + "\n\n"
    with Receiver({"/list.jsonl": lines.encode()}) as store:
        workspace.inside.configure(roboflow_trusted_hosts=["127.0.0.1", "storage.googleapis.com"])
        body = {"imageReferencesURL": f"{store.url}/list.jsonl"}
        told = workspace.post(f"{STAGING}/b/bulk-upload/image-references", body).json()
        assert "shardIds" not in told
        workspace.inside.clock.advance(1)
        assert workspace.count("b") == 2


def test_videos_by_reference_are_a_simple_batch(workspace):
    body = {"videoReferences": [{"name": "a.mp4", "url": f"{SAFE}/a.mp4"}]}
    told = workspace.post(f"{STAGING}/v/bulk-upload/video-references", body).json()
    assert "shardIds" not in told
    workspace.inside.clock.advance(1)
    assert (workspace.count("v"), workspace.shards("v")) == (1, [])
    assert workspace.get(f"{STAGING}/v").json()["batch"]["batchType"] == "simple-batch"


def test_references_need_the_plan(workspace):
    workspace.inside.configure(roboflow_batch_plan=False)
    assert refer(workspace, "b", ["a.jpg"]).status_code == 402


def test_a_query_finds_nothing_in_time(workspace):
    assert workspace.post(f"{STAGING}/b/roboql-ingest", {"query": "tag:pole"}).status_code == 200
    assert workspace.post(f"{STAGING}/b/roboql-ingest", {}).status_code == 400
    workspace.inside.clock.advance(1)
    assert workspace.count("b") == 0
