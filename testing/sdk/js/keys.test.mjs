// @azure/keyvault-keys with @azure/identity against `credstore serve`, challenge verification left on.
//
// Run below testing/with_server.py. What the vault signs, Node's own OpenSSL verifies.

import assert from "node:assert/strict";
import { constants, createHash, createPublicKey, publicEncrypt, verify } from "node:crypto";
import { before, test } from "node:test";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { collected, credentialOf, given } from "./world.mjs";

let owner;
let credential;

before(() => {
  credential = credentialOf("OWNER");
  owner = new KeyClient(given("VAULT_URL"), credential, { retryOptions: { maxRetries: 0 } });
});

const cryptographyOf = (id) => new CryptographyClient(id, credential, { retryOptions: { maxRetries: 0 } });

const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

const publicKeyOf = ({ kty, n, e, crv, x, y }) =>
  createPublicKey({
    format: "jwk",
    key:
      kty === "RSA"
        ? { kty, n: base64url(n), e: base64url(e) }
        : { kty, crv: crv === "P-256K" ? "secp256k1" : crv, x: base64url(x), y: base64url(y) },
  });

test("what EC keys of every curve sign is verified by Node", async () => {
  for (const [curve, algorithm, hash] of [
    ["P-256", "ES256", "sha256"],
    ["P-384", "ES384", "sha384"],
    ["P-521", "ES512", "sha512"],
    ["P-256K", "ES256K", "sha256"],
  ]) {
    const key = await owner.createEcKey(`js-${curve}`, { curve, tags: { curve } });
    assert.equal(key.key.crv, curve);
    assert.deepEqual(key.keyOperations, ["sign", "verify"]);
    const digest = createHash(hash).update("what is signed").digest();
    const signed = await cryptographyOf(key.id).sign(algorithm, digest);
    assert.equal(signed.keyID, key.id);
    const right = { key: publicKeyOf(key.key), dsaEncoding: "ieee-p1363" };
    assert.ok(verify(hash, Buffer.from("what is signed"), right, signed.result), curve);
    assert.ok((await cryptographyOf(key.id).verify(algorithm, digest, signed.result)).result);
  }
});

test("RSA keys sign, decrypt and unwrap", async () => {
  const key = await owner.createRsaKey("JsRsa", { keySize: 2048 });
  const there = cryptographyOf(key.id);
  for (const [algorithm, hash, padding] of [
    ["RS256", "sha256", constants.RSA_PKCS1_PADDING],
    ["PS512", "sha512", constants.RSA_PKCS1_PSS_PADDING],
  ]) {
    const digest = createHash(hash).update("what is signed").digest();
    const { result } = await there.sign(algorithm, digest);
    assert.ok(verify(hash, Buffer.from("what is signed"), { key: publicKeyOf(key.key), padding }, result), algorithm);
  }
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const sealed = publicEncrypt({ key: publicKeyOf(key.key), padding, oaepHash: "sha256" }, Buffer.from("a text"));
  const opened = await there.decrypt({ algorithm: "RSA-OAEP-256", ciphertext: sealed });
  assert.equal(Buffer.from(opened.result).toString(), "a text");
  const wrapped = await there.wrapKey("RSA-OAEP", Buffer.alloc(32, 7));
  const unwrapped = await there.unwrapKey("RSA-OAEP", wrapped.result);
  assert.deepEqual(Buffer.from(unwrapped.result), Buffer.alloc(32, 7));
});

test("versions, properties and lists", async () => {
  const first = await owner.createEcKey("JsListed");
  const second = await owner.createEcKey("JsListed");
  const changed = await owner.updateKeyProperties("JsListed", first.properties.version, { enabled: false });
  assert.equal(changed.properties.enabled, false);
  assert.equal((await owner.getKey("JsListed")).id, second.id);
  const versions = await collected(owner.listPropertiesOfKeyVersions("JsListed"));
  assert.deepEqual(versions.map(({ version }) => version).sort(), [first, second].map((key) => key.properties.version).sort());
  assert.ok((await collected(owner.listPropertiesOfKeys())).some(({ name }) => name === "JsListed"));
});

test("a deleted key is recovered, purged, and restored from its backup", async () => {
  const key = await owner.createEcKey("JsLife");
  const backup = await owner.backupKey("JsLife");
  const deleted = await (await owner.beginDeleteKey("JsLife", { intervalInMs: 100 })).pollUntilDone();
  assert.ok(deleted.properties.recoveryId.endsWith("/deletedkeys/JsLife"));
  await assert.rejects(owner.getKey("JsLife"), { statusCode: 404, code: "KeyNotFound" });
  await assert.rejects(owner.createEcKey("JsLife"), { statusCode: 409 });
  await (await owner.beginRecoverDeletedKey("JsLife", { intervalInMs: 100 })).pollUntilDone();
  await (await owner.beginDeleteKey("JsLife", { intervalInMs: 100 })).pollUntilDone();
  assert.ok((await collected(owner.listDeletedKeys())).some(({ name }) => name === "JsLife"));
  await owner.purgeDeletedKey("JsLife");
  assert.equal((await owner.restoreKeyBackup(backup)).id, key.id);
});

test("rotation and its policy", async () => {
  const first = await owner.createEcKey("JsRotated");
  const none = await owner.getKeyRotationPolicy("JsRotated");
  assert.deepEqual(none.lifetimeActions, [{ action: "Notify", timeAfterCreate: undefined, timeBeforeExpiry: "P30D" }]);
  const set = await owner.updateKeyRotationPolicy("JsRotated", {
    lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P90D" }],
    expiresIn: "P1Y",
  });
  assert.deepEqual(set.lifetimeActions.map(({ action }) => action).sort(), ["Notify", "Rotate"]);
  const second = await owner.rotateKey("JsRotated");
  assert.notEqual(second.id, first.id);
  assert.ok(second.properties.expiresOn > new Date());
});

test("an imported key is the client's own, and hardware is refused", async () => {
  const { generateKeyPairSync } = await import("node:crypto");
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = privateKey.export({ format: "jwk" });
  const bytes = (member) => new Uint8Array(Buffer.from(jwk[member], "base64url"));
  const key = { kty: "EC", crv: "P-256", x: bytes("x"), y: bytes("y"), d: bytes("d") };
  const made = await owner.importKey("JsImported", key);
  const digest = createHash("sha256").update("x").digest();
  const { result } = await cryptographyOf(made.id).sign("ES256", digest);
  assert.ok(verify("sha256", Buffer.from("x"), { key: publicKey, dsaEncoding: "ieee-p1363" }, result));
  const hardware = { statusCode: 400, message: /Hardware key operation not allowed on standard vault/ };
  await assert.rejects(owner.createRsaKey("JsHardware", { hsm: true }), hardware);
  await assert.rejects(owner.createOctKey("JsOct"), { code: "BadParameter", message: /Invalid kty value: oct/ });
});
