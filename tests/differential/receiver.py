"""The server behind both relays: answers as its scenario says, and keeps what it was given."""

import socket
import threading

STEPS = {b"EHLO": "ehlo", b"HELO": "helo", b"MAIL": "mail", b"RCPT": "rcpt", b"DATA": "data", b"RSET": "rset", b"QUIT": "quit"}
DEFAULTS = {"greeting": "220 dest.test ESMTP", "ehlo": "250-dest.test|250-PIPELINING|250-SIZE 10240000|250-8BITMIME|250-DSN|"
            "250 SMTPUTF8", "helo": "250 dest.test", "mail": "250 2.1.0 Ok", "rcpt": "250 2.1.5 Ok", "data": "354 go",
            "end": "250 2.0.0 Ok: taken", "rset": "250 2.0.0 Ok", "quit": "221 2.0.0 Bye"}


class Receiver:
    """Listens on a port; script() says how it answers from the next connection on."""

    def __init__(self, port, host=""):
        self.listener = socket.create_server((host, port), reuse_port=False)
        self.port = port
        self.lock = threading.Lock()
        self.answers, self.messages = {}, []
        threading.Thread(target=self.accept, daemon=True).start()

    def script(self, answers):
        """{"rcpt a@dest.test" or "rcpt": reply}; "drop" hangs up. Forgets what came before."""
        with self.lock:
            self.answers, self.messages = dict(answers), []

    def taken(self):
        with self.lock:
            return list(self.messages)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def answer(self, client, step, argument="", message=None):
        """False when the connection is over. A message that is taken is kept before anybody hears of it."""
        with self.lock:
            reply = self.answers.get(f"{step} {argument}".strip(), self.answers.get(step, DEFAULTS.get(step, "502 5.5.2 what")))
            if message is not None and reply.startswith("2"):
                self.messages.append(message)
        if reply == "drop":
            client.close()
            return ""
        client.sendall(reply.replace("|", "\r\n").encode() + b"\r\n")
        return reply

    def serve(self, client):
        try:
            with client, client.makefile("rb") as lines:
                client.settimeout(60)
                if self.answer(client, "greeting"):
                    self.talk(client, lines)
        except (OSError, ValueError):
            pass

    def talk(self, client, lines):
        envelope = []
        while line := lines.readline():
            line = line.rstrip(b"\r\n")
            step = STEPS.get(line[:4].upper())
            argument = ""
            if step == "mail":
                envelope = [line.decode("utf-8", "surrogateescape")]
            elif step == "rcpt":
                argument = line.partition(b"<")[2].partition(b">")[0].decode("utf-8", "surrogateescape")
            if (step == "rcpt" and not envelope) or (step == "data" and len(envelope) < 2):
                client.sendall(b"503 5.5.1 bad sequence\r\n" if step == "rcpt" else b"554 5.5.1 no valid recipients\r\n")
                continue
            reply = self.answer(client, step or "unknown", argument)
            if not reply or step == "quit":
                return
            if step == "mail" and not reply.startswith("2"):
                envelope = []
            if step == "rcpt" and reply.startswith("2"):
                envelope.append(line.decode("utf-8", "surrogateescape"))
            if step == "data" and reply.startswith("3"):
                content = []
                while (line := lines.readline()) and line != b".\r\n":
                    content.append(line[1:] if line.startswith(b".") else line)
                if not line:
                    return
                if not self.answer(client, "end", message=(tuple(envelope), b"".join(content))):
                    return
