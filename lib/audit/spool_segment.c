/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads segments. Whatever is in a file, it ends after a bounded number of steps.
 */
#include "audit/spool_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

/* Whoever can write a segment can make many heads that look right. So much is tried in vain, then
 * the rest is damaged. */
#define TRIED_MAX (4 * (size_t)LAZ_SPOOL_SEGMENT_MAX)

int laz_spool_file_open(int dir, uint32_t number, int flags, uint64_t *ret_size)
{
    char name[LAZ_SPOOL_NAME_SIZE];
    struct stat status;
    laz_spool_name(number, name);
    int fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        laz_fd_close(&fd);
        errno = EINVAL;
        return -1;
    }
    *ret_size = (uint64_t)status.st_size;
    return fd;
}

int laz_spool_read_at(int fd, void *ret, size_t size, uint64_t offset)
{
    uint8_t *at = ret;
    while (size > 0) {
        ssize_t n = pread(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return -1;
        }
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int laz_spool_image_load(int dir, uint32_t number, struct laz_spool_image *ret, struct laz_err *err)
{
    uint64_t size = 0;
    laz_cleanup_fd int fd = laz_spool_file_open(dir, number, O_RDONLY, &size);
    if (fd < 0) {
        return laz_err_set(
                err, LAZ_E_SPOOL, errno, "%08u.lzs: open: %s", (unsigned)number, strerror(errno));
    }
    if (size > LAZ_SPOOL_SEGMENT_MAX) {
        return laz_err_set(
                err, LAZ_E_SPOOL, 0, "%08u.lzs is larger than any segment", (unsigned)number);
    }
    uint8_t *bytes = malloc((size_t)size + 1);
    if (bytes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a segment");
    }
    if (laz_spool_read_at(fd, bytes, (size_t)size, 0) < 0) {
        free(bytes);
        return laz_err_set(
                err, LAZ_E_SPOOL, errno, "%08u.lzs: read: %s", (unsigned)number, strerror(errno));
    }
    *ret = (struct laz_spool_image){.bytes = bytes, .size = (size_t)size};
    return 0;
}

void laz_spool_image_done(struct laz_spool_image *image)
{
    free(image->bytes);
    *image = (struct laz_spool_image){0};
}

static int by_number(const void *a, const void *b)
{
    uint32_t first = 0;
    uint32_t second = 0;
    (void)memcpy(&first, a, sizeof(first));
    (void)memcpy(&second, b, sizeof(second));
    return first < second ? -1 : first > second;
}

static int collect_numbers(DIR *folder, uint32_t **ret, size_t *ret_count)
{
    size_t cap = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            return errno == 0 ? 0 : -1;
        }
        uint32_t number = laz_spool_number(entry->d_name);
        if (number == 0) {
            continue;
        }
        if (*ret_count == cap) {
            cap = cap == 0 ? 64 : 2 * cap;
            uint32_t *grown = reallocarray(*ret, cap, sizeof(*grown));
            if (grown == NULL) {
                return -1;
            }
            *ret = grown;
        }
        (*ret)[(*ret_count)++] = number;
    }
}

int laz_spool_numbers(int dir, uint32_t **ret, size_t *ret_count, struct laz_err *err)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        (void)laz_err_set(err, LAZ_E_SPOOL, errno, "the spool's folder: %s", strerror(errno));
        laz_fd_close(&fd);
        return -1;
    }
    int result = collect_numbers(folder, &numbers, &count);
    if (result < 0) {
        (void)laz_err_set(err, errno == ENOMEM ? LAZ_E_MEMORY : LAZ_E_SPOOL, errno,
                "the spool's folder cannot be read: %s", strerror(errno));
        free(numbers);
    } else {
        if (count > 0) {
            qsort(numbers, count, sizeof(*numbers), by_number);
        }
        *ret = numbers;
        *ret_count = count;
    }
    (void)closedir(folder);
    return result;
}

void laz_spool_walk_begin(struct laz_spool_walk *walk, const struct laz_spool_image *image,
        const struct laz_spool_head *head, struct laz_spool_crypt *crypt)
{
    *walk = (struct laz_spool_walk){.bytes = image->bytes,
            .size = image->size,
            .head = head,
            .crypt = crypt,
            .next = head->length};
}

/* Is there a block at `at`? Then *ret is it. -1: no memory. */
static int block_at(
        struct laz_spool_walk *walk, size_t at, struct laz_spool_step *ret, struct laz_err *err)
{
    if (walk->size - at < LAZ_SPOOL_BLOCK_MORE ||
            !laz_spool_block_decode(walk->head, walk->bytes + at, &ret->head) ||
            walk->size - at - LAZ_SPOOL_BLOCK_MORE < ret->head.length) {
        return 0;
    }
    ret->kind = LAZ_SPOOL_STEP_BLOCK;
    ret->from = at;
    ret->to = at + LAZ_SPOOL_BLOCK_MORE + ret->head.length;
    ret->block = (struct laz_spool_block){0};
    if (walk->crypt == NULL) {
        return 1;
    }
    if (walk->tried > TRIED_MAX) {
        return 0;
    }
    const uint8_t *before = walk->bytes + at - LAZ_SPOOL_TAG_SIZE;
    int holds = laz_spool_crypt_open(
            walk->crypt, walk->head, walk->bytes + at, before, &ret->block, err);
    walk->tried += holds == 0 ? ret->to - at : 0;
    return holds;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

int laz_spool_walk_step(
        struct laz_spool_walk *walk, struct laz_spool_step *ret, struct laz_err *err)
{
    size_t from = walk->next;
    *ret = (struct laz_spool_step){.kind = LAZ_SPOOL_STEP_END, .from = from, .to = walk->size};
    if (from >= walk->size || is_zero(walk->bytes + from, walk->size - from)) {
        walk->next = walk->size;
        return 0;
    }
    int found = block_at(walk, from, ret, err);
    size_t at = from;
    while (found == 0 && at < walk->size) {
        at = laz_spool_block_search(walk->head, walk->bytes, at + 1, walk->size);
        found = at < walk->size ? block_at(walk, at, ret, err) : 0;
    }
    if (found < 0) {
        return -1;
    }
    if (found == 0) {
        *ret = (struct laz_spool_step){.kind = LAZ_SPOOL_STEP_TORN, .from = from, .to = walk->size};
    } else if (ret->from > from) { /* the block itself comes with the next step */
        *ret = (struct laz_spool_step){.kind = LAZ_SPOOL_STEP_DAMAGE, .from = from, .to = at};
    }
    walk->next = ret->to;
    return 0;
}

int laz_spool_survey(struct laz_spool_walk *walk, struct laz_spool_survey *ret, struct laz_err *err)
{
    struct laz_spool_step step = {0};
    *ret = (struct laz_spool_survey){.end = walk->head->length};
    do {
        if (laz_spool_walk_step(walk, &step, err) < 0) {
            return -1;
        }
        if (step.kind == LAZ_SPOOL_STEP_BLOCK) {
            ret->has_block = true;
            ret->end = step.to;
            ret->last = step.head;
            ret->meta_length = step.block.meta_length;
            if (step.block.meta_length > 0) {
                (void)memcpy(ret->meta, step.block.meta, step.block.meta_length);
            }
        }
        ret->is_damaged = ret->is_damaged || step.kind == LAZ_SPOOL_STEP_DAMAGE;
        ret->is_torn = step.kind == LAZ_SPOOL_STEP_TORN || ret->is_torn;
    } while (step.kind != LAZ_SPOOL_STEP_END);
    return 0;
}
