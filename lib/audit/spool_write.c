/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes segments: each is allocated whole under another name, and has its name only when its head
 * is on the disk. A block is encrypted into one buffer and written with one call; should that fail,
 * what it left is cut off and the segment is closed. No nonce is ever used again, not even for a
 * block whose write failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "audit/spool_store.h"
#include "core/fd.h"

#define NEW_NAME    "segment.new"
#define ZEROS_SIZE  4096
#define BLOCK_LEAST 4096 /* a segment with less room is not worth its head */

int laz_spool_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t n = pwrite(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return -1;
        }
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* Where the file system cannot allocate, zeros are written. */
static int allocate(int fd, uint64_t size)
{
    static const uint8_t zeros[ZEROS_SIZE];
    int result = 0;
    do {
        result = fallocate(fd, 0, 0, (off_t)size);
    } while (result < 0 && errno == EINTR);
    if (result == 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) {
        return result;
    }
    for (uint64_t at = 0; at < size; at += ZEROS_SIZE) {
        uint64_t rest = size - at;
        if (laz_spool_write_at(fd, zeros, rest < ZEROS_SIZE ? (size_t)rest : ZEROS_SIZE, at) < 0) {
            return -1;
        }
    }
    return 0;
}

static int sync_file(int fd, bool with_size)
{
    int result = 0;
    do {
        result = with_size ? fsync(fd) : fdatasync(fd);
    } while (result < 0 && errno == EINTR);
    return result;
}

static int failed(const char *what, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_SPOOL, errno, "the spool: %s: %s", what, strerror(errno));
}

/* Of all that is in the folder; without what is allocated and not yet written. */
uint64_t laz_spool_used(const struct laz_spool *spool)
{
    return spool->closed_bytes + (spool->fd < 0 ? 0 : spool->offset);
}

int laz_spool_close_segment(struct laz_spool *spool, struct laz_err *err)
{
    if (spool->fd < 0) {
        return 0;
    }
    struct laz_spool_segment *segment = &spool->segments[spool->n_segments - 1];
    segment->limit = spool->offset;
    if (ftruncate(spool->fd, (off_t)spool->offset) == 0) {
        segment->size = spool->offset;
    } /* else it stays as large as it is, and its successor says where it ends */
    spool->closed_bytes += segment->size;
    (void)memcpy(spool->previous, segment->head.digest, sizeof(spool->previous));
    spool->previous_end = spool->offset;
    int result = sync_file(spool->fd, true);
    if (result < 0) {
        (void)failed("fsync", err);
    }
    laz_fd_close(&spool->fd);
    spool->is_dirty = false;
    return result;
}

/* The head of the next segment, with its key in the writer. */
static int make_head(struct laz_spool *spool, struct laz_spool_head *ret,
        uint8_t bytes[LAZ_SPOOL_HEAD_MAX], struct laz_err *err)
{
    *ret = (struct laz_spool_head){.segment = spool->next_number,
            .previous_end = spool->previous_end,
            .n_seals = spool->n_seals,
            .first_seq = spool->next_seq};
    (void)memcpy(ret->chain, spool->chain, sizeof(ret->chain));
    (void)memcpy(ret->previous, spool->previous, sizeof(ret->previous));
    if (RAND_bytes(ret->salt, sizeof(ret->salt)) != 1) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "there is no randomness for a segment's key");
    }
    size_t length = laz_spool_head_encode(ret, spool->seals, bytes);
    if (laz_spool_crypt_key(spool->writer, spool->runs[0].key, ret, true, err) < 0 ||
            laz_spool_crypt_sign(spool->writer, ret, ret->tag, err) < 0) {
        return -1;
    }
    (void)memcpy(bytes + length - LAZ_SPOOL_TAG_SIZE, ret->tag, LAZ_SPOOL_TAG_SIZE);
    return 0;
}

/* Allocated, with its head, under its name, and on the disk. Returns the descriptor or -1. */
static int make_file(struct laz_spool *spool, const struct laz_spool_head *head,
        const uint8_t *bytes, uint64_t size, struct laz_err *err)
{
    char name[LAZ_SPOOL_NAME_SIZE];
    laz_spool_name(head->segment, name);
    (void)unlinkat(spool->dir, NEW_NAME, 0); /* of one who was killed; else the next line says so */
    int fd = openat(spool->dir, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed("a new segment", err);
    }
    if (allocate(fd, size) < 0) {
        (void)failed("room for a segment", err);
    } else if (laz_spool_write_at(fd, bytes, head->length, 0) < 0) {
        (void)failed("write", err);
    } else if (sync_file(fd, true) < 0) {
        (void)failed("fsync", err);
    } else if (renameat(spool->dir, NEW_NAME, spool->dir, name) < 0) {
        (void)failed("rename", err);
    } else if (sync_file(spool->dir, true) < 0 && errno != EINVAL) { /* EINVAL: it cannot be */
        (void)failed("fsync of its folder", err);
        (void)unlinkat(spool->dir, name, 0); /* whether or not: it has no block */
    } else {
        return fd;
    }
    (void)unlinkat(spool->dir, NEW_NAME, 0); /* likewise */
    laz_fd_close(&fd);
    return -1;
}

static int full(const struct laz_spool *spool, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_SPOOL_FULL, 0, "%llu bytes of at most %llu are in the spool",
            (unsigned long long)laz_spool_used(spool), (unsigned long long)spool->max_bytes);
}

