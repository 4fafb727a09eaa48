"""azure-keyvault-secrets with azure-identity, synchronous: every secret operation."""

from __future__ import annotations

import datetime

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import CertificateCredential
from azure.keyvault.secrets import ApiVersion, SecretClient

from conftest import READABLE, READABLE_VALUE


def client_of(world, app, **options) -> SecretClient:
    credential = CertificateCredential(**world.credential_options(app))
    return SecretClient(world.vault_url, credential, connection_verify=str(world.here.ca_file), **options)


@pytest.fixture(scope="module")
def client(world):
    with client_of(world, world.owner) as made:
        yield made


def test_a_secret_that_is_set_comes_back_with_all_that_was_set(client):
    begins = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    ends = datetime.datetime(2036, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    value = "ä;{}'\"\\ $ \n漢字 \U0001f511"
    made = client.set_secret(
        "Everything",
        value,
        content_type="text/plain",
        tags={"owner": "erp", "größe": "10"},
        enabled=True,
        not_before=begins,
        expires_on=ends,
    )
    read = client.get_secret("Everything")
    assert read.value == value
    assert read.properties.version == made.properties.version
    assert len(read.properties.version) == 32
    assert read.properties.content_type == "text/plain"
    assert read.properties.tags == {"owner": "erp", "größe": "10"}
    assert (read.properties.not_before, read.properties.expires_on) == (begins, ends)
    assert read.properties.enabled
    assert read.properties.recovery_level == "Recoverable+Purgeable"
    assert read.properties.recoverable_days == 90
    assert read.properties.created_on == read.properties.updated_on
    assert read.id == f"{client.vault_url.rstrip('/')}/secrets/Everything/{made.properties.version}"


def test_names_compare_without_regard_to_case_and_keep_the_case_of_creation(client):
    client.set_secret("MixedCase", "one")
    assert client.get_secret("mixedcase").value == "one"
    assert client.get_secret("MIXEDCASE").name == "MixedCase"


def test_the_newest_version_is_current_and_older_ones_stay_readable(client):
    first = client.set_secret("Versions", "one")
    second = client.set_secret("Versions", "two")
    assert client.get_secret("Versions").value == "two"
    assert client.get_secret("Versions", first.properties.version).value == "one"
    listed = {item.version for item in client.list_properties_of_secret_versions("Versions")}
    assert listed == {first.properties.version, second.properties.version}


def test_versions_of_an_unknown_name_are_an_empty_list(client):
    assert list(client.list_properties_of_secret_versions("NeverMade")) == []


def test_an_update_changes_attributes_and_leaves_the_value_and_what_it_does_not_name(client):
    client.set_secret("Updated", "kept", content_type="text/plain", tags={"a": "b"})
    changed = client.update_secret_properties("Updated", tags={"c": "d"}, enabled=True)
    assert changed.tags == {"c": "d"}
    assert changed.content_type == "text/plain"
    assert changed.updated_on > changed.created_on
    assert client.get_secret("Updated").value == "kept"


def test_a_disabled_secret_is_refused_and_can_be_enabled_again(client):
    client.set_secret("Disabled", "asleep", enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        client.get_secret("Disabled")
    assert refused.value.status_code == 403
    assert refused.value.error.innererror["code"] == "SecretDisabled"
    assert "Operation get is not allowed on a disabled secret." in refused.value.message
    client.update_secret_properties("Disabled", enabled=True)
    assert client.get_secret("Disabled").value == "asleep"


def test_an_expired_secret_is_still_answered(client):
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    client.set_secret("Expired", "old", expires_on=past)
    assert client.get_secret("Expired").value == "old"


def test_a_list_of_more_than_one_page_is_complete_and_has_no_values(client):
    names = {f"page-{number:02}" for number in range(60)}
    for name in names:
        client.set_secret(name, "x")
    pages = list(client.list_properties_of_secrets().by_page())
    listed = [item.name for page in pages for item in page]
    assert names <= set(listed)
    assert len(listed) == len(set(listed)), "a name is listed twice"
    small = list(client.list_properties_of_secrets(max_page_size=7).by_page())
    assert len(small) > len(pages) >= 3
    for page in client.list_properties_of_secrets(max_page_size=7).by_page():
        assert len(list(page)) <= 7


def test_delete_reserves_the_name_recover_brings_it_back_and_purge_frees_it(client):
    made = client.set_secret("Circle", "round")
    deleted = client.begin_delete_secret("Circle").result()
    assert deleted.recovery_id.endswith("/deletedsecrets/Circle")
    assert deleted.scheduled_purge_date - deleted.deleted_date == datetime.timedelta(days=90)
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("Circle")
    with pytest.raises(ResourceExistsError) as taken:
        client.set_secret("Circle", "again")
    assert taken.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert "Circle" in {item.name for item in client.list_deleted_secrets()}
    assert client.get_deleted_secret("Circle").name == "Circle"

    client.begin_recover_deleted_secret("Circle").wait()
    back = client.get_secret("Circle")
    assert (back.value, back.properties.version) == ("round", made.properties.version)

    client.begin_delete_secret("Circle").wait()
    client.purge_deleted_secret("Circle")
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret("Circle")
    assert client.set_secret("Circle", "new").value == "new"


def test_a_backup_brings_back_every_version_after_a_purge(client):
    first = client.set_secret("Kept", "one")
    client.set_secret("Kept", "two", tags={"a": "b"})
    blob = client.backup_secret("Kept")
    with pytest.raises(ResourceExistsError):
        client.restore_secret_backup(blob)
    client.begin_delete_secret("Kept").wait()
    client.purge_deleted_secret("Kept")
    assert client.restore_secret_backup(blob).name == "Kept"
    assert client.get_secret("Kept").value == "two"
    assert client.get_secret("Kept").properties.tags == {"a": "b"}
    assert client.get_secret("Kept", first.properties.version).value == "one"


def test_a_backup_that_was_altered_is_refused(client):
    client.set_secret("Altered", "one")
    blob = client.backup_secret("Altered")
    middle = len(blob) // 2
    with pytest.raises(HttpResponseError) as refused:
        client.restore_secret_backup(blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :])
    assert refused.value.status_code == 400


def test_an_unknown_secret_is_answered_with_azures_text(client):
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_secret("NeverMade")
    assert missing.value.error.code == "SecretNotFound"
    assert "A secret with (name/id) NeverMade was not found in this key vault." in missing.value.message


def test_a_value_has_25600_bytes_and_not_one_more(client):
    client.set_secret("Largest", "x" * 25_600)
    assert client.get_secret("Largest").value == "x" * 25_600
    with pytest.raises(HttpResponseError) as refused:
        client.set_secret("Larger", "x" * 25_601)
    assert refused.value.status_code == 400


def test_an_empty_value_is_a_value(client):
    client.set_secret("Empty", "")
    assert client.get_secret("Empty").value == ""


@pytest.mark.parametrize("version", [version for version in ApiVersion if "preview" not in version.value])
def test_every_stable_version_of_the_protocol_reads_a_secret(world, version):
    with client_of(world, world.reader, api_version=version) as client:
        assert client.get_secret(READABLE).value == READABLE_VALUE
