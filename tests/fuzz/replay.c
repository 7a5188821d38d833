/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands in for libFuzzer where there is none: runs a fuzz target over every file of the folders
 * named on the command line, so that a corpus is a unit test under every compiler. An empty corpus
 * is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* Returns 1, or 0 after a message. */
static int replay_file(int dirfd, const char *name)
{
    struct stat st;
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        fprintf(stderr, "%s: %s\n", name, fd < 0 ? strerror(errno) : "not a regular file");
        return 0;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size); /* exactly as large as the input: ASan sees the byte after it */
    int ok = (data != NULL || size == 0) && read(fd, data, size) == (ssize_t)size;
    (void)close(fd);
    if (!ok) {
        fprintf(stderr, "%s: cannot read\n", name);
    } else {
        fprintf(stderr, "input %s\n", name); /* the last one named is the one that crashed */
        ok = LLVMFuzzerTestOneInput(data, size) == 0;
    }
    free(data);
    return ok;
}

static int replay_folder(const char *path, size_t *ret_inputs)
{
    struct dirent *entry;
    int failed = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        (*ret_inputs)++;
        if (!replay_file(dirfd(dir), entry->d_name)) {
            failed++;
        }
    }
    (void)closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    size_t inputs = 0;
    for (int i = 1; i < argc; i++) {
        failed += replay_folder(argv[i], &inputs);
    }
    printf("%zu inputs replayed, %d failed\n", inputs, failed);
    return failed == 0 && inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
