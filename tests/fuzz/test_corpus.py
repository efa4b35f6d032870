"""All that the fuzzer ever found worth keeping, once more."""

from __future__ import annotations

import pytest

from tests.fuzz import CORPUS, DIALECTS
from tests.fuzz.target import Target


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_corpus(dialect: str) -> None:
    target = Target()
    files = sorted((CORPUS / dialect).iterdir())
    for file in files:
        target(dialect, file.read_bytes())
    assert len(files) > 30
