"""One installation for the whole suite, with the three apps of the tests.

Only what a user must configure is set on Microsoft's clients: the authority host, the CA file, and no instance
discovery. Challenge verification stays on.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from installation import Installation, installation_with_vault  # noqa: E402

VAULT = "acme-pm-kv"
READABLE = "SqlServerP2P"
READABLE_VALUE = "read by name, never written down"


@dataclasses.dataclass
class App:
    """An app registration and the file that its client signs in with."""

    client_id: str
    certificate: pathlib.Path


@dataclasses.dataclass
class World:
    """The installation, and what clients need to know of it."""

    here: Installation
    tenant: str
    owner: App
    reader: App

    @property
    def vault_url(self) -> str:
        return self.here.vault_url(VAULT)

    def credential_options(self, app: App, **changes) -> dict:
        """Arguments of CertificateCredential, sync or async."""
        options = {
            "tenant_id": self.tenant,
            "client_id": app.client_id,
            "certificate_path": str(app.certificate),
            "authority": self.here.authority,
            "disable_instance_discovery": True,
            "connection_verify": str(self.here.ca_file),
        }
        return {**options, **changes}


@pytest.fixture(scope="session")
def world():
    with installation_with_vault(VAULT) as here:
        owner_key, owner_public = here.create_certificate("owner")
        reader_key, reader_public = here.create_certificate_with_openssl("reader")
        owner = App(here.create_app("owner", owner_public), owner_key)
        reader = App(here.create_app("process-mining", reader_public), reader_key)
        here.grant(VAULT, owner.client_id, "all")
        here.grant(VAULT, reader.client_id, "get")
        here.set_secret(VAULT, READABLE, READABLE_VALUE)
        here.make_names_known()
        yield World(here, here.tenant, owner, reader)
