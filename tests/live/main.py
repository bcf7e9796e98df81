"""Runs the live tests: main.py [-b] [-k WORD] [-v] [module...]. -b: the cases against the bare sshd only, to prove the tests themselves."""
import argparse
import os
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import world  # noqa: E402


TIMES = []


class Result(unittest.TextTestResult):
    passed = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        TIMES.append((time.monotonic() - self.began, test.id()))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def modules(names):
    here = os.path.dirname(os.path.abspath(__file__))
    return names or sorted(n[:-3] for n in os.listdir(here) if n.startswith('test_') and n.endswith('.py'))


def main():
    parser = argparse.ArgumentParser(description='live tests of the shim')
    parser.add_argument('-b', '--bare', action='store_true', help='only the cases against the bare sshd')
    parser.add_argument('-k', action='append', help='only tests whose name has this in it')
    parser.add_argument('-v', action='store_true')
    parser.add_argument('module', nargs='*')
    options = parser.parse_args()
    loader = unittest.TestLoader()
    if options.bare:
        os.environ.pop('XFERWARDEN_BUILD', None)
        options.module, options.k = options.module or ['test_transparency', 'test_sftp_transparency'], ['Bare*' + k for k in options.k or ['']]
    if options.k:
        loader.testNamePatterns = [f'*{k}*' for k in options.k]
    start = time.monotonic()
    world.die_politely()
    try:
        world.THE = world.World()
    except world.Trouble as trouble:
        sys.exit(f'live tests cannot run: {trouble}')
    try:
        if not options.bare and not world.THE.shim:
            sys.exit('live tests cannot run: XFERWARDEN_BUILD names no folder with src/shim/xferwarden')
        suite = loader.loadTestsFromNames(modules(options.module))
        result = unittest.TextTestRunner(verbosity=2 if options.v else 1, resultclass=Result).run(suite)
        failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
        for name, text in world.THE.sanitizer_logs().items():
            failed += 1
            print(f'sanitizer log {name}:\n{text}')
    finally:
        world.THE.close()
    if options.v:
        print('longest:', ', '.join(f'{name.rpartition(".")[2]} {took:.1f} s' for took, name in sorted(TIMES, reverse=True)[:12]))
    skipped = f', {len(result.skipped)} skipped' if result.skipped else ''
    print(f'{result.passed} passed, {failed} failed{skipped} in {time.monotonic() - start:.0f} s')
    return 1 if failed or not result.passed else 0


if __name__ == '__main__':
    sys.modules['world'] = world
    sys.exit(main())
