/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret spool read DIR: what a spool holds, as the lines of the trail, for whoever has a recovery
 * key. Changes nothing there, and asks no writer. What is not what was written is told on standard
 * error and never printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "audit/packed.h"
#include "audit/spool_segment.h"
#include "cli/command.h"
#include "cli/key_file.h"
#include "cli/output.h"
#include "core/fd.h"
#include "core/num.h"

#define FLUSH_SIZE    1048576
#define LINE_MAX_SIZE 4096 /* a line about a segment, with eight recovery keys */

/* What is known of the segment before, to hold against the next one. */
struct before {
    bool is_there;
    struct laz_spool_head head;
    size_t end;       /* of its last block */
    size_t torn_from; /* bytes behind it that are no block; none if both are the same */
    size_t torn_to;
};

struct reading {
    int dir;
    bool list;
    struct laz_spool_opener *opener; /* NULL: only a list is wanted */
    struct laz_spool_crypt *crypt;
    struct laz_buf out;
    struct laz_unpacker unpacker;
    struct before before;
    bool is_cut; /* standard output takes no more, and that was said */
    uint64_t findings;
};

static void found(struct reading *reading, uint32_t number, const char *what)
{
    laz_cleanup_buf struct laz_buf line;
    laz_buf_init_heap(&line, LINE_MAX_SIZE);
    laz_buf_printf(&line, "%08u.lzs%s", (unsigned)number, what);
    laz_cli_note(&line);
    reading->findings++;
}

static void found_range(
        struct reading *reading, uint32_t number, size_t from, size_t to, const char *what)
{
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LINE_MAX_SIZE);
    laz_buf_printf(&text, " at %zu: %zu bytes %s", from, to - from, what);
    found(reading, number, text.overflow ? "" : text.data);
}

/* What the end of the segment before comes to, now that its successor is known, or that none is. */
static void settle(struct reading *reading, const struct laz_spool_head *next)
{
    const struct before *before = &reading->before;
    bool same_run = before->is_there && next != NULL &&
            memcmp(before->head.chain, next->chain, sizeof(next->chain)) == 0;
    if (!before->is_there) {
        return;
    }
    uint32_t number = before->head.segment;
    bool follows = same_run && next->segment == number + 1;
    if (same_run && !follows) {
        found(reading, number + 1, " is missing, and what follows it is there");
    }
    if (follows && memcmp(next->previous, before->head.digest, sizeof(next->previous)) != 0) {
        found(reading, number, " is not the one that the next segment follows");
    } else if (follows && before->end < next->previous_end) {
        found_range(reading, number, before->end, next->previous_end, "are missing or damaged");
    } else if (!follows && before->torn_from < before->torn_to) {
        found_range(reading, number, before->torn_from, before->torn_to,
                "are torn: their writer was killed, or lost power");
    }
}

static int flush(struct reading *reading)
{
    reading->is_cut = laz_cli_print(&reading->out, 0) != 0;
    reading->out.len = 0;
    return reading->is_cut ? -1 : 0;
}

/* Line by line: packed records may be few and their lines many. */
static int print_block(struct reading *reading, uint32_t number, const struct laz_spool_step *step,
        struct laz_err *err)
{
    const char *at = step->block.records;
    size_t left = reading->list ? 0 : step->block.length;
    reading->out.len = 0;
    reading->out.overflow = false;
    laz_unpack_begin(&reading->unpacker);
    while (left > 0) {
        struct laz_packed_item item;
        size_t length = 0;
        int got = laz_unpack_next(&reading->unpacker, at, left, &item);
        const char *line = got == 1 ? laz_unpack_line(&reading->unpacker, &item, &length) : NULL;
        if (got < 0 || (got == 1 && line == NULL)) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a record");
        }
        if (got == 0) {
            found_range(reading, number, step->from, step->to, "hold what is no record");
            break;
        }
        laz_buf_put(&reading->out, line, length);
        if (reading->out.len > FLUSH_SIZE && flush(reading) < 0) {
            return -1;
        }
        at += item.size;
        left -= item.size;
    }
    return reading->out.len > 0 ? flush(reading) : 0;
}

