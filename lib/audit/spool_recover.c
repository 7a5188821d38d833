/* SPDX-License-Identifier: Apache-2.0
 *
 * What is found when a spool is opened. Of this run: the torn tail is cut off, and the last block
 * says where to go on. Of other runs: whose key is there, where each segment ends; of their files
 * only zeros behind the last block are ever cut, and only those are deleted that have no block, or
 * that were sealed to nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "audit/spool_store.h"
#include "core/fd.h"

/* ---- The list ---- */

/* Its head, or what is wrong with it. 1: it is one; 0: a link, a folder, somebody else's: its
 * number is taken, and that is all. */
static int look_at(struct laz_spool *spool, uint32_t number, struct laz_spool_segment *ret,
        struct laz_err *err)
{
    uint8_t bytes[LAZ_SPOOL_HEAD_MAX];
    *ret = (struct laz_spool_segment){.number = number, .run = LAZ_SPOOL_NO_RUN};
    laz_cleanup_fd int fd = laz_spool_file_open(spool->dir, number, O_RDONLY, &ret->size);
    if (fd < 0 && (errno == EINVAL || errno == ELOOP || errno == ENXIO || errno == EACCES)) {
        return 0;
    }
    size_t size = ret->size < sizeof(bytes) ? (size_t)ret->size : sizeof(bytes);
    if (fd < 0 || laz_spool_read_at(fd, bytes, size, 0) < 0) { /* it may be of this run */
        return laz_err_set(err, LAZ_E_SPOOL, errno, "%08u.lzs cannot be read: %s", (unsigned)number,
                strerror(errno));
    }
    ret->wrong = ret->size > LAZ_SPOOL_SEGMENT_MAX ? "it is larger than any segment"
                                                   : laz_spool_head_decode(bytes, size, &ret->head);
    if (ret->wrong == NULL && ret->head.segment != number) {
        ret->wrong = "it has the name of another segment";
    }
    if (ret->wrong != NULL) {
        ret->head = (struct laz_spool_head){0};
    }
    ret->limit = ret->head.length;
    ret->is_own =
            ret->wrong == NULL && memcmp(ret->head.chain, spool->chain, sizeof(spool->chain)) == 0;
    return 1;
}

static int list_segments(struct laz_spool *spool, struct laz_err *err)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    if (laz_spool_numbers(spool->dir, &numbers, &count, err) < 0) {
        return -1;
    }
    int result = 0;
    spool->next_number = count == 0 ? 1 : numbers[count - 1] + 1;
    for (size_t i = 0; i < count && result == 0; i++) {
        struct laz_spool_segment segment;
        result = look_at(spool, numbers[i], &segment, err);
        if (result == 1) {
            spool->closed_bytes += segment.size;
            result = laz_spool_push(spool, &segment, err);
        }
    }
    free(numbers);
    return result;
}

/* ---- Keys ---- */

static uint32_t known_run(const struct laz_spool *spool, const struct laz_spool_head *head)
{
    for (uint32_t i = 0; i < spool->n_runs; i++) {
        if (memcmp(spool->runs[i].chain, head->chain, sizeof(head->chain)) == 0) {
            return i;
        }
    }
    return LAZ_SPOOL_NO_RUN;
}

static int unseal_run(struct laz_spool *spool, const struct laz_spool_opener *opener,
        struct laz_spool_segment *segment, struct laz_err *err)
{
    uint8_t bytes[LAZ_SPOOL_HEAD_MAX];
    struct laz_spool_run run;
    uint64_t size = 0;
    laz_cleanup_fd int fd = laz_spool_file_open(spool->dir, segment->number, O_RDONLY, &size);
    if (fd < 0 || laz_spool_read_at(fd, bytes, segment->head.length, 0) < 0 ||
            !laz_spool_unseal(opener, bytes, segment->head.n_seals, run.key)) {
        return 0; /* sealed to others */
    }
    (void)memcpy(run.chain, segment->head.chain, sizeof(run.chain));
    struct laz_spool_run *grown = calloc((size_t)spool->n_runs + 1, sizeof(*grown));
    if (grown == NULL) {
        OPENSSL_cleanse(&run, sizeof(run));
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the key of a run");
    }
    (void)memcpy(grown, spool->runs, spool->n_runs * sizeof(*grown));
    grown[spool->n_runs] = run;
    OPENSSL_cleanse(spool->runs, spool->n_runs * sizeof(*grown));
    OPENSSL_cleanse(&run, sizeof(run));
    free(spool->runs);
    spool->runs = grown;
    segment->run = spool->n_runs++;
    return 0;
}

