"""URLs as phones are given them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.provisioning.location import (
    LocationError,
    Scheme,
    parse_location,
    resolve,
    without_credentials,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "tftp://192.0.2.1/"),  # A5: TFTP where no scheme is given
        ("tftp.example.com/phones", "tftp://tftp.example.com/phones"),
        ("192.0.2.1:6969/x", "tftp://192.0.2.1:6969/x"),
        ("HTTP://PBX.example.com:80/cfg", "http://pbx.example.com/cfg"),
        ("https://pbx.example.com:8443/cfg/", "https://pbx.example.com:8443/cfg/"),
        ("ftp://alice:s3cret@192.0.2.1/cfg", "ftp://192.0.2.1/cfg"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://pbx.test/prov?site=1", "http://pbx.test/prov?site=1"),
        ("file:/srv/cfg", "file:/srv/cfg"),
        ("file:///srv/cfg", "file:/srv/cfg"),
        ("http://pbx.test/$PN/$mac", "http://pbx.test/T46S/001565aabbcc"),
        ("http://pbx.test/$UNKNOWN", "http://pbx.test/$UNKNOWN"),
    ],
)
def test_urls(text: str, expected: str) -> None:
    assert str(parse_location(text, {"PN": "T46S", "MAC": "001565aabbcc"})) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "gopher://x/",
        "http://",
        "http:///x",
        "http://x:0/",
        "http://x:99999/",
        "http://[::1/",
        "a\nb",
    ],
)
def test_no_urls(text: str) -> None:
    with pytest.raises(LocationError):
        parse_location(text)


def test_credentials_are_kept_and_never_shown() -> None:
    location = parse_location("http://alice:p%40ss:word@pbx.test/cfg")
    assert (location.user, location.password.reveal()) == ("alice", "p@ss:word")
    assert "p@ss" not in f"{location} {location!r}"
    with pytest.raises(LocationError) as caught:
        parse_location("gopher://alice:s3cret@pbx.test/")
    assert "s3cret" not in str(caught.value)


def test_a_file_in_a_folder() -> None:
    assert str(parse_location("http://x/cfg").file("a.cfg")) == "http://x/cfg/a.cfg"
    assert str(parse_location("http://x/cfg/").file("a.cfg")) == "http://x/cfg/a.cfg"
    assert str(parse_location("http://x").file("a.cfg")) == "http://x/a.cfg"
    assert str(parse_location("http://x/cfg/my.boot").file("a.cfg")) == "http://x/cfg/a.cfg"
    assert str(parse_location("http://x/cfg?k=1").file("a.cfg")) == "http://x/cfg/a.cfg?k=1"


def test_credentials_go_along_to_the_same_server_only() -> None:
    base = parse_location("http://alice:s3cret@x/cfg/my.boot")
    assert resolve(base, "a.cfg").user == "alice"
    assert resolve(base, "http://x/a.cfg").user == "alice"
    assert resolve(base, "http://x:81/a.cfg").user == ""
    assert resolve(base, "https://x/a.cfg").user == ""
    assert resolve(base, "http://y/a.cfg").user == ""


def test_what_goes_over_the_wire_has_no_blanks_or_line_ends() -> None:
    assert resolve(parse_location("http://x/"), "a b/ü%20.cfg").request_target == "/a%20b/%C3%BC%20.cfg"
    with pytest.raises(LocationError):
        resolve(parse_location("http://x/"), "a\r\nX: y.cfg")


def test_passwords_with_an_at_sign_are_hidden_too() -> None:
    assert without_credentials("ftp://a:b@c@host/x@y") == "ftp://host/x@y"


@given(st.text(max_size=60))
def test_any_text_is_a_location_or_an_error(text: str) -> None:
    try:
        location = parse_location(text)
    except LocationError as error:
        told = str(error)
    else:
        told = location.request_target
        assert location.scheme in {*Scheme}
        assert told.isascii()
    assert told.isprintable()


@given(st.text(max_size=40))
def test_no_include_leaves_the_root(target: str) -> None:
    base = parse_location("http://x/cfg/")
    try:
        location = resolve(base, target)
    except LocationError:
        return
    assert location.path.startswith("/") or "://" in target
    assert "/../" not in f"{location.path}/" or "://" in target
