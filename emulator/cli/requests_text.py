"""Kept requests as people read them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from emulator.inspector.log_lines import LogLine
from emulator.inspector.shown import is_cut, text_of, timing_of
from emulator.model import Exchange, HttpAnswer, HttpRequest
from emulator.render import colours_of, table


def print_list(found: Sequence[Exchange]) -> None:
    """A table, a line for each."""
    colours = colours_of(sorted({exchange.environment for exchange in found}))
    rows = [
        [
            str(exchange.id),
            f"{exchange.at.astimezone():%H:%M:%S}.{exchange.at.microsecond // 1000:03}",
            click.style(exchange.environment, fg=colours[exchange.environment]),
            exchange.request.method,
            _status(exchange),
            f"{exchange.answer.seconds * 1000:.1f} ms",
            printable(exchange.request.target),
        ]
        for exchange in found
    ]
    click.echo(table(["id", "at", "environment", "method", "status", "took", "target"], rows))


def _status(exchange: Exchange) -> str:
    status = exchange.answer.status
    colour = "red" if status >= 500 or not exchange.answer.is_complete else "yellow" if status >= 400 else "green"
    marks = ["broke off"] if not exchange.answer.is_complete else []
    marks += [printable(f"fault {fault}") for fault in exchange.faults]
    return click.style(", ".join([str(status) if status else "none", *marks]), fg=colour)


def printable(text: str) -> str:
    """*text* without signs that could steer a terminal."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else f"\\x{ord(sign):02x}" for sign in text)


def print_exchange(exchange: Exchange, lines: Sequence[LogLine], problem: str) -> None:
    """
    All of one request.

    Args:
        problem: Why its log lines can't be had; empty when they can.
    """
    timing = timing_of(exchange)
    parts = {"proxy": timing.proxy, "emulator": timing.emulator, "function": timing.function}
    took = ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in parts.items() if seconds is not None)
    at = exchange.at.astimezone()
    title = f"{exchange.request.method} {printable(exchange.request.target)}"
    click.echo(f"{click.style(title, bold=True)}  {_status(exchange)}")
    release = exchange.release or "none"
    click.echo(f"{exchange.environment}, release {release}, for {exchange.client}, {at:%Y-%m-%d %H:%M:%S}")
    click.echo(f"{exchange.answer.seconds * 1000:.1f} ms: {took}")
    for call in exchange.invocations:
        click.echo(printable(f"called {call.function}, request id {call.request_id}"))
    if exchange.answer.problem:
        click.echo(f"answered by the proxy: {exchange.answer.problem}")
    _print_message("request", exchange.request)
    _print_message("answer", exchange.answer)
    if lines or problem:
        click.echo(f"\n{click.style('log', bold=True)}")
    for line in lines:
        click.echo(f"{line.at.astimezone():%H:%M:%S}.{line.at.microsecond // 1000:03}  {printable(line.message)}")
    if problem:
        click.echo(f"({problem})")


def _print_message(title: str, message: HttpRequest | HttpAnswer) -> None:
    click.echo(f"\n{click.style(title, bold=True)}")
    for name, value in message.headers:
        click.echo(printable(f"{name}: {value}"))
    if message.body:
        text = text_of(message.body, is_cut=is_cut(message))
        click.echo()
        click.echo(f"({len(message.body)} bytes that are no text)" if text is None else printable(text).rstrip("\n"))
    if is_cut(message):
        click.echo(f"({message.body_length} bytes, of which {len(message.body)} were kept)")
