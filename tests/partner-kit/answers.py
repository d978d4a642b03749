"""Asks a register, and judges whether an answer is to be believed. Python's own library and the `openssl` command."""

import base64
import hashlib
import http.client
import json
import ssl
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

# SubjectPublicKeyInfo of a P-256 key, up to the point (RFC 5480).
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


class Untrusted(Exception):
    """An answer that is not to be believed."""


def decoded(text):
    """Decodes base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der(number):
    """Returns a positive INTEGER of up to 32 octets."""
    octets = number.lstrip(b"\0") or b"\0"
    octets = b"\0" + octets if octets[0] & 0x80 else octets
    return bytes([2, len(octets)]) + octets


def verified(body, signature, keys):
    """Verifies a detached JWS (ES256, RFC 7797: `b64` false) over the exact octets of an answer, by one of the pinned
    keys (JWK Set). Returns the protected header.

    Raises `Untrusted`, which says why.
    """
    head, dots, rest = signature.partition("..")
    try:
        header, octets = json.loads(decoded(head)), decoded(rest)
    except (ValueError, UnicodeDecodeError) as error:
        raise Untrusted("the signature cannot be read") from error
    if not dots or header.get("alg") != "ES256" or header.get("b64") is not False or header.get("crit") != ["b64"]:
        raise Untrusted("the signature is of another kind")
    key = next((key for key in keys["keys"] if key["kid"] == header.get("kid")), None)
    if key is None or len(octets) != 64:
        raise Untrusted("the signature is by none of the pinned keys")
    public = base64.encodebytes(SPKI + decoded(key["x"]) + decoded(key["y"])).decode()
    pair = der(octets[:32]) + der(octets[32:])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{public}-----END PUBLIC KEY-----\n")
        (folder / "signature").write_bytes(bytes([0x30, len(pair)]) + pair)
        (folder / "signed").write_bytes(head.encode() + b"." + body)
        command = ["openssl", "dgst", "-sha256", "-verify", folder / "key.pem", "-signature", folder / "signature"]
        done = subprocess.run([*command, folder / "signed"], capture_output=True, check=False)
    if done.returncode != 0:
        raise Untrusted("the answer is not what was signed")
    return header


def believed(asked, body, signature, keys):
    """Returns what an answer says, if it is signed by a pinned key and answers this very question.

    Raises `Untrusted`, which says why.
    """
    verified(body, signature, keys)
    answer = json.loads(body)
    question = json.loads(asked)
    if answer.get("request") != question["request"] or answer.get("request_sha256") != hashlib.sha256(asked).hexdigest():
        raise Untrusted("it answers another question")
    return answer


class Said:
    """What came back: status, headers, octets."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        """Returns the body as JSON; an empty object where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    def code(self):
        """Returns the code of a problem (RFC 9457), or an empty text."""
        return self.json().get("code", "")

    def signature(self):
        """Returns the detached signature, or an empty text."""
        return self.headers.get("x-jws-signature", "")


class Service:
    """A register, reached with the certificate of a system, or without one."""

    def __init__(self, address, authority, certificate=None, key=None, timeout=30):
        parts = urllib.parse.urlsplit(address)
        if parts.scheme != "https" or not parts.hostname:
            raise SystemExit(f"{address}: write https://HOST:PORT")
        self.host, self.port, self.timeout = parts.hostname, parts.port or 443, timeout
        self.context = ssl.create_default_context(cafile=str(authority))
        if certificate:
            self.context.load_cert_chain(str(certificate), str(key))

    def send(self, method, path, body=None, headers=None):
        """Sends one request. Returns what came back; raises `OSError` where nothing did."""
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.context)
        try:
            all_headers = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, body, {**all_headers, **(headers or {})})
            answer = connection.getresponse()
            return Said(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except http.client.HTTPException as error:
            raise OSError(f"the connection was cut: {error!r}") from error
        finally:
            connection.close()
