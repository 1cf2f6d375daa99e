"""Receiving servers of other makes: aiosmtpd, which keeps what it took to the byte, and Postfix's smtp-sink, which
refuses and hangs up as told."""

import glob
import os
import subprocess

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from harness import can_connect, free_port, remember_to, scratch_directory, tool, wait_until


class _PatientSmtp(SMTP):
    line_length_limit = 1 << 20         # ours is the line limit under test
    command_size_limit = 4096


class Received:
    """One message as it arrived."""

    def __init__(self, session, envelope):
        self.sender = "" if envelope.mail_from == "<>" else envelope.mail_from
        self.recipients = list(envelope.rcpt_tos)
        self.mail_options = list(envelope.mail_options)
        self.content = envelope.original_content or envelope.content
        self.helo = session.host_name

    @property
    def header(self):
        return self.content.split(b"\r\n\r\n", 1)[0] + b"\r\n"

    @property
    def body(self):
        """Everything behind the blank line; the final dot's CRLF is the last line's own."""
        return self.content.split(b"\r\n\r\n", 1)[1]

    def fields(self, name):
        """The values of a header field, unfolded, in order."""
        found, value = [], None
        for line in self.header.decode("utf-8", "surrogateescape").split("\r\n"):
            if line[:1] in (" ", "\t"):
                if value is not None:
                    value += line
                    found[-1] = value
                continue
            value = None
            if line.lower().startswith(name.lower() + ":"):
                value = line.split(":", 1)[1].strip()
                found.append(value)
        return found


class AioReceiver:
    """aiosmtpd on a thread of ours. `replies`: what to answer to RCPT by recipient, instead of 250."""

    def __init__(self, host="127.0.0.1", port=None, replies=None, smtputf8=True, size_max=64 << 20):
        self.port = port or free_port()
        self.messages = []
        self.replies = replies or {}
        self.controller = Controller(self, hostname=host, port=self.port, ready_timeout=20)
        self.controller.factory = lambda: _PatientSmtp(self, enable_SMTPUTF8=smtputf8, data_size_limit=size_max,
                                                       hostname="receiver.test", decode_data=False)
        self.controller.start()
        remember_to(self.stop)

    def stop(self):
        if self.controller:
            self.controller.stop()
            self.controller = None

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        reply = self.replies.get(address)
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(Received(session, envelope))
        return "250 2.0.0 taken"

    def wait(self, count=1, seconds=30):
        """The messages, as soon as there are `count`."""
        wait_until(lambda: len(self.messages) >= count, seconds, f"{count} messages at the receiver")
        return self.messages


class PostfixSink:
    """Postfix's smtp-sink; options as in smtp-sink(1). It dumps every transaction into a file of its own."""

    def __init__(self, *options, host="127.0.0.1", port=None):
        self.host = host
        self.port = port or free_port()
        self.directory = scratch_directory("smtp-sink")
        os.chmod(self.directory, 0o777)
        self.process = None
        remember_to(self.stop)
        self.start(*options)

    def start(self, *options):
        self.process = subprocess.Popen(
            [tool("smtp-sink"), "-u", "nobody", "-d", os.path.join(self.directory, "m."), *options,
             f"{self.host}:{self.port}", "256"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: can_connect(self.port, self.host), what="smtp-sink to listen")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def restart(self, *options):
        self.stop()
        self.start(*options)

    def dumps(self):
        """Text of what was dumped, refused transactions included: X-Mail-Args, X-Rcpt-Args, then the message."""
        out = []
        for path in sorted(glob.glob(os.path.join(self.directory, "m.*"))):
            with open(path, errors="replace") as f:
                out.append(f.read())
        return out

    def messages(self):
        """Dumps that hold a message: one that was refused before DATA has nothing behind its X- lines."""
        return [dump for dump in self.dumps() if "\nReceived: by smtp-sink" in dump or "\nReceived: from" in dump]

    def wait(self, count=1, seconds=30):
        return wait_until(lambda: len(self.messages()) >= count and self.messages(), seconds,
                          f"{count} messages at smtp-sink")
