"""Ports: the usual ones where free, others where not, never the same twice."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import astuple

import pytest

from affect_pipeline.stack.ports import HOST, Ports, is_free


@pytest.fixture
def free() -> Ports:
    """Four ports that were free a moment ago."""
    return Ports.choose(Ports(0, 0, 0, 0))


@pytest.fixture
def taken(free: Ports) -> Iterator[int]:
    with socket.create_server((HOST, free.api)):
        yield free.api


def test_preferred_ports_are_taken_when_they_are_free(free: Ports) -> None:
    assert Ports.choose(free) == free


def test_a_port_in_use_is_replaced_and_the_others_stay(free: Ports, taken: int) -> None:
    chosen = Ports.choose(free)

    assert chosen.api != taken
    assert astuple(chosen)[1:] == astuple(free)[1:]
    assert is_free(chosen.api)
    assert not is_free(taken)


def test_two_stacks_that_start_at_once_do_not_choose_the_same_ports(free: Ports) -> None:
    with ExitStack() as first, ExitStack() as second:
        one, two = Ports.choose(free, first), Ports.choose(free, second)

    assert one == free
    assert not {*astuple(one)} & {*astuple(two)}
    assert Ports.choose(free) == free, "what ended claims nothing"


def test_one_stack_never_gets_the_same_port_twice() -> None:
    ports = astuple(Ports.choose(Ports(0, 0, 0, 0)))

    assert len(set(ports)) == len(ports)
    assert 0 not in ports
