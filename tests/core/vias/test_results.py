"""Results out of the bucket: what the mock's tasks have written there, with boto3 and s3fs as witnesses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs

from core.vias.bodies import batch_task, groups
from core.vias.conftest import Project
from support.obs import ResultBucket, events_in, obs_service
from visionbatch import (
    DownloadSettings,
    LocalFolder,
    ObjectFolder,
    Secret,
    WantedResults,
    fetch_vias_results,
    obs_uri,
    result_bucket,
    tasks_of_batch,
)
from visionbatch.cli import main
from visionbatch.errors import ConfigError, NotFound
from visionbatch.io.s3_bucket import S3Bucket, S3Keys, S3Place
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_manifest import ViasResults
from visionbatch.transfer.download import Download
from visionbatch.vias.outputs import ObsOutput, Outputs
from visionbatch_mock.tenant import Tenant

LARGE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with obs_service() as url:
        yield url


@pytest.fixture
def store(endpoint: str, tenant: Tenant) -> Iterator[ResultBucket]:
    store = ResultBucket(endpoint, tenant)
    yield store
    store.close()


@pytest.fixture
def bucket(store: ResultBucket, project: Project) -> Iterator[S3Bucket]:
    settings = project.settings(obs_url=store.endpoint, obs_addressing="path")
    with result_bucket(settings, lambda: project.key, store.name) as bucket:
        yield bucket


def finished_batch(vias: Vias, tenant: Tenant, store: ResultBucket, name: str = "nightly", *sources: str) -> str:
    """A batch of which each task has found something, written into the bucket."""
    outputs = Outputs(obs=ObsOutput(store.name, "yard"))
    made = vias.create(batch_task(name=name, groups=groups(*sources), outputs=outputs))
    tenant.clock.advance(30)
    tenant.vias.deliver()
    return made.batch_id


def kept_of(manifest: ViasResults, folder: Path) -> dict[str, bytes]:
    return {file.key.name: (folder / file.path).read_bytes() for file in manifest.kept}


def test_all_results_come_as_boto3_and_s3fs_read_them_and_once(vias, tenant, store, bucket, tmp_path):
    finished_batch(vias, tenant, store, "nightly", "source-0001", "source-0002")
    told = fetch_vias_results(bucket, "yard/", LocalFolder(tmp_path))
    there = store.contents()
    assert kept_of(told, tmp_path) == there
    files = s3fs.S3FileSystem(
        key="testing",
        secret="testing",
        endpoint_url=store.endpoint,
        config_kwargs={"s3": {"addressing_style": "path"}},
        client_kwargs={"region_name": "cn-north-4"},
        skip_instance_cache=True,
    )
    assert {name.removeprefix(f"{store.name}/") for name in files.find(store.name)} == set(there)
    assert all(files.cat_file(f"{store.name}/{name}") == content for name, content in there.items())
    counts = told.counts()
    assert (told.outcome, counts["events"], counts["others"], counts["files"]) == ("done", 2, 2, 4)
    assert {file.message_id for file in told.kept if file.message_id} == {e["message_id"] for e in events_in(there)}
    assert ViasResults.parse((tmp_path / "manifest.json").read_bytes()).files == told.files
    assert len(json.dumps(told.to_json())) < 4096
    again = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path))
    assert (again.files, again.fetched_bytes) == (told.files, 0)


def test_of_a_path_that_batches_share_only_the_events_of_one_come_with_their_pictures(
    vias, tenant, store, bucket, tmp_path
):
    mine = finished_batch(vias, tenant, store, "mine", "source-0001", "source-0002")
    finished_batch(vias, tenant, store, "other", "source-0003")
    store.put("yard/notes.txt", b"of nobody")
    wanted = tasks_of_batch(vias, mine)
    told = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path), wanted)
    ids = {task["id"] for task in vias.tasks(mine)}
    assert {file.task_id for file in told.kept if file.task_id} == ids
    counts = told.counts()
    assert (counts["files"], counts["others"], counts["not_wanted"], counts["silent_tasks"]) == (4, 2, 1, 0)
    on_disk = {path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")}
    assert on_disk == {tmp_path / file.path for file in told.kept} | {tmp_path / "manifest.json"}
    assert fetch_vias_results(bucket, "yard", LocalFolder(tmp_path), wanted).fetched_bytes == 0
    everything = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path))
    assert kept_of(everything, tmp_path) == store.contents()


def test_what_one_batch_has_left_in_a_folder_outlives_the_fetch_of_another(vias, tenant, store, bucket, tmp_path):
    batches = {name: finished_batch(vias, tenant, store, name, "source-0001") for name in ("first", "second")}
    wanted = {name: tasks_of_batch(vias, batch_id) for name, batch_id in batches.items()}
    first = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path), wanted["first"])
    # Written anew between the two, and still the first batch's.
    event = next(file for file in first.kept if file.task_id)
    store.put(event.key.name, store.contents()[event.key.name] + b" ")
    second = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path), wanted["second"])
    assert (second.outcome, second.counts()["events"]) == ("done", 1)
    assert {**kept_of(second, tmp_path), **{f.key.name: (tmp_path / f.path).read_bytes() for f in second.beside}} == (
        store.contents()
    )
    again = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path), wanted["first"])
    assert ({file.path for file in again.kept}, again.fetched_bytes) == ({file.path for file in first.kept}, 0)


def test_what_was_lost_replaced_or_added_since_is_fetched_and_nothing_else(vias, tenant, store, bucket, tmp_path):
    finished_batch(vias, tenant, store)
    told = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path))
    document, picture = sorted(told.kept, key=lambda file: file.kind)
    store.put(document.key.name, b'{"task_id": "written-anew", "message_id": "m"}')
    (tmp_path / picture.path).write_bytes(b"x" * picture.size)
    store.put("yard/new/a.json", b"{broken")
    again = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path))
    assert kept_of(again, tmp_path) == store.contents()
    assert again.fetched_bytes == sum(map(len, store.contents().values()))
    assert (again.outcome, again.counts()["unreadable"]) == ("partial", 1)
    assert {file.path for file in told.kept} < {file.path for file in again.kept}


def test_a_fetch_that_fails_forgets_nothing_of_what_earlier_ones_have_brought(vias, tenant, store, bucket, tmp_path):
    finished_batch(vias, tenant, store)
    told = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path))
    document = next(file for file in told.kept if file.task_id)
    store.put("yard/0/first.json", b'{"task_id": "t", "message_id": "m"}')
    store.put(document.key.name, b'{"task_id": "written-anew", "message_id": "m"}')
    (tmp_path / "results" / "0").write_bytes(b"in the way")
    with pytest.raises(OSError, match=r"results/0"):
        fetch_vias_results(bucket, "yard", LocalFolder(tmp_path), settings=DownloadSettings(connections=1))
    left = ViasResults.parse((tmp_path / "manifest.json").read_bytes())
    assert left.outcome == "unfinished"
    assert {file.path for file in left.files} == {file.path for file in told.files}
    (tmp_path / "results" / "0").unlink()
    again = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path))
    assert (again.outcome, kept_of(again, tmp_path)) == ("done", store.contents())
    # The document may have come before the other failed; the picture did not come again.
    assert again.fetched_bytes <= sum(len(store.get(name)) for name in ("yard/0/first.json", document.key.name))


def test_names_of_the_store_lead_nowhere_else(store, bucket, tmp_path):
    names = ["yard/../../up.json", "yard//absolute.jpg", "yard/.hidden", "yard/a/", "yard/manifest.json"]
    for name in names:
        store.put(name, b'{"task_id": "t"}')
    told = fetch_vias_results(bucket, "yard", LocalFolder(tmp_path / "in"))
    assert {file.key.name for file in told.kept} == set(names) - {"yard/a/"}
    assert all(file.path.startswith("results/") and ".." not in file.path for file in told.kept)
    assert {path.parent for path in tmp_path.iterdir()} == {tmp_path}
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_object_comes_in_parts_and_goes_on_where_it_was_broken_off(store, bucket, tmp_path):
    store.put("yard/large.bin", LARGE)
    (file,) = bucket.files("yard/")
    settings = DownloadSettings(part_bytes=300_000, block_bytes=65_536, checkpoint_s=0)

    class Enough(Exception):
        pass

    def stop_half_way(arrived: int, total: int) -> None:
        if arrived > len(LARGE) // 2:
            raise Enough

    with pytest.raises(Enough):
        Download(bucket.remote(file), tmp_path / "large.bin", settings=settings, progress=stop_half_way).run()
    done = Download(bucket.remote(file), tmp_path / "large.bin", settings=settings).run()
    assert (tmp_path / "large.bin").read_bytes() == LARGE
    assert done.kept_bytes + done.fetched_bytes == len(LARGE)
    assert done.kept_bytes > len(LARGE) // 3


def test_an_object_that_is_replaced_or_encrypted_after_it_was_listed_comes_as_it_is_now(store, bucket, tmp_path):
    store.put("yard/a", b"old" * 1000)
    (file,) = bucket.files("yard/")
    store.put("yard/a", b"new" * 900)
    assert Download(bucket.remote(file), tmp_path / "a").run().size == 2700
    assert (tmp_path / "a").read_bytes() == b"new" * 900
    (file,) = bucket.files("yard/")
    assert bucket.look("yard/a").md5 == bucket.remote(file).md5 is not None
    store.put("yard/a", b"new" * 900, ServerSideEncryption="aws:kms")
    assert bucket.look("yard/a").md5 is None


def test_results_go_into_an_object_store(vias, tenant, store, bucket, tmp_path):
    import fsspec  # noqa: PLC0415

    finished_batch(vias, tenant, store)
    files = fsspec.filesystem("memory")
    try:
        folder = ObjectFolder(files, "/landed", "memory://landed", tmp_path / "spool")
        told = fetch_vias_results(bucket, "yard", folder)
        assert {name: files.cat_file(f"/landed/{file.path}") for file in told.kept for name in [file.key.name]} == (
            store.contents()
        )
        assert fetch_vias_results(bucket, "yard", folder).fetched_bytes == 0
    finally:
        files.store.clear()
        files.pseudo_dirs[:] = [""]


def test_obs_is_asked_as_it_wants_to_be_asked():
    keys = S3Keys("AK", Secret("very-secret-key"), Secret("token-of-a-temporary-key"))
    place = S3Place("https://obs.cn-north-4.myhuaweicloud.com", "cn-north-4")
    with S3Bucket("inspections", place, lambda: keys) as bucket:
        url = bucket._signed("yard/a b.json")
        assert url.host == "inspections.obs.cn-north-4.myhuaweicloud.com"
        assert "checksum" not in url.reveal().lower()
        assert "very-secret-key" not in url.reveal()
        assert "cn-north-4%2Fs3%2Faws4_request" in url.reveal()
        config = bucket._opened().meta.config
        assert (config.request_checksum_calculation, config.response_checksum_validation) == ("when_required",) * 2


def test_what_cannot_be_is_refused_before_or_told_in_our_words(project, store, tmp_path):
    settings = project.settings(obs_url=store.endpoint, obs_addressing="path")
    with (
        result_bucket(settings, lambda: project.user, store.name) as bucket,
        pytest.raises(ConfigError, match="access key"),
    ):
        fetch_vias_results(bucket, "", LocalFolder(tmp_path))
    with (
        result_bucket(settings, lambda: project.key, "nobodys-bucket") as bucket,
        pytest.raises(NotFound, match="NoSuchBucket") as told,
    ):
        fetch_vias_results(bucket, "", LocalFolder(tmp_path))
    assert project.key.secret_key.reveal() not in str(told.value)
    with pytest.raises(ConfigError, match="plain http"):
        S3Place("http://obs.example.com", "r")
    for text in ("bucket/path", "obs:///path", "obs://key@bucket/path"):
        with pytest.raises(ConfigError):
            obs_uri(text)


def test_a_batch_that_is_not_there_is_told_before_anything_is_fetched(vias):
    with pytest.raises(NotFound):
        tasks_of_batch(vias, "0" * 32, WantedResults())


def test_the_command_fetches_and_says_when_there_is_nothing(
    vias, tenant, store, tmp_path, capsys, monkeypatch, project: Any
):
    def shell(*arguments: str) -> tuple[int, Any]:
        options = ["--url", project.url, "--iam-url", project.url, "--access-key", tenant.token]
        more = ["--obs-url", store.endpoint, "--obs-addressing", "path", "--error-on-nothing"]
        code = main(["--json", "vias", *options, "fetch", *arguments, *more])
        return code, json.loads(capsys.readouterr().out)

    monkeypatch.setenv("VISIONBATCH_VIAS_SECRET_KEY", "secret")
    tenant.clock.run()
    uri = f"obs://{store.name}/yard"
    assert shell(uri, str(tmp_path))[0] == 9
    tenant.configure(vias_durations=dict.fromkeys(["PENDING", "STARTING", "RUNNING"], 0))
    batch_id = finished_batch(vias, tenant, store)
    code, told = shell(uri, str(tmp_path), "--batch", batch_id, "--no-pictures")
    assert (code, told["counts"]["files"], told["batch_id"]) == (0, 1, batch_id)
    assert shell(uri, str(tmp_path), "--since", "2999-01-01T00:00:00Z")[0] == 9
    assert shell(uri, str(tmp_path), "--since", "2026-01-01T00:00:00")[0] == 2
