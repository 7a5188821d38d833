/* SPDX-License-Identifier: Apache-2.0
 *
 * A workload that logs: writer LINES PER_WRITE [FILE]. Lines of 128 bytes to standard output, so
 * many with each write(2). Into FILE, which must be there, goes how many nanoseconds that took.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 128
#define LINES_MAX 512

static int64_t now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int tell(const char *path, int64_t took_ns)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%lld\n", (long long)took_ns);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, (size_t)length) == length ? 0 : 1;
}

int main(int argc, char **argv)
{
    static char text[LINE_SIZE * LINES_MAX];
    long lines = argc >= 3 ? strtol(argv[1], NULL, 10) : 0;
    long per_write = argc >= 3 ? strtol(argv[2], NULL, 10) : 0;
    if (lines <= 0 || per_write <= 0 || per_write > LINES_MAX) {
        return 2;
    }
    for (long i = 0; i < per_write; i++) {
        char *line = text + i * LINE_SIZE;
        (void)memset(line, 'a' + (int)(i % 26), LINE_SIZE);
        (void)memcpy(line, "2026-11-22T08:00:00.000Z INFO request ", 38);
        line[LINE_SIZE - 1] = '\n';
    }
    int64_t began_ns = now_ns();
    for (long i = 0; i < lines; i += per_write) {
        size_t left = (size_t)(per_write * LINE_SIZE);
        const char *at = text;
        while (left > 0) {
            ssize_t n = write(STDOUT_FILENO, at, left);
            if (n < 0) {
                return 1;
            }
            at += n;
            left -= (size_t)n;
        }
    }
    return argc > 3 ? tell(argv[3], now_ns() - began_ns) : 0;
}
