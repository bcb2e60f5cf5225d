"""Row ids sort by the moment they were made, and no process makes another's."""

import os

import pytest

from funnel.workspaces.ids import uuid7


def test_ids_are_all_different_and_of_the_seventh_kind():
    made = [uuid7() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {one.version for one in made} == {7}
    assert [one.int >> 80 for one in made] == sorted(one.int >> 80 for one in made)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_process_makes_ids_of_its_own():
    uuid7()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.write(theirs, b"".join(uuid7().bytes[6:] for _ in range(70)))
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(ours, 700)
    os.close(ours)
    os.close(theirs)
    made = {uuid7().bytes[6:] for _ in range(70)}
    assert len(told) == 700
    assert not made & {told[start : start + 10] for start in range(0, 700, 10)}
