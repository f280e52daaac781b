"""The table: medians of ours beside theirs, and how ours compares with the best of them."""

import statistics

PEERS = ("prosody", "ejabberd")


def median(values):
    return statistics.median(values) if values else None


def best_peer(medians):
    """(kind, value) of the peer that did best, or None."""
    known = [(medians[kind], kind) for kind in PEERS if medians.get(kind) is not None]
    if not known:
        return None
    value, kind = min(known)
    return kind, value


def verdict(row, medians):
    """(ratio to the best peer or None, what was to be reached, whether it was or None)."""
    ours, best = medians.get("causeway"), best_peer(medians)
    ratio = ours / best[1] if ours is not None and best and best[1] else None
    if row.reach_value:
        return ratio, f"<= {row.reach_value:g} {row.unit}", \
            None if ours is None else ours <= row.reach_value
    if row.reach:
        return ratio, f"<= {row.reach:.2f}", None if ratio is None else ratio <= row.reach
    return ratio, "", None


def archive_line(row, medians):
    """What Causeway's archives cost beside Causeway without, and beside the best peer without."""
    ours, plain, best = medians.get("archiving"), medians.get("causeway"), best_peer(medians)
    parts = [f"{ours / plain:.2f} times that without"] if plain else []
    parts += [f"{ours / best[1]:.3f} of {best[0]} without"] if best and best[1] else []
    return f"{row.title}: with archives " + ", ".join(parts)


def render(rows, results, kinds):
    """`results`: {row name: {kind: [a value per round]}}."""
    lines = [["row", "unit", *kinds, "ours / best peer", "reach", ""]]
    for row in rows:
        medians = {kind: median(results[row.name].get(kind, [])) for kind in kinds}
        ratio, reach, reached = verdict(row, medians)
        lines.append([row.title, row.unit,
                      *(_figure(medians[kind]) for kind in kinds),
                      "-" if ratio is None else f"{ratio:.3f}", reach,
                      {True: "reached", False: "missed", None: ""}[reached]])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    numbers = range(2, 3 + len(kinds))

    def shape(line):
        cells = [cell.rjust(width) if column in numbers else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        return "| " + " | ".join(cells) + " |"
    rule = "|" + "|".join("-" * (width + 1) + (":" if column in numbers else "-")
                          for column, width in enumerate(widths)) + "|"
    archives = [archive_line(row, medians) for row in rows
                if (medians := {kind: median(results[row.name].get(kind, [])) for kind in kinds})
                .get("archiving")]
    return "\n".join([shape(lines[0]), rule, *map(shape, lines[1:]), *archives])


def _figure(value):
    if value is None:
        return "-"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
