/* SPDX-License-Identifier: Apache-2.0
 *
 * A workload that logs: writer LINES PER_WRITE. Lines of 128 bytes to standard output, so many with
 * each write(2).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 128
#define LINES_MAX 512

int main(int argc, char **argv)
{
    static char text[LINE_SIZE * LINES_MAX];
    long lines = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long per_write = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (lines <= 0 || per_write <= 0 || per_write > LINES_MAX) {
        return 2;
    }
    for (long i = 0; i < per_write; i++) {
        char *line = text + i * LINE_SIZE;
        (void)memset(line, 'a' + (int)(i % 26), LINE_SIZE);
        (void)memcpy(line, "2026-11-22T08:00:00.000Z INFO request ", 38);
        line[LINE_SIZE - 1] = '\n';
    }
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
    return 0;
}
