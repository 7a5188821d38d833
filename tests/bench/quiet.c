/* SPDX-License-Identifier: Apache-2.0
 *
 * A workload that writes nothing: quiet PROCESSES [ROUNDS FILE]. So many processes that only wait;
 * beside them it does some work, so often, and tells FILE, which must be there, how many
 * nanoseconds that took, and how many of them it had a processor. Without ROUNDS it waits as well.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TABLE_SIZE (1U << 15) /* words: what a small service has in its hands */
#define ROUND_SIZE (1U << 16)

static int64_t now_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Reads and writes of memory that no compiler can foresee, and now and then a system call. */
static uint32_t work(long rounds)
{
    static uint32_t table[TABLE_SIZE];
    uint32_t state = 1;
    for (long i = 0; i < rounds; i++) {
        for (uint32_t k = 0; k < ROUND_SIZE; k++) {
            state = state * 1664525U + 1013904223U;
            table[state >> 17] += state ^ table[k % TABLE_SIZE];
        }
        state += (uint32_t)getppid();
    }
    return state ^ table[0];
}

static int tell(const char *path, int64_t wall_ns, int64_t used_ns)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%lld %lld\n", (long long)wall_ns, (long long)used_ns);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : 1;
}

int main(int argc, char **argv)
{
    long processes = argc > 1 ? strtol(argv[1], NULL, 10) : -1;
    long rounds = argc > 3 ? strtol(argv[2], NULL, 10) : 0;
    for (long i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            return 1;
        }
        while (pid == 0) {
            (void)pause();
        }
    }
    while (processes >= 0 && rounds == 0) {
        (void)pause();
    }
    if (processes < 0 || rounds < 0) {
        return 2;
    }
    int64_t wall_ns = now_ns(CLOCK_MONOTONIC);
    int64_t used_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    volatile uint32_t result = work(rounds);
    (void)result;
    wall_ns = now_ns(CLOCK_MONOTONIC) - wall_ns;
    used_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - used_ns;
    return tell(argv[3], wall_ns, used_ns);
}
