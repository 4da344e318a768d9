"""The vendor's data export as the mock plays it: what is written where, when, and by whose leave."""

import base64
import gzip
import io
import json
import zipfile
from datetime import UTC, datetime

import google_crc32c
import pytest
from PIL import Image

from visionbatch_mock.exports.oddities import Oddity
from visionbatch_mock.readers import SettingError

DAY = 86_400


@pytest.fixture
def bucket(tenant) -> str:
    return f"exports-of-{tenant.token}"


@pytest.fixture
def export(tenant, bucket):
    return tenant.inside.exports.create(storage_uri=f"gs://{bucket}/prod/", interval="daily", export_images=True)


def listed(tenant, bucket: str, **query: str) -> list[dict]:
    answer = tenant.http.get(f"{tenant.mock.url}/storage/v1/b/{bucket}/o", params=query, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json().get("items", [])


def fetched(tenant, bucket: str, name: str) -> bytes:
    stored = tenant.inside.objects.get(bucket, name)
    return stored.path.read_bytes()


def records_in(tenant, bucket: str) -> list[dict]:
    names = [item["name"] for item in listed(tenant, bucket) if item["name"].endswith(".jsonl")]
    return [json.loads(line) for name in names for line in fetched(tenant, bucket, name).splitlines()]


def inputs_of(record: dict) -> list[dict]:
    return [each for item in record["work_items"] for each in item["input"]]


def process(tenant, archive: bytes) -> None:
    tenant.send(archive)
    tenant.inside.clock.advance(60)
    tenant.inside.settle()


# -- records of processed work orders


def test_processed_work_orders_come_out_as_records_with_their_photos(tenant, bucket, export, photo, zipped):
    photos = {f"WO_1/cabinet-{n}.jpg": photo(shade=60 + n) for n in range(2)} | {"WO_2/label-0.png": photo("PNG")}
    process(tenant, zipped({**photos, "WO_1/metadata.json": '{"region": "North"}'}))
    run = export.run()
    first, second = sorted(records_in(tenant, bucket), key=lambda record: record["name"])
    assert (first["name"], first["metadata"], first["progress_score"]) == ("WO_1", {"region": "North"}, 1.0)
    assert first["site_id"] == tenant.inside.work_orders.site_id
    assert [item["name"] for item in first["work_items"]] == ["cabinet"]
    assert [each["file_extension"] for each in inputs_of(first) + inputs_of(second)] == [".jpg", ".jpg", ".png"]
    assert [job["task_name"] for each in inputs_of(second) for job in each["job_conformity"]] == ["label_conform"]
    names = {item["name"] for item in listed(tenant, bucket, prefix="prod/")}
    for each in inputs_of(first) + inputs_of(second):
        name = f"prod/{first['site_id']}/images/{each['id']}{each['file_extension']}"
        assert name in names
        assert fetched(tenant, bucket, name) in photos.values()
    assert (run.state, run.images, run.files[0]["records"]) == ("done", 3, 2)


def test_states_hold_the_last_input_alone(tenant, bucket, photo, zipped):
    process(tenant, zipped({f"WO_1/cabinet-{n}.jpg": photo(shade=60 + n) for n in range(3)}))
    for kind, count in (("work-orders-timeline", 3), ("work-orders-states", 1)):
        uri = f"gs://{bucket}/{kind}"
        tenant.inside.exports.create(storage_uri=uri, export_type=kind, interval="once")
        (name,) = [item["name"] for item in listed(tenant, bucket, prefix=f"{kind}/")]
        assert f"/{kind}/" in name
        (record,) = [json.loads(line) for line in fetched(tenant, bucket, name).splitlines()]
        assert len(inputs_of(record)) == count


def test_a_correction_brings_the_work_order_into_the_next_file(tenant, bucket, export, archive):
    process(tenant, archive)
    tenant.inside.clock.advance(DAY)
    before = {record["id"]: record for record in records_in(tenant, bucket)}
    assert len(before) == 2
    order_id = next(iter(before))
    (task,) = tenant.get(f"/v0.2/work-orders/{order_id}/").json()["tasks"]
    path = f"/v0.2/work-orders/{order_id}/tasks/{task['id']}/correction/"
    assert tenant.call("PATCH", path, json={"corrected_value": False}).status_code == 200
    tenant.inside.clock.advance(DAY)
    tenant.inside.settle()
    (again,) = [record for record in records_in(tenant, bucket) if record != before[record["id"]]]
    assert again["id"] == order_id
    assert again["update_date"] > before[order_id]["update_date"]
    (job,) = inputs_of(again)[0]["job_conformity"]
    assert (job["corrected_value"], job["is_conformity_validated"]) == (False, False)
    assert job["corrected_date"] == again["update_date"]
    assert len(tenant.effects("export.image_written")) == 2, "an image is copied once"


def test_an_analysed_photo_of_the_endpoint_is_exported_too(tenant, bucket, export, photo):
    order = tenant.post("/v0.2/work-orders/", json={"name": "by-hand"}).json()
    value = "data:image/jpg;base64," + base64.b64encode(photo()).decode()
    inputs = [
        {"name": "image_input", "data": {"type": "image", "value": value}},
        {"name": "context", "data": {"type": "text", "value": "cabinet"}},
    ]
    tenant.post(f"/v0.2/work-orders/{order['id']}/analyze/", json={"inputs": inputs})
    tenant.inside.clock.advance(1)
    export.run()
    (record,) = records_in(tenant, bucket)
    (each,) = inputs_of(record)
    assert fetched(tenant, bucket, f"prod/{record['site_id']}/images/{each['id']}.jpg") == photo()


# -- when


@pytest.mark.parametrize(("interval", "days"), [("daily", 1), ("weekly", 7), ("monthly", 31)])
def test_exports_run_on_the_tenants_clock(tenant, bucket, interval, days):
    tenant.inside.clock.set(datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp())
    export = tenant.inside.exports.create(storage_uri=f"gs://{bucket}", interval=interval)
    tenant.inside.clock.advance((days - 4) * DAY if days > 4 else DAY / 2)
    assert listed(tenant, bucket) == []
    tenant.inside.clock.advance(4 * DAY if days > 4 else DAY / 2)
    assert len(listed(tenant, bucket)) == 1
    assert len(export.runs) == 1


def test_a_clock_that_jumps_makes_up_for_every_interval(tenant, bucket, export):
    tenant.inside.clock.advance(3 * DAY)
    names = [item["name"] for item in listed(tenant, bucket)]
    assert len(set(names)) == 3
    assert [entry["run"] for entry in tenant.effects("export.written")] == [1, 2, 3]


def test_a_single_export_runs_once_and_tells_everything(tenant, bucket, archive):
    process(tenant, archive)
    export = tenant.inside.exports.create(storage_uri=f"gs://{bucket}", interval="once")
    assert len(records_in(tenant, bucket)) == 2
    tenant.inside.clock.advance(400 * DAY)
    assert len(listed(tenant, bucket)) == 1
    assert export.as_json()["next_run"] is None


def test_runs_on_demand_never_share_a_name(tenant, bucket, export):
    for _ in range(3):
        export.run(since=0)
    assert len(listed(tenant, bucket)) == 3


def test_an_interval_without_changes_is_an_empty_file_or_none(tenant, bucket, export):
    export.run()
    (item,) = listed(tenant, bucket)
    assert item["size"] == "0"
    tenant.inside.configure(export_empty_file=False)
    export.run()
    assert len(listed(tenant, bucket)) == 1


def test_a_set_of_files_can_grow_while_it_is_listed(tenant, bucket, export):
    tenant.inside.configure(export_spread_s=10, export_records_per_file=2, export_images_first=False)
    export.seed({"generate": {"count": 6, "work_items": 1, "inputs": 1}})
    run = export.run()
    seen = []
    while run.state == "writing":
        seen.append(len(listed(tenant, bucket)))
        tenant.inside.clock.advance(10)
        tenant.inside.settle()
    assert seen == list(range(1, 9))
    names = [item["name"] for item in listed(tenant, bucket)]
    assert sum(name.endswith(".jsonl") for name in names) == 3
    assert len(names) == 9


# -- where and how


def test_the_layout_is_a_template(tenant, bucket, export):
    tenant.inside.configure(
        export_layout="{export_type}/{yyyy}/{mm}/{dd}/{run}-{part}.json", export_image_layout="pics/{input_id}"
    )
    export.seed({"generate": {"count": 1, "work_items": 1, "inputs": 1}})
    tenant.inside.clock.set(datetime(2026, 3, 4, tzinfo=UTC).timestamp())
    export.run()
    image, name = sorted(item["name"] for item in listed(tenant, bucket, prefix="prod/"))[::1]
    assert image.startswith("prod/pics/")
    assert name == "prod/work-orders-timeline/2026/03/04/0001-1.json"


@pytest.mark.parametrize("template", ["{nothing}", "", "{site_id", 7])
def test_a_wrong_template_is_refused(tenant, template):
    with pytest.raises(SettingError):
        tenant.inside.configure(export_layout=template)


def test_several_sites_have_a_file_each(tenant, bucket):
    sites = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
    export = tenant.inside.exports.create(storage_uri=f"gs://{bucket}", interval="daily", site_id=sites)
    export.seed({"generate": {"count": 2}})
    export.run()
    assert [item["name"].split("/")[0] for item in listed(tenant, bucket)] == sites
    assert {record["site_id"] for record in records_in(tenant, bucket)} == set(sites)


@pytest.mark.parametrize(("form", "written"), [("dot", ".jpg"), ("bare", "jpg"), ("absent", None)])
def test_the_form_of_the_extension_is_a_setting(tenant, bucket, export, archive, form, written):
    tenant.inside.configure(export_file_extension=form)
    process(tenant, archive)
    export.run()
    for record in records_in(tenant, bucket):
        assert [each.get("file_extension") for each in inputs_of(record)] == [written]


def test_files_can_be_packed(tenant, bucket, export):
    tenant.inside.configure(export_gzip=True)
    export.seed({"records": [{"id": "1"}]})
    export.run()
    (item,) = listed(tenant, bucket)
    assert item["contentEncoding"] == "gzip"
    assert gzip.decompress(fetched(tenant, bucket, item["name"])) == b'{"id":"1"}\n'


def test_images_can_be_missing_and_surplus(tenant, bucket, export):
    tenant.inside.configure(export_withheld_images=2, export_stray_images=1)
    export.seed({"generate": {"count": 3, "work_items": 1, "inputs": 1}})
    export.run()
    named = {each["id"] for record in records_in(tenant, bucket) for each in inputs_of(record)}
    there = {i["name"].rpartition("/")[2].partition(".")[0] for i in listed(tenant, bucket) if "/images/" in i["name"]}
    assert (len(named - there), len(there - named)) == (2, 1)
    for entry in tenant.effects("export.image_written"):
        with Image.open(io.BytesIO(fetched(tenant, bucket, entry["object"]))) as image:
            image.verify()


# -- seeds


def test_given_records_and_lines_go_out_as_they_are(tenant, bucket, export):
    export.seed({"records": [{"id": 7, "ü": None}], "lines": ["not json", ""]})
    export.run()
    (item,) = listed(tenant, bucket)
    assert fetched(tenant, bucket, item["name"]) == '{"id":7,"ü":null}\nnot json\n\n'.encode()
    export.run()
    assert len(tenant.effects("export.written")) == 2
    assert tenant.effects("export.written")[-1]["records"] == 0, "seeds go out once"


def test_the_same_seed_makes_the_same_records(tenant, bucket, export):
    for seed in (1, 1, 2):
        export.seed({"generate": {"count": 20, "seed": seed, "oddities": ["absent", "duplicate"]}})
        export.run(since=0)
    hashes = [entry["crc32c"] for entry in tenant.effects("export.written")]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("oddity", [each for each in Oddity if not each.of_files])
def test_an_odd_record_comes_up_every_so_often(tenant, bucket, export, oddity):
    export.seed({"generate": {"count": 6, "every": 2, "oddities": [oddity]}})
    export.run()
    records = records_in(tenant, bucket)
    text = [json.dumps(record, ensure_ascii=False) for record in records]
    strange = {
        "absent": lambda r, t: "progress_score" not in r,
        "null": lambda r, t: r["progress_score"] is None,
        "other-type": lambda r, t: isinstance(r["progress_score"], str),
        "unknown": lambda r, t: t.count("x_unheard_of") > 3,
        "empty": lambda r, t: not inputs_of(r),
        "hostile": lambda r, t: next(iter(r["metadata"])) == r["name"],
        "duplicate": lambda r, t: r["update_date"].startswith("2099"),
    }[oddity]
    assert sum(strange(record, line) for record, line in zip(records, text, strict=True)) == 3
    assert len(records) == (9 if oddity == "duplicate" else 6)


@pytest.mark.parametrize(
    ("oddity", "found"),
    [
        ("crlf", lambda b: b.count(b"\r\n") == 3),
        ("bom", lambda b: b.startswith(b"\xef\xbb\xbf")),
        ("blank-lines", lambda b: b.count(b"\n\n") == 3),
        ("nan", lambda b: b"NaN}" in b),
        ("not-json", lambda b: b.count(b"\n") == 4),
        ("not-an-object", lambda b: b'["a", "list"]\n' in b),
        ("truncated-last-line", lambda b: not b.endswith(b"\n")),
    ],
)
def test_an_odd_file_is_odd(tenant, bucket, export, oddity, found):
    export.seed({"generate": {"count": 3, "oddities": [oddity]}})
    export.run()
    (item,) = [i for i in listed(tenant, bucket) if i["name"].endswith(".jsonl")]
    assert found(fetched(tenant, bucket, item["name"]))


@pytest.mark.parametrize(
    "told",
    [
        {"records": {}},
        {"records": [1]},
        {"lines": [1]},
        {"generate": 7},
        {"generate": {}},
        {"generate": {"count": 0}},
        {"generate": {"count": 1, "oddities": ["strange"]}},
        {"generate": {"count": 1, "days": -1}},
        {"generate": {"count": 1, "colour": 2}},
        {"seeds": []},
    ],
)
def test_a_wrong_seed_is_refused(export, told):
    with pytest.raises(SettingError):
        export.seed(told)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"storage_uri": "s3://bucket"},
        {"storage_uri": "gs://"},
        {"storage_uri": "gs://b", "export_type": "work-order-timeline"},
        {"storage_uri": "gs://b", "interval": "hourly"},
        {"storage_uri": "gs://b", "file_format": "csv"},
        {"storage_uri": "gs://b", "emails": ["a@b.c"]},
        {"storage_uri": "gs://b", "export_images": "yes"},
        {"storage_uri": "gs://b", "colour": "red"},
        {"connector_type": "sftp"},
        {"connector_type": "email"},
        {"connector_type": "email", "emails": ["nobody"]},
        {"connector_type": "email", "emails": ["a@b.c"], "storage_uri": "gs://b"},
    ],
)
def test_a_wrong_configuration_is_refused(tenant, told):
    with pytest.raises(SettingError):
        tenant.inside.exports.create(**told)
    assert tenant.effects() == []


