"""The pytest plugin, as a project has it that only installed the mock: pytest runs in processes of its own."""

import re
from textwrap import dedent

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import json, os, threading
import pytest, requests

def call(mock, method, path, key=None, **options):
    headers = {"Authorization": f"Token {key or mock.key}"}
    return requests.request(method, mock.url + path, headers=headers, timeout=20, **options)
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a test file in another process; gives the result."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)

    def run(text: str, *arguments: str):
        # Half of the time of such a run is what other plugins take to load.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        arguments = ("-p", "visionbatch_mock.pytest_plugin", *arguments)
        pytester.makepyfile(HEAD + dedent(text))
        quiet = ("-p", "no:cacheprovider", "--strict-markers", "-q", "-W", "ignore::pytest.PytestDeprecationWarning")
        return pytester.runpytest_subprocess(*quiet, *arguments, timeout=120)

    return run


def test_a_test_has_a_customer_of_its_own(run):
    result = run("""
        def test_one(vision_mock, vision_ledger):
            made = call(vision_mock, "POST", "/v0.2/batches").json()
            assert requests.put(made["upload_url"], data=b"x", timeout=20).status_code == 200
            assert len(vision_ledger.entries("archive.committed")) == 1

        def test_two(vision_mock, vision_ledger):
            assert vision_ledger.entries() == vision_mock.journal.entries() == []

        @pytest.mark.vision_mock(profile="rich", auth_status=401)
        def test_settings(vision_mock):
            assert call(vision_mock, "GET", "/v0.2/batches").json()["results"] == []
            assert call(vision_mock, "GET", "/v0.2/batches", key="invalid").status_code == 403

        def test_settings_are_forgotten(vision_mock):
            assert call(vision_mock, "GET", "/v0.2/batches").status_code == 404
    """)
    result.assert_outcomes(passed=4)


def test_the_clock_stands_still_until_it_is_moved(run):
    result = run("""
        def test_time(vision_mock, vision_clock, vision_ledger):
            made = call(vision_mock, "POST", "/v0.2/batches").json()
            requests.put(made["upload_url"], data=b"no archive", timeout=20)
            before = vision_clock.now()
            assert vision_ledger.entries("batch.processed") == []
            vision_clock.advance(3600)
            assert vision_clock.now() == before + 3600
            assert len(vision_ledger.entries("batch.processed")) == 1
    """)
    result.assert_outcomes(passed=1)


def test_a_request_that_no_route_wants_fails_the_test_and_names_the_nearest(run):
    result = run("""
        def test_typo(vision_mock):
            assert call(vision_mock, "POST", "/v0.3/batches").status_code in (404, 405)

        def test_wrong_key(vision_mock):
            requests.get(vision_mock.url + "/v0.2/batch", timeout=20)

        def test_innocent(vision_mock):
            assert call(vision_mock, "POST", "/v0.2/batches").status_code == 201

        @pytest.mark.vision_mock(allow_unmatched=True)
        def test_waived(vision_mock):
            call(vision_mock, "POST", "/v0.3/batches")

        def test_that_fails_anyway(vision_mock):
            call(vision_mock, "PUT", "/v0.2/batches")
            assert False, "for another reason"
    """)
    result.assert_outcomes(passed=2, failed=3)
    text = result.stdout.str()
    assert re.search(
        r"unmatched request: POST /v0\.3/batches was answered 40\d; .* /v0\.2/batches: 'v0\.3' is not", text
    )
    assert "the nearest is GET, POST /v0.2/batches: 'batch' is not 'batches'" in text
    assert "for another reason" in text
    assert "the path is right, the method PUT is not" in text


@pytest.mark.fault("MK3")
def test_a_fault_that_was_never_met_fails_the_test(run):
    result = run("""
        CREATE = "deepomatic.batches.create"

        def test_unmet(vision_mock, vision_faults):
            vision_faults(CREATE, "return-503", "drop-response")
            assert call(vision_mock, "POST", "/v0.2/batches").status_code == 503

        def test_unmet_over_http(vision_mock):
            told = {"instructions": {CREATE: ["return-500"]}}
            assert call(vision_mock, "POST", "/_control/faults", json=told).status_code == 201

        def test_met(vision_mock, vision_faults):
            vision_faults(CREATE, "return-503")
            assert call(vision_mock, "POST", "/v0.2/batches").status_code == 503

        @pytest.mark.vision_mock(allow_unmet=True)
        def test_waived(vision_faults):
            vision_faults(CREATE, "return-503")

        def test_preset(vision_mock, vision_faults):
            vision_faults.preset("CR1")
            with pytest.raises(requests.ConnectionError):
                call(vision_mock, "POST", "/v0.2/batches")

        def test_nonsense(vision_faults):
            with pytest.raises(ValueError, match="explode"):
                vision_faults(CREATE, "explode")
    """)
    result.assert_outcomes(passed=4, failed=2)
    text = result.stdout.str()
    assert "never met: {'deepomatic.batches.create': ['drop-response']}" in text
    assert "never met: {'deepomatic.batches.create': ['return-500']}" in text


