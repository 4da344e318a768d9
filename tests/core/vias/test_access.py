"""Keys, tokens and the project's id, against the mock's IAM and gateway, which verify what they are sent."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from core.vias.conftest import Project
from support.books import Books
from support.clocks import AsyncTenantClock
from visionbatch import Pace, RetryPolicy, Secret, Tuning, hub
from visionbatch.errors import ConfigError, NotAuthorized, Unavailable, VisionBatchError
from visionbatch.pipelines.vias_access import vias_site
from visionbatch.vias.account import Account, IamUser
from visionbatch.vias.signing import AccessKey
from visionbatch_mock.tenant import Tenant

TOKENS, LISTS = "iam.tokens.create", "vias.batch_tasks.list"


def test_a_key_finds_its_project_and_opens_it(project: Project, books: Books) -> None:
    vias = project()
    assert vias.batches() == []
    assert vias.batches("夜 间/~*+") == []
    assert vias.api.settings.project_id == project.tenant.iam.project_id
    assert len(books.requests("iam.projects.list")) == 1


def test_a_temporary_key_sends_its_token(project: Project, tenant: Tenant) -> None:
    tenant.configure(vias_security_token="for-an-hour")
    assert project(AccessKey(tenant.token, Secret("secret"), Secret("for-an-hour"))).batches() == []
    with pytest.raises(NotAuthorized):
        project(project.key, project_id=tenant.iam.project_id).batches()


def test_a_user_logs_in_once_for_many_requests(project: Project, books: Books) -> None:
    vias = project(project.user)
    for _ in range(3):
        vias.batches()
    assert len(books.requests(TOKENS)) <= 2
    again = len(books.requests(TOKENS))
    vias.batches()
    assert len(books.requests(TOKENS)) == again


def test_a_token_is_replaced_ten_minutes_before_its_end(project: Project, books: Books, tenant: Tenant) -> None:
    vias = project(project.user, project_id=tenant.iam.project_id)
    vias.batches()
    tenant.clock.advance(24 * 3600 - 700)
    vias.batches()
    assert len(books.requests(TOKENS)) == 1
    tenant.clock.advance(200)
    vias.batches()
    assert len(books.requests(TOKENS)) == 2
    assert all(entry.status == 200 for entry in books.requests(LISTS))


def test_a_token_that_cannot_be_replaced_is_used_until_its_end(project: Project, books: Books, tenant: Tenant) -> None:
    vias = project(project.user, Tuning(retry=RetryPolicy(attempts=1)), project_id=tenant.iam.project_id)
    vias.batches()
    tenant.clock.advance(24 * 3600 - 500)
    plan = tenant.faults.plan({"instructions": {TOKENS: ["return-503"] * 2}})
    for _ in range(3):
        vias.batches()
    assert len(books.requests(TOKENS)) == 1 + 1, "the next try is a minute later"
    tenant.clock.advance(61)
    vias.batches()
    assert plan.completed
    assert all(entry.status == 200 for entry in books.requests(LISTS))
    tenant.clock.advance(61)
    vias.batches()
    assert len(books.requests(TOKENS)) == 4
    tenant.clock.advance(24 * 3600 + 1)
    tenant.faults.plan({"instructions": {TOKENS: ["return-503"]}})
    with pytest.raises(Unavailable):
        vias.batches()


def test_threads_of_one_client_log_in_once(project: Project, books: Books) -> None:
    vias, together = project(project.user), Barrier(8)

    def one(_: int) -> Any:
        together.wait(20)
        return vias.batches()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [[]] * 8
    assert len(books.requests(TOKENS)) == 1


def test_a_short_lived_token_is_not_fetched_for_every_request(project: Project, books: Books, tenant: Tenant) -> None:
    tenant.configure(vias_token_life_s=120)
    vias = project(project.user, project_id=tenant.iam.project_id)
    vias.batches()
    vias.batches()
    assert len(books.requests(TOKENS)) == 1


def test_a_revoked_token_is_replaced_once(project: Project, books: Books, tenant: Tenant) -> None:
    vias = project(project.user, project_id=tenant.iam.project_id)
    vias.batches()
    tenant.iam.revoke_tokens()
    assert vias.batches() == []
    assert len(books.requests(TOKENS)) == 2
    assert [entry.status for entry in books.tenant.journal.entries()].count(401) == 1


async def test_a_token_that_ends_while_many_wait_is_fetched_once_for_all(
    project: Project, books: Books, tenant: Tenant
) -> None:
    clock = AsyncTenantClock(tenant)

    async def account() -> Account:
        return project.user

    async def one() -> Any:
        return await vias_site(project.settings(project_id=tenant.iam.project_id, states_from="tasks"), account, clock)

    async with hub("tokens", one, clock) as shared:
        await shared.perform(shared.site.api.newest(lambda _: True))  # type: ignore[attr-defined]  # every service has it
        tenant.iam.revoke_tokens()
        waits = [
            shared.await_end(f"batch-{number:02}", pace=Pace(grace_s=0), deadline=clock.now() + 60)
            for number in range(20)
        ]
        results = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(result, VisionBatchError) for result in results)
    assert not any(isinstance(result, NotAuthorized) for result in results)
    assert len(books.requests(TOKENS)) == 2


def test_a_wrong_secret_is_tried_once_for_the_gateway_locks_keys(
    project: Project, books: Books, tenant: Tenant
) -> None:
    vias = project(AccessKey(tenant.token, Secret("wrong")), project_id=tenant.iam.project_id)
    with pytest.raises(NotAuthorized) as refused:
        vias.batches()
    assert [entry.status for entry in books.tenant.journal.entries()] == [401]
    assert "APIGW.0301" in str(refused.value)
    assert "verify aksk signature fail" in str(refused.value)
    assert "left out" in str(refused.value)
    assert tenant.token not in str(refused.value)


def test_a_wrong_password_says_what_to_check(project: Project, tenant: Tenant) -> None:
    user = IamUser(tenant.token, Secret("wr0ng-pass"), tenant.token)
    with pytest.raises(NotAuthorized, match="account name") as refused:
        project(user).batches()
    assert "wr0ng-pass" not in str(refused.value) + repr(refused.value)


def test_a_region_without_a_project_is_a_setting_error(project: Project) -> None:
    with pytest.raises(ConfigError, match="no projects named cn-east-3"):
        project(region="cn-east-3").batches()


async def test_a_loop_finds_the_project_as_well(project: Project, tenant: Tenant) -> None:
    for known in (project.key, project.user):

        async def account(known: Account = known) -> Account:
            return known

        site = await vias_site(project.settings(), account, AsyncTenantClock(tenant))
        assert site.api.settings.project_id == tenant.iam.project_id  # type: ignore[attr-defined]  # of this service
