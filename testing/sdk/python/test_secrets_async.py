"""azure-keyvault-secrets with azure-identity, asynchronous: its token request differs from the synchronous one."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import CertificateCredential
from azure.keyvault.secrets.aio import SecretClient

from conftest import READABLE, READABLE_VALUE


@contextlib.asynccontextmanager
async def client_of(world, app):
    async with CertificateCredential(**world.credential_options(app)) as credential:
        verify = str(world.here.ca_file)
        async with SecretClient(world.vault_url, credential, connection_verify=verify) as client:
            yield client


def test_set_get_update_and_versions(world):
    async def story():
        async with client_of(world, world.owner) as client:
            first = await client.set_secret("AsyncLife", "one", tags={"a": "b"})
            await client.set_secret("AsyncLife", "two")
            assert (await client.get_secret("AsyncLife")).value == "two"
            assert (await client.get_secret("AsyncLife", first.properties.version)).value == "one"
            changed = await client.update_secret_properties("AsyncLife", content_type="text/plain")
            assert changed.content_type == "text/plain"
            versions = [item.version async for item in client.list_properties_of_secret_versions("AsyncLife")]
            assert len(versions) == 2 and first.properties.version in versions

    asyncio.run(story())


def test_delete_recover_purge_backup_and_restore(world):
    async def story():
        async with client_of(world, world.owner) as client:
            await client.set_secret("AsyncCircle", "round")
            blob = await client.backup_secret("AsyncCircle")
            await client.delete_secret("AsyncCircle")
            with pytest.raises(ResourceExistsError):
                await client.set_secret("AsyncCircle", "again")
            assert "AsyncCircle" in [item.name async for item in client.list_deleted_secrets()]
            await client.recover_deleted_secret("AsyncCircle")
            assert (await client.get_secret("AsyncCircle")).value == "round"
            await client.delete_secret("AsyncCircle")
            await client.purge_deleted_secret("AsyncCircle")
            with pytest.raises(ResourceNotFoundError):
                await client.get_deleted_secret("AsyncCircle")
            await client.restore_secret_backup(blob)
            assert (await client.get_secret("AsyncCircle")).value == "round"

    asyncio.run(story())


def test_a_list_of_more_than_one_page_is_complete(world):
    async def story():
        async with client_of(world, world.owner) as client:
            names = {f"async-page-{number:02}" for number in range(30)}
            await asyncio.gather(*(client.set_secret(name, "x") for name in names))
            assert names <= {item.name async for item in client.list_properties_of_secrets()}

    asyncio.run(story())


def test_a_certificate_made_with_openssl_and_get_alone_reads_a_secret(world):
    async def story():
        async with client_of(world, world.reader) as client:
            assert (await client.get_secret(READABLE)).value == READABLE_VALUE

    asyncio.run(story())
