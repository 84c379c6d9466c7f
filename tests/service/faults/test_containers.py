"""Services that cannot see each other, each in namespaces of its own as a container has them, share devices."""

from __future__ import annotations

from collections.abc import Callable

# --kill-child: the end of this command is the end of what it started, as a container's is.
APART = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--uts", "--net")


def test_private_services_in_two_containers_take_turns(trained_in_turn: Callable[..., None]) -> None:
    trained_in_turn(APART, APART)
