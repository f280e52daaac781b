"""Numbered messages from one client to another, and what became of each."""

import time

from xmpp import CLIENT


class Fate:
    """One message. Times are seconds since the run began, None for what has not happened."""

    __slots__ = ("flow", "number", "sent_at", "acknowledged_at", "error", "seen_at")

    def __init__(self, flow, number):
        self.flow = flow
        self.number = number
        self.sent_at = flow.clock()
        self.acknowledged_at = None
        self.error = None
        self.seen_at = []

    def acknowledged(self):
        self.acknowledged_at = self.flow.clock()
        self.flow.open -= 1
        self.flow.progress()

    def __str__(self):
        def at(moment):
            return "never" if moment is None else f"{moment:.3f} s"
        seen = ", ".join(map(at, self.seen_at)) or "never"
        error = f", error {self.error}" if self.error else ""
        return (f"{self.flow.name} {self.number}: sent {at(self.sent_at)}, acknowledged "
                f"{at(self.acknowledged_at)}, seen {seen}{error}")


class Flow:
    """`count` messages, at most `in_flight` of them unacknowledged. `progress()` is called
    whenever something happens to one of them."""

    def __init__(self, name, sender, recipient, count, in_flight, began, progress):
        self.name = name
        self.across = sender.domain != recipient.domain
        self.sender = sender
        self.recipient = recipient
        self.count = count
        self.in_flight = in_flight
        self.allowed = count  # how many it may have sent by now
        self.waits = lambda: False  # whether it is to send nothing for now
        self._began = began
        self.progress = progress
        self.fates = []
        self.open = 0
        self.reordered = []
        self._latest = -1

    def clock(self):
        return time.monotonic() - self._began

    def pump(self):
        """Sends as much as may be on its way."""
        while (self.open < self.in_flight and len(self.fates) < self.allowed
               and not self.waits()):
            fate = Fate(self, len(self.fates))
            self.fates.append(fate)
            self.open += 1
            name = f"{self.name}:{fate.number}"
            self.sender.send(f"<message type='chat' to='{self.recipient.bare}' id='{name}'>"
                             f"<body>{name}</body></message>", fate)
            self.progress()
        if self.open:
            self.sender.ask()

    def arrived(self, number):
        fate = self.fates[number]
        fate.seen_at.append(self.clock())
        if len(fate.seen_at) == 1 and number < self._latest:
            self.reordered.append(fate)
        self._latest = max(self._latest, number)
        self.progress()

    def refused(self, number, condition):
        self.fates[number].error = condition
        self.progress()

    def over(self):
        """Every message was sent and has one outcome at both ends."""
        return len(self.fates) == self.count and self.open == 0 and all(
            fate.seen_at or fate.error for fate in reversed(self.fates))


def key_in(element):
    """The name of a numbered message, in an error for it as well; None if it is none of ours."""
    if not element.tag.endswith("}message"):
        return None
    name = element.get("id") or ""
    if ":" not in name:
        return None
    return f"error {name}" if element.get("type") == "error" else name


class Reader:
    """Takes messages to the flows that they are of."""

    def __init__(self, flows):
        self._flows = {flow.name: flow for flow in flows}

    def take(self, element):
        if element.get("type") == "error":
            name, _, number = element.get("id", "").partition(":")
            if name in self._flows:
                self._flows[name].refused(int(number), _condition(element))
            return
        name, _, number = (element.findtext(CLIENT + "body") or "").partition(":")
        if name in self._flows:
            self._flows[name].arrived(int(number))


def _condition(element):
    error = element.find(CLIENT + "error")
    return "?" if error is None else ", ".join(
        child.text or child.tag.rpartition("}")[2] for child in error)
