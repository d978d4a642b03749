#!/usr/bin/env python3
"""What a partner runs against the sandbox of the register before it is joined: does its certificate reach the services,
and, with `--client`, does its own program believe what it must, and nothing else?

    python3 kit.py --service https://localhost:8443 --folder DIR/partner [--report FILE] [--only NAME] [--client CMD …]

Exit code 0: everything passed. 1: something failed, and the lines say what. The report (JSON) names each check.
"""

import argparse
import base64
import csv
import datetime
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from xml.sax.saxutils import escape

from answers import Service, Untrusted, believed, decoded, verified
from relay import Relay, certify, problem

HERE = Path(__file__).resolve().parent
CHECKS = []


class Failed(Exception):
    """A check that did not pass."""


def check(name, says, client=False):
    """Adds a check to the list: of the register and the way to it, or of the partner's client."""

    def add(function):
        CHECKS.append((name, says, client, function))
        return function

    return add


def expect(holds, why):
    """Fails a check."""
    if not holds:
        raise Failed(why)


class Kit:
    """The sandbox, the people whom the partner may ask about, and the client that is tried."""

    def __init__(self, arguments):
        folder = Path(arguments.folder)
        self.folder, self.client = folder, arguments.client
        self.keys = json.loads((folder / "answer-keys.json").read_text())
        self.authority, self.certificate, self.key = folder / "tls-ca.pem", folder / "system.pem", folder / "system.key"
        self.address = arguments.service
        self.service = Service(self.address, self.authority, self.certificate, self.key)
        with open(folder / "people.csv", encoding="utf-8", newline="") as file:
            people = list(csv.DictReader(file))
        # Each run has requests, officers and people of its own: what the last one asked, and guessed, is remembered.
        first = secrets.randbelow(len(people))
        self.people = people[first:] + people[:first]
        self.run, self.asked, self.servers = secrets.token_hex(6), 0, None

    def certified(self):
        """Returns the folder with the certificates of servers that are not the register, made once."""
        if not self.servers:
            self.servers = tempfile.TemporaryDirectory()
            for name in ("relay", "stranger"):
                certify(self.servers.name, name)
        return Path(self.servers.name)

    def body(self, purpose="sandbox", person=0, **more):
        """Returns a question about one of the people."""
        self.asked += 1
        one = self.people[person]
        subject = {name: one[name] for name in ("personal_number", "full_name", "birth_date")}
        return {"request": f"kit-{self.run}-{self.asked}", "purpose": purpose, "case": f"KIT-{self.run}",
                "officer": f"nguyen.van.{self.run}", "unit": "Bộ thử", "subject": subject, **more}

    def ask(self, service, body):
        """Asks. Returns the octets of the question, and what came back."""
        asked = json.dumps(body, ensure_ascii=False).encode()
        return asked, self.service.send("POST", f"/api/v1/exchange/{service}", asked)

    def told(self, service, body):
        """Asks, and returns what a believable answer says."""
        asked, said = self.ask(service, body)
        expect(said.status == 200, f"{service}: {said.status} {said.code()}")
        try:
            return believed(asked, said.body, said.signature(), self.keys)
        except Untrusted as error:
            raise Failed(f"{service}: {error}") from error

    def refused(self, service, body, code):
        """Asks, and expects this refusal. Returns what came back."""
        said = self.ask(service, body)[1]
        expect(said.code() == code, f"{service}: {code} was expected, not {said.status} {said.code()}")
        return said


@check("certificate", "the service is reached with the system's certificate, and refuses a caller without one")
def certificate(kit):
    kit.told("confirm", kit.body())
    bare = Service(kit.address, kit.authority)
    asked = json.dumps(kit.body()).encode()
    said = bare.send("POST", "/api/v1/exchange/confirm", asked)
    expect(said.code() == "partner-certificate-needed", f"without a certificate: {said.status} {said.code()}")


@check("sandbox", "every answer says that its people are invented: in the header, in the signature, in the body")
def sandbox(kit):
    asked, said = kit.ask("confirm", kit.body())
    expect(said.headers.get("x-sandbox") == "true", "the header x-sandbox is missing: this is no sandbox, stop")
    expect(verified(said.body, said.signature(), kit.keys).get("sandbox") is True, "the signature does not say sandbox")
    expect(said.json().get("sandbox") is True, "the body does not say sandbox")
    expect(hashlib.sha256(asked).hexdigest() == said.json()["request_sha256"], "the digest is of another question")
    keys = kit.service.send("GET", "/api/v1/exchange/keys")
    expect(keys.json()["keys"] == kit.keys["keys"], "the pinned keys are not those that the service tells")


