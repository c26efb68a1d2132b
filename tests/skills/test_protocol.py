import socket

import pytest

from llava_plus.skills.protocol import ProtocolError, receive, send


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x03abc",
        b'\x00\x00\x00\x18{"pictures": [[9, 9, 3]]}',
    ],
)
def test_what_is_no_message_is_said_to_be_none(data):
    here, there = socket.socketpair()
    with here, there:
        there.sendall(data)
        with pytest.raises(ProtocolError):
            receive(here)


def test_a_message_that_breaks_off_is_the_end():
    here, there = socket.socketpair()
    with here:
        with there:
            send(there, {"a": 1})
            there.sendall(b"\x00\x00\x00\x09{")
        assert receive(here) == ({"a": 1}, [])
        with pytest.raises(EOFError):
            receive(here)
