from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readlabel.messages import InputError
from readlabel.reads.tokens import COMPLEMENT, letters_of, tokenize


def test_letters_become_the_tokens_of_the_reference_page() -> None:
    assert tokenize("ACGTN", "r").tolist() == [1, 2, 3, 4, 5]


def test_lower_case_is_upper_cased_and_u_is_t() -> None:
    assert tokenize("acgtuU", "r").tolist() == [1, 2, 3, 4, 4, 4]


def test_every_other_iupac_letter_is_n() -> None:
    assert set(tokenize("RYSWKMBDHVryswkmbdhv", "r").tolist()) == {5}


@pytest.mark.parametrize("sequence", ["ACG-T", b"ACG-T"])
def test_a_foreign_letter_names_read_and_position(sequence: str | bytes) -> None:
    with pytest.raises(InputError, match=r"read lane1/7: '-' at position 4 is no nucleotide"):
        tokenize(sequence, "lane1/7")


def test_a_character_beyond_latin_1_is_named_as_written() -> None:
    with pytest.raises(InputError, match="'日' at position 2"):
        tokenize("A日T", "r")


def test_an_empty_read_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="read lane1/7: it is empty"):
        tokenize("", "lane1/7")


@given(st.text("ACGTN", min_size=1))
def test_letters_survive_the_way_there_and_back(sequence: str) -> None:
    assert letters_of(tokenize(sequence, "r")).decode() == sequence


@given(st.text("ACGTN", min_size=1))
def test_reverse_complement_twice_is_the_identity(sequence: str) -> None:
    tokens = tokenize(sequence, "r")
    np.testing.assert_array_equal(COMPLEMENT[COMPLEMENT[tokens][::-1]][::-1], tokens)
