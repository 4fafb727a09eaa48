// @azure/keyvault-certificates with @azure/identity against `credstore serve`, challenge verification left on.
//
// Run below testing/with_server.py. Node's own OpenSSL reads keys and certificates; the program openssl signs requests.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate, createPrivateKey, createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CertificateClient } from "@azure/keyvault-certificates";
import { SecretClient } from "@azure/keyvault-secrets";
import { collected, credentialOf, given } from "./world.mjs";

const FAST = { intervalInMs: 100 };

let folder;
let owner;
let secrets;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "credstore-js-"));
  const options = { retryOptions: { maxRetries: 0 } };
  owner = new CertificateClient(given("VAULT_URL"), credentialOf("OWNER"), options);
  secrets = new SecretClient(given("VAULT_URL"), credentialOf("OWNER"), options);
});

after(() => rmSync(folder, { recursive: true }));

const path = (name) => join(folder, name);

const openssl = (...words) => execFileSync("openssl", words, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });

/** An EC key in a PEM: made at once, and read without a password. */
const policy = (issuerName = "Self", more = {}) => ({
  issuerName,
  subject: "CN=app",
  keyType: "EC",
  keyCurveName: "P-256",
  contentType: "application/x-pem-file",
  ...more,
});

const created = async (name, ...asked) =>
  (await owner.beginCreateCertificate(name, policy(...asked), FAST)).pollUntilDone();

const blocks = (pem) => pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g);

const publicPem = (key) => key.export({ type: "spki", format: "pem" });

test("a certificate comes with its key in the secret of its name", async () => {
  const made = await created("JsApp", "Self", {
    subjectAlternativeNames: { dnsNames: ["app.corp.example"] },
    keyUsage: ["digitalSignature"],
    enhancedKeyUsage: ["1.3.6.1.5.5.7.3.1"],
    validityInMonths: 3,
    lifetimeActions: [{ action: "AutoRenew", lifetimePercentage: 70 }],
  });
  const certificate = new X509Certificate(made.cer);
  assert.equal(certificate.subject, "CN=app");
  assert.equal(certificate.subjectAltName, "DNS:app.corp.example");
  assert.ok(certificate.verify(certificate.publicKey), "it signs itself");
  const sha1 = Buffer.from(made.properties.x509Thumbprint).toString("hex").toUpperCase();
  assert.equal(sha1, certificate.fingerprint.replaceAll(":", ""));
  assert.equal(new Date(certificate.validTo).getTime(), made.properties.expiresOn.getTime());
  const secret = await secrets.getSecret("JsApp");
  assert.equal(made.secretId, secret.properties.id);
  assert.ok(secret.properties.managed && secret.properties.certificateKeyId.endsWith(made.properties.version));
  const key = createPrivateKey(secret.value);
  assert.equal(publicPem(createPublicKey(key)), publicPem(certificate.publicKey));
  assert.ok(certificate.checkPrivateKey(key));
  assert.equal((await owner.getCertificatePolicy("JsApp")).validityInMonths, 3);
  await assert.rejects(secrets.setSecret("JsApp", "x"), { statusCode: 403, code: "Forbidden" });
});

test("versions, properties, policies and lists", async () => {
  const first = await created("JsCertListed");
  const second = await created("JsCertListed");
  const off = await owner.updateCertificateProperties("JsCertListed", first.properties.version, { enabled: false });
  assert.equal(off.properties.enabled, false);
  assert.equal((await owner.getCertificate("JsCertListed")).properties.version, second.properties.version);
  const old = await owner.getCertificateVersion("JsCertListed", first.properties.version);
  assert.deepEqual(old.cer, first.cer);
  const versions = await collected(owner.listPropertiesOfCertificateVersions("JsCertListed"));
  const expected = [first, second].map(({ properties }) => properties.version).sort();
  assert.deepEqual(versions.map(({ version }) => version).sort(), expected);
  // What this client gives back of an update is empty, whatever the vault answers.
  await owner.updateCertificatePolicy("JsCertListed", policy("Self", { subject: "CN=renamed" }));
  assert.equal((await owner.getCertificatePolicy("JsCertListed")).subject, "CN=renamed");
  assert.ok((await collected(owner.listPropertiesOfCertificates())).some(({ name }) => name === "JsCertListed"));
});

test("what an authority outside signs is merged", async () => {
  await owner.beginCreateCertificate("JsMerged", policy("Unknown"), FAST);
  const operation = await owner.getCertificateOperation("JsMerged", FAST);
  const pending = operation.getOperationState().certificateOperation;
  assert.equal(pending.status, "inProgress");
  const all = await collected(owner.listPropertiesOfCertificates({ includePending: true }));
  assert.ok(all.some(({ name }) => name === "JsMerged"));
  writeFileSync(path("request.der"), pending.csr);
  openssl(..."req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30".split(" "));
  openssl(..."req -inform der -in request.der -out request.pem".split(" "));
  openssl(..."x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 20 -out leaf.pem".split(" "));
  const ders = ["leaf.pem", "ca.pem"].map((file) => new X509Certificate(readFileSync(path(file))).raw);
  const merged = await owner.mergeCertificate("JsMerged", ders);
  assert.deepEqual(Buffer.from(merged.cer), ders[0]);
  const chain = blocks((await secrets.getSecret("JsMerged")).value).map((pem) => new X509Certificate(pem));
  assert.equal(chain.length, 2);
  assert.ok(chain[0].verify(chain[1].publicKey) && chain[0].checkIssued(chain[1]));
});

