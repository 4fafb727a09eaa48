"""The Python lines of README.md do what it says."""

from __future__ import annotations

import re
import shutil

from conftest import READABLE, READABLE_VALUE
from installation import ROOT

SNIPPET = re.compile(r"<!-- snippet: python -->\n```python\n(.*?)```", re.DOTALL)


def test_the_snippet_prints_the_secret(world, monkeypatch, capsys):
    (snippet,) = SNIPPET.findall((ROOT / "README.md").read_text())
    assert f'"{READABLE}"' in snippet
    folder = world.here.folder / "readme"
    folder.mkdir()
    shutil.copy(world.reader.certificate, folder / "my-certificate.pem")
    shutil.copy(world.here.ca_file, folder / "ca.pem")
    monkeypatch.chdir(folder)
    code = compile(snippet.replace(":8443", f":{world.here.port}"), "README.md", "exec")
    exec(code, {"TENANT": world.tenant, "CLIENT": world.reader.client_id})
    assert capsys.readouterr().out == f"{READABLE_VALUE}\n"
