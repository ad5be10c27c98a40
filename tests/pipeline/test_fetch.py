"""Published files are fetched whole and checked, or nothing is left; from a real server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.extractors._published import WeightFile
from ego.pipeline.fetch import fetch, get

CONTENT = bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under `whole`, less of it than promised under `short`, nothing else."""

    asked = 0

    def do_GET(self) -> None:
        Handler.asked += 1
        if self.path not in ("/whole", "/short", "/silent"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/silent":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[:1000])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def record(url: str, sha256: str = SHA256, size: int | None = None) -> WeightFile:
    return WeightFile("net.pt", url, sha256, "none", "a test", size)


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], ""])
def test_a_file_is_fetched_and_put_in_place(server: str, sha256: str, tmp_path: Path) -> None:
    steps = list(fetch(record(f"{server}/whole", sha256), tmp_path / "new" / "folder"))
    assert (tmp_path / "new" / "folder" / "net.pt").read_bytes() == CONTENT
    assert [one.name for one in (tmp_path / "new" / "folder").iterdir()] == ["net.pt"]
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [step.done for step in steps] == sorted({step.done for step in steps})


def test_what_is_there_is_not_fetched_again(server: str, tmp_path: Path) -> None:
    file = record(f"{server}/whole")
    list(fetch(file, tmp_path))
    asked = Handler.asked
    assert list(fetch(file, tmp_path)) == [(len(CONTENT), len(CONTENT))]
    assert Handler.asked == asked
    (tmp_path / "net.pt").write_bytes(b"damaged")
    list(fetch(file, tmp_path))
    assert (tmp_path / "net.pt").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "sha256", "size", "words"),
    [
        ("whole", "0" * 64, None, "gave sha256"),
        ("whole", "0" * 8, None, "gave sha256"),
        ("short", SHA256, None, f"1000 of {len(CONTENT)} bytes"),
        ("silent", SHA256, len(CONTENT), f"1000 of {len(CONTENT)} bytes"),
        ("silent", SHA256, None, "gave sha256"),
        ("absent", SHA256, None, "answered 404"),
    ],
)
def test_anything_else_leaves_what_was_there(
    server: str, path: str, sha256: str, size: int | None, words: str, tmp_path: Path
) -> None:
    (tmp_path / "net.pt").write_bytes(b"as it was")
    with pytest.raises(BadRequest, match=words):
        list(fetch(record(f"{server}/{path}", sha256, size), tmp_path))
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["net.pt"]
    assert (tmp_path / "net.pt").read_bytes() == b"as it was"


def test_an_abandoned_download_leaves_nothing(server: str, tmp_path: Path) -> None:
    download = fetch(record(f"{server}/whole"), tmp_path)
    next(download)
    download.close()
    assert not [one for one in tmp_path.iterdir() if one.is_file()]


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        list(fetch(record("http://127.0.0.1:9/net.pt"), tmp_path))
    text = str(caught.value)
    assert text.startswith("http://127.0.0.1:9/net.pt cannot be fetched: ")
    assert text.endswith(f"put it at {tmp_path / 'net.pt'}")
    assert "\n" not in text


def test_a_folder_that_cannot_be_made_is_said(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadRequest, match="cannot be made"):
        list(fetch(record(f"{server}/whole"), tmp_path / "file" / "below"))


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"'resnet'.*resnet18-f37072fd\.pth"):
        get("resnet", tmp_path)