def test_the_other_name_of_the_uri_is_known(tenant, bucket):
    export = tenant.inside.exports.create(external_storage_uri=f"gs://{bucket}/a/b")
    assert (export.told.bucket, export.told.prefix) == (bucket, "a/b/")


# -- by whose leave

NEEDED = ["storage.objects.create", "storage.objects.list", "storage.objects.get", "storage.buckets.get"]


@pytest.mark.parametrize("missing", NEEDED)
def test_a_run_needs_every_permission_of_the_vendor_and_makes_up_for_it_later(tenant, bucket, export, missing, archive):
    process(tenant, archive)
    tenant.inside.configure(writer_permissions=[name for name in NEEDED if name != missing])
    assert export.run().state == "failed"
    (entry,) = tenant.effects("export.failed")
    assert entry["permission"] == missing
    assert missing in entry["reason"]
    assert listed(tenant, bucket) == []
    tenant.inside.configure(writer_permissions=NEEDED)
    assert export.run().files[0]["records"] == 2


def test_the_vendor_cannot_overwrite(tenant, bucket, export):
    tenant.inside.configure(export_layout="always-the-same.jsonl")
    assert export.run().state == "done"
    assert export.run().state == "failed"
    (entry,) = tenant.effects("export.failed")
    assert entry["permission"] == "storage.objects.delete"


