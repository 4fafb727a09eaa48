"""Microsoft's `az` at the embedded vault: sign-in, groups, vaults, secrets, keys, apps, roles, and the five steps.

Runs below testing/private-hosts. Each check is one subject in the order in which a person meets it; the last one builds
the five steps with `az` alone and compares what is there with what `credstore setup embedded` leaves.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
import pathlib
import subprocess
import sys

from session import Az, operator

from checks import Checks
from installation import Installation

GROUP, VAULT, APP, SECRET = "credstore", "acme-pm-kv", "process-mining", "SqlServerP2P"
VALUE = ";{}'\"\\ $ =%&,ÄöÜß 漢字"


def certificate_with_key(here: Installation, name: str, subject: str = "app") -> tuple[pathlib.Path, pathlib.Path]:
    """Step 2 with openssl: the key with its certificate, and the certificate alone as PEM."""
    both, public = here.folder / f"{name}.pem", here.folder / f"{name}.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "365", "-newkey", "rsa:2048", "-subj", f"/CN={subject}"),
            *("-keyout", str(both), "-out", str(public)),
        ],
        check=True,
        capture_output=True,
    )
    with open(both, "ab") as file:
        file.write(public.read_bytes())
    return both, public


def names(items: list) -> list[str]:
    return sorted(item["name"] for item in items)


class Cloud:
    """The checks. What one makes the next ones use."""

    def __init__(self, here: Installation, az: Az):
        self.here, self.az = here, az
        self.app_id = self.principal = ""
        self.pem, self.public = certificate_with_key(here, "app")

    def az_is_signed_in_to_the_one_subscription(self) -> None:
        account = self.az("account", "show")
        assert account["environmentName"] == "Local", account
        assert account["tenantId"] == account["id"] == self.here.tenant, account
        assert account["user"] == {"name": self.az.client_id, "type": "servicePrincipal"}, account

    def a_group_is_made_shown_and_listed(self) -> None:
        made = self.az("group", "create", "--name", GROUP, "--location", "local")
        assert made["properties"]["provisioningState"] == "Succeeded", made
        assert self.az("group", "show", "--name", GROUP)["id"] == made["id"]
        self.here.create_vault("first-kv")
        assert GROUP in names(self.az("group", "list"))
        assert self.az("group", "exists", "--name", GROUP) is True
        assert self.az("group", "exists", "--name", "none") is False
        absent = self.az.refused("group", "show", "--name", "none")
        assert "Resource group 'none' could not be found." in absent, absent

    def a_vault_is_made_and_changed(self) -> None:
        vault = self.az(
            *("keyvault", "create", "--name", VAULT, "--resource-group", GROUP, "--location", "local"),
            *("--enable-rbac-authorization", "false"),
        )
        assert vault["properties"]["vaultUri"] == self.here.vault_url(VAULT) + "/", vault
        assert vault["properties"]["enableRbacAuthorization"] is False, vault
        assert self.az("keyvault", "show", "--name", VAULT) == vault
        assert names(self.az("keyvault", "list")) == [VAULT, "first-kv"]
        assert names(self.az("keyvault", "list", "--resource-group", GROUP)) == [VAULT, "first-kv"]
        changed = self.az("keyvault", "update", "--name", VAULT, "--enabled-for-deployment", "true")
        assert changed["properties"]["enabledForDeployment"] is True, changed
        assert changed["properties"]["accessPolicies"] == vault["properties"]["accessPolicies"], changed
        elsewhere = ("--name", "new-kv", "--resource-group", "none", "--location", "local")
        assert "ResourceGroupNotFound" in self.az.refused("keyvault", "create", *elsewhere)
        self.az("group", "create", "--name", "other", "--location", "local")
        taken = self.az.refused("keyvault", "create", "--name", VAULT, "--resource-group", "other", "--location", "local")
        assert "already in use" in taken, taken
        self.here.make_names_known()

    def an_app_is_made_shown_listed_and_renamed(self) -> None:
        made = self.az("ad", "app", "create", "--display-name", "first name")
        self.app_id = made["appId"]
        assert self.az("ad", "app", "show", "--id", self.app_id)["id"] == made["id"]
        assert [app["appId"] for app in self.az("ad", "app", "list", "--display-name", "first")] == [self.app_id]
        self.az("ad", "app", "update", "--id", self.app_id, "--display-name", APP)
        every = {app["displayName"] for app in self.az("ad", "app", "list", "--all")}
        assert every == {APP, "credstore-operator"}, every
        principal = self.az("ad", "sp", "create", "--id", self.app_id)
        self.principal = principal["id"]
        assert len({made["id"], self.principal, self.app_id}) == 3, "three ids"
        assert self.az("ad", "sp", "show", "--id", self.app_id)["id"] == self.principal
        assert [one["id"] for one in self.az("ad", "sp", "list", "--display-name", APP)] == [self.principal]
        assert self.az("ad", "sp", "list", "--spn", self.app_id)[0]["servicePrincipalNames"] == [self.app_id]

    def a_certificate_is_registered_listed_and_taken_away(self) -> None:
        listing = ("ad", "app", "credential", "list", "--id", self.app_id, "--cert")
        reset = ("ad", "app", "credential", "reset", "--id", self.app_id, "--cert", f"@{self.public}")
        self.az(*reset)
        one = self.az(*listing)
        assert [key["usage"] for key in one] == ["Verify"], one
        self.az(*reset, "--append")
        two = self.az(*listing)
        assert len(two) == 2, two
        added = next(key["keyId"] for key in two if key["keyId"] != one[0]["keyId"])
        self.az("ad", "app", "credential", "delete", "--id", self.app_id, "--key-id", added, "--cert")
        assert [key["keyId"] for key in self.az(*listing)] == [one[0]["keyId"]]

    def a_policy_is_what_an_app_may_do_and_no_more(self) -> None:
        self.az("keyvault", "secret", "set", "--vault-name", VAULT, "--name", SECRET, "--value", VALUE)
        app = Az(self.here, self.app_id, self.pem, "app")
        app.sign_in("--allow-no-subscriptions")
        show = ("keyvault", "secret", "show", "--vault-name", VAULT, "--name", SECRET)
        refused = app.refused(*show)
        assert f"does not have secrets get permission on key vault '{VAULT};location=local'" in refused, refused
        assert "ForbiddenByPolicy" in refused, refused
        self.az("keyvault", "set-policy", "--name", VAULT, "--spn", self.app_id, "--secret-permissions", "get")
        assert app(*show)["value"] == VALUE
        listing = app.refused("keyvault", "secret", "list", "--vault-name", VAULT)
        assert "does not have secrets list permission" in listing, listing
        self.az("keyvault", "delete-policy", "--name", VAULT, "--spn", self.app_id)
        app.refused(*show)
        denied = app.refused("ad", "app", "list", "--all")
        assert "Insufficient privileges to complete the operation." in denied, denied

    def a_role_opens_a_vault_that_uses_roles(self) -> None:
        """Without --enable-rbac-authorization, as new vaults are made today."""
        vault = self.az("keyvault", "create", "--name", "roles-kv", "--resource-group", GROUP, "--location", "local")
        assert vault["properties"]["enableRbacAuthorization"] is True, vault
        self.here.make_names_known()
        secret = ("--vault-name", "roles-kv", "--name", "db")
        refused = self.az.refused("keyvault", "secret", "set", *secret, "--value", "one")
        assert "ForbiddenByRbac" in refused and "Microsoft.KeyVault/vaults/secrets/setSecret/action" in refused, refused
        policy = self.az.refused(
            *("keyvault", "set-policy", "--name", "roles-kv", "--spn", self.app_id, "--secret-permissions", "get")
        )
        assert "--enable-rbac-authorization" in policy, policy
        roles = {role["roleName"] for role in self.az("role", "definition", "list")}
        assert len(roles) == 10 and "Key Vault Secrets User" in roles, roles
        assert len(self.az("role", "definition", "list", "--name", "Key Vault Reader")) == 1
        officer = ("--role", "Key Vault Secrets Officer", "--scope", vault["id"])
        self.az("role", "assignment", "create", "--assignee", self.az.client_id, *officer)
        self.az("keyvault", "secret", "set", *secret, "--value", "one")
        user = ("--role", "Key Vault Secrets User", "--scope", f"{vault['id']}/secrets/db")
        made = self.az("role", "assignment", "create", "--assignee", self.app_id, *user)
        assert made["principalId"] == self.principal, made
        app = Az(self.here, self.app_id, self.pem, "app")
        assert app("keyvault", "secret", "show", *secret)["value"] == "one"
        assert "ForbiddenByRbac" in app.refused("keyvault", "secret", "list", "--vault-name", "roles-kv")
        listed = self.az("role", "assignment", "list", "--all")
        assert {(one["roleDefinitionName"], one["principalName"]) for one in listed} == {
            ("Key Vault Secrets Officer", self.az.client_id),
            ("Key Vault Secrets User", self.app_id),
        }, listed
        assert len(self.az("role", "assignment", "list", "--assignee", self.app_id, "--all")) == 1
        listing = ("role", "assignment", "list", "--scope")
        assert [one["id"] for one in self.az(*listing, user[-1])] == [made["id"]]
        assert len(self.az(*listing, user[-1], "--include-inherited")) == 2, "what holds around it holds there"
        again = self.az("role", "assignment", "create", "--assignee", self.app_id, *user)
        assert again["id"] == made["id"], "az takes the same assignment for the one that is there"
        self.az("role", "assignment", "update", "--role-assignment", json.dumps({**made, "description": "for reports"}))
        assert self.az(*listing, user[-1])[0]["description"] == "for reports"
        self.az("role", "assignment", "delete", "--assignee", self.app_id, *user)
        assert "ForbiddenByRbac" in app.refused("keyvault", "secret", "show", *secret)
        of_group = (*user[:2], "--scope", vault["id"].split("/providers/")[0])
        conditional = ("--condition", "@Resource[x] StringEquals 'y'", "--condition-version", "2.0")
        create = ("role", "assignment", "create", "--assignee", self.app_id, *of_group)
        assert "A role assignment has no condition here." in self.az.refused(*create, *conditional)
        group = self.az(*create)
        assert app("keyvault", "secret", "show", *secret)["value"] == "one"
        self.az("role", "assignment", "delete", "--ids", group["id"])
        switch = ("keyvault", "update", "--name", "roles-kv", "--enable-rbac-authorization")
        assert self.az(*switch, "false")["properties"]["enableRbacAuthorization"] is False
        assert "ForbiddenByPolicy" in app.refused("keyvault", "secret", "show", *secret)
        self.az(*switch, "true")
        assert self.az("keyvault", "secret", "show", *secret)["value"] == "one", "the roles were kept"

    def a_secret_has_versions_and_attributes(self) -> None:
        secret = ("--vault-name", VAULT, "--name", "db")
        first = self.az("keyvault", "secret", "set", *secret, "--value", "one")
        second = self.az("keyvault", "secret", "set", *secret, "--value", "two", "--tags", "a=b")
        assert self.az("keyvault", "secret", "show", *secret)["id"] == second["id"]
        assert self.az("keyvault", "secret", "show", "--id", first["id"])["value"] == "one"
        versions = self.az("keyvault", "secret", "list-versions", *secret)
        assert {version["id"] for version in versions} == {first["id"], second["id"]}, versions
        assert "db" in names(self.az("keyvault", "secret", "list", "--vault-name", VAULT))
        changed = self.az("keyvault", "secret", "set-attributes", *secret, "--content-type", "text/plain")
        assert (changed["contentType"], changed["tags"]) == ("text/plain", {"a": "b", "file-encoding": "utf-8"}), changed
        self.az("keyvault", "secret", "set-attributes", *secret, "--enabled", "false")
        refused = self.az.refused("keyvault", "secret", "show", *secret)
        assert "Operation get is not allowed on a disabled secret." in refused, refused
        self.az("keyvault", "secret", "set-attributes", *secret, "--enabled", "true")
        file = self.here.folder / "downloaded"
        self.az("keyvault", "secret", "download", *secret, "--file", str(file))
        assert file.read_text() == "two"

    def a_secret_is_deleted_recovered_purged_and_restored(self) -> None:
        secret, blob = ("--vault-name", VAULT, "--name", "db"), str(self.here.folder / "db.backup")
        self.az("keyvault", "secret", "backup", *secret, "--file", blob)
        self.az("keyvault", "secret", "delete", *secret)
        assert names(self.az("keyvault", "secret", "list-deleted", "--vault-name", VAULT)) == ["db"]
        assert self.az("keyvault", "secret", "show-deleted", *secret)["recoveryId"].endswith("/deletedsecrets/db")
        taken = self.az.refused("keyvault", "secret", "set", *secret, "--value", "x")
        assert "is currently in a deleted but recoverable state" in taken, taken
        self.az("keyvault", "secret", "recover", *secret)
        assert self.az("keyvault", "secret", "show", *secret)["value"] == "two"
        self.az("keyvault", "secret", "delete", *secret)
        self.az("keyvault", "secret", "purge", *secret)
        gone = self.az.refused("keyvault", "secret", "show", *secret)
        assert "A secret with (name/id) db was not found in this key vault." in gone, gone
        self.az("keyvault", "secret", "restore", "--vault-name", VAULT, "--file", blob)
        assert self.az("keyvault", "secret", "show", *secret)["value"] == "two"

    def a_key_signs_encrypts_and_is_rotated(self) -> None:
        key = ("--vault-name", VAULT, "--name", "signing")
        made = self.az("keyvault", "key", "create", *key, "--kty", "EC", "--curve", "P-256", "--tags", "a=b")
        assert (made["key"]["crv"], made["key"]["keyOps"], made["tags"]) == ("P-256", ["sign", "verify"], {"a": "b"}), made
        digest = base64.b64encode(hashlib.sha256(b"what is signed").digest()).decode()
        use = (*key, "--algorithm", "ES256", "--digest", digest)
        signed = self.az("keyvault", "key", "sign", *use)
        verified = self.az("keyvault", "key", "verify", *use, "--signature", signed["signature"])
        assert verified["isValid"] is True, verified
        self.az("keyvault", "key", "create", "--vault-name", VAULT, "--name", "sealing", "--kty", "RSA")
        crypt = ("--vault-name", VAULT, "--name", "sealing", "--algorithm", "RSA-OAEP-256", "--data-type", "plaintext")
        sealed = self.az("keyvault", "key", "encrypt", *crypt, "--value", "a text")["result"]
        assert self.az("keyvault", "key", "decrypt", *crypt, "--value", sealed)["result"] == "a text"
        policy = {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}]}
        update = ("keyvault", "key", "rotation-policy", "update", *key, "--value")
        self.az(*update, json.dumps({**policy, "attributes": {"expiryTime": "P2Y"}}))
        shown = self.az("keyvault", "key", "rotation-policy", "show", *key)
        assert shown["expiresIn"] == "P2Y" and len(shown["lifetimeActions"]) == 2, shown
        rotated = self.az("keyvault", "key", "rotate", *key)
        assert rotated["key"]["kid"] != made["key"]["kid"]
        versions = {version["kid"] for version in self.az("keyvault", "key", "list-versions", *key)}
        assert versions == {made["key"]["kid"], rotated["key"]["kid"]}, versions
        listed = {one["kid"].rsplit("/", 1)[1] for one in self.az("keyvault", "key", "list", "--vault-name", VAULT)}
        assert listed == {"signing", "sealing"}, listed
        self.az("keyvault", "key", "set-attributes", *key, "--enabled", "false")
        assert "Operation sign is not allowed on a disabled key." in self.az.refused("keyvault", "key", "sign", *use)
        self.az("keyvault", "key", "set-attributes", *key, "--enabled", "true", "--ops", "verify")
        assert "Operation sign is not permitted on this key." in self.az.refused("keyvault", "key", "sign", *use)
        hardware = self.az.refused("keyvault", "key", "create", *key, "--kty", "RSA-HSM")
        assert "Hardware key operation not allowed on standard vault" in hardware, hardware

    def a_key_is_imported_downloaded_deleted_recovered_purged_and_restored(self) -> None:
        key, blob = ("--vault-name", VAULT, "--name", "imported"), str(self.here.folder / "key.backup")
        private, public = self.here.folder / "imported.pem", self.here.folder / "public.pem"
        openssl = ("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(private))
        subprocess.run(openssl, check=True, capture_output=True)
        made = self.az("keyvault", "key", "import", *key, "--pem-file", str(private))
        self.az("keyvault", "key", "download", *key, "--file", str(public), "--encoding", "PEM")
        ours = ("openssl", "pkey", "-in", str(private), "-pubout")
        assert public.read_text() == subprocess.run(ours, check=True, capture_output=True, text=True).stdout
        self.az("keyvault", "key", "backup", *key, "--file", blob)
        self.az("keyvault", "key", "delete", *key)
        deleted = self.az("keyvault", "key", "list-deleted", "--vault-name", VAULT)
        assert [one["kid"].rsplit("/", 1)[1] for one in deleted] == ["imported"], deleted
        taken = self.az.refused("keyvault", "key", "create", *key, "--kty", "EC")
        assert "Key imported is currently in a deleted but recoverable state" in taken, taken
        self.az("keyvault", "key", "recover", *key)
        assert self.az("keyvault", "key", "show", *key)["key"]["kid"] == made["key"]["kid"]
        self.az("keyvault", "key", "delete", *key)
        self.az("keyvault", "key", "purge", *key)
        gone = self.az.refused("keyvault", "key", "show", *key)
        assert "A key with (name/id) imported was not found in this key vault." in gone, gone
        self.az("keyvault", "key", "restore", "--vault-name", VAULT, "--file", blob)
        assert self.az("keyvault", "key", "show", *key)["key"]["n"] == made["key"]["n"]

    def a_certificate_is_made_in_the_vault_downloaded_with_its_key_and_renewed(self) -> None:
        certificate = ("--vault-name", VAULT, "--name", "portal")
        policy = self.az("keyvault", "certificate", "get-default-policy")
        policy["secretProperties"]["contentType"] = "application/x-pem-file"
        policy["x509CertificateProperties"]["subject"] = "CN=portal.corp.example"
        made = self.az("keyvault", "certificate", "create", *certificate, "--policy", json.dumps(policy), "--tags", "a=b")
        assert (made["status"], made["issuerParameters"]["name"]) == ("completed", "Self"), made
        shown = self.az("keyvault", "certificate", "show", *certificate)
        assert shown["tags"] == {"a": "b"} and shown["sid"].endswith(shown["id"].rsplit("/", 1)[1]), shown
        public, both = self.here.folder / "portal.crt", self.here.folder / "portal.pem"
        self.az("keyvault", "certificate", "download", *certificate, "--file", str(public), "--encoding", "PEM")
        self.az("keyvault", "secret", "download", *certificate, "--file", str(both))
        of_certificate = self.openssl("x509", "-in", str(public), "-noout", "-pubkey")
        assert of_certificate == self.openssl("pkey", "-in", str(both), "-pubout")
        assert "portal.corp.example" in self.openssl("x509", "-in", str(public), "-noout", "-subject")
        self.az("keyvault", "certificate", "create", *certificate, "--policy", json.dumps(policy))
        versions = self.az("keyvault", "certificate", "list-versions", *certificate)
        assert len(versions) == 2 and shown["id"] in [version["id"] for version in versions], versions
        assert names(self.az("keyvault", "certificate", "list", "--vault-name", VAULT)) == ["portal"]
        self.az("keyvault", "certificate", "set-attributes", *certificate, "--enabled", "false")
        assert "not allowed on a disabled secret" in self.az.refused("keyvault", "secret", "show", *certificate)
        self.az("keyvault", "certificate", "set-attributes", *certificate, "--enabled", "true")
        managed = self.az.refused("keyvault", "secret", "set", *certificate, "--value", "x")
        assert "this object's lifetime is managed by Key Vault" in managed, managed

    def a_request_is_signed_outside_and_merged(self) -> None:
        certificate, folder = ("--vault-name", VAULT, "--name", "outside"), self.here.folder
        policy = self.az("keyvault", "certificate", "get-default-policy")
        policy["issuerParameters"]["name"] = "Unknown"
        made = self.az("keyvault", "certificate", "create", *certificate, "--policy", json.dumps(policy))
        assert made["status"] == "inProgress", made
        pending = self.az("keyvault", "certificate", "pending", "show", *certificate)
        (folder / "outside.csr").write_bytes(base64.b64decode(pending["csr"]))
        authority, _ = certificate_with_key(self.here, "authority")
        self.openssl("req", "-inform", "der", "-in", str(folder / "outside.csr"), "-out", str(folder / "outside.req"))
        signed = folder / "outside.pem"
        self.openssl(
            *("x509", "-req", "-in", str(folder / "outside.req"), "-days", "20", "-out", str(signed)),
            *("-CA", str(authority), "-CAkey", str(authority)),
        )
        self.az("keyvault", "certificate", "pending", "merge", *certificate, "--file", str(signed))
        assert self.az("keyvault", "certificate", "show", *certificate)["attributes"]["enabled"] is True
        self.az("keyvault", "certificate", "create", *certificate, "--policy", json.dumps(policy))
        self.az("keyvault", "certificate", "pending", "delete", *certificate)
        gone = self.az.refused("keyvault", "certificate", "pending", "show", *certificate)
        assert "Pending certificate not found: outside" in gone, gone

    def a_certificate_is_imported_deleted_recovered_purged_and_restored(self) -> None:
        certificate, blob = ("--vault-name", VAULT, "--name", "imported-pfx"), str(self.here.folder / "pfx.backup")
        both, public = certificate_with_key(self.here, "to-import", "imported")
        pfx = self.here.folder / "to-import.pfx"
        self.openssl("pkcs12", "-export", "-in", str(both), "-out", str(pfx), "-passout", "pass:made-up")
        imported = ("keyvault", "certificate", "import", *certificate, "--file", str(pfx), "--password", "made-up")
        made = self.az(*imported)
        assert base64.b64decode(made["cer"]) == self.openssl_bytes("x509", "-in", str(public), "-outform", "der")
        pem = ("--vault-name", VAULT, "--name", "imported-pem", "--file", str(both))
        assert self.az("keyvault", "certificate", "import", *pem)["cer"] == made["cer"]
        self.az("keyvault", "certificate", "backup", *certificate, "--file", blob)
        self.az("keyvault", "certificate", "delete", *certificate)
        assert names(self.az("keyvault", "certificate", "list-deleted", "--vault-name", VAULT)) == ["imported-pfx"]
        shown = self.az("keyvault", "certificate", "show-deleted", *certificate)
        assert shown["recoveryId"].endswith("/deletedcertificates/imported-pfx"), shown
        self.az("keyvault", "certificate", "recover", *certificate)
        assert self.az("keyvault", "certificate", "show", *certificate)["id"] == made["id"]
        self.az("keyvault", "certificate", "delete", *certificate)
        self.az("keyvault", "certificate", "purge", *certificate)
        gone = self.az.refused("keyvault", "certificate", "show", *certificate)
        assert "A certificate with (name/id) imported-pfx was not found in this key vault." in gone, gone
        self.az("keyvault", "certificate", "restore", "--vault-name", VAULT, "--file", blob)
        assert self.az("keyvault", "certificate", "show", *certificate)["cer"] == made["cer"]

    def contacts_and_issuers_are_kept_and_one_inside_signs(self) -> None:
        contact = ("keyvault", "certificate", "contact")
        for email in ("a@corp.example", "b@corp.example"):
            self.az(*contact, "add", "--vault-name", VAULT, "--email", email, "--name", "N")
        self.az(*contact, "delete", "--vault-name", VAULT, "--email", "a@corp.example")
        listed = json.dumps(self.az(*contact, "list", "--vault-name", VAULT))
        assert "b@corp.example" in listed and "a@corp.example" not in listed, listed
        issuer = ("keyvault", "certificate", "issuer")
        one = ("--vault-name", VAULT, "--issuer-name", "corp-ca")
        self.az(*issuer, "create", *one, "--provider-name", "Credstore")
        self.az(*issuer, "admin", "add", *one, "--email", "j@corp.example", "--first-name", "J")
        assert "j@corp.example" in json.dumps(self.az(*issuer, "admin", "list", *one))
        self.az(*issuer, "admin", "delete", *one, "--email", "j@corp.example")
        assert self.az(*issuer, "show", *one)["provider"] == "Credstore"
        assert len(self.az(*issuer, "list", "--vault-name", VAULT)) == 1
        policy = self.az("keyvault", "certificate", "get-default-policy")
        policy["issuerParameters"]["name"] = "corp-ca"
        policy["secretProperties"]["contentType"] = "application/x-pem-file"
        certificate = ("--vault-name", VAULT, "--name", "issued")
        self.az("keyvault", "certificate", "create", *certificate, "--policy", json.dumps(policy))
        both = self.here.folder / "issued.pem"
        self.az("keyvault", "secret", "download", *certificate, "--file", str(both))
        authority = self.here.folder / "issued-ca.pem"
        authority.write_text("-----BEGIN CERTIFICATE" + both.read_text().rsplit("-----BEGIN CERTIFICATE", 1)[1])
        self.openssl("verify", "-CAfile", str(authority), str(both))
        self.az(*issuer, "delete", *one)
        assert "Issuer not found" in self.az.refused(*issuer, "show", *one)

    def openssl_bytes(self, *arguments: str) -> bytes:
        return subprocess.run(("openssl", *arguments), check=True, capture_output=True).stdout

    def openssl(self, *arguments: str) -> str:
        return self.openssl_bytes(*arguments).decode()

    def a_vault_is_deleted_recovered_and_purged(self) -> None:
        before = self.az("keyvault", "show", "--name", VAULT)
        self.az("keyvault", "delete", "--name", VAULT)
        assert VAULT not in names(self.az("keyvault", "list"))
        assert names(self.az("keyvault", "list-deleted")) == [VAULT]
        assert self.az("keyvault", "show-deleted", "--name", VAULT)["properties"]["vaultId"] == before["id"]
        self.az("keyvault", "recover", "--name", VAULT)
        assert self.az("keyvault", "show", "--name", VAULT) == before
        assert self.az("keyvault", "secret", "show", "--vault-name", VAULT, "--name", "db")["value"] == "two"
        self.az("keyvault", "delete", "--name", VAULT)
        self.az("keyvault", "purge", "--name", VAULT)
        assert self.az("keyvault", "list-deleted") == []

    def a_vault_of_another_group_is_found_by_credstore(self) -> None:
        self.az("group", "create", "--name", "other", "--location", "local")
        self.az(
            *("keyvault", "create", "--name", "other-kv", "--resource-group", "other", "--location", "local"),
            *("--enable-rbac-authorization", "false"),
        )
        here = ("--name", "other-kv")
        self.here.run("vault", "update", *here, "--tags", "a=b")
        self.here.run("vault", "access-policy", "set", *here, "--spn", self.app_id, "--secret-permissions", "get")
        shown = self.az("keyvault", "show", *here)
        assert (shown["resourceGroup"], shown["tags"]) == ("other", {"a": "b"}), shown
        assert self.principal in [policy["objectId"] for policy in shown["properties"]["accessPolicies"]], shown
        assert self.here.json("vault", "show", *here)["id"] == shown["id"]
        self.here.run("vault", "delete", *here, "--yes", "--confirm", "other-kv")
        self.here.run("vault", "recover", *here)
        assert self.az("keyvault", "show", *here) == shown
        self.here.run("vault", "delete", *here, "--yes", "--confirm", "other-kv")
        self.here.run("vault", "purge", *here, "--yes", "--confirm", "other-kv")

    def a_deleted_group_takes_its_vaults_along(self) -> None:
        self.az("group", "create", "--name", "short", "--location", "local", "--tags", "a=b")
        self.az("group", "update", "--name", "short", "--tags", "a=c")
        assert self.az("group", "show", "--name", "short")["tags"] == {"a": "c"}
        self.az("keyvault", "create", "--name", "short-kv", "--resource-group", "short", "--location", "local")
        self.az("group", "delete", "--name", "short", "--yes")
        assert self.az("group", "exists", "--name", "short") is False
        assert names(self.az("keyvault", "list-deleted")) == ["short-kv"]
        self.az("keyvault", "purge", "--name", "short-kv")

    def a_deleted_app_is_gone_with_its_principal(self) -> None:
        self.az("ad", "sp", "update", "--id", self.app_id, "--set", "accountEnabled=false")
        assert self.az("ad", "sp", "show", "--id", self.app_id)["accountEnabled"] is False
        self.az("ad", "sp", "delete", "--id", self.app_id)
        assert self.az("ad", "sp", "list", "--spn", self.app_id) == []
        assert self.az("ad", "sp", "create", "--id", self.app_id)["id"] != self.principal
        self.az("ad", "app", "delete", "--id", self.app_id)
        assert self.az("ad", "app", "list", "--app-id", self.app_id) == []
        assert self.az("ad", "sp", "list", "--spn", self.app_id) == []


# ---- the five steps ---------------------------------------------------------------------------------------------------


def with_az(here: Installation, az: Az) -> None:
    """Steps 1 to 4 of the set-up guide with `az` and openssl."""
    az("group", "create", "--name", GROUP, "--location", "local")
    az(
        *("keyvault", "create", "--name", VAULT, "--resource-group", GROUP, "--location", "local"),
        *("--enable-rbac-authorization", "false"),
    )
    _, public = certificate_with_key(here, "step2", "credstore")
    app_id = az("ad", "app", "create", "--display-name", APP)["appId"]
    az("ad", "sp", "create", "--id", app_id)
    az("ad", "app", "credential", "reset", "--id", app_id, "--cert", f"@{public}")
    az("keyvault", "set-policy", "--name", VAULT, "--spn", app_id, "--secret-permissions", "get")
    here.make_names_known()
    az("keyvault", "secret", "set", "--vault-name", VAULT, "--name", SECRET, "--value", VALUE)


def with_setup(here: Installation) -> None:
    """The same by `credstore setup embedded`."""
    here.run(
        *("setup", "embedded", "--vault-name", VAULT, "--app-name", APP, "--secret", SECRET, "--yes"),
        *("--settings", str(here.folder / "server-settings.json")),
        stdin=VALUE,
    )


def state(here: Installation, az: Az) -> object:
    """What ARM, Graph and the data plane say, with words in place of ids, times, ports and certificates."""
    here.make_names_known()
    app = az("ad", "app", "list", "--display-name", APP)[0]
    principal = az("ad", "sp", "list", "--display-name", APP)[0]
    secret = az("keyvault", "secret", "show", "--vault-name", VAULT, "--name", SECRET)
    said = {
        "vaults": az("keyvault", "list"),
        "vault": az("keyvault", "show", "--name", VAULT),
        "app": app,
        "principal": principal,
        "secrets": az("keyvault", "secret", "list", "--vault-name", VAULT),
        "secret": secret,
        "apps": sorted(one["displayName"] for one in az("ad", "app", "list", "--all")),
    }
    own = {
        here.tenant: "TENANT",
        f":{here.port}": ":PORT",
        app["id"]: "APPLICATION",
        app["appId"]: "CLIENT",
        principal["id"]: "PRINCIPAL",
        az.client_id: "OPERATOR",
        az("ad", "sp", "show", "--id", az.client_id)["id"]: "OPERATOR-PRINCIPAL",
        secret["id"].rsplit("/", 1)[1]: "VERSION",
    }
    text = json.dumps(said)
    for value, word in own.items():
        text = text.replace(value, word)
    return without_moments(json.loads(text))


def without_moments(value: object) -> object:
    """Times and what belongs to a certificate differ between any two runs."""
    own = {"createdAt", "createdDateTime", "created", "updated", "keyId", "customKeyIdentifier", "key"}
    own |= {"startDateTime", "endDateTime"}
    if isinstance(value, dict):
        if value.get("file-encoding"):
            # What az notes about the text it was given; no other client does.
            return {name: inner for name, inner in value.items() if name != "file-encoding"} or None
        return {name: "…" if name in own else without_moments(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_moments(inner) for inner in value]
    return value


def az_alone_and_setup_leave_equal_vaults() -> None:
    said = []
    for steps in (with_az, lambda here, _: with_setup(here)):
        with Installation() as here:
            here.make_names_known()
            az = operator(here)
            steps(here, az)
            said.append(state(here, az))
    by_az, by_setup = (json.dumps(one, indent=1, sort_keys=True, ensure_ascii=False) for one in said)
    if by_az != by_setup:
        lines = difflib.unified_diff(by_az.splitlines(), by_setup.splitlines(), "az", "setup", lineterm="")
        raise AssertionError("\n".join(lines))


def main() -> int:
    checks = Checks()
    with Installation() as here:
        here.make_names_known()
        cloud = Cloud(here, operator(here))
        for check in (
            cloud.az_is_signed_in_to_the_one_subscription,
            cloud.a_group_is_made_shown_and_listed,
            cloud.a_vault_is_made_and_changed,
            cloud.an_app_is_made_shown_listed_and_renamed,
            cloud.a_certificate_is_registered_listed_and_taken_away,
            cloud.a_policy_is_what_an_app_may_do_and_no_more,
            cloud.a_role_opens_a_vault_that_uses_roles,
            cloud.a_secret_has_versions_and_attributes,
            cloud.a_secret_is_deleted_recovered_purged_and_restored,
            cloud.a_key_signs_encrypts_and_is_rotated,
            cloud.a_key_is_imported_downloaded_deleted_recovered_purged_and_restored,
            cloud.a_certificate_is_made_in_the_vault_downloaded_with_its_key_and_renewed,
            cloud.a_request_is_signed_outside_and_merged,
            cloud.a_certificate_is_imported_deleted_recovered_purged_and_restored,
            cloud.contacts_and_issuers_are_kept_and_one_inside_signs,
            cloud.a_vault_is_deleted_recovered_and_purged,
            cloud.a_vault_of_another_group_is_found_by_credstore,
            cloud.a_deleted_group_takes_its_vaults_along,
            cloud.a_deleted_app_is_gone_with_its_principal,
        ):
            checks.run(check)
    checks.run(az_alone_and_setup_leave_equal_vaults)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
