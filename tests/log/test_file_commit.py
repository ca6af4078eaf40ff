"""The commit log in files: both or neither, the newest wins, and dead letters that are there once."""

from dataclasses import replace
from pathlib import Path

import pytest

from stream.errors import Fenced, LogError
from stream.log.file_commit import FileCommitLog, read_dead_letters
from stream.log.protocol import Commit, CommitLog, DeadLetter


def opened(directory: Path) -> CommitLog:
    return FileCommitLog(directory / "learner.json", directory / "dead-letters.jsonl")


def letter(offset: int, topic: str = "interactions", value: bytes | None = b"\xff{") -> DeadLetter:
    return DeadLetter("not_json", topic, 0, offset, None, value, "the value is not JSON", "mine", 1_700_000_000_000, 1)


def commit(number: int, offset: int, schema_offset: int = 0) -> Commit:
    return Commit(number, f"digest-{number}", {0: offset, 1: 0}, schema_offset)


def offsets(directory: Path) -> list[int]:
    return [letter.offset for letter in read_dead_letters(directory / "dead-letters.jsonl")]


def test_the_next_start_finds_the_newest_commit_and_every_dead_letter_as_it_was(tmp_path: Path) -> None:
    log = opened(tmp_path)
    assert opened(tmp_path).newest() is None
    assert log.fence() is None
    log.commit(commit(1, 5), [letter(3)])
    assert opened(tmp_path).newest() == commit(1, 5), "to look fences nobody"
    log.commit(commit(2, 9), [letter(6, value=None), letter(7, topic="feature-schema")])
    log.close()
    assert opened(tmp_path).fence() == commit(2, 9)
    assert read_dead_letters(tmp_path / "dead-letters.jsonl") == [
        letter(3),
        letter(6, value=None),
        letter(7, topic="feature-schema"),
    ]


def test_dead_letters_that_no_commit_covers_are_cut_off_at_the_next_start(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.fence()
    log.commit(commit(1, 5), [letter(3)])
    committed = (tmp_path / "learner.json").read_bytes()
    log.commit(commit(2, 9), [letter(6)])
    (tmp_path / "learner.json").write_bytes(committed)  # as a kill just before the commit file's replacement leaves it
    with (tmp_path / "dead-letters.jsonl").open("ab") as file:
        file.write(b'{"reason": "to')
    again = opened(tmp_path)
    assert again.fence() == commit(1, 5)
    again.commit(commit(2, 9), [letter(6)])
    assert offsets(tmp_path) == [3, 6]


def test_what_was_in_the_file_before_the_first_commit_stays(tmp_path: Path) -> None:
    (tmp_path / "dead-letters.jsonl").write_text('{"by": "somebody else"}\n')
    opened(tmp_path).fence()
    log = opened(tmp_path)
    log.fence()
    log.commit(commit(1, 5), [letter(3)])
    lines = (tmp_path / "dead-letters.jsonl").read_text().splitlines()
    assert lines[0] == '{"by": "somebody else"}'
    assert len(lines) == 2


def test_an_older_holder_is_fenced_and_changes_nothing(tmp_path: Path) -> None:
    old, new = opened(tmp_path), opened(tmp_path)
    old.fence()
    old.commit(commit(1, 5), [])
    assert new.fence() == commit(1, 5)
    with pytest.raises(Fenced, match="newer learner"):
        old.commit(commit(2, 9), [letter(6)])
    assert offsets(tmp_path) == []
    new.commit(commit(2, 8), [])
    assert opened(tmp_path).fence() == commit(2, 8)


def test_a_commit_without_fencing_first_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="fence"):
        opened(tmp_path).commit(commit(1, 1), [])


def test_going_on_from_an_older_checkpoint_drops_the_dead_letters_that_will_come_again(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.fence()
    log.commit(commit(1, 5, schema_offset=1), [letter(3)])
    log.commit(commit(2, 9, schema_offset=2), [letter(6), letter(1, topic="feature-schema")])
    again = opened(tmp_path)
    again.fence()
    again.resumed(commit(1, 5, schema_offset=1))
    assert offsets(tmp_path) == [3]
    again.commit(commit(2, 9, schema_offset=2), [letter(6), letter(1, topic="feature-schema")])
    assert offsets(tmp_path) == [3, 6, 1]


def test_going_on_from_an_older_checkpoint_keeps_the_lines_of_others_and_letters_of_a_topic_that_is_gone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "dead-letters.jsonl"
    path.write_bytes(b'{"by": "somebody else"}\n\xff{[\n' + b"[" * 100_000 + b"\n")
    ids = {"interactions": "now"}
    log = FileCommitLog(tmp_path / "learner.json", path, topic_ids=ids)
    log.fence()
    before, now = replace(letter(6), topic_id="before"), replace(letter(6), topic_id="now")
    log.commit(commit(1, 5), [before, now])
    log.fence()
    log.resumed(commit(0, 0))
    assert len(path.read_bytes().splitlines()) == 4
    assert read_dead_letters(path) == [before]


def test_a_commit_file_that_is_none_is_an_error_and_not_a_fresh_start(tmp_path: Path) -> None:
    (tmp_path / "learner.json").write_text("{}")
    with pytest.raises(LogError, match="not a commit file"):
        opened(tmp_path).fence()


def test_a_link_in_the_way_of_the_commit_is_not_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("as it was", encoding="utf-8")
    (tmp_path / "learner.tmp").symlink_to(precious)
    log = opened(tmp_path)
    log.fence()
    log.commit(commit(1, 5), [])
    assert precious.read_text(encoding="utf-8") == "as it was"
    assert opened(tmp_path).newest() == commit(1, 5)
