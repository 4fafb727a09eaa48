// One value from a credstore broker, with Node's own modules: node broker_client.mjs SOCKET IDENTIFIER

import http from "node:http";

export function secret(socketPath, identifier) {
  const path = `/v1/secrets/${encodeURIComponent(identifier)}`;
  const options = { socketPath, path, headers: { Host: "localhost" }, timeout: 100_000 };
  return new Promise((resolve, reject) => {
    const request = http.get(options, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        const found = JSON.parse(Buffer.concat(parts).toString("utf8"));
        if (answer.statusCode === 200) resolve(found);
        else reject(new Error(`${found.error.code}: ${found.error.message}`));
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
  });
}

try {
  process.stdout.write((await secret(process.argv[2], process.argv[3])).value);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