int laz_spool_begin(struct laz_spool *spool, size_t needed, struct laz_err *err)
{
    uint8_t bytes[LAZ_SPOOL_HEAD_MAX];
    struct laz_spool_segment segment = {
            .number = spool->next_number, .is_own = true, .is_known = true};
    if (spool->next_number > LAZ_SPOOL_NUMBER_MAX) {
        return laz_err_set(err, LAZ_E_SPOOL, 0, "the spool has no number for another segment");
    }
    if (laz_spool_close_segment(spool, err) < 0 ||
            make_head(spool, &segment.head, bytes, err) < 0) {
        return -1;
    }
    uint64_t room = spool->max_bytes - spool->closed_bytes;
    uint64_t least = segment.head.length + (needed < BLOCK_LEAST ? BLOCK_LEAST : needed);
    if (spool->closed_bytes > spool->max_bytes || room < least) {
        return full(spool, err);
    }
    segment.size = least > spool->segment_bytes ? least : spool->segment_bytes;
    segment.size = segment.size < room ? segment.size : room;
    segment.limit = segment.head.length;
    if (laz_spool_push(spool, &segment, err) < 0) {
        return -1;
    }
    int fd = make_file(spool, &segment.head, bytes, segment.size, err);
    if (fd < 0) {
        spool->n_segments--;
        return -1;
    }
    spool->fd = fd;
    spool->offset = segment.head.length;
    spool->counter = 0;
    spool->next_number++;
    (void)memcpy(spool->tag, segment.head.tag, sizeof(spool->tag));
    return 0;
}

/* Room for a block of this many bytes, head and tag included. */
static int make_room(struct laz_spool *spool, size_t size, bool urgent, struct laz_err *err)
{
    uint64_t kept = urgent ? 0 : spool->reserve_bytes;
    uint64_t wanted = laz_spool_used(spool) + size + kept;
    if (wanted > spool->max_bytes) {
        laz_spool_release(spool, spool->released); /* what has been closed since */
        wanted = laz_spool_used(spool) + size + kept;
    }
    if (wanted > spool->max_bytes) {
        return full(spool, err);
    }
    if (spool->fd >= 0) {
        uint64_t allocated = spool->segments[spool->n_segments - 1].size;
        if (allocated - spool->offset >= size) {
            return 0;
        }
    }
    return laz_spool_begin(spool, size, err);
}

static int make_buffer(struct laz_spool *spool, size_t size, struct laz_err *err)
{
    if (spool->out_size < size) {
        uint8_t *grown = realloc(spool->out, size);
        if (grown == NULL) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to write a block");
        }
        spool->out = grown;
        spool->out_size = size;
    }
    return 0;
}

static int check_block(const struct laz_spool_block *block, struct laz_err *err)
{
    if (block->length > LAZ_SPOOL_BLOCK_MAX || block->meta_length > LAZ_SPOOL_META_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a block of %zu bytes is too large for a spool",
                block->length);
    }
    return 0;
}

static void know_tail(struct laz_spool *spool, const struct laz_spool_block *block)
{
    spool->tail = spool->segments[spool->n_segments - 1].number;
    spool->next_seq = block->first_seq + block->n_records;
    spool->meta_length = block->meta_length;
    if (block->meta_length > 0) {
        (void)memcpy(spool->meta, block->meta, block->meta_length);
    }
}

int laz_spool_append(struct laz_spool *spool, const struct laz_spool_block *block,
        const struct laz_place *place, struct laz_err *err)
{
    size_t size = LAZ_SPOOL_BLOCK_MORE + 2 + block->meta_length + block->length;
    if (check_block(block, err) < 0 || make_buffer(spool, size, err) < 0 ||
            make_room(spool, size, block->urgent, err) < 0) {
        return -1;
    }
    const struct laz_spool_head *head = &spool->segments[spool->n_segments - 1].head;
    struct laz_spool_block_head block_head = {.length = (uint32_t)(size - LAZ_SPOOL_BLOCK_MORE),
            .n_records = block->n_records,
            .first_seq = block->first_seq,
            .place_seq = place->seq,
            .counter = ++spool->counter};
    (void)memcpy(block_head.place_h, place->h, sizeof(block_head.place_h));
    laz_spool_block_encode(head, &block_head, spool->out);
    if (laz_spool_crypt_seal(spool->writer, head, block, spool->tag, spool->out, err) < 0) {
        return -1;
    }
    if (laz_spool_write_at(spool->fd, spool->out, size, spool->offset) < 0) {
        (void)failed("write", err);
        struct laz_err ignored = {0}; /* the first cause counts */
        laz_ignore(laz_spool_close_segment(spool, &ignored));
        return -1;
    }
    spool->offset += (uint32_t)size;
    spool->is_dirty = true;
    (void)memcpy(spool->tag, spool->out + size - LAZ_SPOOL_TAG_SIZE, LAZ_SPOOL_TAG_SIZE);
    know_tail(spool, block);
    laz_spool_drop_done(spool); /* the genesis has taken it up */
    return 0;
}

int laz_spool_sync(struct laz_spool *spool, struct laz_err *err)
{
    if (!spool->is_dirty) {
        return 0;
    }
    if (sync_file(spool->fd, false) < 0) {
        (void)failed("fdatasync", err);
        struct laz_err ignored = {0}; /* the first cause counts */
        laz_ignore(laz_spool_close_segment(spool, &ignored));
        return -1;
    }
    spool->is_dirty = false;
    return 0;
}