@check("signature", "a changed answer is no answer")
def signature(kit):
    _, said = kit.ask("confirm", kit.body())
    changed = said.body.replace(b"confirmed", b"forged", 1)
    try:
        verified(changed, said.signature(), kit.keys)
    except Untrusted:
        return
    raise Failed("a changed answer was verified")


@check("confirm", "yes, no, and the same no where no person has the number")
def confirm(kit):
    expect(kit.told("confirm", kit.body())["outcome"] == "confirmed", "right particulars are not confirmed")
    wrong = kit.body()
    wrong["subject"]["full_name"] = "Không Phải Tên Này"
    none = kit.body()
    none["subject"]["personal_number"] = "000000000000"
    answers = [kit.told("confirm", body) for body in (wrong, none)]
    expect([answer["outcome"] for answer in answers] == ["not-confirmed"] * 2, "what is not so is confirmed")
    expect(sorted(answers[0]) == sorted(answers[1]), "the two refusals differ")


@check("spelling", "capitals, and accents that are written apart, are the same name")
def spelling(kit):
    name = kit.people[0]["full_name"]
    for form in (name.upper(), name.lower(), unicodedata.normalize("NFD", name)):
        body = kit.body()
        body["subject"]["full_name"] = form
        expect(kit.told("confirm", body)["outcome"] == "confirmed", "another spelling of the name is not confirmed")


@check("repeated", "the same question has the same answer to the octet; another one under its identifier is refused")
def repeated(kit):
    body = kit.body()
    first, second = kit.ask("confirm", body)[1], kit.ask("confirm", body)[1]
    expect((first.body, first.signature()) == (second.body, second.signature()), "the answers differ")
    body["case"] += "-2"
    kit.refused("confirm", body, "exchange-request-reused")


@check("purpose", "what is not agreed, what ended, and a question without purpose, case or officer are refused")
def purpose(kit):
    kit.refused("confirm", kit.body(purpose="never-agreed"), "exchange-not-agreed")
    kit.refused("confirm", kit.body(purpose="sandbox-over"), "exchange-not-agreed")
    kit.refused("look-up", kit.body(purpose="sandbox-once"), "exchange-not-agreed")
    kit.refused("confirm", kit.body(officer="robot"), "exchange-request-unfit")
    for missing in ("purpose", "case", "officer", "unit"):
        body = kit.body()
        del body[missing]
        said = kit.ask("confirm", body)[1]
        expect(said.status == 422 or said.status == 400, f"without {missing}: {said.status} {said.code()}")


@check("quota", "a quota that is spent is 429, and says when to come again")
def quota(kit):
    said = None
    for person in range(3):
        said = kit.ask("confirm", kit.body(purpose="sandbox-once", person=person))[1]
    expect(said.code() == "exchange-quota-spent", f"the third of one a day: {said.status} {said.code()}")
    expect(int(said.headers.get("retry-after", "0")) > 0, "it does not say when to come again")


@check("look-up", "the fields that are wanted, and no other; the pseudonym names the person from then on")
def look_up(kit):
    answer = kit.told("look-up", kit.body(fields=["full_name", "sex"]))
    expect(sorted(answer["record"]) == ["full_name", "sex"], f"the record has {sorted(answer['record'])}")
    expect(answer["record"]["full_name"].casefold() == kit.people[0]["full_name"].casefold(), "another name")
    again = kit.body(fields=["sex"], subject={"pseudonym": answer["pseudonym"]})
    expect(kit.told("look-up", again)["pseudonym"] == answer["pseudonym"], "the pseudonym names another person")


@check("services", "card status, kinship and household answer")
def services(kit):
    expect(kit.told("card-status", kit.body())["record"]["card_status"] == "none", "no person of the sandbox has a card")
    for service in ("kinship", "household"):
        expect(kit.told(service, kit.body())["outcome"] == "found", f"{service}: not found")


