"""What became of messages between Causeway and a server that forgets, and whose doing it was.

Nothing is assumed: what a server had is what it acknowledged on the wire (witness.py), what our
server knew of that is what its trace said at that moment, and what clients had is theirs to say."""

SHOWN = 5
OURS = ("lost", "again", "doubled", "error, too", "reordered", "unknown")
THEIRS = ("forgotten", "bounced", "and read", "sent twice", "shown", "by itself", "disordered",
          "our kill")
COLUMNS = ("sent", "delivered", "refused")
# What was passed to our server so long before the stream broke, it has read.
READ_SECONDS = 0.2
# The trace tells milliseconds, of when a turn began; less before a copy it may be of that copy.
TURN_SECONDS = 0.02
# What was acknowledged is erased from our server's store with a commit within a second.
ERASED_SECONDS = 2


class Attribution:
    """`confirmed`: key -> when our server's trace said that the other one has the message.
    `kills`: when our own server was killed, and served again."""

    def __init__(self, flows, clients, left_over, ours, witness, confirmed, kills):
        self._ours = ours
        self._witness = witness
        self._confirmed = confirmed
        self._kills = kills
        self._rows = {}
        for flow in flows:
            name = f"from {flow.sender.domain}"
            row = self._rows.setdefault(name, {column: []
                                               for column in COLUMNS + OURS + THEIRS})
            for fate in flow.fates:
                for column in self._judge(fate):
                    row[column].append(fate)
        resuming = [client for client in clients if client.domain == ours]
        self._other = {
            "left over": [f"{left_over} messages in new sessions"] * (left_over > 0),
            "not resumed": [f"{client.jid}: {', '.join(why)}" for client in resuming
                            for why in client.not_resumed],
            "wrong": [text for client in clients for text in (*client.wrong, *client.refused)]
                     + witness.not_understood,
        }

    def good(self):
        return not any(self._other.values()) and not any(
            row[column] for row in self._rows.values() for column in OURS)

    def __str__(self):
        lines = []
        for title, columns in (("", COLUMNS + OURS), ("not ours", THEIRS)):
            lines.append(f"{title:12}" + "".join(f"{column:>12}" for column in columns))
            for name, row in self._rows.items():
                lines.append(f"{name:12}" + "".join(f"{len(row[column]):12}"
                                                    for column in columns))
        lines.append(", ".join(f"{name}: {len(found)}" for name, found in self._other.items()))
        for row in self._rows.values():
            for column in OURS:
                lines += [f"  {column}: {self.story(fate)}" for fate in row[column][:SHOWN]]
        for name, found in self._other.items():
            lines += [f"  {name}: {text}" for text in found[:SHOWN]]
        return "\n".join(lines)

    def stories(self):
        """Of all that is counted in any column but the first two, for the journal."""
        for name, row in self._rows.items():
            for column in ("refused", *OURS, *THEIRS):
                for fate in row[column]:
                    yield f"{name}, {column}: {self.story(fate)}"

    def story(self, fate):
        copies = "; ".join(
            f"stream {copy.stream.number} at {copy.at:.3f} s"
            + ("" if copy.managed else ", not counted")
            + (f", acknowledged {copy.acknowledged_at:.3f} s" if copy.acknowledged_at else "")
            + (f", broke {copy.stream.ended:.3f} s" if copy.stream.ended else "")
            for copy in self._copies(fate))
        confirmed = ", ".join(f"{at:.3f} s" for at in self._confirmed.get(key_of(fate), []))
        return (f"{fate}; passed: {copies or 'never'}"
                + (f"; confirmed {confirmed}" if confirmed else ""))

    # --- one message ---

    def _copies(self, fate):
        return self._witness.copies_of(fate.flow.sender.domain, key_of(fate))

    def _error_passed(self, fate):
        """The other domain's server sent the error, and did not make it up for its own client."""
        return bool(self._witness.copies_of(fate.flow.recipient.domain, "error " + key_of(fate)))

    def _judge(self, fate):
        """The columns in which a message is counted."""
        yield "sent"
        if fate.seen_at:
            yield "delivered"
        if fate.error:
            yield "refused"
        if fate.flow.sender.domain == self._ours:
            yield from self._judge_ours(fate)
        else:
            yield from self._judge_theirs(fate)

    def _judge_ours(self, fate):
        """Sent by a client of ours."""
        copies = self._copies(fate)
        if fate.acknowledged_at is None and not fate.error:
            yield "unknown"
        elif not fate.seen_at and not fate.error:
            yield "forgotten" if any(copy.acknowledged_at for copy in copies) else "lost"
        if fate.error and self._error_passed(fate):
            yield "bounced"
            if fate.seen_at:
                yield "and read"
        elif fate.error and fate.seen_at:
            yield "error, too"
        repeated = None
        if len(copies) > 1:
            repeated = self._why_again(fate, copies)
            yield repeated
        if len(fate.seen_at) > 1:
            yield "shown" if repeated else "by itself"
        if self._passed_later(fate, copies):
            yield "reordered"
        elif fate in fate.flow.reordered:
            yield "disordered"

    def _why_again(self, fate, copies):
        causes = []
        for first, second in zip(copies, copies[1:]):
            if second.stream is first.stream:
                return "again"
            knew_at = self._knew_at(first, second, fate)
            if knew_at is not None and not any(
                    knew_at < again and killed - ERASED_SECONDS < knew_at and killed < second.at
                    for killed, again in self._kills):
                return "again"
            causes.append("sent twice" if knew_at is None else "our kill")
        return "our kill" if "our kill" in causes else "sent twice"

    def _knew_at(self, first, second, fate):
        """Since when our server knew, as it sent the second copy, that the other one had the first
        one; None if it did not."""
        for at in self._confirmed.get(key_of(fate), []):
            if first.at - TURN_SECONDS < at < second.at - TURN_SECONDS:
                return at
        broke = first.stream.ended
        read = first.told_at is not None and (broke is None
                                              or broke - first.told_at > READ_SECONDS)
        return first.told_at if read else None

    def _passed_later(self, fate, copies):
        """Our server sent it behind one that its client had sent later: for the first time, or on
        the same stream."""
        later = self._witness.copies_of(fate.flow.sender.domain,
                                        f"{fate.flow.name}:{fate.number + 1}")
        return any(one.order < copy.order and (one.stream is copy.stream or copy is copies[0])
                   for copy in copies for one in later)

    def _judge_theirs(self, fate):
        """Sent by a client of the other server."""
        copies = self._copies(fate)
        taken = any(copy.acknowledged_at for copy in copies)
        ours_refused = self._error_passed(fate)
        if not fate.seen_at and taken and not ours_refused:
            yield "lost"
        elif not fate.seen_at and not fate.error:
            yield "forgotten" if fate.acknowledged_at else "unknown"
        if fate.error and not ours_refused:
            yield "bounced"
            if fate.seen_at:
                yield "and read"
        elif fate.error and fate.seen_at:
            yield "error, too"
        if len(copies) > 1:
            yield "sent twice"
        if len(fate.seen_at) > 1:
            yield "shown" if len(copies) > 1 else "doubled"
        if fate in fate.flow.reordered:
            yield "reordered" if self._arrived_before_later(fate, copies) else "disordered"

    def _arrived_before_later(self, fate, copies):
        """All of it came to our server before, or we had it before, any that was sent later."""
        later = [copy for number in range(fate.number + 1, len(fate.flow.fates))
                 for copy in self._witness.copies_of(fate.flow.sender.domain,
                                                     f"{fate.flow.name}:{number}")[:1]]
        first = min((copy.order for copy in later), default=None)
        return first is not None and bool(copies) and (
            copies[-1].order < first or (copies[0].order < first
                                         and copies[0].acknowledged_at is not None))


def key_of(fate):
    return f"{fate.flow.name}:{fate.number}"
