/* SPDX-License-Identifier: Apache-2.0
 *
 * A frame of its own: magic, the members by their names, which build of lazaret-prepare has written
 * it, the sources whole, and then the body. There is no checksum: whoever could write here is root.
 */
#include "shim/prepared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/rooted.h"

#define MAGIC     "LAZPREP1"
#define PART_SIZE 4096 /* of a source, compared at once */
#define N_STAMP   5

/* Another program may make something else of the same files. */
static bool take_stamp(uint64_t ret[N_STAMP])
{
    struct stat status;
    if (stat(LAZ_PREPARED_PROGRAM, &status) < 0) {
        return false;
    }
    ret[0] = status.st_dev;
    ret[1] = status.st_ino;
    ret[2] = (uint64_t)status.st_size;
    ret[3] = (uint64_t)status.st_ctim.tv_sec;
    ret[4] = (uint64_t)status.st_ctim.tv_nsec;
    return true;
}

/* ---- reading ---- */

/* A file's read is short at its end alone: one byte more than there should be is asked for. */
static bool is_same(int fd, const uint8_t *text, size_t length)
{
    char part[PART_SIZE];
    for (size_t at = 0;;) {
        size_t rest = length - at;
        size_t size = rest < PART_SIZE ? rest + 1 : PART_SIZE;
        ssize_t n = read(fd, part, size);
        if (n < 0 || (size_t)n > rest || memcmp(part, text + at, (size_t)n) != 0) {
            return false;
        }
        at += (size_t)n;
        if ((size_t)n < size) {
            return at == length;
        }
    }
}

static bool take_source(struct laz_rooted *folders, struct laz_section *in)
{
    struct laz_err ignored = {0};
    laz_cleanup_fd int fd = -1;
    const char *path = laz_section_path(in);
    size_t length = laz_section_u32(in, 0, LAZ_POLICY_FILE_MAX);
    const uint8_t *text = laz_section_bytes(in, length);
    return in->wrong == NULL && laz_rooted_open_known(folders, path, &fd, &ignored) == 0 &&
            is_same(fd, text, length);
}

static bool take_frame(struct laz_rooted *folders, struct laz_section *in)
{
    static const char layout[] = LAZ_HOST_LAYOUT;
    uint64_t stamp[N_STAMP];
    const uint8_t *magic = laz_section_bytes(in, strlen(MAGIC));
    bool is_fresh = magic != NULL && memcmp(magic, MAGIC, strlen(MAGIC)) == 0 &&
            strcmp(laz_section_string(in, 0, SIZE_MAX), layout) == 0 && take_stamp(stamp);
    for (size_t i = 0; is_fresh && i < N_STAMP; i++) {
        is_fresh = laz_section_uint(in, 8, 0, UINT64_MAX) == stamp[i];
    }
    size_t n = is_fresh ? laz_section_u32(in, 1, 2 * LAZ_POLICY_FILES_MAX) : 0;
    for (size_t i = 0; is_fresh && i < n; i++) {
        is_fresh = take_source(folders, in);
    }
    return is_fresh && in->wrong == NULL;
}

static bool read_file(struct laz_rooted *folders, const char *name, struct laz_prepared *ret)
{
    char path[sizeof(LAZ_PREPARED_FOLDER) + LAZ_PREPARED_NAME_SIZE];
    struct laz_err ignored = {0};
    struct stat status;
    laz_cleanup_fd int fd = -1;
    if (strchr(name, '/') != NULL ||
            laz_format(path, sizeof(path), LAZ_PREPARED_FOLDER "/%s", name) >= (int)sizeof(path) ||
            laz_rooted_open_known(folders, path, &fd, &ignored) < 0 || fstat(fd, &status) < 0 ||
            status.st_size > (off_t)LAZ_PREPARED_MAX) {
        return false;
    }
    ret->memory = malloc((size_t)status.st_size + 1);
    ssize_t n = ret->memory == NULL ? -1 : read(fd, ret->memory, (size_t)status.st_size + 1);
    if (n != status.st_size) {
        return false;
    }
    ret->body.at = (const uint8_t *)ret->memory;
    ret->body.end = ret->body.at + n;
    return true;
}

bool laz_prepared_open(struct laz_rooted *folders, const char *name, struct laz_prepared *ret)
{
    *ret = (struct laz_prepared){.memory = NULL};
    if (read_file(folders, name, ret) && take_frame(folders, &ret->body)) {
        return true;
    }
    laz_prepared_done(ret);
    return false;
}

void laz_prepared_done(struct laz_prepared *prepared)
{
    free(prepared->memory);
    *prepared = (struct laz_prepared){.memory = NULL};
}

/* ---- writing ---- */

int laz_prepared_begin(struct laz_buf *ret, const struct laz_prepared_source *sources, size_t n,
        struct laz_err *err)
{
    uint64_t stamp[N_STAMP];
    if (!take_stamp(stamp)) {
        return laz_err_set(err, LAZ_E_PROGRAM, 0, LAZ_PREPARED_PROGRAM ": nothing is there");
    }
    laz_buf_str(ret, MAGIC);
    laz_section_put_string(ret, LAZ_HOST_LAYOUT);
    for (size_t i = 0; i < N_STAMP; i++) {
        laz_section_put_uint(ret, stamp[i], 8);
    }
    laz_section_put_uint(ret, n, 4);
    for (size_t i = 0; i < n; i++) {
        laz_section_put_string(ret, sources[i].path);
        laz_section_put_uint(ret, sources[i].length, 4);
        laz_buf_put(ret, sources[i].text, sources[i].length);
    }
    return 0;
}
