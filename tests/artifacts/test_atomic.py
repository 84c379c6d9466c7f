from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel.artifacts.atomic import atomic_files, atomic_folder, atomic_path, write_text
from readlabel.artifacts.digest import file_ref
from readlabel.messages import InputError, OutputError


def test_a_writer_that_fails_leaves_the_earlier_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "metrics.json"
    write_text(target, "old")
    with pytest.raises(ValueError, match="halfway"), atomic_path(target) as path:
        path.write_text("ne")
        raise ValueError("halfway")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_linked_file_is_replaced_where_it_lies_and_the_link_stays(tmp_path: Path) -> None:
    scratch, link = tmp_path / "scratch" / "reads", tmp_path / "reads"
    link.symlink_to(scratch)
    for text in ("first", "second"):
        write_text(link, text)
        assert (link.is_symlink(), scratch.read_text()) == (True, text)
    assert list(scratch.parent.iterdir()) == [scratch]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "reads"
    link.symlink_to(link)
    with pytest.raises(OutputError, match="leads nowhere but to itself"):
        write_text(link, "x")
    assert link.is_symlink()


def test_files_that_belong_together_appear_together(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with atomic_files() as begin:
        begin(first).write(b"1")
        begin(second).write(b"2")
        assert not first.exists()
    assert (first.read_text(), second.read_text()) == ("1", "2")
    with pytest.raises(ValueError, match="halfway"), atomic_files() as begin:
        begin(first).write(b"3")
        raise ValueError("halfway")
    assert first.read_text() == "1"
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_of_several_files_the_one_that_finds_no_room_is_named(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk. The bytes that fail may be those that leave at the end."""
    script = (
        "import resource; from pathlib import Path; from readlabel.artifacts.atomic import atomic_files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with atomic_files() as begin:\n"
        "    first, second = begin(Path('first')), begin(Path('second'))\n"
        "    {}.write(bytes({}))\n"
    )
    for name, count in (("first", 1001), ("second", 1001), ("first", 1_000_000)):
        command = [sys.executable, "-c", script.format(name, count)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.stderr.splitlines()[-1].endswith(f"OutputError: {name}: cannot be written: File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_the_earlier_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "variant"
    for name in ("first", "second"):
        with atomic_folder(target) as folder:
            (folder / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    target = tmp_path / "variant"
    with atomic_folder(target) as folder:
        (folder / "first").touch()
    with pytest.raises(ValueError, match="halfway"), atomic_folder(target) as folder:
        (folder / "second").touch()
        raise ValueError("halfway")
    assert [path.name for path in target.iterdir()] == ["first"]


def test_a_file_is_never_replaced_by_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "thesis.txt"
    target.write_text("mine")
    with (
        pytest.raises(OutputError, match=r"thesis\.txt: is there already and is no plain folder"),
        atomic_folder(target),
    ):
        pass
    assert target.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_told_with_the_name_that_the_user_gave(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as raised, atomic_folder(tmp_path / "run") as folder, atomic_path(folder / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(raised.value).startswith(f"{tmp_path / 'run' / 'a'}: no space left")


def test_a_file_in_the_way_of_a_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "results" / "x.json", "{}")


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space left"), atomic_path(tmp_path / "big"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_has_the_mode_a_plain_one_would_have(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def test_a_file_is_named_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "reads"
    path.write_bytes(b"abc")
    assert file_ref(path).sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_ref(path).size_bytes == 3
    with pytest.raises(InputError, match="absent: cannot be read"):
        file_ref(tmp_path / "absent")
