// @azure/keyvault-secrets with @azure/identity against `credstore serve`, challenge verification left on.
//
// Run below testing/with_server.py, which makes the vault and the apps and says so in CREDSTORE_TEST_ variables. Only
// the authority host is configured, the CA file (NODE_EXTRA_CA_CERTS) and no instance discovery.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { SecretClient } from "@azure/keyvault-secrets";
import { collected, credentialOf, given } from "./world.mjs";

const clientOf = (app, changes) =>
  new SecretClient(given("VAULT_URL"), credentialOf(app, changes), { retryOptions: { maxRetries: 0 } });

let owner;
let reader;

before(() => {
  owner = clientOf("OWNER");
  reader = clientOf("READER");
});

test("a secret that is set comes back with all that was set", async () => {
  const expiresOn = new Date("2036-01-02T03:04:05Z");
  const value = "ä;{}'\"\\ $ \n漢字";
  const made = await owner.setSecret("JsEverything", value, {
    contentType: "text/plain",
    tags: { owner: "erp" },
    expiresOn,
  });
  const read = await owner.getSecret("JsEverything");
  assert.equal(read.value, value);
  assert.equal(read.properties.version, made.properties.version);
  assert.equal(read.properties.contentType, "text/plain");
  assert.deepEqual(read.properties.tags, { owner: "erp" });
  assert.deepEqual(read.properties.expiresOn, expiresOn);
});

test("older versions stay readable and are listed", async () => {
  const first = await owner.setSecret("JsVersions", "one");
  await owner.setSecret("JsVersions", "two");
  assert.equal((await owner.getSecret("JsVersions")).value, "two");
  const old = await owner.getSecret("JsVersions", { version: first.properties.version });
  assert.equal(old.value, "one");
  assert.equal((await collected(owner.listPropertiesOfSecretVersions("JsVersions"))).length, 2);
});

test("an update changes attributes and leaves the value", async () => {
  const made = await owner.setSecret("JsUpdated", "kept");
  await owner.updateSecretProperties("JsUpdated", made.properties.version, { tags: { a: "b" }, enabled: true });
  const read = await owner.getSecret("JsUpdated");
  assert.equal(read.value, "kept");
  assert.deepEqual(read.properties.tags, { a: "b" });
});

test("a list of more than one page is complete", async () => {
  const names = Array.from({ length: 30 }, (_, number) => `js-page-${number}`);
  await Promise.all(names.map((name) => owner.setSecret(name, "x")));
  const listed = new Set((await collected(owner.listPropertiesOfSecrets())).map((item) => item.name));
  assert.deepEqual(
    names.filter((name) => !listed.has(name)),
    [],
  );
});

test("delete, recover, purge, backup and restore", async () => {
  await owner.setSecret("JsCircle", "round");
  const blob = await owner.backupSecret("JsCircle");
  await (await owner.beginDeleteSecret("JsCircle")).pollUntilDone();
  await assert.rejects(owner.setSecret("JsCircle", "again"), { statusCode: 409 });
  await assert.rejects(owner.getSecret("JsCircle"), { statusCode: 404, code: "SecretNotFound" });
  assert.ok((await collected(owner.listDeletedSecrets())).some((item) => item.name === "JsCircle"));
  await (await owner.beginRecoverDeletedSecret("JsCircle")).pollUntilDone();
  assert.equal((await owner.getSecret("JsCircle")).value, "round");
  await (await owner.beginDeleteSecret("JsCircle")).pollUntilDone();
  await owner.purgeDeletedSecret("JsCircle");
  await owner.restoreSecretBackup(blob);
  assert.equal((await owner.getSecret("JsCircle")).value, "round");
});

test("a disabled secret is refused", async () => {
  await owner.setSecret("JsDisabled", "asleep", { enabled: false });
  await assert.rejects(owner.getSecret("JsDisabled"), { statusCode: 403 });
});

test("a certificate made with openssl and get alone reads a secret and does nothing else", async () => {
  assert.ok((await reader.getSecret(given("READABLE"))).value);
  await assert.rejects(reader.setSecret("JsForbidden", "x"), (error) => {
    assert.equal(error.statusCode, 403);
    assert.match(error.message, /does not have secrets set permission on key vault/);
    return true;
  });
});

test("wrong certificate, client id and tenant are refused with Entra's codes", async () => {
  const scope = `${given("VAULT_URL").replace(/^https:\/\/[^.]+\./, "https://")}/.default`;
  const stranger = "00000000-0000-4000-8000-000000000001";
  const cases = [
    [{ key: given("STRANGER_KEY") }, /AADSTS700027/],
    [{ clientId: stranger }, /AADSTS700016/],
    [{ tenant: stranger }, /AADSTS90002|endpoints_resolution_error|openid_config_error/],
  ];
  for (const [changes, expected] of cases) {
    await assert.rejects(credentialOf("READER", changes).getToken(scope), expected);
  }
});
