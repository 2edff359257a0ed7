"""Who teaches: a server that ends with whoever started it, at an address that stays, or an endpoint that is named."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from evolray.demo.teaching import PLACE, _earlier_port, from_environment, simulated
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from tests.waiting import wait_until


def models(base_url: str) -> list[str]:
    with urllib.request.urlopen(f"{base_url}/models", timeout=30) as response:
        return [one["id"] for one in json.load(response)["data"]]


def is_gone(base_url: str) -> bool:
    host, _, port = base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    with socket.socket() as attempt:
        return attempt.connect_ex((host, int(port))) != 0


def test_the_server_answers_until_the_block_ends(tmp_path: Path) -> None:
    with simulated(LocalFolder(str(tmp_path))) as teaching:
        url = teaching.settings["base_url"]
        assert models(url) == [teaching.settings["model"]] == ["simulated"]
        assert (teaching.settings["kind"], teaching.is_simulated) == ("endpoint", True)
    assert is_gone(url)


def test_its_address_stays_for_the_next_time_unless_it_is_taken(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    with simulated(folder) as first:
        with simulated(folder) as beside:
            assert beside.settings["base_url"] != first.settings["base_url"]
            assert models(beside.settings["base_url"]) == ["simulated"]
    with simulated(folder) as again:
        assert again.settings == beside.settings


@pytest.mark.parametrize("content", [b"", b"[]", b'{"base_url": 3}', b'{"base_url": "http://a:99999999/v1"}', b"\xff"])
def test_an_address_that_cannot_be_read_is_no_address(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PLACE).write_bytes(content)
    assert _earlier_port(LocalFolder(str(tmp_path))) == 0


PROGRAM = """
import sys, time
from evolray.demo.teaching import simulated
from evolray.pool.layout import LocalFolder
with simulated(LocalFolder(sys.argv[1])) as teaching:
    print(teaching.settings["base_url"], flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_server_ends_with_whoever_started_it(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().strip()
        assert models(url) == ["simulated"]
        (server,) = psutil.Process(process.pid).children()
        assert os.getsid(server.pid) == server.pid  # so that Ctrl-C does not reach it before the demo is done with it
        process.send_signal(number)
        process.wait(timeout=60)
        wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
        said = process.stderr.read()
    assert is_gone(url)
    assert "simulat" not in said


def test_without_a_name_in_the_environment_there_is_no_endpoint() -> None:
    assert from_environment({}) is None
    assert from_environment({"TEACHER_API_KEY": "k", "TEACHER_MODEL": "", "TEACHER_BASE_URL": ""}) is None


def test_the_endpoint_of_the_environment() -> None:
    named = {"TEACHER_BASE_URL": "https://host/v1", "TEACHER_MODEL": "big", "TEACHER_API_KEY": "secret"}
    teaching = from_environment(named)
    assert teaching is not None and not teaching.is_simulated
    assert teaching.settings == {
        "kind": "endpoint", "base_url": "https://host/v1", "model": "big", "api_key_env": "TEACHER_API_KEY",
    }  # fmt: skip
    assert "secret" not in repr(teaching)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TEACHER_BASE_URL": "http://h/v1"}, "TEACHER_BASE_URL is set and TEACHER_MODEL is not."),
        ({"TEACHER_MODEL": "big"}, "TEACHER_MODEL is set and TEACHER_BASE_URL is not."),
        (
            {"TEACHER_BASE_URL": "host:8000", "TEACHER_MODEL": "big"},
            "TEACHER_BASE_URL=host:8000: expected a URL such as http://localhost:8000/v1.",
        ),
    ],
)
def test_half_a_name_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as error:
        from_environment(environment)
    assert str(error.value).startswith(message)
