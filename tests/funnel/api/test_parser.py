"""Only what every reader reads alike gets in."""

import json

import pytest
from rest_framework.exceptions import ParseError

from funnel.api.parsers import DEEPEST, read

pytestmark = pytest.mark.once

BAD = {
    "NUL in a text": b'{"name": "a\\u0000b"}',
    "NUL in a nested text": b'{"fields": {"a": ["\\u0000"]}}',
    "NUL in a name": b'{"a\\u0000": 1}',
    "raw NUL": b'{"name": "a\x00b"}',
    "lone high surrogate": b'{"name": "\\ud800"}',
    "lone low surrogate in a name": b'{"\\udfff": 1}',
    "surrogates the wrong way round": b'{"name": "\\udc00\\ud800"}',
    "2,000 levels": b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "100,000 levels": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "levels that never end": b"[" * 100_000,
    "500 levels of objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "1e999": b'{"a": 1e999}',
    "1,000 digits": b'{"a": ' + b"9" * 1000 + b"}",
    "10,000 digits": b'{"a": ' + b"9" * 10_000 + b"}",
    "1,000 decimals": b'{"a": 0.' + b"9" * 1000 + b"}",
    "duplicate names": b'{"a": 1, "a": 2}',
    "nested duplicate names": b'{"fields": {"a": 1, "a": 2}}',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"hello"',
    "a number": b"7",
    "nothing": b"",
    "blanks": b" \n ",
    "invalid UTF-8": b'{"a": "\xff"}',
    "UTF-16": json.dumps({"a": 1}).encode("utf-16"),
    "UTF-16 without a mark": json.dumps({"a": 1}).encode("utf-16-le"),
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "half an object": b'{"a": 1',
    "something behind it": b'{"a": 1} {"b": 2}',
    "single quotes": b"{'a': 1}",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_body_that_two_readers_could_read_differently_is_refused(body):
    with pytest.raises(ParseError):
        read(body)


def test_everything_ordinary_is_read_as_it_was_written():
    body = {"name": "Zoë 🙂 \U0001f469‍🔬", "n": 3, "f": 1.5, "ok": True, "no": None, "list": [{"a": "[[[{{{"}]}
    assert read(json.dumps(body).encode()) == body
    assert read(json.dumps(body, ensure_ascii=False).encode()) == body


def test_depth_counts_brackets_and_not_what_stands_in_texts():
    deep = {"a": "[" * 500 + '"\\' + "{" * 500}
    assert read(json.dumps(deep).encode()) == deep
    at_the_limit = b'{"a":' * (DEEPEST - 1) + b"{}" + b"}" * (DEEPEST - 1)
    read(at_the_limit)
    with pytest.raises(ParseError):
        read(b'{"a":' + at_the_limit + b"}")
