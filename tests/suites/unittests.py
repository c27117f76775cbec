"""unittests.py RESULTS MODULE - run one module of CPython's test package.

Writes one line for each test, "MODULE.CLASS-TEST VERDICT", and what unittest
has to say to stdout. (regrtest's own report dies of threads that fail.)
"""
import importlib
import sys
import unittest

from test import support

# Bare, these wait for ever on a virtual machine; wrapped, the family is
# refused, which tests/leak/matrix.sh checks.
SKIP = ("VSOCK",)


class Result(unittest.TextTestResult):
    verdicts = {}

    def note(self, test, verdict):
        words = test.id().replace(" ", "_").split(".")
        key = ".".join(words[:-1]) + "-" + words[-1]
        key = key.removeprefix("test.")
        # The worst one counts, for tests of several parts.
        if verdict != "ok" or key not in self.verdicts:
            self.verdicts[key] = verdict

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "ok")

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "error")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "failure")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note(test, "ok")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failure")


def chosen(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test)
        elif not any(word in test.id() for word in SKIP):
            yield test


def main(results, name):
    support.use_resources = ["network", "cpu", "subprocess"]
    support.verbose = 1
    module = importlib.import_module("test." + name)
    tests = unittest.defaultTestLoader.loadTestsFromModule(module)
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2,
                                     resultclass=Result)
    runner.run(unittest.TestSuite(chosen(tests)))
    with open(results, "w") as out:
        for key, verdict in sorted(Result.verdicts.items()):
            print(key, verdict, file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])
