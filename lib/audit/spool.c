/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool as a whole: opened, read, released. What is written: spool_write.c; what is found when
 * it is opened: spool_recover.c.
 */
#include "audit/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "audit/spool_store.h"
#include "core/fd.h"

#define LOCK_NAME "lock"

/* ---- The list ---- */

struct laz_spool_segment *laz_spool_find(const struct laz_spool *spool, uint32_t number)
{
    size_t low = 0;
    size_t high = spool->n_segments;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spool->segments[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < spool->n_segments ? &spool->segments[low] : NULL;
}

int laz_spool_push(
        struct laz_spool *spool, const struct laz_spool_segment *segment, struct laz_err *err)
{
    if (spool->n_segments == spool->cap_segments) {
        size_t cap = spool->cap_segments == 0 ? 16 : 2 * spool->cap_segments;
        struct laz_spool_segment *grown = reallocarray(spool->segments, cap, sizeof(*grown));
        if (grown == NULL) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the list of segments");
        }
        spool->segments = grown;
        spool->cap_segments = cap;
    }
    spool->segments[spool->n_segments++] = *segment;
    return 0;
}

static void forget_reader(struct laz_spool *spool)
{
    laz_fd_close(&spool->read_fd);
    spool->read_number = 0;
}

void laz_spool_drop(struct laz_spool *spool, struct laz_spool_segment *segment)
{
    char name[LAZ_SPOOL_NAME_SIZE];
    laz_spool_name(segment->number, name);
    if (unlinkat(spool->dir, name, 0) < 0 && errno != ENOENT) {
        return; /* it still takes room, and is tried again with the next release */
    }
    if (spool->read_number == segment->number) {
        forget_reader(spool);
    }
    spool->closed_bytes -= segment->size;
    size_t i = (size_t)(segment - spool->segments);
    spool->n_segments--;
    (void)memmove(segment, segment + 1, (spool->n_segments - i) * sizeof(*segment));
}

void laz_spool_drop_done(struct laz_spool *spool)
{
    for (size_t i = spool->n_segments; i > 0; i--) {
        if (spool->segments[i - 1].is_done) {
            laz_spool_drop(spool, &spool->segments[i - 1]);
            (void)unlinkat(spool->dir, LAZ_SPOOL_DONE_NAME, 0); /* it names nothing any more */
        }
    }
}

static bool is_current(const struct laz_spool *spool, const struct laz_spool_segment *segment)
{
    return spool->fd >= 0 && segment == &spool->segments[spool->n_segments - 1];
}

bool laz_spool_is_readable(const struct laz_spool_segment *segment)
{
    return segment->run != LAZ_SPOOL_NO_RUN && segment->wrong == NULL && !segment->is_done;
}

static uint32_t limit_of(const struct laz_spool *spool, const struct laz_spool_segment *segment)
{
    return is_current(spool, segment) ? spool->offset : segment->limit;
}

static int spool_error(const char *what, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_SPOOL, errno, "the spool: %s: %s", what, strerror(errno));
}

/* ---- Opening ---- */

