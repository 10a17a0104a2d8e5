"""Digest authentication, against the vectors of RFC 2617, RFC 7616 and the SIP examples draft."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.model import Secret
from phone_emulator.sip.digest import (
    Challenge,
    Session,
    Verdict,
    challenge_value,
    challenges,
    choose,
    header_name,
    unanswerable,
    verify,
)
from phone_emulator.sip.message import Headers, Response

OLD_NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
NEW_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
NEW_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
WEB = ("GET", "/dir/index.html", "Mufasa")
SIP = ("INVITE", "sip:bob@biloxi.com", "bob", "zanzibar", "0a4f113b")


def answered(challenge: Challenge, method: str, uri: str, user: str, password: str, cnonce: str) -> str:
    """The response value of the first answer to *challenge*."""
    found = re.search(
        'response="([0-9a-f]+)"', Session(challenge).authorize(method, uri, user, password, cnonce)
    )
    assert found is not None
    return found[1]


def of(*values: str, status: int = 401) -> list[Challenge]:
    """The challenges in a response with these header values."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return challenges(Response(status, "", Headers((name, value) for value in values)))


class TestVectors:
    """Numbers that others computed."""

    def test_rfc_2617_section_3_5(self) -> None:
        challenge = Challenge("testrealm@host.com", OLD_NONCE, qop=("auth", "auth-int"))
        response = answered(challenge, *WEB, "Circle Of Life", "0a4f113b")
        assert response == "6629fae49393a05397450978507c4ef1"

    def test_rfc_2617_without_qop(self) -> None:
        challenge = Challenge("testrealm@host.com", OLD_NONCE)
        assert answered(challenge, *WEB, "Circle Of Life", "") == "670fd8c2df070c60b045671b8b24ff02"

    @pytest.mark.parametrize(
        ("algorithm", "expected"),
        [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ],
    )
    def test_rfc_7616_section_3_9_1(self, algorithm: str, expected: str) -> None:
        challenge = Challenge("http-auth@example.org", NEW_NONCE, algorithm, ("auth", "auth-int"))
        assert answered(challenge, *WEB, "Circle of Life", NEW_CNONCE) == expected

    @pytest.mark.parametrize(
        ("algorithm", "qop", "expected"),
        [
            ("MD5", (), "bf57e4e0d0bffc0fbaedce64d59add5e"),
            ("MD5", ("auth",), "89eb0059246c02b2f6ee02c7961d5ea3"),
            ("MD5-sess", ("auth",), "e4e4ea61d186d07a92c9e1f6919902e9"),
        ],
    )
    def test_the_sip_examples(self, algorithm: str, qop: tuple[str, ...], expected: str) -> None:
        assert answered(Challenge("biloxi.com", OLD_NONCE, algorithm, qop), *SIP) == expected


class TestChallenges:
    """What a 401 or 407 asks."""

    def test_all_of_a_challenge(self) -> None:
        (challenge,) = of(
            'Digest realm="a \\"b\\", c", domain="sip:x", nonce = "n,n", opaque="", stale=TRUE,algorithm=md5,'
            ' qop="auth-int,auth"',
            status=407,
        )
        assert challenge == Challenge('a "b", c', "n,n", "md5", ("auth-int", "auth"), True, "", True)
        assert header_name(challenge) == "Proxy-Authorization"

    def test_the_least_of_a_challenge(self) -> None:
        (challenge,) = of('dIgEsT realm="a", nonce="b"')
        assert challenge == Challenge("a", "b", "MD5", (), False, None, False)
        assert header_name(challenge) == "Authorization"

    def test_several_in_lines_and_in_one_line(self) -> None:
        found = of(
            'Basic realm="x", Digest realm="1", nonce="a", qop="auth", Digest realm="2", nonce="b"',
            'Digest realm="3", nonce="c"',
        )
        assert [(each.realm, each.qop) for each in found] == [("1", ("auth",)), ("2", ()), ("3", ())]

    @pytest.mark.parametrize(
        "value",
        ["", "Digest", "Basic abc=", 'Digest realm="a"', 'Digest nonce="a"', 'Digest realm="a", nonce=""'],
    )
    def test_what_cannot_be_read_is_left_out(self, value: str) -> None:
        assert of(value) == []

    def test_the_strongest_supported_is_chosen(self) -> None:
        md5, sha, other = (Challenge("r", "n", algorithm) for algorithm in ("MD5", "SHA-256", "SHA-512-256"))
        assert choose([md5, other, sha]) == sha
        assert choose([md5, Challenge("second", "n")]) == md5
        assert choose([other]) is None
        assert choose([Challenge("r", "n", qop=("auth-conf",))]) is None
        assert choose([]) is None

    @settings(max_examples=200)
    @given(st.text(st.sampled_from('Digest realm="a\\,=<> nonce'), max_size=60))
    def test_any_text_is_read_or_left_out(self, value: str) -> None:
        of("Digest " + value)