@check("list", "a list is confirmed in stretches, and a stretch that comes again has the same answer")
def confirm_list(kit):
    opened = {key: value for key, value in kit.body().items() if key != "subject"}
    opened.update(second_officer=f"tran.thi.{kit.run}", lines=2)
    said = kit.ask("lists", opened)[1]
    expect(said.status == 200, f"lists: {said.status} {said.code()}")
    listed = said.json()
    lines = [{name: one[name] for name in ("personal_number", "full_name", "birth_date")} for one in kit.people[:2]]
    lines[1]["full_name"] = "Không Phải Tên Này"
    stretch = json.dumps({"number": 1, "lines": lines}, ensure_ascii=False).encode()
    path = f"/api/v1/exchange/lists/{listed['list']}/stretches"
    answers = [kit.service.send("POST", path, stretch) for _ in range(2)]
    expect(answers[0].status == 200, f"stretches: {answers[0].status} {answers[0].code()}")
    verified(answers[0].body, answers[0].signature(), kit.keys)
    expect(answers[0].body == answers[1].body, "the stretch that came again has another answer")
    outcomes = [line["outcome"] for line in answers[0].json()["lines"]]
    expect(outcomes == ["confirmed", "not-confirmed"], f"the lines are {outcomes}")


@check("follow", "a person is followed, the feed has a cursor, and ends")
def follow(kit):
    name = kit.told("follow", kit.body(person=1))["pseudonym"]
    said = kit.service.send("GET", "/api/v1/exchange/follows?purpose=sandbox")
    expect(said.status == 200, f"follows: {said.status} {said.code()}")
    verified(said.body, said.signature(), kit.keys)
    # A feed in which nothing was told yet has no cursor: it is read from its beginning.
    after = f"&after={said.json()['cursor']}" if said.json()["cursor"] else ""
    changes = kit.service.send("GET", f"/api/v1/exchange/changes?purpose=sandbox{after}")
    expect(changes.status == 200 and "next" in changes.json(), f"changes: {changes.status} {changes.code()}")
    gone = kit.service.send("GET", "/api/v1/exchange/changes?purpose=sandbox&after=AAAA")
    expect(gone.status >= 400, "a cursor of no feed is answered")
    body = json.dumps({"purpose": "sandbox", "pseudonym": name}).encode()
    ended = kit.service.send("POST", "/api/v1/exchange/unfollow", body)
    expect(ended.status in (200, 204), f"unfollow: {ended.status} {ended.code()}")


@check("birth", "a birth that is reported has a number at once, and the same one when it is reported again")
def birth(kit):
    place = {"province": "001"}
    name = "Nguyễn " + " ".join({"0": "An", "1": "Bảo", "2": "Chi", "3": "Dung", "4": "Giang", "5": "Hà", "6": "Khánh", "7": "Lan",
                                 "8": "Minh", "9": "Nga", "a": "Oanh", "b": "Phúc", "c": "Quân", "d": "Sơn", "e": "Thu", "f": "Vy"}[letter]
                                for letter in kit.run[:3])
    day = (datetime.date.today() - datetime.timedelta(days=3)).strftime("%d/%m/%Y")
    child = {"full_name": name, "birth_date": day, "sex": "Nữ", "birth_registration": place, "place_of_origin": place,
             "ethnic_group": "01", "mother": {"full_name": "Trần Thị Thử"}, "registration": f"Số {kit.run}"}
    body = {key: value for key, value in kit.body().items() if key != "subject"}
    body["birth"] = child
    asked, said = kit.ask("birth", body)
    expect(said.status == 200, f"birth: {said.status} {said.code()} {said.json().get('errors', '')}")
    answer = believed(asked, said.body, said.signature(), kit.keys)
    expect(answer["outcome"] in ("numbered", "held"), f"the outcome is {answer['outcome']}")
    again = kit.ask("birth", body)[1]
    expect(again.body == said.body, "the same report has another answer")


@check("soap", "the messages of the national population database are answered as over REST")
def soap(kit):
    one = kit.people[0]
    day, month, year = one["birth_date"].split("/")
    kit.asked += 1
    parts = {"MaYeuCau": f"KIT-{kit.run}-{kit.asked}", "MaDVC": "1.000656", "MaTichHop": "003", "MaCanBo": f"nguyen.van.{kit.run}",
             "SoDinhDanh": one["personal_number"], "HoVaTen": one["full_name"]}
    inside = "".join(f"<dan:{name}>{escape(value)}</dan:{name}>" for name, value in parts.items())
    born = f"<dan:NgayThangNamSinh><dan:NgayThangNam>{year}{month}{day}</dan:NgayThangNam></dan:NgayThangNamSinh>"
    message = ('<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
               'xmlns:dan="http://dancuquocgia.bca"><soapenv:Header/><soapenv:Body><dan:XacThucThongTinCongDan>'
               f"{inside}{born}</dan:XacThucThongTinCongDan></soapenv:Body></soapenv:Envelope>")
    said = kit.service.send("POST", "/npdb/soap", message.encode(), {"content-type": "text/xml; charset=utf-8"})
    expect(said.status == 200 and said.headers.get("x-sandbox") == "true", f"{said.status}: {said.body[:400]!r}")
    expect(b"TonTai>true<" in said.body, "right particulars are not confirmed")
    expect(verified(said.body, said.signature(), kit.keys).get("sandbox") is True, "the signature does not say sandbox")


