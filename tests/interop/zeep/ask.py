"""A client that zeep makes from the description that the service publishes: asks each operation with the certificate of
a partner's system, verifies the signed answers, and prints all of it as JSON.

usage: ask.py ADDRESS AUTHORITY.pem IDENTITY.pem QUESTIONS.json
"""

import base64
import json
import sys

import requests
import zeep
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from zeep.helpers import serialize_object

OWN = "https://citizen-card.invalid/exchange/1"


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(keys, signature, content):
    """Verifies a detached JWS (RFC 7797) over these bytes; raises where it is not so."""
    header, between, signed = signature.split(".")
    said = json.loads(decoded(header))
    if between or said["alg"] != "ES256" or said["b64"] is not False or said["crit"] != ["b64"]:
        raise ValueError("not a detached signature of this kind")
    [key] = [key for key in keys if key["kid"] == said["kid"]]
    x, y = (int.from_bytes(decoded(key[name]), "big") for name in "xy")
    raw = decoded(signed)
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    message = header.encode() + b"." + content
    public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def main(address, authority, identity, questions):
    session = requests.Session()
    session.trust_env = False
    session.verify, session.cert = authority, identity
    client = zeep.Client(f"{address}/npdb/soap?wsdl", transport=zeep.Transport(session=session))
    service = client.create_service(f"{{{OWN}}}DanCuQuocGia", f"{address}/npdb/soap")
    keys = session.get(f"{address}/api/v1/exchange/keys", timeout=10).json()["keys"]
    with open(questions, encoding="utf-8") as file:
        asked = json.load(file)
    told = []
    for operation, elements in asked:
        try:
            answer = service[operation](**elements)
        except zeep.exceptions.Fault as fault:
            code = fault.detail.find(f".//{{{OWN}}}Code").text
            told.append({"fault": fault.code, "code": code})
            continue
        signed = answer.header.signed
        content = bytes(signed.Content)
        verify(keys, signed.Signature, content)
        body = serialize_object(answer.body, dict)
        told.append({"body": body, "signed": json.loads(content)})
    json.dump(told, sys.stdout, default=str)


main(*sys.argv[1:])
