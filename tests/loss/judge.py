"""What became of the messages, in a table, and the first of those that it should not have."""

SHOWN = 5
COLUMNS = ("sent", "delivered", "refused", "lost", "duplicated", "error, too", "reordered",
           "unknown")
MUST_BE_ZERO = COLUMNS[3:]


class Verdict:
    """`left_over`: messages that new sessions got after everything was acknowledged."""

    def __init__(self, flows, clients, left_over):
        self._rows = {"local": Tally(), "across": Tally()}
        for flow in flows:
            self._rows["across" if flow.across else "local"].add(flow)
        self._other = {
            "left over": [f"{left_over} messages in new sessions"] * (left_over > 0),
            "not resumed": [f"{client.jid}: {', '.join(why)}" for client in clients
                            for why in client.not_resumed],
            "wrong": [text for client in clients for text in (*client.wrong, *client.refused)],
        }

    def good(self):
        """Whether all is zero that must be."""
        return not any(self._other.values()) and all(row.good() for row in self._rows.values())

    def __str__(self):
        lines = [f"{'':8}" + "".join(f"{column:>12}" for column in COLUMNS)]
        for name, row in self._rows.items():
            if row.fates["sent"]:
                lines.append(f"{name:8}" + "".join(f"{len(row.fates[column]):12}"
                                                   for column in COLUMNS))
        lines.append(", ".join(f"{name}: {len(found)}" for name, found in self._other.items()))
        for row in self._rows.values():
            for column in MUST_BE_ZERO:
                lines += [f"  {column}: {fate}" for fate in row.fates[column][:SHOWN]]
        for name, found in self._other.items():
            lines += [f"  {name}: {text}" for text in found[:SHOWN]]
        return "\n".join(lines)


class Tally:
    """The messages of some flows, by what became of them."""

    def __init__(self):
        self.fates = {column: [] for column in COLUMNS}

    def add(self, flow):
        self.fates["reordered"] += flow.reordered
        for fate in flow.fates:
            for column in judge(fate):
                self.fates[column].append(fate)

    def good(self):
        return not any(self.fates[column] for column in MUST_BE_ZERO)


def judge(fate):
    """The columns in which a message is counted."""
    yield "sent"
    if fate.seen_at:
        yield "delivered"
    if fate.error:
        yield "refused"
    if not fate.seen_at and not fate.error and fate.acknowledged_at is not None:
        yield "lost"
    if len(fate.seen_at) > 1:
        yield "duplicated"
    if fate.seen_at and fate.error:
        yield "error, too"
    if fate.acknowledged_at is None and not fate.error:
        yield "unknown"
