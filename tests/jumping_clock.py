"""A search without training in a process whose wall clock is set at every training.

Run as a program: `LD_PRELOAD=clock.so python tests/jumping_clock.py FOLDER`, the library being SHIM. Prints
JSON: the wall clock as it was seen. (libfaketime breaks clock_nanosleep where the monotonic clock stays.)
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path

from tests import killed_engine

DAY_S = 86_400
JUMPS = (0, DAY_S, -DAY_S, 0, -DAY_S, DAY_S)
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static volatile long offset;
void set_clock(long seconds) { offset = seconds; }
int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*honest)(clockid_t, struct timespec *);
    if (!honest) honest = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = honest(which, at);
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE) at->tv_sec += offset;
    return code;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def main(folder: Path) -> None:
    """Search to the end, the clock being set at each training."""
    seen, honest = [], killed_engine.evaluate

    def evaluate(job, order):
        ctypes.CDLL(None).set_clock(ctypes.c_long(JUMPS[order.number % len(JUMPS)]))
        done = honest(job, order)
        seen.append(time.time())
        return done

    killed_engine.evaluate = evaluate
    killed_engine.session(folder)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