def test_a_bucket_that_is_gone_fails_the_run(tenant, bucket, export):
    tenant.inside.objects.remove_bucket(bucket)
    assert export.run().state == "failed"


def test_another_customers_bucket_is_refused(tenant, mock, bucket, export):
    other = {"Authorization": f"Token other-than-{tenant.token}"}
    answer = tenant.http.post(
        f"{mock.url}/_control/exports", headers=other, json={"storage_uri": f"gs://{bucket}"}, timeout=20
    )
    assert answer.status_code == 409
    assert bucket in answer.text


def test_the_files_are_whole_and_the_ledger_says_so(tenant, bucket, export, archive):
    process(tenant, archive)
    export.run()
    (entry,) = tenant.effects("export.written")
    content = fetched(tenant, bucket, entry["object"])
    assert entry["size"] == len(content)
    assert base64.b64decode(entry["crc32c"]) == google_crc32c.value(content).to_bytes(4, "big")
    created = [e["object"] for e in tenant.effects("object.created")]
    assert entry["object"] in created


# -- mails and links


@pytest.fixture
def link(tenant) -> str:
    export = tenant.inside.exports.create(connector_type="email", emails=["ops@example.org"], interval="daily")
    export.seed({"records": [{"id": "1"}, {"id": "2"}]})
    export.run()
    (mail,) = tenant.get("/_control/mails").json()
    assert mail["to"] == ["ops@example.org"]
    assert mail["expires"] > mail["sent"]
    return mail["link"]