static int take_lock(struct laz_spool *spool, struct laz_err *err)
{
    spool->lock = openat(
            spool->dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (spool->lock < 0) {
        return spool_error("its lock", err);
    }
    if (flock(spool->lock, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    if (errno == EWOULDBLOCK) {
        return laz_err_set(err, LAZ_E_SPOOL, errno, "another process writes to this spool");
    }
    return spool_error("its lock", err);
}

static int check_options(const struct laz_spool_options *options, struct laz_err *err)
{
    if (options->segment_bytes < LAZ_SPOOL_SEGMENT_MIN ||
            options->segment_bytes > LAZ_SPOOL_SEGMENT_MAX ||
            options->max_bytes < options->segment_bytes ||
            options->reserve_bytes >= options->max_bytes ||
            options->n_seal_to > LAZ_SPOOL_SEALS_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "the spool's sizes do not fit each other");
    }
    return 0;
}

static int take_keys(
        struct laz_spool *spool, const struct laz_spool_options *options, struct laz_err *err)
{
    spool->runs = calloc(1, sizeof(*spool->runs));
    spool->seals = calloc(LAZ_SPOOL_SEALS_MAX, sizeof(*spool->seals));
    if (spool->runs == NULL || spool->seals == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a spool");
    }
    spool->n_runs = 1;
    (void)memcpy(spool->runs[0].chain, options->chain, sizeof(options->chain));
    (void)memcpy(spool->runs[0].key, options->key, sizeof(options->key));
    for (size_t i = 0; i < options->n_seal_to; i++) {
        if (laz_spool_seal(options->seal_to[i], options->key, &spool->seals[i], err) < 0) {
            bool is_file = options->seal_files != NULL;
            return laz_err_context(err, "recovery key %zu%s%.256s", i + 1, is_file ? ": " : "",
                    is_file ? options->seal_files[i] : "");
        }
        spool->n_seals++;
    }
    spool->writer = laz_spool_crypt_new(err);
    spool->reader = spool->writer == NULL ? NULL : laz_spool_crypt_new(err);
    return spool->reader == NULL ? -1 : 0;
}

/* Is there anything that can be read, and so make room? */
static bool has_readable(const struct laz_spool *spool)
{
    for (size_t i = 0; i < spool->n_segments; i++) {
        if (laz_spool_is_readable(&spool->segments[i])) {
            return true;
        }
    }
    return false;
}

/* A full spool can be opened if it can become less full. */
static int begin_first(struct laz_spool *spool, struct laz_err *err)
{
    struct laz_err first = {0};
    int result = laz_spool_begin(spool, 0, &first);
    if (result < 0 && first.kind == LAZ_E_SPOOL_FULL) {
        laz_spool_drop_done(spool);
        first = (struct laz_err){0};
        result = laz_spool_begin(spool, 0, &first);
    }
    if (result == 0 || (first.kind == LAZ_E_SPOOL_FULL && has_readable(spool))) {
        return 0;
    }
    return laz_err_set(err, first.kind == LAZ_E_SPOOL_FULL ? LAZ_E_SPOOL : first.kind,
            first.sys_errno, "%s%s", first.message,
            first.kind == LAZ_E_SPOOL_FULL ? ", and nobody here can read them" : "");
}

static int open_all(struct laz_spool *spool, const struct laz_spool_options *options,
        struct laz_spool_left *ret_left, struct laz_err *err)
{
    spool->dir = openat(options->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool->dir < 0) {
        return spool_error("its folder", err);
    }
    if (take_lock(spool, err) < 0 || take_keys(spool, options, err) < 0 ||
            laz_spool_recover(spool, options->open_with, ret_left, err) < 0) {
        return -1;
    }
    return begin_first(spool, err);
}

static void let_go(struct laz_spool *spool)
{
    laz_fd_close(&spool->fd);
    laz_fd_close(&spool->read_fd);
    laz_fd_close(&spool->lock);
    laz_fd_close(&spool->dir);
    laz_spool_crypt_free(spool->writer);
    laz_spool_crypt_free(spool->reader);
    if (spool->runs != NULL) {
        OPENSSL_cleanse(spool->runs, spool->n_runs * sizeof(*spool->runs));
    }
    free(spool->runs);
    free(spool->seals);
    free(spool->segments);
    free(spool->out);
    free(spool->in);
    free(spool);
}

int laz_spool_open(const struct laz_spool_options *options, struct laz_spool **ret,
        struct laz_spool_left *ret_left, struct laz_err *err)
{
    struct laz_spool_left left = {0};
    if (check_options(options, err) < 0) {
        return -1;
    }
    struct laz_spool *spool = calloc(1, sizeof(*spool));
    if (spool == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a spool");
    }
    spool->dir = -1;
    spool->lock = -1;
    spool->fd = -1;
    spool->read_fd = -1;
    spool->max_bytes = options->max_bytes;
    spool->segment_bytes = options->segment_bytes;
    spool->reserve_bytes = options->reserve_bytes;
    (void)memcpy(spool->chain, options->chain, sizeof(spool->chain));
    if (open_all(spool, options, &left, err) < 0) {
        let_go(spool);
        return -1;
    }
    *ret = spool;
    *ret_left = left;
    return 0;
}

/* In order: the last segment is cut to what it holds. Where nobody needs anything any more, only
 * the segment with the chain's last place stays, and is marked. */
void laz_spool_free(struct laz_spool *spool)
{
    if (spool == NULL) {
        return;
    }
    struct laz_err ignored = {0}; /* a successor does all this by itself */
    bool is_empty =
            spool->fd >= 0 && spool->offset == spool->segments[spool->n_segments - 1].head.length;
    laz_ignore(laz_spool_close_segment(spool, &ignored));
    if (is_empty) {
        laz_spool_drop(spool, &spool->segments[spool->n_segments - 1]);
    }
    laz_spool_release(spool, spool->released);
    struct laz_spool_segment *tail = spool->tail == 0 ? NULL : laz_spool_find(spool, spool->tail);
    if (tail != NULL &&
            (spool->released.segment > tail->number ||
                    (spool->released.segment == tail->number &&
                            spool->released.offset >= tail->limit))) {
        const struct laz_spool_at end = {.segment = tail->number, .offset = tail->limit};
        laz_ignore(laz_spool_save_mark(spool, LAZ_SPOOL_DONE_NAME, end, &ignored));
    }
    let_go(spool);
}

size_t laz_spool_tail(const struct laz_spool *spool, uint8_t ret[LAZ_SPOOL_META_MAX])
{
    (void)memcpy(ret, spool->meta, spool->meta_length);
    return spool->meta_length;
}

/* ---- Reading ---- */

struct laz_spool_at laz_spool_first(const struct laz_spool *spool)
{
    for (size_t i = 0; i < spool->n_segments; i++) {
        const struct laz_spool_segment *segment = &spool->segments[i];
        if (laz_spool_is_readable(segment) || segment->wrong != NULL) {
            return (struct laz_spool_at){
                    .segment = segment->number, .offset = segment->head.length};
        }
    }
    return (struct laz_spool_at){.segment = spool->next_number};
}

struct laz_spool_at laz_spool_end(const struct laz_spool *spool)
{
    for (size_t i = spool->n_segments; i > 0; i--) {
        const struct laz_spool_segment *segment = &spool->segments[i - 1];
        uint32_t limit = limit_of(spool, segment);
        if (laz_spool_is_readable(segment) && limit > segment->head.length) {
            return (struct laz_spool_at){.segment = segment->number, .offset = limit};
        }
    }
    return laz_spool_first(spool);
}

/* Its file and its key. */
static int turn_to(
        struct laz_spool *spool, const struct laz_spool_segment *segment, struct laz_err *err)
{
    uint64_t size = 0;
    if (spool->read_number == segment->number) {
        return 0;
    }
    forget_reader(spool);
    if (laz_spool_crypt_key(
                spool->reader, spool->runs[segment->run].key, &segment->head, false, err) < 0) {
        return -1;
    }
    spool->read_fd = laz_spool_file_open(spool->dir, segment->number, O_RDONLY, &size);
    if (spool->read_fd < 0) {
        return laz_err_set(err, LAZ_E_SPOOL_CORRUPT, errno, "%08u.lzs: open: %s",
                (unsigned)segment->number, strerror(errno));
    }
    spool->read_number = segment->number;
    return 0;
}

static int corrupt(const struct laz_spool_segment *segment, uint32_t offset, const char *why,
        struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_SPOOL_CORRUPT, 0, "%08u.lzs at %u: %s", (unsigned)segment->number,
            (unsigned)offset, why);
}

/* The block and the tag in front of it into spool->in. *ret_size is the block's. */
static int fetch(struct laz_spool *spool, const struct laz_spool_segment *segment, uint32_t offset,
        uint32_t *ret_size, struct laz_err *err)
{
    static const char not_written[] = "a block is not what was written";
    uint8_t first[LAZ_SPOOL_TAG_SIZE + LAZ_SPOOL_BLOCK_HEAD];
    struct laz_spool_block_head head;
    uint32_t room = limit_of(spool, segment) - offset;
    if (room < LAZ_SPOOL_BLOCK_MORE) {
        return corrupt(segment, offset, not_written, err);
    }
    if (laz_spool_read_at(spool->read_fd, first, sizeof(first), offset - LAZ_SPOOL_TAG_SIZE) < 0) {
        return corrupt(segment, offset, errno == 0 ? "it ends too early" : strerror(errno), err);
    }
    if (!laz_spool_block_decode(&segment->head, first + LAZ_SPOOL_TAG_SIZE, &head) ||
            head.length > room - LAZ_SPOOL_BLOCK_MORE) {
        return corrupt(segment, offset, not_written, err);
    }
    size_t size = (size_t)head.length + LAZ_SPOOL_BLOCK_MORE;
    if (spool->in_size < LAZ_SPOOL_TAG_SIZE + size) {
        uint8_t *grown = realloc(spool->in, LAZ_SPOOL_TAG_SIZE + size);
        if (grown == NULL) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to read a block");
        }
        spool->in = grown;
        spool->in_size = LAZ_SPOOL_TAG_SIZE + size;
    }
    (void)memcpy(spool->in, first, sizeof(first));
    if (laz_spool_read_at(spool->read_fd, spool->in + sizeof(first), size - LAZ_SPOOL_BLOCK_HEAD,
                (uint64_t)offset + LAZ_SPOOL_BLOCK_HEAD) < 0) {
        return corrupt(segment, offset, errno == 0 ? "it ends too early" : strerror(errno), err);
    }
    *ret_size = (uint32_t)size;
    return 0;
}

