"""The rows of the table: which load each is, which figure of its result counts, what to reach."""

from dataclasses import dataclass, field

THOUSANDS = 1000.0


@dataclass(frozen=True)
class Row:
    """One row. `value` takes the figure out of causeway-bench's result; less is better."""
    name: str
    title: str
    unit: str
    load: tuple           # arguments of causeway-bench
    quick: tuple          # what replaces some of them with --quick
    value: object
    accounts: int
    quick_accounts: int = 0
    two_domains: bool = False
    fresh: bool = False   # on a server that has just been started, and is afterwards again
    reach: float = 0      # of the best peer; 0: not asked for
    reach_value: float = 0  # the same as a figure of its own
    notes: dict = field(default_factory=dict)


def _cpu(result):
    return result["server_cpu_seconds_per_100000"]


def _p99_milliseconds(result):
    return result["latency"]["p99_us"] / THOUSANDS


def _chat(name, in_flight, reach):
    return Row(name, f"chat, {in_flight} in flight per pair", "CPU-s per 100,000 stanzas",
               ("chat", "--pairs", "100", "--in-flight", str(in_flight), "--duration", "6",
                "--warm-up", "2"),
               ("--duration", "2", "--warm-up", "1"), _cpu, 200, reach=reach)


def _s2s(name, reach):
    return Row(name, "s2s chat, 10 in flight, both servers", "CPU-s per 100,000 stanzas",
               ("s2s", "--pairs", "100", "--in-flight", "10", "--duration", "6",
                "--warm-up", "2"),
               ("--duration", "2", "--warm-up", "1"), _cpu, 100, two_domains=True, reach=reach)


def _rate(name, reach):
    return Row(name, "latency p99 at 500 messages a second", "ms",
               ("rate", "--pairs", "100", "--rate", "500", "--duration", "10", "--warm-up", "2"),
               ("--duration", "4", "--warm-up", "1"), _p99_milliseconds, 200, reach=reach)


def _managed(row):
    """The same row with stream management on every session."""
    return Row(row.name + "-sm", row.title + ", stream management", row.unit,
               (*row.load, "--stream-management"), row.quick, row.value, row.accounts,
               two_domains=row.two_domains)


CHAT_10 = _chat("chat10", 10, 1 / 5)
CHAT_1 = _chat("chat1", 1, 1 / 4)
PRESENCE = Row("presence", "presence to 500 subscribers", "CPU-s per 100,000 notifications",
               ("presence", "--subscribers", "500", "--count", "400"), ("--count", "30"), _cpu,
               501, reach=1 / 4)
EVENTS = Row("events", "personal events to 500 contacts", "CPU-s per 100,000 notifications",
             ("events", "--subscribers", "500", "--count", "400"), ("--count", "30"), _cpu,
             501, reach=1 / 5)
S2S = _s2s("s2s", 1 / 5)
LOGIN = Row("login", "login, SCRAM-SHA-1", "CPU ms",
            ("login", "--count", "500", "--accounts", "100", "--mechanism", "SCRAM-SHA-1"),
            ("--count", "150"), lambda result: result["server_cpu_ms_per_login"], 100,
            reach=1 / 2)
LATENCY = _rate("latency", 1)
MEMORY = Row("memory", "resident memory per idle TLS session, 1,000 to 5,000", "KiB",
             ("idle", "--sessions", "5000", "--baseline", "1000", "--settle", "5", "--hold", "0"),
             ("--sessions", "1000", "--baseline", "200", "--settle", "3"),
             lambda result: result["resident_kib_per_session"], 5000, quick_accounts=1000,
             fresh=True, reach_value=20)

ROWS = [CHAT_10, CHAT_1, PRESENCE, EVENTS, S2S, LOGIN, LATENCY,
        _managed(CHAT_10), _managed(CHAT_1), _managed(S2S), _managed(LATENCY), MEMORY]


def replaced(load, changes):
    """`load` with the values of the options named in `changes` replaced."""
    result = list(load)
    for option, value in zip(changes[::2], changes[1::2]):
        result[result.index(option) + 1] = value
    return result
