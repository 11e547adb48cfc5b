"""A secret is shown by nothing but `reveal`."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import pprint

import pytest

from reconciler.pg import Secret, Url, scrub

TEXT = "tr0ub4dor&3"


@dataclasses.dataclass(frozen=True)
class Holder:
    token: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{:>20}".format,
        "{!r}".format,
        lambda secret: f"{secret}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: pprint.pformat({"a": [secret]}),
        lambda secret: repr(Holder(secret)),
        lambda secret: repr(dataclasses.asdict(Holder(secret))),
        lambda secret: json.dumps({"a": secret}, default=str),
    ],
)
def test_no_way_of_printing_shows_it(shown: object) -> None:
    text = shown(Secret(TEXT))  # type: ignore[operator]
    assert TEXT not in text
    assert "***" in text


def test_logging_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").error("login with %s", Secret(TEXT))
    assert TEXT not in caplog.text


@pytest.mark.parametrize("dump", [pickle.dumps, json.dumps])
def test_it_is_not_serialised(dump: object) -> None:
    with pytest.raises(TypeError) as refused:
        dump(Secret(TEXT))  # type: ignore[operator]
    assert TEXT not in str(refused.value)
    url = Url.parse(f"postgresql://u:{TEXT}@h/d")
    with pytest.raises(TypeError):
        pickle.dumps(url)


def test_it_is_a_value() -> None:
    assert Secret(TEXT) == Secret(TEXT) != Secret("other")
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert copy.deepcopy(Secret(TEXT)) == copy.copy(Secret(TEXT)) == Secret(TEXT)
    assert Secret(TEXT).reveal() == TEXT
    assert Secret(TEXT) != TEXT
    assert not Secret("")
    with pytest.raises(AttributeError):
        Secret(TEXT).text = "x"  # type: ignore[attr-defined]


def test_scrubbing_masks_longer_secrets_first() -> None:
    assert scrub("abc and ab", Secret("ab"), Secret("abc"), Secret("")) == "*** and ***"
