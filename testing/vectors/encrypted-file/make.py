"""Makes the vectors of this folder with Python's `cryptography` and `argon2-cffi`, after docs/encrypted-file.md alone.

They are checked in; the tests of the library open them and write them again.
"""

from __future__ import annotations

import base64
import json
import pathlib

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = pathlib.Path(__file__).resolve().parent
ID = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1"
TEXT = {"SmtpRelay": "in;the{file}", "Ünïcode 🔑": "pässwörd\n", "SqlServerP2P": "x" * 1500}


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def derived(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def sealed(text: bytes, key: bytes, kind: dict, generation: int, salt: bytes) -> bytes:
    header = {
        "id": ID,
        "generation": generation,
        "key": kind,
        "salt": base64_of(salt),
        "check": base64_of(derived(key, salt, b"credstore encrypted file 1 check", 16)),
    }
    head = f"credstore-encrypted-file 1\n{json.dumps(header, separators=(',', ':'))}\n".encode()
    padded = text + b" " * (-max(len(text), 1) % 1024)
    body = AESGCM(derived(key, salt, b"credstore encrypted file 1 seal", 32)).encrypt(bytes(12), padded, head)
    return head + base64_of(body).encode() + b"\n"


def main() -> None:
    text = json.dumps(TEXT, ensure_ascii=False, indent=2).encode()
    key = bytes(range(32))
    (HERE / "key-file.json").write_bytes(text)
    (HERE / "key-file.key").write_text(base64_of(key) + "\n")
    (HERE / "key-file.sealed").write_bytes(sealed(text, key, {"kind": "keyFile"}, 7, bytes(range(100, 132))))

    passphrase, salt = "correct horse battery staple", bytes(range(16))
    kind = {"kind": "passphrase", "kdf": "argon2id", "memoryKiB": 65536, "passes": 3, "lanes": 1, "salt": base64_of(salt)}
    key = hash_secret_raw(passphrase.encode(), salt, 3, 65536, 1, 32, Type.ID)
    (HERE / "passphrase.json").write_text("{}")
    (HERE / "passphrase.key").write_text(passphrase + "\n")
    (HERE / "passphrase.sealed").write_bytes(sealed(b"{}", key, kind, 1, bytes(range(200, 232))))


if __name__ == "__main__":
    main()
