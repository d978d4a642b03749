"""A register that cannot be trusted: it stands between a client and the sandbox, and changes, loses or swaps answers."""

import http.server
import json
import ssl
import subprocess
import threading
from pathlib import Path

from answers import Said


def made(folder, *arguments):
    """Runs `openssl` in a folder."""
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")


def certify(folder, name):
    """Makes an authority `name`-ca.pem, and a server certificate `name`.pem with its key for 127.0.0.1."""
    folder = Path(folder)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    made(folder, "req", "-x509", *curve, "-subj", f"/CN={name} authority", "-keyout", f"{name}-ca.key", "-out", f"{name}-ca.pem",
         "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    made(folder, "req", *curve[:-2], "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    made(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca.key",
         "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", f"{name}.pem")


class Relay:
    """Passes each request to the sandbox, and what comes back through `twist`, which is given the octets of the question,
    the number of the request (from 0), and what the sandbox said; it returns what the client is told, or None for a
    connection that is cut. `before` may answer in the sandbox's place."""

    def __init__(self, upstream, folder, name):
        self.upstream, self.seen = upstream, []
        self.before = lambda number: None
        self.twist = lambda asked, number, said: said
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection of the client."""

            def do_POST(self):
                """Answers as the relay is told to."""
                asked = self.rfile.read(int(self.headers.get("content-length", 0)))
                number = len(relay.seen)
                relay.seen.append((self.path, asked))
                said = relay.before(number)
                if said is None:
                    headers = {"content-type": self.headers.get("content-type", "application/json")}
                    said = relay.twist(asked, number, relay.upstream.send("POST", self.path, asked, headers))
                self.close_connection = True
                if said is None:
                    return
                self.send_response(said.status)
                for header in ("content-type", "x-jws-signature", "retry-after", "x-sandbox"):
                    if said.headers.get(header):
                        self.send_header(header, said.headers[header])
                self.send_header("content-length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

            def log_message(self, *_):
                """Says nothing: questions are about people."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder) / f"{name}.pem", Path(folder) / f"{name}.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"https://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()


def problem(status, code, **headers):
    """Returns a problem (RFC 9457) as the register words it."""
    body = json.dumps({"code": code, "status": status, "title": code}).encode()
    return Said(status, {"content-type": "application/problem+json", **headers}, body)
