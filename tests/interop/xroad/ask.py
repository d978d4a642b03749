"""pyxroad, as a member's programme: asks each operation through a security server, and prints what it hears as JSON.

usage: ask.py SECURITY-SERVER CLIENT SERVICES QUESTIONS.json
"""

import json
import sys

from XRoad import XClient
from zeep.exceptions import Fault

XROAD = "http://x-road.eu/xsd/xroad.xsd"


def main(server, client, services, questions):
    with open(questions, encoding="utf-8") as file:
        asked = json.load(file)
    told = []
    for operation, user, message, elements in asked:
        # A client is of one service: it fetches the description and makes the header of it.
        one = XClient(server, client, f"{services}/{operation}")
        one.userId = user
        try:
            answer = one.request(xroad_id=message, **elements)
        except Fault as fault:
            told.append({"fault": str(fault)})
            continue
        told.append(answer)
    json.dump(told, sys.stdout, default=lambda value: value.decode() if isinstance(value, bytes) else str(value))


main(*sys.argv[1:])
