"""What the shim costs: every row runs bare and gated in turn on a tmpfs; printed are medians of the ratios of each round.

bench.py BUILD [-n ROUNDS] [--relay] [--one] [row...]; without rows all. The build must be without sanitizers to mean anything.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + '/../live']

import measure  # noqa: E402
import rows_scp  # noqa: E402
import rows_sftp  # noqa: E402
import world  # noqa: E402


class Bench(measure.Measure, rows_scp.Rows, rows_sftp.Rows):
    """All rows."""


def table(rows):
    head = ('row', 'what', 'wall', 'CPU', 'wall goal', 'CPU goal', '')
    widths = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    print()
    for row in [head] + rows:
        print('  '.join(c.ljust(w) for c, w in zip(row, widths)).rstrip())


def main():
    names = [n[4:].replace('_', '-') for rows in (rows_scp.Rows, rows_sftp.Rows) for n in vars(rows) if n.startswith('row_')]
    parser = argparse.ArgumentParser(description='ratios of gated to bare transfers')
    parser.add_argument('build')
    parser.add_argument('-n', type=int, default=7, help='rounds (default 7)')
    parser.add_argument('--relay', action='store_true', help='a relay that only copies in the place of the shim: what any process there costs')
    parser.add_argument('--one', action='store_true', help='clients and servers on one processor: nothing runs beside anything, and the numbers are calmer')
    parser.add_argument('row', nargs='*', help=', '.join(names))
    options = parser.parse_intermixed_args()
    unknown = set(options.row) - set(names)
    if unknown:
        parser.error(f'no such row: {", ".join(sorted(unknown))}; there are {", ".join(names)}')
    os.environ['XFERWARDEN_BUILD'] = options.build
    os.environ.setdefault('XFERWARDEN_LIVE_DIR', '/dev/shm')
    if options.one:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    world.die_politely()
    live = world.World()
    try:
        if not live.shim and not options.relay:
            sys.exit('no finished build there')
        if live.shim and b'libasan' in world.run(['ldd', live.shim]).out:
            print('this build has sanitizers: the numbers say nothing')
        bench = Bench(live, options.n, options.relay)
        for name in options.row or names:
            getattr(bench, 'row_' + name.replace('-', '_'))(name)
        table(bench.results)
    except world.Trouble as trouble:
        sys.exit(f'benchmark: {trouble}')
    finally:
        live.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
