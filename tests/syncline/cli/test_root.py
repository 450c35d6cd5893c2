"""The root of the command line: what it lists, what it imports, and with which code it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from syncline.cli import main
from syncline.cli.root import COMMANDS, existing
from tests.support.brokers import TestBroker

ROOT = Path(__file__).parents[3]
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {blocked!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
    def find_module(self, name, path=None): ...
sys.meta_path.insert(0, Blocked())
"""


class Cli:
    """Runs the command line in this process (a process each would cost the tests a second a call)."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        code = end.value.code
        out, err = self._capsys.readouterr()
        return int(code or 0), out, err


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line on a wide, colourless terminal."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    return Cli(capsys)


def run_blocked(blocked: set[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in which some packages cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK.format(blocked=blocked) + program],
        capture_output=True, text=True, timeout=300, cwd=ROOT, check=False,
    )  # fmt: skip


def test_help_lists_the_commands_that_exist(cli: Cli) -> None:
    """The root's help names each command that has a module, and no other."""
    code, out, _ = cli("--help")
    assert code == 0
    listed = re.findall(r"^│ ([a-z]+) ", out, re.MULTILINE)
    assert listed == existing()
    assert {"broker", "topics"} <= set(listed) <= set(COMMANDS)


def test_help_imports_neither_kafka_nor_torch() -> None:
    """What costs seconds to import is not imported to print a page of help."""
    program = (
        "import sys\n"
        "from syncline.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print(sorted({'aiokafka', 'torch', 'faust', 'numpy', 'streams'} & set(sys.modules)))\n"
    )
    done = run_blocked(set(), program)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("command", existing())
def test_each_command_has_help(cli: Cli, command: str) -> None:
    """Every listed command can be imported and explains itself."""
    code, out, err = cli(command, "--help")
    assert (code, err) == (0, "")
    assert f"syncline {command}" in out


def test_version(cli: Cli) -> None:
    """--version prints one line."""
    code, out, _ = cli("--version")
    assert code == 0
    assert re.fullmatch(r"syncline (\d+\.\d+\.\d+\S*|unknown)\n", out)


def test_an_error_of_ours_is_one_line(cli: Cli) -> None:
    """A broker that is not there: exit code 1, one line on stderr, nothing on stdout, no traceback."""
    code, out, err = cli("topics", "check", "--brokers", "127.0.0.1:1")
    assert (code, out) == (1, "")
    assert err.startswith("syncline: broker 127.0.0.1:1")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["brokr"], ["topics", "create", "--partitions", "x"], ["topics", "create", "--partitions", "0"]]
)
def test_wrong_use_is_code_2(cli: Cli, arguments: list[str]) -> None:
    """An unknown command, a word for a number, and a number that cannot be all end with 2 before any connection."""
    assert cli(*arguments)[0] == 2


def test_without_typer_the_extra_is_named() -> None:
    """Where the command line's own packages are missing, one line says what to install."""
    done = run_blocked({"typer"}, "from syncline.cli import main\nmain(['--help'])\n")
    assert done.returncode == 2
    assert done.stderr == "syncline: the command line needs an extra: pip install 'syncline[cli]'\n"


def test_without_the_service_its_commands_say_so() -> None:
    """A command of the service where only the wheel is installed ends with 2 and says where it runs."""
    program = (
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'streams' else found(name, *rest)\n"
        "from syncline.cli import root\n"
        "from syncline.errors import ServiceMissingError\n"
        "for name in sorted(root.SERVICE_COMMANDS):\n"
        "    try:\n        root.load(name)\n"
        "    except ServiceMissingError as error:\n        print(error.exit_code, error)\n"
    )
    lines = run_blocked(set(), program).stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["demo", "explain", "model", "search", "verify", "worker"]
    assert all("needs the service" in line for line in lines)


@pytest.mark.kafka
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_broker_command_ends_by_a_signal(cli: Cli, number: int, code: int) -> None:
    """`syncline broker` says its address, ends cleanly by Ctrl-C (130) or SIGTERM (0), and leaves no port open."""
    command = [sys.executable, "-u", "-m", "syncline", "broker", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        address = running.stdout.readline().split()[2].rstrip(";")
        running.send_signal(number)
        assert running.wait(20) == code
    assert cli("topics", "check", "--brokers", address)[0] == 1


def test_topics_create_and_check(cli: Cli, broker: TestBroker, topic_prefix: str) -> None:
    """Create makes nine topics; check accepts them, and refuses another number of partitions line by line."""
    place = ("--brokers", broker.address, "--topic-prefix", topic_prefix)
    code, out, err = cli("topics", "create", *place, "--partitions", "2")
    assert code == 0, err
    assert "9 created, 0 were there" in out
    assert cli("topics", "check", *place)[0] == 0
    code, out, _ = cli("topics", "check", *place, "--partitions", "4")
    assert code == 1
    assert f"{topic_prefix}media.image: partitions is 2, takes 4" in out
    assert out.count("\n") == 9