static int find_keys(
        struct laz_spool *spool, const struct laz_spool_opener *opener, struct laz_err *err)
{
    for (size_t i = 0; i < spool->n_segments; i++) {
        struct laz_spool_segment *segment = &spool->segments[i];
        if (segment->wrong != NULL) {
            continue;
        }
        segment->run = known_run(spool, &segment->head);
        if (segment->run == LAZ_SPOOL_NO_RUN && opener != NULL &&
                unseal_run(spool, opener, segment, err) < 0) {
            return -1;
        }
        if (segment->run == LAZ_SPOOL_NO_RUN) {
            continue;
        }
        if (laz_spool_crypt_key(
                    spool->reader, spool->runs[segment->run].key, &segment->head, false, err) < 0) {
            return -1;
        }
        if (!laz_spool_crypt_holds(spool->reader, &segment->head)) {
            segment->wrong = "the key of its run does not fit";
        }
    }
    return 0;
}

/* ---- Ends ---- */

/* Another run's file that cannot be read is not looked at again, and hinders nothing else. Without
 * one of this run nobody knows how far its chain has come. */
static int survey_segment(struct laz_spool *spool, struct laz_spool_segment *segment,
        struct laz_spool_survey *ret, struct laz_err *err)
{
    struct laz_err reading = {0};
    *ret = (struct laz_spool_survey){.end = segment->head.length};
    struct laz_spool_image image = {0};
    struct laz_spool_walk walk;
    bool has_key = segment->run != LAZ_SPOOL_NO_RUN;
    if (has_key &&
            laz_spool_crypt_key(
                    spool->reader, spool->runs[segment->run].key, &segment->head, false, err) < 0) {
        return -1;
    }
    if (laz_spool_image_load(spool->dir, segment->number, &image, &reading) < 0) {
        if (reading.kind == LAZ_E_SPOOL && !segment->is_own) {
            segment->wrong = "it cannot be read";
            return 0;
        }
        return laz_err_set(err, reading.kind, reading.sys_errno, "%s", reading.message);
    }
    laz_spool_walk_begin(&walk, &image, &segment->head, has_key ? spool->reader : NULL);
    int result = laz_spool_survey(&walk, ret, err);
    laz_spool_image_done(&image);
    return result;
}

/* Cut the file, if that can be done; it holds the same blocks in any case. */
static void cut(struct laz_spool *spool, struct laz_spool_segment *segment)
{
    uint64_t size = 0;
    laz_cleanup_fd int fd = laz_spool_file_open(spool->dir, segment->number, O_RDWR, &size);
    if (fd >= 0 && ftruncate(fd, (off_t)segment->limit) == 0 && fsync(fd) == 0) {
        spool->closed_bytes -= segment->size - segment->limit;
        segment->size = segment->limit;
    }
}

static bool is_last_of_run(const struct laz_spool *spool, size_t i)
{
    for (size_t k = i + 1; k < spool->n_segments; k++) {
        if (spool->segments[k].wrong == NULL &&
                memcmp(spool->segments[k].head.chain, spool->segments[i].head.chain,
                        LAZ_CHAIN_ID_SIZE) == 0) {
            return false;
        }
    }
    return true;
}

/* Where the next segment says that this one ends; false if none does. */
static bool is_followed(const struct laz_spool *spool, size_t i)
{
    if (i + 1 == spool->n_segments) {
        return false;
    }
    const struct laz_spool_segment *segment = &spool->segments[i];
    const struct laz_spool_segment *next = segment + 1;
    return next->wrong == NULL && next->number == segment->number + 1 &&
            memcmp(next->head.chain, segment->head.chain, LAZ_CHAIN_ID_SIZE) == 0 &&
            memcmp(next->head.previous, segment->head.digest, LAZ_SHA256_SIZE) == 0 &&
            next->head.previous_end >= segment->head.length;
}

static int find_end(struct laz_spool *spool, size_t i, struct laz_err *err)
{
    struct laz_spool_segment *segment = &spool->segments[i];
    if (is_followed(spool, i)) {
        segment->limit = (segment + 1)->head.previous_end;
        if (segment->is_own && segment->size > segment->limit) {
            cut(spool, segment);
        }
        return 0;
    }
    struct laz_spool_survey survey;
    if (survey_segment(spool, segment, &survey, err) < 0) {
        return -1;
    }
    segment->limit = (uint32_t)survey.end;
    if (segment->wrong == NULL && segment->size > segment->limit && is_last_of_run(spool, i) &&
            (segment->is_own || !survey.is_torn)) {
        cut(spool, segment);
    }
    return 0;
}

