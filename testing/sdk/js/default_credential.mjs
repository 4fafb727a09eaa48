// An application as it is written for Azure: nothing in it knows where it runs. Reads, and may not list.

import { webcrypto } from "node:crypto";
import { DefaultAzureCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";

// Debian 12 has Node 18, where the SDK looks for this global in vain.
globalThis.crypto ??= webcrypto;

const client = new SecretClient(process.env.VAULT_URL, new DefaultAzureCredential());
console.log((await client.getSecret(process.env.SECRET)).value);
try {
  for await (const _ of client.listPropertiesOfSecrets());
} catch (refused) {
  console.log(refused.statusCode, refused.code);
}
