"""dialog-info documents, as they are written and read again (RFC 4235)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.phone.wire import dialog_info
from phone_emulator.phone.wire.dialog_info import PHASES, DialogInfo, DialogState
from phone_emulator.phone.wire.xml_body import XmlError

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)
DIALOGS = st.builds(
    DialogState,
    id=TEXT,
    phase=st.sampled_from(PHASES),
    incoming=st.sampled_from([True, False, None]),
    call_id=TEXT,
    local_tag=TEXT,
    remote_tag=TEXT,
    remote=TEXT,
)


@given(st.lists(DIALOGS, max_size=5), st.integers(0, 2**31), st.booleans(), TEXT)
def test_what_is_written_is_read_again(
    dialogs: list[DialogState], version: int, full: bool, entity: str
) -> None:
    info = DialogInfo(entity=entity, version=version, full=full, dialogs=tuple(dialogs))
    assert dialog_info.read(dialog_info.write(info)) == info


def test_the_document() -> None:
    dialog = DialogState(
        id="call-1",
        phase="confirmed",
        incoming=True,
        held=True,
        call_id="c1@pbx",
        local_tag="1",
        remote_tag="2",
        local="sip:1001@pbx",
        remote="sip:1002@pbx",
        remote_name='"Bob" & <Co>',
    )
    info = DialogInfo(entity="sip:1001@pbx", version=3, full=False, dialogs=(dialog,))
    written = dialog_info.write(info)
    assert written.decode().splitlines() == [
        '<?xml version="1.0"?>',
        '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="partial" '
        'entity="sip:1001@pbx">',
        '<dialog id="call-1" call-id="c1@pbx" local-tag="1" remote-tag="2" direction="recipient">',
        "<state>confirmed</state>",
        "<local><identity>sip:1001@pbx</identity>",
        '<target uri="sip:1001@pbx"><param pname="+sip.rendering" pval="no"/></target></local>',
        "<remote><identity display='\"Bob\" &amp; &lt;Co&gt;'>sip:1002@pbx</identity></remote>",
        "</dialog>",
        "</dialog-info>",
    ]
    assert dialog_info.read(written) == info


def test_what_xml_cannot_hold_is_left_out() -> None:
    info = DialogInfo(entity="sip:\x00\x1b\udcffa@b", version=0, full=True)
    assert dialog_info.read(dialog_info.write(info)).entity == "sip:a@b"


def test_documents_as_servers_write_them() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
    <d:dialog-info xmlns:d="urn:ietf:params:xml:ns:dialog-info" version="00000000007" state="full"
        entity="sip:1002@pbx"><d:dialog id="x" direction="recipient"><d:state code="180">Early</d:state>
      <d:remote><d:identity display="Carol">sip:1003@pbx</d:identity></d:remote></d:dialog>
      <d:dialog id="y"><d:state>unheard-of</d:state></d:dialog></d:dialog-info>"""
    info = dialog_info.read(body)
    assert info.version == 7
    [dialog] = info.dialogs
    assert (dialog.phase, dialog.remote, dialog.remote_name) == ("early", "sip:1003@pbx", "Carol")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(XmlError):
        assert dialog_info.read(body).version >= 0


def test_too_much_is_refused() -> None:
    with pytest.raises(XmlError, match="more than such a document may have"):
        dialog_info.read(b"<dialog-info>" + b" " * 70_000)


@pytest.mark.parametrize("encoding", ["punycode", "cp037", "x-made-up-7"])
def test_only_common_encodings_are_read(encoding: str) -> None:
    document = f"<?xml version='1.0' encoding='{encoding}'?><dialog-info version='1' state='full'/>"
    with pytest.raises(XmlError, match=f"the encoding {encoding} is not read here"):
        dialog_info.read(document.encode())


def test_latin_1_is_read() -> None:
    document = "<?xml version='1.0' encoding='ISO-8859-1'?><dialog-info version='1' state='full' entity='ä'/>"
    assert dialog_info.read(document.encode("latin-1")).entity == "ä"


def test_extensions_of_other_namespaces_mean_nothing() -> None:
    """RFC 4235 section 4.1: elements and attributes of other namespaces may stand anywhere."""
    body = b"""<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" xmlns:x="urn:x" version=" 7 "
      state="full " x:version="9" entity="sip:a@b">
      <x:dialog id="0"><state>confirmed</state></x:dialog>
      <dialog id="1" x:id="2" direction="recipient"><x:state>terminated</x:state>
        <x:wrap><state>terminated</state></x:wrap><state event="x"> early </state></dialog>
    </dialog-info>"""
    info = dialog_info.read(body)
    assert (info.version, info.full) == (7, True)
    assert [(each.id, each.phase, each.incoming) for each in info.dialogs] == [("1", "early", True)]