static int find_ends(struct laz_spool *spool, struct laz_err *err)
{
    for (size_t i = 0; i < spool->n_segments; i++) {
        if (spool->segments[i].wrong == NULL && find_end(spool, i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Whoever is killed before its first block leaves a head and nothing else. */
static void drop_empty(struct laz_spool *spool)
{
    for (size_t i = spool->n_segments; i > 0; i--) {
        struct laz_spool_segment *segment = &spool->segments[i - 1];
        if (!segment->is_own && segment->wrong == NULL && segment->size == segment->head.length &&
                segment->limit == segment->head.length) {
            laz_spool_drop(spool, segment);
        }
    }
}

/* ---- What they say ---- */

/* The last block of this chain, and the segment that the next one follows. */
static int find_tail(struct laz_spool *spool, struct laz_err *err)
{
    bool is_last = true;
    for (size_t i = spool->n_segments; i > 0; i--) {
        struct laz_spool_segment *segment = &spool->segments[i - 1];
        struct laz_spool_survey survey;
        if (!segment->is_own || segment->wrong != NULL) {
            continue;
        }
        if (is_last) {
            (void)memcpy(spool->previous, segment->head.digest, sizeof(spool->previous));
            spool->previous_end = segment->limit;
            is_last = false;
        }
        if (survey_segment(spool, segment, &survey, err) < 0) {
            return -1;
        }
        if (survey.has_block) {
            spool->tail = segment->number;
            spool->meta_length = survey.meta_length;
            (void)memcpy(spool->meta, survey.meta, survey.meta_length);
            spool->next_seq = survey.last.first_seq + survey.last.n_records;
            return 0;
        }
    }
    return 0;
}

static void mark_done(struct laz_spool *spool)
{
    struct laz_spool_at done;
    if (laz_spool_load_mark(spool, LAZ_SPOOL_DONE_NAME, &done)) {
        struct laz_spool_segment *segment = laz_spool_find(spool, done.segment);
        segment->is_done =
                !segment->is_own && segment->wrong == NULL && done.offset >= segment->limit;
    }
}

/* The key of such a run was in its init's memory alone. */
static void give_up_gone(struct laz_spool *spool, struct laz_spool_left *left)
{
    for (size_t i = 0; i < spool->n_segments; i++) {
        struct laz_spool_segment *segment = &spool->segments[i];
        if (!segment->is_own && !segment->is_done && segment->wrong == NULL &&
                segment->run == LAZ_SPOOL_NO_RUN && segment->head.n_seals == 0) {
            segment->is_done = true;
            left->gone_segments++;
            left->gone_bytes += segment->size;
        }
    }
}

static int find_place(struct laz_spool *spool, struct laz_spool_left *left, struct laz_err *err)
{
    for (size_t i = spool->n_segments; i > 0 && !left->has_place; i--) {
        struct laz_spool_segment *segment = &spool->segments[i - 1];
        struct laz_spool_survey survey;
        if (segment->is_own || segment->wrong != NULL) {
            continue;
        }
        if (survey_segment(spool, segment, &survey, err) < 0) {
            return -1;
        }
        if (survey.has_block) {
            left->has_place = true;
            left->place.seq = survey.last.place_seq;
            (void)memcpy(left->place.h, survey.last.place_h, sizeof(left->place.h));
            (void)memcpy(left->place.chain, segment->head.chain, sizeof(left->place.chain));
        }
    }
    return 0;
}

static int describe_left(struct laz_spool *spool, struct laz_spool_left *left, struct laz_err *err)
{
    left->readable = true;
    for (size_t i = 0; i < spool->n_segments; i++) {
        const struct laz_spool_segment *segment = &spool->segments[i];
        if (!segment->is_own && !segment->is_done) {
            left->segments++;
            left->bytes += segment->size;
            left->readable = left->readable && laz_spool_is_readable(segment);
        }
    }
    left->readable = left->readable && left->segments > 0;
    return find_place(spool, left, err);
}

int laz_spool_recover(struct laz_spool *spool, const char *open_with,
        struct laz_spool_left *ret_left, struct laz_err *err)
{
    struct laz_spool_opener *opener = NULL;
    if (open_with != NULL) {
        opener = laz_spool_opener_new(open_with, err);
        if (opener == NULL) {
            return laz_err_context(err, "the key for what earlier runs left");
        }
    }
    int result = list_segments(spool, err) < 0 ? -1 : find_keys(spool, opener, err);
    laz_spool_opener_free(opener);
    if (result < 0 || find_ends(spool, err) < 0 || find_tail(spool, err) < 0) {
        return -1;
    }
    mark_done(spool);
    drop_empty(spool);
    give_up_gone(spool, ret_left);
    return describe_left(spool, ret_left, err);
}