struct tally {
    uint64_t blocks;
    uint64_t records;
    uint64_t first;
    uint64_t last_place;
};

static void put_seals(struct laz_buf *buf, const struct laz_spool_image *image, uint32_t n_seals)
{
    struct laz_spool_seal seal;
    char id[2 * LAZ_SPOOL_KEY_ID_SIZE + 1];
    laz_buf_str(buf, n_seals == 0 ? "; sealed to nobody" : "; sealed to");
    for (uint32_t i = 0; i < n_seals; i++) {
        laz_spool_head_seal(image->bytes, i, &seal);
        laz_format_hex(seal.key_id, sizeof(seal.key_id), id);
        laz_buf_printf(buf, "%s %s:%s", i == 0 ? "" : ",",
                seal.kind == LAZ_SPOOL_SEAL_X25519 ? "x25519" : "rsa", id);
    }
}

static int list_segment(struct reading *reading, const struct laz_spool_image *image,
        const struct laz_spool_head *head, const struct tally *tally)
{
    char chain[2 * LAZ_CHAIN_ID_SIZE + 1];
    laz_cleanup_buf struct laz_buf line;
    laz_buf_init_heap(&line, LINE_MAX_SIZE);
    laz_format_hex(head->chain, sizeof(head->chain), chain);
    laz_buf_printf(&line, "%08u.lzs: chain %s, %zu bytes, %llu blocks", (unsigned)head->segment,
            chain, image->size, (unsigned long long)tally->blocks);
    if (tally->blocks > 0) {
        laz_buf_printf(&line, ", %llu records from %llu, the last chained one %llu",
                (unsigned long long)tally->records, (unsigned long long)tally->first,
                (unsigned long long)tally->last_place);
    }
    put_seals(&line, image, head->n_seals);
    laz_buf_char(&line, '\n');
    reading->is_cut = laz_cli_print(&line, 0) != 0;
    return reading->is_cut ? -1 : 0;
}

static int walk_blocks(struct reading *reading, struct laz_spool_walk *walk, struct tally *tally,
        struct laz_err *err)
{
    struct laz_spool_step step;
    do {
        if (laz_spool_walk_step(walk, &step, err) < 0) {
            return -1;
        }
        switch (step.kind) {
        case LAZ_SPOOL_STEP_BLOCK:
            tally->first = tally->blocks == 0 ? step.head.first_seq : tally->first;
            tally->blocks++;
            tally->records += step.head.n_records;
            tally->last_place = step.head.place_seq;
            reading->before.end = step.to;
            if (print_block(reading, walk->head->segment, &step, err) < 0) {
                return -1;
            }
            break;
        case LAZ_SPOOL_STEP_DAMAGE:
            found_range(reading, walk->head->segment, step.from, step.to, "are damaged");
            break;
        case LAZ_SPOOL_STEP_TORN:
            reading->before.torn_from = step.from;
            reading->before.torn_to = step.to;
            break;
        case LAZ_SPOOL_STEP_END:
            break;
        }
    } while (step.kind != LAZ_SPOOL_STEP_END);
    return 0;
}

/* 1: its key is in reading->crypt; 0: nobody here has it, and that was said. */
static int take_key(struct reading *reading, const struct laz_spool_image *image,
        const struct laz_spool_head *head, struct laz_err *err)
{
    uint8_t key[LAZ_SPOOL_KEY_SIZE];
    if (reading->opener == NULL) {
        return 0;
    }
    if (!laz_spool_unseal(reading->opener, image->bytes, head->n_seals, key)) {
        found(reading, head->segment, " is not sealed to this key");
        return 0;
    }
    int result = laz_spool_crypt_key(reading->crypt, key, head, false, err);
    explicit_bzero(key, sizeof(key));
    if (result < 0) {
        return -1;
    }
    if (!laz_spool_crypt_holds(reading->crypt, head)) {
        found(reading, head->segment, ": its head is not what was written");
        return 0;
    }
    return 1;
}