def test_a_mailed_link_is_fetched_without_credentials_in_whole_and_in_part(tenant, link):
    whole = tenant.http.get(link, timeout=20)
    assert whole.content == b'{"id":"1"}\n{"id":"2"}\n'
    part = tenant.http.get(link, headers={"Range": "bytes=11-", "If-Range": whole.headers["ETag"]}, timeout=20)
    assert (part.status_code, part.content) == (206, b'{"id":"2"}\n')
    assert part.headers["Content-Range"] == "bytes 11-21/22"
    other = tenant.http.get(link, headers={"Range": "bytes=11-", "If-Range": '"other"'}, timeout=20)
    assert (other.status_code, other.content) == (200, whole.content)
    entries = tenant.inside.journal.entries("exports.link")
    assert [entry.authorization for entry in entries] == [False] * 3
    token = link.rpartition("/")[2]
    assert all(token not in entry.path for entry in entries), "a link is a secret"


def test_a_link_expires_by_the_clock_and_on_demand(tenant, link):
    assert tenant.post(f"/_control/links/{link.rpartition('/')[2]}/expire").status_code == 204
    assert tenant.http.get(link, timeout=20).status_code == 403
    tenant.inside.configure(export_link_life_s=60, export_expired_link_status=410)
    export = tenant.inside.exports.all()[0]
    export.run()
    fresh = tenant.get("/_control/mails").json()[-1]["link"]
    assert tenant.http.get(fresh, timeout=20).status_code == 200
    tenant.inside.clock.advance(60)
    assert tenant.http.get(fresh, timeout=20).status_code == 410
    assert tenant.http.get(f"{fresh}x", timeout=20).status_code == 404
    assert tenant.post("/_control/links/nothing/expire").status_code == 404


