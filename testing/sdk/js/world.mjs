// What the tests of Microsoft's JavaScript clients share: who they are, and how they sign in.

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { ClientCertificateCredential } from "@azure/identity";

// Debian 12 has Node 18, where the SDK looks for this global in vain.
globalThis.crypto ??= webcrypto;

export const given = (name) => {
  const value = process.env[`CREDSTORE_TEST_${name}`];
  assert.ok(value, `CREDSTORE_TEST_${name} is not set: run this below testing/with_server.py`);
  return value;
};

export const credentialOf = (
  app,
  { tenant = given("TENANT"), clientId = given(app), key = given(`${app}_KEY`) } = {},
) =>
  new ClientCertificateCredential(tenant, clientId, key, {
    authorityHost: given("AUTHORITY"),
    disableInstanceDiscovery: true,
  });

export const collected = async (items) => {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
};