class TestSession:
    """The answers."""

    def test_the_parameter_order_of_the_phone(self) -> None:
        session = Session(Challenge("r", "n", qop=("auth",), opaque="o"))
        value = session.authorize("REGISTER", "sip:d:5060", "201", "pw", "0a4f113b")
        assert re.sub('response="[0-9a-f]{32}"', 'response="…"', value) == (
            'Digest username="201", realm="r", nonce="n", uri="sip:d:5060", response="…", algorithm=MD5, '
            'cnonce="0a4f113b", qop=auth, nc=00000001, opaque="o"'
        )

    def test_the_parameter_order_without_qop(self) -> None:
        value = Session(Challenge("r", "n")).authorize("REGISTER", "sip:d", "201", "pw", "0a4f113b")
        assert re.sub('response="[0-9a-f]{32}"', 'response="…"', value) == (
            'Digest username="201", realm="r", nonce="n", uri="sip:d", response="…", algorithm=MD5'
        )

    def test_the_nonce_is_counted(self) -> None:
        session = Session(Challenge("r", "n", qop=("auth",)))
        values = [session.authorize("REGISTER", "sip:d", "201", "pw", "c") for _ in range(17)]
        assert [value.rpartition("nc=")[2] for value in values][::8] == ["00000001", "00000009", "00000011"]
        assert len(set(values)) == 17

    def test_auth_is_preferred_to_auth_int(self) -> None:
        both = Session(Challenge("r", "n", qop=("auth-int", "auth")))
        assert "qop=auth," in both.authorize("A", "b", "c", "d", "e")
        only = Session(Challenge("r", "n", qop=("auth-int",)))
        assert "qop=auth-int," in only.authorize("A", "b", "c", "d", "e")

    def test_quotes_are_escaped(self) -> None:
        value = Session(Challenge('r"', "n\\")).authorize("A", "b", 'u"', "d", "e")
        assert value.startswith('Digest username="u\\"", realm="r\\"", nonce="n\\\\"')

    def test_a_secret_counts_as_its_text(self) -> None:
        challenge = Challenge("biloxi.com", OLD_NONCE)
        assert answered(challenge, *SIP[:3], Secret("zanzibar"), "") == "bf57e4e0d0bffc0fbaedce64d59add5e"

    def test_a_session_key_is_made_once(self) -> None:
        session = Session(Challenge("r", "n", "MD5-sess", ("auth",)))
        session.authorize("A", "b", "c", "d", "first")
        assert 'cnonce="first"' in session.authorize("A", "b", "c", "d", "second")

    def test_what_is_not_supported_is_refused(self) -> None:
        with pytest.raises(ValueError, match="cannot answer digest SHA-512-256"):
            Session(Challenge("r", "n", "SHA-512-256")).authorize("A", "b", "c", "d", "e")


PASSWORDS = {"1001": "secret", 'odd "one"': "", "ünï": "pässwörd"}


