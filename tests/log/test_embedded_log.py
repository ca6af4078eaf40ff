"""The embedded log: offsets, seeks, bytes of any kind, and writers that die."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import ConfigurationError, LogError, OffsetOutOfRange, TopicMadeAnew
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.embedded_source import EmbeddedInteractionSource, EmbeddedSchemaSource
from stream.log.partitioner import partition_for
from stream.log.protocol import InteractionSource, Record, SchemaSource

MAYBE_BYTES = st.none() | st.binary(max_size=40) | st.text(max_size=20).map(str.encode)
HEADERS = st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=2).map(tuple)


def topic_of(directory: Path, values: list[bytes], partitions: int = 1) -> EmbeddedTopic:
    topic = EmbeddedTopic.create(directory, "t", partitions)
    writer = EmbeddedWriter(topic, clock_seconds=iter(range(1, 10**6)).__next__)
    for number, value in enumerate(values):
        writer.send(None, value, partition=number % partitions)
    writer.flush()
    return topic


def source_at(directory: Path, offsets: dict[int, int]) -> EmbeddedInteractionSource:
    source: InteractionSource = EmbeddedInteractionSource(directory, "t")
    source.seek(offsets)
    assert isinstance(source, EmbeddedInteractionSource)
    return source


def values(records: list[Record]) -> list[bytes | None]:
    return [record.value for record in records]


@given(records=st.lists(st.tuples(MAYBE_BYTES, MAYBE_BYTES, HEADERS), max_size=20), start=st.integers(0, 20))
def test_any_bytes_come_back_as_they_went_in_from_any_offset_on(
    records: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]],
    start: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("log")
    topic = EmbeddedTopic.create(directory, "t")
    writer = EmbeddedWriter(topic, clock_seconds=lambda: 1.5)
    for key, value, headers in records:
        writer.send(key, value, headers)
    writer.flush()
    start = min(start, len(records))
    read = source_at(directory, {0: start}).poll(100, 0)
    expected = [
        Record("t", 0, offset, key, value, 1500, headers) for offset, (key, value, headers) in enumerate(records)
    ]
    assert read == expected[start:]


def test_a_line_without_its_line_feed_is_invisible_and_the_next_writer_removes_it(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, [b"one"])
    with topic.path(0).open("ab") as file:
        file.write(b'{"timestamp_ms": 1, "key": null, "val')
    source = source_at(tmp_path, {0: 0})
    assert values(source.poll(10, 0)) == [b"one"]
    assert source.positions() == source.end_offsets() == {0: 1}
    writer = EmbeddedWriter(topic)
    writer.send(None, b"two")
    writer.flush()
    assert values(source.poll(10, 0)) == [b"two"]
    assert values(source_at(tmp_path, {0: 0}).poll(10, 0)) == [b"one", b"two"]


def test_positions_ends_lag_and_times_are_next_offsets(tmp_path: Path) -> None:
    topic_of(tmp_path, [b"a", b"b", b"c", b"d", b"e"], partitions=2)  # at 1 s, 2 s, ... alternating
    source = source_at(tmp_path, {0: 1, 1: 0})
    assert source.end_offsets() == {0: 3, 1: 2}
    assert source.beginning_offsets() == {0: 0, 1: 0}
    assert source.positions() == {0: 1, 1: 0}
    assert source.lag() == {0: 2, 1: 2}
    assert source.offsets_for_time(3000) == {0: 1, 1: 1}
    assert source.offsets_for_time(9000) == {0: 3, 1: 2}
    assert source.positions() == {0: 1, 1: 0}
    assert sorted(value or b"" for value in values(source.poll(10, 0))) == [b"b", b"c", b"d", b"e"]


def test_a_paused_partition_gives_nothing_and_loses_nothing(tmp_path: Path) -> None:
    topic_of(tmp_path, [b"a", b"b", b"c", b"d"], partitions=2)
    source = source_at(tmp_path, {0: 0, 1: 0})
    source.pause([0])
    assert values(source.poll(10, 0)) == [b"b", b"d"]
    source.resume([0])
    assert values(source.poll(10, 0)) == [b"a", b"c"]


def test_no_partition_starves_behind_a_full_one(tmp_path: Path) -> None:
    topic_of(tmp_path, [b"x"] * 40, partitions=2)
    source = source_at(tmp_path, {0: 0, 1: 0})
    assert {record.partition for _ in range(2) for record in source.poll(5, 0)} == {0, 1}


def test_offsets_that_do_not_exist_are_refused_and_nothing_moves(tmp_path: Path) -> None:
    topic_of(tmp_path, [b"a", b"b"], partitions=2)
    source = source_at(tmp_path, {0: 0, 1: 0})
    with pytest.raises(OffsetOutOfRange, match=r"partition 1: offset 2"):
        source.seek({0: 1, 1: 2})
    assert source.positions() == {0: 0, 1: 0}


def test_polling_before_any_seek_is_an_error(tmp_path: Path) -> None:
    topic_of(tmp_path, [b"a"])
    with pytest.raises(LogError, match="before any seek"):
        EmbeddedInteractionSource(tmp_path, "t").poll(1, 0)


def test_a_topic_that_nobody_created_and_one_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="stream topics"):
        EmbeddedTopic(tmp_path, "t")
    EmbeddedTopic.create(tmp_path, "t", 2)
    with pytest.raises(ConfigurationError, match="has 2 partitions, not 3"):
        EmbeddedTopic.create(tmp_path, "t", 3)
    with pytest.raises(ConfigurationError, match="needs one"):
        EmbeddedSchemaSource(tmp_path, "t")


def test_a_line_that_is_not_a_record_names_its_file_and_line(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, [b"a"])
    with topic.path(0).open("ab") as file:
        file.write(b"garbage\n")
    source = source_at(tmp_path, {0: 1})
    with pytest.raises(LogError, match=r"partition-0\.jsonl, line 2"):
        source.poll(1, 0)


def test_the_schema_source_reads_what_was_published_before_the_call(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, [b"1", b"2"])
    source: SchemaSource = EmbeddedSchemaSource(tmp_path, "t")
    assert values(source.read_to_end(0)) == [b"1", b"2"]
    assert source.read_to_end(0) == []
    writer = EmbeddedWriter(topic)
    writer.send(None, b"3")
    writer.flush()
    assert values(source.read_to_end(0)) == [b"3"]
    assert source.position() == source.end_offset() == 3
    source.seek(1)
    assert values(source.read_to_end(0)) == [b"2", b"3"]


def _write(directory: Path, name: str) -> None:
    writer = EmbeddedWriter(EmbeddedTopic(directory, "t"), flush_records=7)
    for number in range(300):
        writer.send(name.encode(), f"{name}{number}".encode(), partition=0)
    writer.flush()


def test_two_writing_processes_and_a_reader_see_each_record_once_in_each_writers_order(tmp_path: Path) -> None:
    EmbeddedTopic.create(tmp_path, "t")
    source = source_at(tmp_path, {0: 0})
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    read: list[Record] = []
    while len(read) < 600 and (records := source.poll(50, 20)):
        read += records
    for writer in writers:
        writer.join()
    for name in (b"a", b"b"):
        assert [record.value for record in read if record.key == name] == [name + b"%d" % i for i in range(300)]


def test_keys_go_where_apache_kafkas_own_clients_send_them() -> None:
    # From the Java client's UtilsTest.testMurmur2.
    assert partition_for(b"21", None, 1 << 31) == -973932308 & 0x7FFFFFFF
    assert partition_for(b"foobar", None, 1 << 31) == -790332482 & 0x7FFFFFFF
    assert partition_for(None, b"foobar", 7) == partition_for(b"foobar", None, 7)


def test_a_topic_made_anew_or_removed_under_its_readers_is_seen_at_the_next_look(tmp_path: Path) -> None:
    topic_of(tmp_path, [b"a", b"b"])
    source, schema = source_at(tmp_path, {0: 1}), EmbeddedSchemaSource(tmp_path, "t")
    assert source.topic_id == schema.topic_id == EmbeddedTopic(tmp_path, "t").id is not None
    shutil.rmtree(tmp_path / "t")
    for look in (source.end_offsets, lambda: schema.read_to_end(0)):
        with pytest.raises(LogError, match="was removed while this learner ran"):
            look()
    topic_of(tmp_path, [b"c", b"d", b"e"])
    for look in (source.end_offsets, lambda: schema.read_to_end(0)):
        with pytest.raises(TopicMadeAnew, match="removed and made anew"):
            look()
    EmbeddedTopic.create(tmp_path, "t")
    assert EmbeddedTopic(tmp_path, "t").id == EmbeddedTopic.create(tmp_path, "t").id, "to create it again changes none"
    for opened in (source, schema):
        opened.close()


def test_a_partition_that_was_cut_is_out_of_range(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, [b"a", b"b", b"c"])
    source = source_at(tmp_path, {0: 3})
    assert source.end_offsets() == {0: 3}
    with topic.path(0).open("r+b") as file:
        file.truncate(10)
    with pytest.raises(OffsetOutOfRange, match="was cut to less than the 3 records"):
        source.end_offsets()
    source.close()
