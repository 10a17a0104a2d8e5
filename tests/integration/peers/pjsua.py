"""pjsip as another phone, told what to do on stdin: ``pjsua.py``. The Python of ``build/peers`` runs it.

Orders and news are JSON, one a line. The first order has its settings: ``address``, ``transport``, ``server``
(``address:port``), ``user``, ``password``, perhaps ``srtp`` (``optional``, ``mandatory``), ``rtcp_mux``
(anything: it offers that), ``hertz`` and ``volume`` (its amplitude) of its tone, ``records`` (a WAV file of
what it hears). The others are words: see `Phone.obey`.
"""

from __future__ import annotations

import json
import os
import selectors
from typing import Any

import pjsua2 as package
from pjsua2 import pjsua2 as pj

# What SWIG's directors call is named by pjsip.
# ruff: noqa: N802

TONE = 440
NEWS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # pjsip writes to stdout what it is not told otherwise yet


def tell(kind: str, detail: str = "") -> None:
    """Tell the test."""
    NEWS.write(json.dumps({"told": kind, "detail": detail}) + "\n")


class Call(pj.Call):  # type: ignore[misc]
    """One call, which sounds a tone."""

    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone

    def onCallState(self, _: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.calls.remove(self)
        tell(info.stateText.lower(), f"{info.lastStatusCode} {info.lastReason}")

    def onCallMediaState(self, _: Any) -> None:
        info = self.getInfo()  # what it has must not outlive it
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO:
                tell("media", str(media.status))
                if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                    self.phone.tone.startTransmit(self.getAudioMedia(media.index))
                    if self.phone.recorder is not None:
                        self.getAudioMedia(media.index).startTransmit(self.phone.recorder)

    def onDtmfDigit(self, prm: Any) -> None:
        tell("digit", prm.digit)

    def onCallTransferRequest(self, prm: Any) -> None:
        prm.newCall = call = Call(self.phone)
        call.__disown__()
        self.phone.calls.append(call)
        tell("transfer", prm.dstUri)

    def onCallReplaced(self, prm: Any) -> None:
        call = Call(self.phone, prm.newCallId)
        prm.newCall = call
        call.__disown__()
        self.phone.calls.append(call)
        tell("replaced", call.getInfo().remoteUri)


class Account(pj.Account):  # type: ignore[misc]
    """The one account."""

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:
        self.phone.registered = prm.code < 300 and prm.expiration > 0
        tell("registered" if self.phone.registered else "unregistered", str(prm.code))

    def onIncomingCall(self, prm: Any) -> None:
        call = Call(self.phone, prm.callId)
        self.phone.calls.append(call)
        tell("called", call.getInfo().remoteUri)


class Phone:
    """pjsip, with one account and its calls, the oldest first."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.calls: list[Call] = []
        self.registered = False
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = f"pjsip {self.endpoint.libVersion().full}"
        config.logConfig.level = 4
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = "pjsip.log"
        self.endpoint.libInit(config)
        kind = settings["transport"]
        transport = pj.TransportConfig()
        transport.boundAddress = settings["address"]
        transport.port = 5061 if kind == "tls" else 5060
        if kind == "tls":
            transport.tlsConfig.CaListFile = settings["ca_file"]
            transport.tlsConfig.verifyServer = True
        kinds = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
        self.endpoint.transportCreate(kinds[kind], transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator(16000)
        tone = pj.ToneDesc()
        tone.freq1, tone.on_msec, tone.off_msec = int(settings.get("hertz", TONE)), 1000, 0
        tone.volume = int(settings.get("volume", 0))  # 0 is pjsip's own
        tones = pj.ToneDescVector()
        tones.append(tone)
        self.tone.play(tones, True)
        self.recorder = None
        if records := settings.get("records"):
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(records)
        self.server = settings["server"]
        self.parameter = "" if kind == "udp" else f";transport={kind}"
        account = pj.AccountConfig()
        account.idUri = f"sip:{settings['user']}@{self.server}"
        account.regConfig.registrarUri = f"sip:{self.server}{self.parameter}"
        account.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", settings["user"], 0, settings["password"])
        )
        account.sipConfig.proxies.append(f"sip:{self.server};lr{self.parameter}")
        account.mediaConfig.transportConfig.boundAddress = settings["address"]
        account.mediaConfig.transportConfig.port = 30000
        account.mediaConfig.transportConfig.portRange = 100
        account.mediaConfig.rtcpMuxEnabled = bool(settings.get("rtcp_mux"))
        if encryption := settings.get("srtp"):
            # Keys in the session description; over UDP, too.
            ways = {"optional": pj.PJMEDIA_SRTP_OPTIONAL, "mandatory": pj.PJMEDIA_SRTP_MANDATORY}
            account.mediaConfig.srtpUse = ways[encryption]
            account.mediaConfig.srtpSecureSignaling = 0
        account.callConfig.prackUse = pj.PJSUA_100REL_OPTIONAL
        self.account = Account(self)
        self.account.create(account)

    def obey(self, order: str, detail: str = "") -> None:
        """Do as an order says; most are about the oldest call."""
        prm = pj.CallOpParam(True)
        match order:
            case "call":
                call = Call(self)
                self.calls.append(call)
                call.makeCall(self.uri(detail), prm)
            case "answer":
                prm.statusCode = int(detail or 200)
                self.calls[-1].answer(prm)
            case "hang up":
                self.calls[0].hangup(prm)
            case "hold":
                self.calls[0].setHold(prm)
            case "resume":
                prm.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.calls[0].reinvite(prm)
            case "digits":
                self.calls[0].dialDtmf(detail)
            case "sounds":
                self.tone.stop()
                sounds = pj.ToneDigitVector()
                for each in detail:
                    sound = pj.ToneDigit()
                    sound.digit, sound.on_msec, sound.off_msec = each, 80, 80
                    sounds.append(sound)
                self.tone.playDigits(sounds)
            case "transfer":
                self.calls[0].xfer(self.uri(detail), prm)
            case "join":
                asked, other = self.calls if detail == "first" else reversed(self.calls)
                asked.xferReplaces(other, prm)
            case _:
                raise ValueError(f"no such order: {order}")

    def uri(self, user: str) -> str:
        return f"sip:{user}@{self.server}"

    def run(self, orders: Any) -> None:
        """Obey what comes from *orders* until it ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(orders, selectors.EVENT_READ)
            while True:
                self.endpoint.libHandleEvents(10)
                if selector.select(0):
                    line = orders.readline()
                    if not line:
                        break
                    try:
                        self.obey(**json.loads(line))
                    except pj.Error as error:
                        tell("error", error.info())


def main() -> None:
    """Be a phone until stdin ends."""
    stdin = os.fdopen(0, "rb", buffering=0)
    phone = Phone(json.loads(stdin.readline()))
    phone.run(stdin)
    phone.endpoint.hangupAllCalls()
    phone.account.setRegistration(False)
    for _ in range(1000):
        phone.endpoint.libHandleEvents(10)
        if not phone.calls and not phone.registered:
            break
    if phone.recorder is not None:
        phone.recorder = None
        for _ in range(20):  # its file is closed by the next ticks of the bridge
            phone.endpoint.libHandleEvents(10)
    # Its objects are not to be ended in any order, by the interpreter.
    os._exit(0)


if __name__ == "__main__":
    tell("version", package.__version__)
    main()