def tried(kit, twist=None, before=None, name="relay", trusts="relay", body=None):
    """Runs the partner's client against a relay. Returns the exit code, what it wrote, and what the relay saw."""
    body, folder = body or kit.body(), kit.certified()
    relay = Relay(kit.service, folder, name)
    relay.twist, relay.before = twist or relay.twist, before or relay.before
    place = {"SERVICE": relay.address, "AUTHORITY": folder / f"{trusts}-ca.pem", "CERTIFICATE": kit.certificate.resolve(),
             "KEY": kit.key.resolve(), "ANSWER_KEYS": (kit.folder / "answer-keys.json").resolve()}
    environment = {**os.environ, **{f"PARTNER_{key}": str(value) for key, value in place.items()}}
    question = json.dumps({"service": "confirm", "body": body}, ensure_ascii=False)
    try:
        done = subprocess.run(kit.client, input=question.encode(), env=environment, capture_output=True, timeout=90,
                              check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed("the client did not end within 90 s") from error
    except OSError as error:
        raise SystemExit(f"--client {kit.client[0]}: {error}") from error
    finally:
        relay.close()
    try:
        wrote = json.loads(done.stdout)
    except ValueError:
        wrote = {}
    return done.returncode, wrote if isinstance(wrote, dict) else {}, relay.seen


def not_believed(kit, twist, what):
    """Expects that the client does not take what comes back for an answer."""
    code, wrote, seen = tried(kit, twist)
    expect(seen, "the client never asked")
    expect(code != 0, f"the client took {what} for an answer")
    expect("outcome" not in wrote, f"the client wrote an outcome, although it was told {what}")


@check("client: answer", "the client asks, and writes what it was told", client=True)
def client_answers(kit):
    code, wrote, seen = tried(kit)
    expect(code == 0 and wrote.get("outcome") == "confirmed", f"exit code {code}, outcome {wrote.get('outcome')}")
    expect(len(seen) == 1, f"it asked {len(seen)} times")
    wrong = kit.body()
    wrong["subject"]["full_name"] = "Không Phải Tên Này"
    code, wrote, _ = tried(kit, body=wrong)
    expect(code == 0 and wrote.get("outcome") == "not-confirmed", f"a no: exit code {code}, outcome {wrote.get('outcome')}")


@check("client: changed", "an answer that was changed on the way is not believed", client=True)
def client_changed(kit):
    def turn(_asked, _number, said):
        said.body = said.body.replace(b'"not-confirmed"', b'"confirmed"')
        return said

    body = kit.body()
    body["subject"]["full_name"] = "Không Phải Tên Này"
    code, wrote, _ = tried(kit, turn, body=body)
    expect(code != 0 and wrote.get("outcome") != "confirmed", "the client believed a no that was made a yes")


@check("client: unsigned", "an answer without signature is not believed", client=True)
def client_unsigned(kit):
    def strip(_asked, _number, said):
        said.headers.pop("x-jws-signature", None)
        return said

    not_believed(kit, strip, "an answer without signature")


@check("client: other kind", "a signature that says `none`, and one that is of another kind, are not believed", client=True)
def client_other_kind(kit):
    for header in ({"alg": "none", "b64": False, "crit": ["b64"]}, {"alg": "HS256", "b64": False, "crit": ["b64"]}):
        def swap(_asked, _number, said, header=header):
            kid = json.loads(decoded(said.signature().split("..")[0]))["kid"]
            text = base64.urlsafe_b64encode(json.dumps({**header, "kid": kid}).encode()).decode().rstrip("=")
            said.headers["x-jws-signature"] = f"{text}..{said.signature().split('..')[1]}"
            return said

        not_believed(kit, swap, f"a signature of the kind {header['alg']}")


@check("client: other answer", "the signed answer to another question is not believed", client=True)
def client_other_answer(kit):
    other = kit.ask("confirm", kit.body())[1]
    not_believed(kit, lambda _asked, _number, _said: other, "the answer to another question")


@check("client: lost", "a question whose answer was lost is asked again, the same to the octet", client=True)
def client_lost(kit):
    code, wrote, seen = tried(kit, lambda _asked, number, said: None if number == 0 else said)
    expect(code == 0 and wrote.get("outcome") == "confirmed", f"exit code {code}: the client gave up")
    expect(len(seen) >= 2 and len({asked for _, asked in seen}) == 1, "it came again with other octets")


@check("client: busy", "a service that is busy is asked again, the same to the octet", client=True)
def client_busy(kit):
    busy = problem(503, "service-busy", **{"retry-after": "1"})
    code, wrote, seen = tried(kit, before=lambda number: busy if number == 0 else None)
    expect(code == 0 and wrote.get("outcome") == "confirmed", f"exit code {code}: the client gave up")
    expect(len({asked for _, asked in seen}) == 1, "it came again with other octets")


@check("client: refused", "a refusal is no answer, and is not asked again", client=True)
def client_refused(kit):
    spent = problem(429, "exchange-quota-spent", **{"retry-after": "3600"})
    for refusal in (spent, problem(403, "exchange-not-agreed")):
        code, wrote, seen = tried(kit, before=lambda _number, refusal=refusal: refusal)
        expect(code != 0 and "outcome" not in wrote, f"{refusal.code()}: the client took it for an answer")
        expect(len(seen) == 1, f"{refusal.code()}: the client came {len(seen)} times")


@check("client: stranger", "a server whose certificate is by another authority is told nothing", client=True)
def client_stranger(kit):
    code, _, seen = tried(kit, name="stranger", trusts="relay")
    expect(code != 0 and not seen, "the client asked a server that it must not trust")


def digest():
    """Returns the SHA-256 of the kit's own files: says which kit it was."""
    files = sorted(HERE.glob("*.py"))
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def main():
    """Runs the checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", required=True, metavar="URL", help="https://HOST:PORT of the sandbox")
    parser.add_argument("--folder", required=True, metavar="DIR", help="what the partner was given: DIR/partner")
    parser.add_argument("--only", default="", metavar="NAME", help="the checks whose names begin so")
    parser.add_argument("--report", metavar="FILE", help="where the report is written")
    parser.add_argument("--client", nargs=argparse.REMAINDER, metavar="CMD", help="the partner's own program (last)")
    arguments = parser.parse_args()
    try:
        kit = Kit(arguments)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--folder {arguments.folder}: {error}") from error
    if not any(name.startswith(arguments.only) for name, *_ in CHECKS):
        raise SystemExit(f"--only {arguments.only}: no check is called so: {', '.join(name for name, *_ in CHECKS)}")
    if arguments.client == []:
        raise SystemExit("--client: the program is missing; it is the last of the options")
    if arguments.report:
        try:
            Path(arguments.report).touch()
        except OSError as error:
            raise SystemExit(f"--report {arguments.report}: {error}") from error
    try:
        said = kit.ask("confirm", kit.body())[1]
    except OSError as error:
        raise SystemExit(f"--service {kit.address}: {error}") from error
    if said.status in (401, 403):
        raise SystemExit(f"--folder {arguments.folder}: the service refuses this certificate ({said.code()})")
    results = []
    for name, says, client, function in CHECKS:
        if not name.startswith(arguments.only):
            results.append({"check": name, "result": "skipped", "why": "--only"})
            continue
        if client and not kit.client:
            results.append({"check": name, "result": "skipped", "why": "no --client"})
            print(f"SKIPPED {name}: no --client", flush=True)
            continue
        try:
            function(kit)
            results.append({"check": name, "result": "passed"})
            print(f"passed  {name}: {says}", flush=True)
        except (Failed, Untrusted, OSError, KeyError) as error:
            why = f"the answer lacks {error}" if isinstance(error, KeyError) else str(error)
            results.append({"check": name, "result": "failed", "why": why})
            print(f"FAILED  {name}: {why}", flush=True)
    count = {word: sum(one["result"] == word for one in results) for word in ("passed", "failed", "skipped")}
    report = {"kit_sha256": digest(), "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "service": kit.address, "answer_keys": [key["kid"] for key in kit.keys["keys"]],
              "client": kit.client or None, **count, "checks": results}
    if arguments.report:
        Path(arguments.report).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    sys.exit(1 if count["failed"] else 0)


if __name__ == "__main__":
    main()
