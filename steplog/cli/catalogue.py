"""Every command with where it is and what it does, in the groups people read them in.

A command's module is loaded when it is called: loading all of them takes longer than most commands
do. So its summary stands here too, word for word as in its help.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: `module:name` of its function, or of a Typer application for a group of them."""

    place: str
    summary: str


PANELS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Run pipelines": {
        "init": Entry(
            "steplog.cli.commands.init:init",
            "Make a project to begin with: steps, a pipeline, its test.",
        ),
        "convert": Entry(
            "steplog.cli.commands.convert:convert",
            "Write a definition from one of another language.",
        ),
        "check": Entry(
            "steplog.cli.commands.check:check",
            "Check a definition: every problem with its place.",
        ),
        "run": Entry("steplog.cli.commands.run:run", "Run a pipeline."),
        "resume": Entry(
            "steplog.cli.commands.resume:resume",
            "Answer a step that waits for a person; the answer is held to what the step asked for.",
        ),
        "cancel": Entry(
            "steplog.cli.commands.cancel:cancel",
            "Stop an execution before its next step; running async steps are cancelled.",
        ),
        "retry": Entry(
            "steplog.cli.commands.retry:retry",
            "Begin a new execution that goes on where a failed or cancelled one stopped.",
        ),
        "fork": Entry(
            "steplog.cli.commands.fork:fork", "Begin new executions from recorded points of others."
        ),
    },
    "Look at executions": {
        "ls": Entry(
            "steplog.cli.commands.ls:ls",
            "List executions, newest first; with --as-of as they stood then.",
        ),
        "show": Entry(
            "steplog.cli.commands.show:show",
            "Show one execution and the steps it took; with --as-of or --at-seq as it stood then.",
        ),
        "why": Entry(
            "steplog.cli.commands.why:why",
            "Say what an execution waits for, or why it ended, and what can be done.",
        ),
        "watch": Entry(
            "steplog.cli.commands.watch:watch",
            "Watch an execution until it has ended; exits with 2 if it failed or was cancelled.",
        ),
        "events": Entry(
            "steplog.cli.commands.events:events",
            "Show the recorded events of one execution, decoded, in the order of the log.",
        ),
        "waits": Entry(
            "steplog.cli.commands.waits:waits",
            "List the questions that wait for a person, oldest first; with ID all that it asked.",
        ),
        "payload": Entry(
            "steplog.cli.commands.payload:payload",
            "Print a value that was too large for an event, as the JSON that was stored.",
        ),
        "stats": Entry(
            "steplog.cli.commands.stats:stats",
            "Show how many executions ended, failed and how long they took, by pipeline or step.",
        ),
        "top": Entry(
            "steplog.cli.commands.top:top",
            "Show what runs, how much of it, and how far the read model is behind; Ctrl-C leaves.",
        ),
    },
    "Use the history": {
        "replay-definition": Entry(
            "steplog.cli.commands.replay_definition:replay_definition",
            "Lead recorded executions through a changed definition; exits with 3 if one would "
            "differ.",
        ),
        "rebuild": Entry(
            "steplog.cli.commands.rebuild:rebuild",
            "Make all rows again from the log, compare them, and swap them in while all goes on.",
        ),
        "verify": Entry(
            "steplog.cli.commands.verify:verify",
            "Fold executions again from the log and compare their rows; exits with 1 if any "
            "differs.",
        ),
        "diff-projection": Entry(
            "steplog.cli.commands.diff_projection:diff_projection",
            "Fold the whole log with the code installed here and report which live rows would "
            "change.",
        ),
        "export": Entry(
            "steplog.cli.commands.export:export",
            "Write recorded events to an archive that `steplog import` can fill a cluster from.",
        ),
        "import": Entry(
            "steplog.cli.commands.import_archives:import_files",
            "Fill an empty cluster from archives; run again after an interruption, it goes on.",
        ),
    },
    "Keep it running": {
        "lag": Entry(
            "steplog.cli.commands.lag:lag",
            "Show the tracker's gap (events) and lag (seconds); exits with 1 if no worker is at "
            "it, no process has the file open (--embedded), or the log lost records.",
        ),
        "dead-letters": Entry(
            "steplog.cli.commands.dead_letters:app", "Events that could not be applied."
        ),
        "commands": Entry(
            "steplog.cli.commands.commands:app", "Commands that wait for a decision."
        ),
        "topics": Entry("steplog.cli.commands.topics:app", "Topics on the broker."),
        "token": Entry("steplog.cli.commands.token:app", "Tokens for the HTTP API."),
        "prune": Entry(
            "steplog.cli.commands.prune:prune",
            "Remove the rows of executions that ended long ago; `steplog rebuild` brings them "
            "back.",
        ),
    },
    "On this machine": {
        "up": Entry(
            "steplog.cli.commands.up:up",
            "Start Kafka, PostgreSQL, the executor, the tracker and the API on this machine.",
        ),
        "status": Entry(
            "steplog.cli.commands.status:status",
            "Show the parts of the local stack; exits with 1 unless all of them run.",
        ),
        "down": Entry(
            "steplog.cli.commands.down:down",
            "Stop the local stack, in order, and return once nothing of it runs; its data stays.",
        ),
        "move": Entry(
            "steplog.cli.commands.move:move",
            "Move a file of embedded mode into empty topics of Kafka; what had not ended goes on "
            "there.",
        ),
    },
}
