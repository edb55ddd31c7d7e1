"""The directory against PostgreSQL: keys come in ahead or on first use, and every change arrives by notice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from metering.gateway.accounts import Key
from metering.gateway.directory import Directory, DirectoryUnavailable
from metering.models import ApiKey, Client, ProviderCredential
from tests import factories
from tokonomics.crypto import digest
from tokonomics.models import Workspace
from tokonomics.secrets import keyring

KEY = "mk_directory"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key() -> ApiKey:
    """A key of a workspace in Berlin with a default and another openai account."""
    workspace = factories.WorkspaceFactory.create(timezone="Europe/Berlin")
    credential(workspace, "openai", "sk-default")
    credential(workspace, "openai", "sk-other", is_default=False)
    return factories.ApiKeyFactory.create(workspace=workspace, digest=digest(KEY), last_four="tory", name="Site")


def credential(workspace: Workspace, slug: str, secret: str, **fields: Any) -> ProviderCredential:
    row = ProviderCredential(workspace=workspace, slug=slug, name=slug, **fields)
    row.secret = keyring().encrypt(secret, workspace=workspace.pk, row=row.pk)
    row.save()
    return row


def parameters() -> dict[str, Any]:
    found = connection.get_connection_params()
    return {name: value for name, value in found.items() if name not in ("cursor_factory", "context")}


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Directory]:
    directory = Directory(parameters(), keyring())
    task = asyncio.create_task(directory.keep_up())
    await until(lambda: directory.ready)
    try:
        yield directory
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await directory.close()


async def until(condition: Callable[[], Any]) -> None:
    for _ in range(250):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not come true within 5 s")


async def elsewhere(step: Callable[[], object]) -> None:
    """Change rows in a thread of its own, which leaves no connection behind."""

    def whole() -> None:
        step()
        connection.close()

    await sync_to_async(whole)()


def run(test: Callable[[Directory], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with listening() as directory:
            await test(directory)

    asyncio.run(whole())


async def look_up(directory: Directory, text: str) -> Key | None:
    future: asyncio.Future[Key | None] = asyncio.get_running_loop().create_future()
    directory.look_up(digest(text), lambda key, reached: future.set_result(key))
    return await future


def test_unseen_key_is_read_with_its_workspace_and_accounts(key: ApiKey) -> None:
    async def test(directory: Directory) -> None:
        found = await look_up(directory, KEY)
        assert found is not None
        assert directory.find(digest(KEY)) is found
        assert (found.id, found.name, found.client) == (str(key.pk), "Site (mk_…tory)", None)
        assert (found.workspace.id, found.workspace.day(1767222000)) == (str(key.workspace_id), "2026-01-01")
        assert found.credentials["openai"].secret == "sk-default"

    run(test)


def test_key_is_known_before_its_first_call(key: ApiKey) -> None:
    revoked = digest("mk_revoked")
    factories.ApiKeyFactory.create(workspace=key.workspace, digest=revoked, revoked_at=timezone.now())

    async def test(directory: Directory) -> None:
        found = directory.find(digest(KEY))
        assert found is not None
        assert (found.name, found.credentials["openai"].secret) == ("Site (mk_…tory)", "sk-default")
        assert directory.find(revoked) is None

    run(test)


def test_new_key_is_known_before_its_first_call(key: ApiKey) -> None:
    async def test(directory: Directory) -> None:
        made = digest("mk_new")
        await elsewhere(lambda: factories.ApiKeyFactory.create(workspace=key.workspace, digest=made))
        await until(lambda: directory.find(made))

    run(test)


def test_unknown_key_is_remembered_until_something_changes(key: ApiKey) -> None:
    async def test(directory: Directory) -> None:
        assert await look_up(directory, "mk_later") is None
        assert digest("mk_later") in directory.unknown
        await elsewhere(
            lambda: ApiKey.objects.create(workspace=key.workspace, digest=digest("mk_later"), last_four="ater")
        )
        await until(lambda: digest("mk_later") not in directory.unknown)
        assert await look_up(directory, "mk_later") is not None

    run(test)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda key: ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now()), lambda k: k.revoked),
        (
            lambda key: Workspace.objects.filter(pk=key.workspace_id).update(suspended_at=timezone.now()),
            lambda k: k.workspace.suspended,
        ),
        (
            lambda key: ApiKey.objects.filter(pk=key.pk).update(
                client=Client.objects.create(workspace=key.workspace, slug="acme", name="Acme")
            ),
            lambda k: k.client == "acme",
        ),
        (
            lambda key: ApiKey.objects.filter(pk=key.pk).update(
                credential=ProviderCredential.objects.get(workspace=key.workspace, is_default=False)
            ),
            lambda k: k.credentials["openai"].secret == "sk-other",
        ),
        (lambda key: credential(key.workspace, "anthropic", "sk-ant"), lambda k: "anthropic" in k.credentials),
        (
            lambda key: ProviderCredential.objects.filter(workspace=key.workspace).update(archived_at=timezone.now()),
            lambda k: not k.credentials,
        ),
    ],
    ids=["revoked", "suspended", "bound", "pinned", "connected", "archived"],
)
def test_change_arrives_by_notice(key: ApiKey, change: Callable[[ApiKey], object], seen: Callable[[Key], bool]) -> None:
    async def test(directory: Directory) -> None:
        assert await look_up(directory, KEY)
        await elsewhere(lambda: change(key))
        await until(lambda: (found := directory.find(digest(KEY))) is not None and seen(found))

    run(test)


def test_deleted_key_is_dropped(key: ApiKey) -> None:
    async def test(directory: Directory) -> None:
        assert await look_up(directory, KEY)
        await elsewhere(key.delete)
        await until(lambda: directory.find(digest(KEY)) is None)

    run(test)


def test_secret_of_another_row_does_not_open(key: ApiKey) -> None:
    first, second = ProviderCredential.objects.filter(workspace=key.workspace).order_by("is_default")
    ProviderCredential.objects.filter(pk=second.pk).update(secret=first.secret)

    async def test(directory: Directory) -> None:
        found = await look_up(directory, KEY)
        assert found is not None
        assert found.credentials["openai"].secret is None

    run(test)


def test_known_keys_outlive_the_database(key: ApiKey) -> None:
    async def test(directory: Directory) -> None:
        found = await look_up(directory, KEY)
        directory.parameters = {"host": "127.0.0.1", "port": 1, "connect_timeout": 1}
        await directory.close()
        with pytest.raises(DirectoryUnavailable):
            await directory.load([digest(KEY)])
        assert directory.find(digest(KEY)) is found

    run(test)