static int read_block(struct laz_spool *spool, const struct laz_spool_segment *segment,
        struct laz_spool_at *at, struct laz_buf *ret, struct laz_err *err)
{
    uint32_t size = 0;
    struct laz_spool_block block;
    if (turn_to(spool, segment, err) < 0 || fetch(spool, segment, at->offset, &size, err) < 0) {
        return -1;
    }
    int holds = laz_spool_crypt_open(
            spool->reader, &segment->head, spool->in + LAZ_SPOOL_TAG_SIZE, spool->in, &block, err);
    if (holds < 0) {
        return -1;
    }
    if (holds == 0) {
        return corrupt(segment, at->offset, "a block is not what was written", err);
    }
    laz_buf_put(ret, block.records, block.length);
    if (ret->overflow) {
        ret->len = 0;
        return laz_err_set(err, LAZ_E_MEMORY, 0, "a block of %zu bytes does not fit", block.length);
    }
    at->offset += size;
    return 1;
}

int laz_spool_read(
        struct laz_spool *spool, struct laz_spool_at *at, struct laz_buf *ret, struct laz_err *err)
{
    ret->len = 0;
    ret->overflow = false;
    for (;;) {
        const struct laz_spool_segment *segment = laz_spool_find(spool, at->segment);
        if (segment == NULL) {
            return 0;
        }
        if (segment->number > at->segment || at->offset < segment->head.length) {
            *at = (struct laz_spool_at){.segment = segment->number, .offset = segment->head.length};
        }
        const struct laz_spool_at behind = {.segment = segment->number + 1};
        if (segment->wrong != NULL) {
            *at = behind;
            return corrupt(segment, 0, segment->wrong, err);
        }
        if (laz_spool_is_readable(segment) && at->offset < limit_of(spool, segment)) {
            int result = read_block(spool, segment, at, ret, err);
            if (result < 0 && err->kind == LAZ_E_SPOOL_CORRUPT) {
                *at = behind;
            }
            return result;
        }
        if (is_current(spool, segment)) {
            return 0;
        }
        *at = behind;
    }
}

