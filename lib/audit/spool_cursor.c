/* SPDX-License-Identifier: Apache-2.0
 *
 * Cursors: small files that name a place in the spool, and the segment's identity, so that a place
 * is never looked for in another segment of the same number. What cannot be vouched for counts as
 * not there: records come twice then, and none is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/bytes.h"
#include "audit/spool_store.h"
#include "core/fd.h"

#define IDENTITY_SIZE 8
#define WORDS_SIZE    (4 + 4 + IDENTITY_SIZE)
#define MARK_SIZE     (WORDS_SIZE + LAZ_SHA256_SIZE)
#define NAME_MAX_SIZE 64 /* of a sink: 32 */
#define SUFFIX        ".cursor"
#define NEW_SUFFIX    ".new"

static const struct laz_spool_segment *segment_at(const struct laz_spool *spool, uint32_t number)
{
    const struct laz_spool_segment *segment = laz_spool_find(spool, number);
    return segment != NULL && segment->number == number ? segment : NULL;
}

static int write_file(struct laz_spool *spool, const char *name, const uint8_t *bytes)
{
    (void)unlinkat(spool->dir, name, 0); /* of one who was killed; else the next line says so */
    laz_cleanup_fd int fd =
            openat(spool->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    return laz_spool_write_at(fd, bytes, MARK_SIZE, 0) < 0 ? -1 : fdatasync(fd);
}

int laz_spool_save_mark(
        struct laz_spool *spool, const char *name, struct laz_spool_at at, struct laz_err *err)
{
    char memory[NAME_MAX_SIZE];
    uint8_t bytes[MARK_SIZE] = {0};
    struct laz_buf new_name;
    laz_buf_init_fixed(&new_name, memory, sizeof(memory));
    laz_buf_printf(&new_name, "%s" NEW_SUFFIX, name);
    (void)laz_put_be(laz_put_be(bytes, at.segment, 4), at.offset, 4);
    const struct laz_spool_segment *segment = segment_at(spool, at.segment);
    if (segment != NULL) {
        (void)memcpy(bytes + 8, segment->head.digest, IDENTITY_SIZE);
    }
    laz_sha256_of(bytes, WORDS_SIZE, bytes + WORDS_SIZE);
    if (write_file(spool, new_name.data, bytes) < 0 ||
            renameat(spool->dir, new_name.data, spool->dir, name) < 0) {
        (void)laz_err_set(err, LAZ_E_SPOOL, errno, "%s: %s", name, strerror(errno));
        (void)unlinkat(spool->dir, new_name.data, 0); /* or it is found and replaced later */
        return -1;
    }
    return 0;
}

static bool read_mark(const struct laz_spool *spool, const char *name, uint8_t ret[MARK_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_cleanup_fd int fd =
            openat(spool->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || laz_spool_read_at(fd, ret, MARK_SIZE, 0) < 0) {
        return false;
    }
    laz_sha256_of(ret, WORDS_SIZE, digest);
    return memcmp(digest, ret + WORDS_SIZE, sizeof(digest)) == 0;
}

bool laz_spool_load_mark(const struct laz_spool *spool, const char *name, struct laz_spool_at *ret)
{
    uint8_t bytes[MARK_SIZE];
    if (!read_mark(spool, name, bytes)) {
        return false;
    }
    struct laz_spool_at at = {.segment = (uint32_t)laz_get_be(bytes, 4),
            .offset = (uint32_t)laz_get_be(bytes + 4, 4)};
    const struct laz_spool_segment *segment = segment_at(spool, at.segment);
    if (segment == NULL || memcmp(segment->head.digest, bytes + 8, IDENTITY_SIZE) != 0) {
        return false;
    }
    *ret = at;
    return true;
}

/* Does a block begin or end there? */
static bool is_boundary(const struct laz_spool *spool, struct laz_spool_at at)
{
    const struct laz_spool_segment *segment = segment_at(spool, at.segment);
    struct laz_err ignored = {0};
    struct laz_spool_image image = {0};
    struct laz_spool_walk walk;
    struct laz_spool_step step = {.from = segment->head.length};
    if (at.offset == segment->head.length) {
        return true;
    }
    if (laz_spool_image_load(spool->dir, at.segment, &image, &ignored) < 0) {
        return false;
    }
    laz_spool_walk_begin(&walk, &image, &segment->head, NULL);
    bool found = false;
    do {
        if (laz_spool_walk_step(&walk, &step, &ignored) < 0) {
            break;
        }
        found = found || step.from == at.offset ||
                (step.kind == LAZ_SPOOL_STEP_BLOCK && step.to == at.offset);
    } while (!found && step.kind != LAZ_SPOOL_STEP_END);
    laz_spool_image_done(&image);
    return found;
}

/* false: no sink can be called so. */
static bool cursor_name(const char *sink, struct laz_buf *ret)
{
    laz_buf_printf(ret, "%s" SUFFIX, sink);
    return ret->len < NAME_MAX_SIZE - sizeof(NEW_SUFFIX) && !ret->overflow &&
            strspn(sink, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(sink) &&
            sink[0] != '\0';
}

/* What nobody has the key of is passed over, and was not shipped: a later run, which may have the
 * key, begins there. What lies behind it then comes once more. */
static struct laz_spool_at behind_what_was_read(
        const struct laz_spool *spool, struct laz_spool_at at)
{
    for (size_t i = 0; i < spool->n_segments && spool->segments[i].number < at.segment; i++) {
        const struct laz_spool_segment *segment = &spool->segments[i];
        if (segment->run == LAZ_SPOOL_NO_RUN && segment->wrong == NULL && !segment->is_done) {
            return (struct laz_spool_at){
                    .segment = segment->number, .offset = segment->head.length};
        }
    }
    return at;
}

int laz_spool_save_cursor(
        struct laz_spool *spool, const char *name, struct laz_spool_at at, struct laz_err *err)
{
    char memory[NAME_MAX_SIZE];
    struct laz_buf file;
    laz_buf_init_fixed(&file, memory, sizeof(memory));
    if (!cursor_name(name, &file)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a cursor cannot be called \"%.64s\"", name);
    }
    return laz_spool_save_mark(spool, file.data, behind_what_was_read(spool, at), err);
}

struct laz_spool_at laz_spool_load_cursor(struct laz_spool *spool, const char *name)
{
    char memory[NAME_MAX_SIZE];
    struct laz_buf file;
    struct laz_spool_at at = {0};
    laz_buf_init_fixed(&file, memory, sizeof(memory));
    if (!cursor_name(name, &file) || !laz_spool_load_mark(spool, file.data, &at) ||
            !is_boundary(spool, at)) {
        return laz_spool_first(spool);
    }
    return at;
}