def test_a_project_gives_the_server_its_own_settings(run):
    result = run("""
        from visionbatch_mock import MockConfig

        @pytest.fixture(scope="session")
        def vision_config():
            return MockConfig(profile="rich", seed=5)

        def test_settings(vision_mock):
            assert call(vision_mock, "GET", "/v0.2/batches").json()["results"] == []
    """)
    result.assert_outcomes(passed=1)


def test_connections_are_in_the_environment_and_only_during_the_test(run):
    result = run("""
        def test_inside(vision_connections, vision_mock):
            told = json.loads(os.environ["AIRFLOW_CONN_DEEPOMATIC_DEFAULT"])
            assert told == vision_connections["deepomatic_default"]
            assert (told["host"], told["password"]) == (vision_mock.url, vision_mock.key)
            for name in vision_connections:
                assert json.loads(os.environ[f"AIRFLOW_CONN_{name.upper()}"]) == vision_connections[name]
            assert os.environ["STORAGE_EMULATOR_HOST"] == vision_mock.url
            assert "127.0.0.1" in os.environ["NO_PROXY"]

        def test_outside():
            assert "AIRFLOW_CONN_DEEPOMATIC_DEFAULT" not in os.environ
    """)
    result.assert_outcomes(passed=2)


SCENE = """
def scene(mock, number):
    clock, key = mock.clock, mock.key
    clock.freeze()
    clock.set(1_000_000 * number)
    mock.configure(queued_s=number, processing_s=0)
    mock.faults("deepomatic.batches.create", *["return-503"] * (number % 4))
    for _ in range(number % 4):
        assert call(mock, "POST", "/v0.2/batches").status_code == 503
    made = call(mock, "POST", "/v0.2/batches").json()
    body = bytes([number]) * (300_000 + number)
    assert requests.put(made["upload_url"], data=body, timeout=20).status_code == 200
    upload = f"/upload/storage/v1/b/shared/o?uploadType=media&name=same"
    assert call(mock, "POST", upload, data=body).status_code == 200
    assert call(mock, "GET", "/storage/v1/b/shared/o/same?alt=media").content == body
    assert [e["size"] for e in mock.ledger.entries("archive.committed")] == [len(body)]
    assert mock.ledger.entries("batch.processed") == []
    clock.advance(number)
    (processed,) = mock.ledger.entries("batch.processed")
    assert processed.at == 1_000_000 * number + number
    assert len(mock.journal.entries("deepomatic.batches.create")) == number % 4 + 1
    assert call(mock, "GET", "/_control/clock").json()["now"] == clock.now() == 1_000_000 * number + number
"""


@pytest.mark.fault("MK2")
@pytest.mark.parametrize("workers", [(), ("-p", "xdist.plugin", "-n", "2")], ids=["one process", "two workers"])
def test_sixteen_tests_with_clocks_faults_and_data_do_not_see_each_other(run, workers):
    result = run(
        SCENE
        + """
@pytest.mark.parametrize("number", range(1, 17))
def test_alone(vision_mock, number):
    scene(vision_mock, number)

def test_sixteen_at_once_on_one_server(_vision_session):
    from concurrent.futures import ThreadPoolExecutor
    gate = threading.Barrier(16)

    def run(number):
        with _vision_session.customer("the same name") as mock:
            gate.wait(60)
            scene(mock, number)
            assert mock.complaints() == []
            gate.wait(60)

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(run, number) for number in range(1, 17)]:
            done.result(100)
""",
        *workers,
    )
    result.assert_outcomes(passed=17)


def test_the_same_test_has_the_same_ids_in_every_run(run):
    text = """
        def test_id(vision_mock, vision_ledger):
            print("made", call(vision_mock, "POST", "/v0.2/batches").json()["batch_id"])
    """
    ids = {re.search(r"made (\S+)", run(text, "-s").stdout.str())[1] for _ in range(2)}
    assert len(ids) == 1


def test_a_project_that_does_not_use_the_plugin_pays_no_flask(run):
    result = run("""
        import sys

        def test_nothing():
            assert "flask" not in sys.modules
    """)
    result.assert_outcomes(passed=1)