/* ---- Releasing ---- */

/* Is every block of it what was written? Else it stays, as evidence. */
static bool is_whole(struct laz_spool *spool, const struct laz_spool_segment *segment)
{
    struct laz_err ignored = {0};
    struct laz_spool_image image = {0};
    struct laz_spool_walk walk;
    struct laz_spool_survey survey;
    forget_reader(spool); /* its key goes */
    if (laz_spool_image_load(spool->dir, segment->number, &image, &ignored) < 0) {
        return false;
    }
    laz_spool_walk_begin(&walk, &image, &segment->head, spool->reader);
    bool whole = laz_spool_crypt_key(spool->reader, spool->runs[segment->run].key, &segment->head,
                         false, &ignored) == 0 &&
            laz_spool_survey(&walk, &survey, &ignored) == 0 && !survey.is_damaged &&
            survey.end == segment->limit;
    laz_spool_image_done(&image);
    return whole;
}

static bool is_before(const struct laz_spool_segment *segment, struct laz_spool_at at)
{
    return segment->number < at.segment ||
            (segment->number == at.segment && at.offset >= segment->limit);
}

void laz_spool_release(struct laz_spool *spool, struct laz_spool_at at)
{
    if (at.segment > spool->released.segment ||
            (at.segment == spool->released.segment && at.offset > spool->released.offset)) {
        spool->released = at;
    }
    for (size_t i = 0; i < spool->n_segments;) {
        struct laz_spool_segment *segment = &spool->segments[i];
        if (is_current(spool, segment) || !is_before(segment, spool->released)) {
            return;
        }
        size_t before = spool->n_segments;
        if (segment->number != spool->tail && laz_spool_is_readable(segment) &&
                (segment->is_known || is_whole(spool, segment))) {
            laz_spool_drop(spool, segment);
        } else if (laz_spool_is_readable(segment) && segment->number != spool->tail) {
            segment->wrong = "it was read, and not all of it is what was written";
        }
        i += spool->n_segments == before ? 1 : 0;
    }
}