class TestVerify:
    """The side of the lab's servers."""

    def credentials(self, user: str, password: str, **changes: str) -> str:
        asked = {"realm": "r", "nonce": "n", "algorithm": "MD5", "qop": "auth"} | changes
        (challenge,) = of(challenge_value(asked["realm"], asked["nonce"], asked["algorithm"], asked["qop"]))
        return Session(challenge).authorize("REGISTER", "sip:d", user, password, "c", b"body")

    def verdict(
        self, value: str, method: str = "REGISTER", nonce: str = "n", body: bytes = b"body"
    ) -> Verdict:
        return verify(value, method, PASSWORDS, "r", lambda got: got == nonce, body).verdict

    @pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
    @pytest.mark.parametrize("qop", ["", "auth", "auth-int"])
    @pytest.mark.parametrize("user", list(PASSWORDS))
    def test_what_a_session_makes_is_right(self, algorithm: str, qop: str, user: str) -> None:
        value = self.credentials(user, PASSWORDS[user], algorithm=algorithm, qop=qop)
        assert verify(value, "REGISTER", PASSWORDS, "r", lambda _: True, b"body") == (Verdict.OK, user)

    def test_wrong_password_method_or_body(self) -> None:
        assert self.verdict(self.credentials("1001", "guess")) == "wrong"
        assert self.verdict(self.credentials("1001", "secret"), method="INVITE") == "wrong"
        assert self.verdict(self.credentials("1001", "secret", qop="auth-int"), body=b"other") == "wrong"

    def test_stale_only_where_the_password_is_right(self) -> None:
        assert self.verdict(self.credentials("1001", "secret"), nonce="newer") == "stale"
        assert self.verdict(self.credentials("1001", "guess"), nonce="newer") == "wrong"

    def test_strangers(self) -> None:
        assert self.verdict(self.credentials("nobody", "secret")) == "unknown"
        assert self.verdict(self.credentials("1001", "secret", realm="other")) == "other-realm"

    @pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response", "cnonce", "nc"])
    def test_missing_parameters(self, name: str) -> None:
        value = re.sub(f'(?<= ){name}=("[^"]*"|[0-9]+)', "x=y", self.credentials("1001", "secret"))
        assert self.verdict(value) == "malformed"

    @pytest.mark.parametrize("value", ["", "Digest", "Basic YTpi", "Digest ,,,", 'Digest username="'])
    def test_what_cannot_be_read(self, value: str) -> None:
        assert self.verdict(value) == "malformed"

    def test_unknown_algorithm_or_qop(self) -> None:
        value = self.credentials("1001", "secret")
        assert self.verdict(value.replace("=MD5", "=SHA-1")) == "malformed"
        assert self.verdict(value.replace("qop=auth", "qop=auth-conf")) == "malformed"

    def test_a_stale_challenge_says_so(self) -> None:
        assert challenge_value("r", "n") == 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
        assert of(challenge_value("r", "n", stale=True))[0].stale


@pytest.mark.parametrize(
    ("status", "headers", "why"),
    [
        (401, [], "it has no WWW-Authenticate header"),
        (407, [("WWW-Authenticate", 'Digest realm="r", nonce="n"')], "it has no Proxy-Authenticate header"),
        (401, [("WWW-Authenticate", "")], "it has no WWW-Authenticate header"),
        (401, [("WWW-Authenticate", 'Digest realm="r"')], "its WWW-Authenticate has no nonce"),
        (401, [("WWW-Authenticate", 'Digest realm="r", nonce=""')], "its WWW-Authenticate has no nonce"),
        (401, [("WWW-Authenticate", "Digest")], "its WWW-Authenticate has no nonce"),
        (401, [("WWW-Authenticate", 'Digest nonce="n"')], "its WWW-Authenticate has no realm"),
        (
            407,
            [("Proxy-Authenticate", 'Digest realm="r", nonce="n", algorithm=SHA-512-256')],
            "its Proxy-Authenticate wants the algorithm SHA-512-256, which is unknown here",
        ),
        (
            401,
            [("WWW-Authenticate", f'Digest realm="r", nonce="n", algorithm={each}') for each in ("X", "Y")],
            "its WWW-Authenticate wants the algorithm X or Y, which is unknown here",
        ),
        (
            401,
            [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth-conf"')],
            "its WWW-Authenticate wants the qop auth-conf, which is unknown here",
        ),
        (
            401,
            [("WWW-Authenticate", 'Basic realm="r"')],
            "its WWW-Authenticate asks for Basic only: SIP knows Digest (RFC 3261 section 22)",
        ),
        (
            401,
            [("WWW-Authenticate", 'Basic realm="r", Negotiate'), ("WWW-Authenticate", "NTLM")],
            "its WWW-Authenticate asks for Basic and Negotiate and NTLM only: "
            "SIP knows Digest (RFC 3261 section 22)",
        ),
        (
            401,
            [("WWW-Authenticate", '="')],
            "its WWW-Authenticate cannot be read: SIP knows Digest (RFC 3261 section 22)",
        ),
        (401, [("WWW-Authenticate", 'Digest realm="r", nonce="n"')], ""),
        (
            401,
            [("WWW-Authenticate", 'Basic realm="r"'), ("WWW-Authenticate", 'Digest realm="r", nonce="n"')],
            "",
        ),
    ],
)
def test_why_a_challenge_cannot_be_answered(status: int, headers: list[tuple[str, str]], why: str) -> None:
    assert unanswerable(Response(status, "Unauthorized", Headers(headers))) == why


@given(st.text(max_size=60), st.sampled_from(["", "Digest ", 'Digest realm="r", nonce=']))
def test_any_challenge_is_answered_or_told_why_not(text: str, start: str) -> None:
    value = start + "".join(character for character in text if character not in "\r\n")
    response = Response(401, "", Headers([("WWW-Authenticate", value)]))
    assert bool(unanswerable(response)) is (choose(challenges(response)) is None)
