"""The smallest client of a register that does everything a client must: the kit runs it, and a partner may begin with it.

It reads a question from standard input, `{"service": "confirm", "body": {…}}`, asks the register that the environment
names, and writes the answer. Exit code 0: answered, and to be believed. 1: refused. 2: not to be believed. 3: no answer.
"""

import json
import os
import sys
import time
from pathlib import Path

from answers import Service, Untrusted, believed

ATTEMPTS = 4


def main():
    """Asks one question."""
    place = {name: os.environ[f"PARTNER_{name}"] for name in ("SERVICE", "AUTHORITY", "CERTIFICATE", "KEY", "ANSWER_KEYS")}
    service = Service(place["SERVICE"], place["AUTHORITY"], place["CERTIFICATE"], place["KEY"], timeout=10)
    keys = json.loads(Path(place["ANSWER_KEYS"]).read_text())
    question = json.load(sys.stdin)
    # The same octets at each attempt: the register answers a question that it answered before with the same answer.
    asked = json.dumps(question["body"], ensure_ascii=False).encode()
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.2 * 2**attempt)
        try:
            said = service.send("POST", f"/api/v1/exchange/{question['service']}", asked)
        except OSError as error:
            why = str(error)
            continue
        if said.status == 503:
            why = said.code()
            continue
        if said.status != 200:
            print(json.dumps({"refused": said.code() or said.status}))
            return 1
        try:
            answer = believed(asked, said.body, said.signature(), keys)
        except Untrusted as error:
            print(f"not believed: {error}", file=sys.stderr)
            return 2
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    print(f"no answer: {why}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