def test_an_e_mail_export_runs_by_the_clock_too(tenant):
    tenant.inside.exports.create(connector_type="email", emails=["ops@example.org"], interval="daily")
    tenant.inside.clock.advance(2 * DAY)
    assert len(tenant.get("/_control/mails").json()) == 2
    assert [entry["emails"] for entry in tenant.effects("export.mailed")] == [["ops@example.org"]] * 2


# -- over HTTP


def test_exports_are_configured_seeded_run_and_read_over_http(tenant, bucket):
    told = {"storage_uri": f"gs://{bucket}", "interval": "daily", "start": tenant.inside.clock.now() + 5}
    made = tenant.post("/_control/exports", json=told)
    assert made.status_code == 201
    path = f"/_control/exports/{made.json()['id']}"
    assert tenant.post(f"{path}/seed", json={"generate": {"count": 3}}).status_code == 204
    run = tenant.post(f"{path}/run")
    assert (run.status_code, run.json()["state"], run.json()["files"][0]["records"]) == (201, "done", 3)
    assert tenant.post(f"{path}/run", json={"since": 0}).json()["interval"][0].startswith("1970")
    tenant.inside.clock.advance(5)
    assert len(tenant.get(path).json()["runs"]) == 3
    assert [each["id"] for each in tenant.get("/_control/exports").json()] == [made.json()["id"]]
    for wrong in ({"since": "x"}, {"until": 1}):
        assert tenant.post(f"{path}/run", json=wrong).status_code == 400
    assert tenant.post(f"{path}/seed", json={"lines": 1}).status_code == 400
    assert tenant.post("/_control/exports", json={"storage_uri": "nowhere"}).status_code == 400
    assert tenant.call("DELETE", path).status_code == 204
    assert tenant.get(path).status_code == 404
    assert len(listed(tenant, bucket)) == 3, "what was written stays"


def test_a_reset_forgets_exports_and_frees_their_bucket(tenant, mock, bucket, export):
    assert tenant.post("/_control/reset").status_code == 204
    assert tenant.get("/_control/exports").json() == []
    other = {"Authorization": f"Token heir-of-{tenant.token}"}
    answer = tenant.http.post(f"{mock.url}/_control/buckets", headers=other, json={"name": bucket}, timeout=20)
    assert answer.status_code == 201
    assert tenant.post("/_control/buckets", json={}).status_code == 400


def test_archives_that_photos_are_read_from_stay_readable(tenant, bucket, export, photo, zipped):
    process(tenant, zipped({"WO_9/cabinet.jpg": photo()}, method=zipfile.ZIP_DEFLATED))
    export.run()
    (entry,) = tenant.effects("export.image_written")
    assert fetched(tenant, bucket, entry["object"]) == photo()
