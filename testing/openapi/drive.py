"""Requests made from docs/openapi/key-vault.json, by schemathesis, against a running vault.

drive.py ST [SECONDS]: ST is the fuzzer's program. No answer may be a 5xx, have a status or a form that the description does
not declare, or lack the challenge where the token is missing; and the server must not log an error. Run it with the Python
of the SDK tests, below testing/private-hosts.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "testing"))

from azure.identity import CertificateCredential  # noqa: E402

from installation import installation_with_vault  # noqa: E402

VAULT = "acme-pm-kv"
DESCRIPTION = ROOT / "docs/openapi/key-vault.json"


def main() -> int:
    fuzzer, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "45"
    with installation_with_vault(VAULT) as here:
        here.make_names_known()
        operator = next(app for app in here.json("app", "list") if app["displayName"] == "credstore-operator")
        credential = CertificateCredential(
            tenant_id=here.tenant,
            client_id=operator["appId"],
            certificate_path=str(here.data / "operator.pem"),
            authority=here.authority,
            disable_instance_discovery=True,
            connection_verify=str(here.ca_file),
        )
        resource = here.authority.replace("https://login.", "https://vault.")
        token = credential.get_token(f"{resource}/.default").token
        done = subprocess.run(
            [
                *(fuzzer, "--config-file", str(HERE / "schemathesis.toml"), "run", str(DESCRIPTION)),
                *("--url", here.vault_url(VAULT), "--tls-verify", str(here.ca_file)),
                *("--phases", "coverage,fuzzing", "--max-time", seconds, "--no-color"),
            ],
            cwd=here.folder,
            env={**os.environ, "CREDSTORE_TEST_TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        logged = [line for line in here.log.read_text().splitlines() if re.search(r"\bERROR\b|panic", line)]
    print(done.stdout)
    for line in logged:
        print(f"the server logged: {line}")
    tested = re.search(r"Tested: (\d+)", done.stdout)
    if done.returncode != 0 or logged or tested is None:
        return 1
    print(f"{tested[1]} passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
