"""The store that a project shares with other machines: there, new enough, to be written to, and of the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.doctor.check import Check, Verdict
from emulator.errors import MultistackError
from emulator.ledger import LEDGER_FILE
from emulator.model import Project
from emulator.store.opening import open_store

if TYPE_CHECKING:
    from emulator.store.looking import Look

# Seconds by which clocks may differ: what expires, and what soaks, is told by the clock of whoever asks.
_APART = 5.0


def examine_store(project: Project) -> list[Check]:
    """What is found out about the store of *project*; one row where there is none, or where it can't be reached."""
    outer = project.within or project
    if outer.store is None:
        return [Check(name="store", verdict=Verdict.OK, found=f"none set: {outer.state / LEDGER_FILE}")]
    try:
        store = open_store(outer.store, patience=0)
        from emulator.store.looking import look
        from emulator.store.tables import FORMAT

        found = look(store)
    except MultistackError as error:
        advice = f"no deployment goes on record: {error.hint or 'see its log'}"
        return [Check(name="store", verdict=Verdict.PROBLEM, found=error.message, advice=advice)]
    return [
        check_server(found, store.shown),
        check_rights(found),
        check_format(found, newest=FORMAT),
        check_clock(found.ahead),
    ]


def check_server(found: Look, shown: str) -> Check:
    """Which server answers: an older one than 12 lets nobody in who asks it to notice machines that vanish."""
    return Check(name="store", verdict=Verdict.OK, found=f"PostgreSQL {found.server} at {shown}")


def check_rights(found: Look) -> Check:
    """Whether it can be written to."""
    name = "store rights"
    if found.is_standby:
        advice = "name the server that it follows in `store`"
        return Check(name=name, verdict=Verdict.PROBLEM, found="a standby, which nobody can write to", advice=advice)
    if found.denied:
        told = f"{found.user} may not {', '.join(found.denied)}"
        advice = f"let {found.user} own the database and the schema: ALTER DATABASE … OWNER TO {found.user}"
        return Check(name=name, verdict=Verdict.PROBLEM, found=told, advice=advice)
    return Check(name=name, verdict=Verdict.OK, found=f"{found.user} may write")


def check_format(found: Look, *, newest: int) -> Check:
    """Whether its tables are of the format that this multistack writes, *newest*."""
    name = "store schema"
    if found.format is None:
        advice = "give the user the rights first"
        return Check(name=name, verdict=Verdict.PROBLEM, found="can't be read", advice=advice)
    if found.format > newest:
        told = f"format {found.format}, newer than this multistack knows ({newest})"
        advice = "install the multistack that made it"
        return Check(name=name, verdict=Verdict.PROBLEM, found=told, advice=advice)
    if found.format == newest:
        return Check(name=name, verdict=Verdict.OK, found=f"format {newest}")
    if found.format == 0:
        return Check(name=name, verdict=Verdict.INFO, found="no tables yet", advice="the first command makes them")
    advice = f"the next command brings it to format {newest}: install this multistack on the other machines first"
    return Check(name=name, verdict=Verdict.WARNING, found=f"format {found.format}, an older one", advice=advice)


def check_clock(ahead: float) -> Check:
    """Whether it is the same time there; *ahead* as for :class:`emulator.store.looking.Look`."""
    name = "store clock"
    if abs(ahead) <= _APART:
        return Check(name=name, verdict=Verdict.OK, found=f"within {_APART:g} s of this machine's")
    told = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    advice = "tokens, spaces and approvals end at other moments elsewhere: set both by NTP (`timedatectl set-ntp true`)"
    return Check(name=name, verdict=Verdict.WARNING, found=told, advice=advice)
