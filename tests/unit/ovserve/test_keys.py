import hashlib
import logging
from pathlib import Path

import pytest

from ovserve.errors import CannotStart, NotAllowed, Unauthenticated
from ovserve.security.key_file import WrongKeys, make_keys, parse_keys
from ovserve.security.keys import Keys, Right, presented_key


def keys(text: str) -> Keys:
    known = parse_keys(text)
    return Keys(lambda: known)


def rights(known: Keys, key: str) -> set[str]:
    """What a key may do."""
    allowed = set()
    for right in Right:
        try:
            known.check(key, right, "Call", "gRPC")
        except NotAllowed:
            continue
        allowed.add(right.value)
    return allowed


EVERY = {"inference", "management", "metrics"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("secret", EVERY),
        ("  secret  ", EVERY),
        ("secret inference", {"inference"}),
        ("secret\tmanagement,metrics", {"management", "metrics"}),
        (f"sha256:{hashlib.sha256(b'secret').hexdigest()} metrics", {"metrics"}),
        (f"sha256:{hashlib.sha256(b'secret').hexdigest().upper()}", EVERY),
    ],
)
def test_a_line_is_a_key_and_its_rights(line: str, expected: set[str]) -> None:
    assert rights(keys(f"# ours\n\n{line}\nother inference\n"), "secret") == expected


def test_the_hash_of_a_key_is_no_key() -> None:
    hashed = "sha256:" + hashlib.sha256(b"secret").hexdigest()
    for wrong in (hashed, hashed.removeprefix("sha256:")):
        with pytest.raises(Unauthenticated):
            keys(hashed).check(wrong, Right.INFERENCE, "Call", "gRPC")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is no key in it"),
        ("# nothing\n\n", "there is no key in it"),
        ("a\nkey of three words", "line 2 is not understood: expected KEY or KEY RIGHT,RIGHT with rights of"),
        ("secret inferenze", "line 1 is not understood"),
        ("secret inference,", "line 1 is not understood"),
        ("sha256:12ab", "line 1: sha256: is followed by 64 hexadecimal digits"),
        ("sha256:" + "x" * 64, "line 1: sha256: is followed by 64 hexadecimal digits"),
        ("secret inference\nsecret metrics", "line 2 has a key that an earlier line has too"),
        ("\n".join(f"k{number}" for number in range(257)), "there are 257 keys in it, at most 256 are taken"),
    ],
)
def test_what_is_not_understood_is_named_by_its_line_alone(text: str, sentence: str) -> None:
    with pytest.raises(WrongKeys) as refused:
        parse_keys(text)
    assert str(refused.value).startswith(sentence)
    assert not {"secret", "three", "words", "inferenze", "12ab"} & set(str(refused.value).replace(",", "").split())


def test_without_a_key_it_is_told_how_to_send_one() -> None:
    for nothing in (None, ""):
        with pytest.raises(Unauthenticated, match="ModelInfer needs a key: send it as 'authorization: Bearer KEY'"):
            keys("secret").check(nothing, Right.INFERENCE, "ModelInfer", "gRPC")


@pytest.mark.parametrize("wrong", ["secre", "secret2", "Secret", "sécret", "\udcff", "x" * 5000])
def test_what_is_nearly_a_key_is_none(wrong: str) -> None:
    with pytest.raises(Unauthenticated, match=r"^ModelInfer: the key sent is not known$"):
        keys("secret").check(wrong, Right.INFERENCE, "ModelInfer", "gRPC")


def test_a_right_that_is_missing_is_named() -> None:
    with pytest.raises(NotAllowed, match=r"^Load needs the right 'management', which the key sent does not have$"):
        keys("secret inference,metrics").check("secret", Right.MANAGEMENT, "Load", "gRPC")


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "expected"),
    [
        ("Bearer k", None, "k"),
        ("bearer  k ", None, "k"),
        ("Bearer k", "other", "k"),
        ("Basic k", "other", "other"),
        ("Basic k", None, None),
        ("Bearer ", None, None),
        ("k", None, None),
        (None, " k ", "k"),
        (None, None, None),
    ],
)
def test_a_key_comes_as_bearer_token_or_as_api_key(
    authorization: str | None, x_api_key: str | None, expected: str | None
) -> None:
    assert presented_key(authorization, x_api_key) == expected


def test_a_file_that_changes_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("first")
    known = make_keys(file, None)
    assert rights(known, "first") == EVERY
    file.write_text("second metrics")
    assert rights(known, "second") == {"metrics"}
    with pytest.raises(Unauthenticated):
        known.check("first", Right.INFERENCE, "Call", "gRPC")


@pytest.mark.parametrize("content", [b"", b"secret of many words", b"\xff\xfe\x00", b"k\n" * 200_000, None])
def test_a_file_that_becomes_wrong_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    file = tmp_path / "keys"
    file.write_text("first")
    known = make_keys(file, None)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with caplog.at_level(logging.INFO, "ovserve"):
        for _ in range(3):
            assert rights(known, "first") == EVERY
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("the new keys are refused, those before stay in force")
    assert "secret" not in line


def test_a_file_that_is_wrong_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"^--api_key_file .*nowhere: No such file or directory$"):
        make_keys(tmp_path / "nowhere", None)
    (tmp_path / "empty").touch()
    with pytest.raises(CannotStart, match="empty: there is no key in it"):
        make_keys(tmp_path / "empty", "key")


def test_one_key_alone_may_do_everything() -> None:
    assert rights(make_keys(None, " only \nsecond"), "only") == EVERY


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_without_keys_nobody_is_asked(nothing: str | None) -> None:
    assert make_keys(None, nothing) is None
