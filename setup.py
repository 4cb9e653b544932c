"""Compile `tracker_service/compiled` with mypyc, where a C compiler is at hand.

Everything else about the package is in `pyproject.toml`. Without a compiler, without mypy or with
STEPLOG_INTERPRETED=1 the same modules are installed as they are: all works, only more slowly.
With STEPLOG_INTERPRETED=0 that ends the build, as in an image, where nobody would notice.
"""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("tracker_service/compiled")
MODULES = sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py")
# The one library that holds the code of all modules; named so, it lies in their package.
LIBRARY = "tracker_service.compiled.all"
# What the libraries in this tree were made from; `tests/house/test_compiled.py` compares.
DIGESTS = FOLDER / "compiled_from.sha256"
# Where the types lie that these modules use and that are in no folder of the root.
CONTRACTS = "contracts"
# `make lint` checks these modules; here their types alone are wanted, as far as they are installed.
TYPES_ONLY = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]


def stays_interpreted(reason: str) -> None:
    """Say why nothing is compiled, or end the build where that is demanded."""
    if os.environ.get("STEPLOG_INTERPRETED") == "0":
        raise SystemExit(f"steplog is to be compiled (STEPLOG_INTERPRETED=0) and isn't: {reason}")
    print(f"steplog stays interpreted, more slowly: {reason}")  # noqa: T201


def placeholders() -> list[Extension]:
    """Return an extension for each module, without C yet: that is made only when they are built."""
    if os.environ.get("STEPLOG_INTERPRETED") == "1":
        return []
    if find_spec("mypyc") is None:
        stays_interpreted("mypy is missing; pip install 'mypy[mypyc]'.")
        return []
    return [Extension(".".join(path.with_suffix("").parts), sources=[]) for path in MODULES]


def compiled() -> list[Extension]:
    """Return the extensions with their C; none where mypyc refuses the modules."""
    from mypyc.build import mypycify  # noqa: PLC0415 - not there in every build.

    os.environ["MYPYPATH"] = CONTRACTS
    paths = [*TYPES_ONLY, *map(str, MODULES)]
    try:
        extensions = mypycify(paths, opt_level="3", target_dir="build/c", group_name=LIBRARY)
    except SystemExit:
        stays_interpreted("mypyc refuses its modules; see above.")
        return []
    for extension in extensions:
        extension.optional = True
        # A warning of a compiler nobody here has tried is no reason to do without.
        flags = [flag for flag in extension.extra_compile_args if flag != "-Werror"]
        extension.extra_compile_args = flags
    return extensions


class BuildCompiled(build_ext):
    """Build all libraries or none, since each needs the common one."""

    def run(self) -> None:
        """Build; in a tree, leave nothing of an earlier build and note the sources of this one."""
        in_tree = bool(self.inplace)
        if in_tree:
            for old in [*FOLDER.glob("*.so"), *FOLDER.glob("*.pyd"), DIGESTS]:
                old.unlink(missing_ok=True)
        if self.distribution.ext_modules:
            self.distribution.ext_modules = compiled()
            self.swig_opts = None  # Else options can be finalized only once.
            self.finalize_options()
        super().run()
        if in_tree and self.extensions:
            lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in MODULES]
            DIGESTS.write_text("".join(lines), encoding="utf-8")

    def build_extensions(self) -> None:
        """Compile all anew; where one failed, forget the others."""
        built = [Path(self.get_ext_fullpath(extension.name)) for extension in self.extensions]
        for path in built:
            path.unlink(missing_ok=True)
        super().build_extensions()
        if not all(path.exists() for path in built):
            for path in built:
                path.unlink(missing_ok=True)
            stays_interpreted("the C compiler failed or is missing; see above.")
            self.extensions = self.distribution.ext_modules = []


setup(ext_modules=placeholders(), cmdclass={"build_ext": BuildCompiled})
