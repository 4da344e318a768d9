from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from visionbatch.model.texts import Texts


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_texts_come_back_in_order_whatever_is_in_them(texts: list[str]) -> None:
    kept = Texts(texts)
    assert list(kept) == texts
    assert [kept[index] for index in range(len(kept))] == texts