test("a creation is cancelled and forgotten", async () => {
  await owner.beginCreateCertificate("JsCancelled", policy("Unknown"), FAST);
  const poller = await owner.getCertificateOperation("JsCancelled", FAST);
  await poller.cancelOperation();
  await owner.deleteCertificateOperation("JsCancelled");
  await assert.rejects(owner.getCertificateOperation("JsCancelled", FAST), { code: "PendingCertificateNotFound" });
  await (await owner.beginDeleteCertificate("JsCancelled", FAST)).pollUntilDone();
  await owner.purgeDeletedCertificate("JsCancelled");
});

test("PFX and PEM are imported", async () => {
  openssl(..."req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=imported -days 30".split(" "));
  openssl(..."pkcs12 -export -in cert.pem -inkey key.pem -passout pass:planted -out both.pfx".split(" "));
  const imported = await owner.importCertificate("JsPfx", readFileSync(path("both.pfx")), { password: "planted" });
  assert.equal(new X509Certificate(imported.cer).subject, "CN=imported");
  writeFileSync(path("again.pfx"), Buffer.from((await secrets.getSecret("JsPfx")).value, "base64"));
  const again = openssl(..."pkcs12 -in again.pfx -passin pass: -nodes -nocerts".split(" ")).toString();
  assert.equal(publicPem(createPublicKey(again)), publicPem(createPublicKey(readFileSync(path("key.pem")))));
  const pem = Buffer.concat([readFileSync(path("cert.pem")), readFileSync(path("key.pem"))]);
  const options = { policy: { contentType: "application/x-pem-file" } };
  assert.deepEqual((await owner.importCertificate("JsPem", pem, options)).cer, imported.cer);
  const wrong = owner.importCertificate("JsWrong", readFileSync(path("both.pfx")), { password: "another" });
  await assert.rejects(wrong, { statusCode: 400, code: "BadParameter" });
});

test("a deleted certificate is recovered, purged, and restored from its backup", async () => {
  const made = await created("JsCertLife");
  const { value } = await secrets.getSecret("JsCertLife");
  const backup = await owner.backupCertificate("JsCertLife");
  const deleted = await (await owner.beginDeleteCertificate("JsCertLife", FAST)).pollUntilDone();
  assert.ok(deleted.recoveryId.endsWith("/deletedcertificates/JsCertLife"));
  await assert.rejects(owner.getCertificate("JsCertLife"), { statusCode: 404, code: "CertificateNotFound" });
  await assert.rejects(secrets.getSecret("JsCertLife"), { statusCode: 404 });
  await (await owner.beginRecoverDeletedCertificate("JsCertLife", FAST)).pollUntilDone();
  await (await owner.beginDeleteCertificate("JsCertLife", FAST)).pollUntilDone();
  assert.ok((await collected(owner.listDeletedCertificates())).some(({ name }) => name === "JsCertLife"));
  await owner.purgeDeletedCertificate("JsCertLife");
  assert.equal((await owner.restoreCertificateBackup(backup)).id, made.id);
  assert.equal((await secrets.getSecret("JsCertLife")).value, value);
});

test("contacts and issuers, one of them inside", async () => {
  await assert.rejects(owner.getContacts(), { statusCode: 404 });
  await owner.setContacts([{ email: "a@corp.example", name: "A", phone: "1" }]);
  assert.deepEqual(await owner.getContacts(), [{ email: "a@corp.example", name: "A", phone: "1" }]);
  await owner.deleteContacts();
  await assert.rejects(owner.getContacts(), { statusCode: 404 });

  const administratorContacts = [{ firstName: "J", lastName: "D", email: "j@corp.example", phone: "1" }];
  await owner.createIssuer("JsTest", "Test", { accountId: "user", password: "planted", administratorContacts });
  // `enabled: false` is not sent by this client.
  await owner.updateIssuer("JsTest", { accountId: "another" });
  const issuer = await owner.getIssuer("JsTest");
  assert.deepEqual([issuer.provider, issuer.accountId, issuer.enabled], ["Test", "another", true]);
  await owner.createIssuer("JsInside", "Credstore");
  await created("JsIssued", "JsInside");
  const chain = blocks((await secrets.getSecret("JsIssued")).value).map((pem) => new X509Certificate(pem));
  assert.ok(chain[0].verify(chain[1].publicKey) && chain[1].ca);
  const listed = (await collected(owner.listPropertiesOfIssuers())).map(({ id }) => id.split("/").at(-1));
  assert.ok(listed.includes("JsTest") && listed.includes("JsInside"));
  await owner.deleteIssuer("JsTest");
  await assert.rejects(owner.getIssuer("JsTest"), { statusCode: 404, code: "CertificateIssuerNotFound" });
});
