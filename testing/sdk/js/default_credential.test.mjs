// `credstore run --azure-env`: an application with DefaultAzureCredential and not one line changed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";

const given = (name) => {
  const value = process.env[`CREDSTORE_TEST_${name}`];
  assert.ok(value, `CREDSTORE_TEST_${name} is not set: run this below testing/with_server.py`);
  return value;
};

test("an application with DefaultAzureCredential runs unchanged", async () => {
  const app = fileURLToPath(new URL("default_credential.mjs", import.meta.url));
  // The test's own authorities are taken away: what the application gets comes from `run` alone.
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  const { stdout } = await promisify(execFile)(
    given("BINARY"),
    ["run", "--azure-env", "--settings", given("SETTINGS"), "--data-dir", given("DATA"), "--", process.execPath, app],
    { env: { ...environment, VAULT_URL: given("VAULT_URL"), SECRET: given("READABLE") } },
  );
  assert.equal(stdout, "read by name, never written down\n403 Forbidden\n");
});