static int read_image(struct reading *reading, uint32_t number, const struct laz_spool_image *image,
        struct laz_err *err)
{
    struct laz_spool_head head;
    struct laz_spool_walk walk;
    struct tally tally = {0};
    const char *wrong = laz_spool_head_decode(image->bytes, image->size, &head);
    if (wrong == NULL && head.segment != number) {
        wrong = "it has the name of another segment";
    }
    if (wrong != NULL) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LINE_MAX_SIZE);
        laz_buf_printf(&text, ": %s", wrong);
        settle(reading, NULL);
        reading->before.is_there = false;
        found(reading, number, text.data);
        return 0;
    }
    settle(reading, &head);
    reading->before = (struct before){.is_there = true, .head = head, .end = head.length};
    int has_key = take_key(reading, image, &head, err);
    if (has_key < 0 || (has_key == 0 && !reading->list)) {
        reading->before.is_there = false;
        return has_key;
    }
    laz_spool_walk_begin(&walk, image, &head, has_key == 1 ? reading->crypt : NULL);
    if (walk_blocks(reading, &walk, &tally, err) < 0) {
        return -1;
    }
    return reading->list ? list_segment(reading, image, &head, &tally) : 0;
}

static int read_segment(struct reading *reading, uint32_t number, struct laz_err *err)
{
    struct laz_err opening = {0};
    struct laz_spool_image image = {0};
    if (laz_spool_image_load(reading->dir, number, &image, &opening) < 0) {
        if (opening.sys_errno == ENOENT) {
            return 0; /* a writer that lives has released it */
        }
        if (opening.kind == LAZ_E_MEMORY) {
            return laz_err_set(err, opening.kind, 0, "%s", opening.message);
        }
        settle(reading, NULL);
        reading->before.is_there = false;
        found(reading, number, " is no file that can be read");
        return 0;
    }
    int result = read_image(reading, number, &image, err);
    laz_spool_image_done(&image);
    return result;
}

static int read_all(struct reading *reading, struct laz_err *err)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    if (laz_spool_numbers(reading->dir, &numbers, &count, err) < 0) {
        return -1;
    }
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = read_segment(reading, numbers[i], err);
    }
    free(numbers);
    if (result == 0) {
        settle(reading, NULL);
    }
    return result;
}

static int take_opener(struct reading *reading, const char *path, struct laz_err *err)
{
    laz_cleanup_key_file struct laz_key_file file;
    if (laz_key_file_read(path, &file, err) < 0) {
        return -1;
    }
    reading->opener = laz_spool_opener_new(file.pem, err);
    return reading->opener == NULL ? laz_err_context(err, "%.256s", path) : 0;
}

static int run(
        struct reading *reading, const struct laz_cli_arguments *arguments, struct laz_err *err)
{
    const char *path = arguments->operands[0];
    if (arguments->key == NULL && !arguments->list) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "spool read needs --key FILE, or --list");
    }
    if (arguments->key != NULL && take_opener(reading, arguments->key, err) < 0) {
        return -1;
    }
    reading->crypt = laz_spool_crypt_new(err);
    if (reading->crypt == NULL) {
        return -1;
    }
    reading->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (reading->dir < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", path, strerror(errno));
    }
    return read_all(reading, err);
}

int laz_cli_spool_read(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct reading reading = {.dir = -1, .list = arguments->list};
    laz_buf_init_heap(&reading.out, LAZ_SPOOL_BLOCK_MAX + FLUSH_SIZE + LINE_MAX_SIZE);
    laz_unpack_init(&reading.unpacker);
    int result = LAZ_EXIT_FINDINGS;
    if (run(&reading, arguments, &err) < 0 && err.kind != LAZ_E_NONE) {
        result = laz_cli_fail(&err, false);
    } else if (err.kind == LAZ_E_NONE && !reading.is_cut && reading.findings == 0) {
        result = LAZ_EXIT_FINE;
    }
    laz_fd_close(&reading.dir);
    laz_spool_opener_free(reading.opener);
    laz_spool_crypt_free(reading.crypt);
    laz_buf_done(&reading.out);
    laz_unpack_done(&reading.unpacker);
    return result;
}
