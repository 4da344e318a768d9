"""The rules of a session as a pure function, against every sequence that Hypothesis thinks of."""

from hypothesis import given
from hypothesis import strategies as st

from visionbatch_mock.storage.chunks import QUANTUM, Finish, Receive, Refuse, Standing, decide
from visionbatch_mock.storage.ranges import ContentRange

TOTAL = 5 * QUANTUM + 1234

places = st.one_of(
    st.integers(0, TOTAL + 10),
    st.builds(lambda n, off: max(0, n * QUANTUM + off), st.integers(0, 5), st.integers(-1, 1)),
)


@st.composite
def requests(draw) -> tuple[ContentRange | None, int | None]:
    """A request of a client that may be confused, but whose body has the length it says."""
    total = draw(st.sampled_from([TOTAL, None]))
    if draw(st.integers(0, 3)) == 0:
        return ContentRange(None, None, draw(st.sampled_from([TOTAL, None, 0, QUANTUM]))), 0
    first = draw(places)
    last = min(TOTAL - 1, first + draw(st.integers(0, 3 * QUANTUM)))
    last = max(last, first)
    return ContentRange(first, last, total), last - first + 1


@given(st.lists(requests(), max_size=30), st.booleans())
def test_whatever_is_sent_the_persisted_bytes_are_a_growing_prefix(asked, strict):
    persisted, total = 0, None
    for content_range, length in asked:
        decision = decide(Standing(persisted, total, strict), content_range, length)
        if isinstance(decision, Finish):
            assert persisted in {content_range.total, content_range.last and content_range.last + 1}
            return
        if not isinstance(decision, Receive):
            continue
        total = total if total is not None else decision.total
        assert decision.start <= persisted, "a gap was accepted"
        assert decision.limit is not None
        assert decision.limit <= decision.start + length
        if strict and not decision.ends:
            assert (decision.limit - decision.start) % QUANTUM == 0
        persisted = max(persisted, decision.limit)
        if decision.ends:
            assert persisted == TOTAL
            return


@given(places, st.integers(0, TOTAL))
def test_only_a_gap_is_answered_503(first, persisted):
    length = 2 * QUANTUM
    asked = ContentRange(first, first + length - 1, None)
    decision = decide(Standing(persisted, None), asked, length)
    gap = first > persisted
    assert (isinstance(decision, Refuse) and decision.status == 503) == gap
