/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a line through `ship`, up to and without the disk: framing, redaction, members, chain,
 * one sealed block for each 64 KiB of records, and out of it the lines that a sink writes. Each
 * stage does all that the ones before it do, so that their differences are what each costs.
 *
 * bench_log STAGE              reads standard input to its end, through a ring as ship does
 * bench_log STAGE FILE ROUNDS  the file in memory; prints nanoseconds of processor time a line
 *
 * Stages: copy lines members redact chain all told
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/packed.h"
#include "audit/spool_crypt.h"
#include "core/num.h"
#include "log/lines.h"

#define RING_SIZE  (1U << 20)
#define TOLD_BYTES (256U << 10) /* as the sink "file" writes them */
#define BLOCK_ROOM (2U << 20)   /* of records: a block's 64 KiB and one record at most */

enum stage {
    STAGE_COPY,
    STAGE_LINES,
    STAGE_MEMBERS,
    STAGE_REDACT,
    STAGE_CHAIN,
    STAGE_ALL,
    STAGE_TOLD,
    STAGE_COUNT,
};

static const char *const names[STAGE_COUNT] = {
        "copy", "lines", "members", "redact", "chain", "all", "told"};

struct bench {
    enum stage stage;
    struct laz_redactor *redactor;
    struct laz_lines *lines;
    struct laz_chain *chain;
    struct laz_spool_crypt *crypt;
    struct laz_spool_head head;
    struct laz_buf records;
    struct laz_buf members;
    struct laz_unpacker unpacker;
    struct laz_buf told;
    uint8_t *sealed;
};

static const struct timespec when = {.tv_sec = 1800000000};

static void require(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "bench_log: %s\n", what);
        exit(1);
    }
}

static void begin(struct bench *bench)
{
    static const uint8_t key[LAZ_SPOOL_KEY_SIZE] = {1};
    struct laz_err err = {0};
    const struct laz_redactor_options redact = {.patterns = 0x1F, .mrn = "MRN-[0-9]{8}"};
    const struct laz_chain_start start = {.task = "0123456789abcdef0123456789abcdef",
            .ctr = "app",
            .boot = "",
            .policy = "",
            .binary = "",
            .when = when};
    laz_buf_init_heap(&bench->records, BLOCK_ROOM);
    laz_buf_init_heap(&bench->members, LAZ_LINE_MEMBERS_MAX + 1);
    laz_buf_init_heap(&bench->told, TOLD_BYTES + LAZ_TRAIL_LINE_MAX + 1);
    laz_unpack_init(&bench->unpacker);
    require(laz_redactor_new(&redact, &bench->redactor, &err) == 0, err.message);
    const struct laz_lines_options options = {
            .max_line = 65536, .redactor = bench->stage >= STAGE_REDACT ? bench->redactor : NULL};
    require(laz_lines_new(&options, &bench->lines, &err) == 0, err.message);
    require(laz_chain_open(&start, &bench->chain, &bench->records, &err) == 0, err.message);
    bench->sealed = malloc(BLOCK_ROOM + 4096);
    bench->crypt = laz_spool_crypt_new(&err);
    require(bench->crypt != NULL && bench->sealed != NULL, "memory");
    require(laz_spool_crypt_key(bench->crypt, key, &bench->head, true, &err) == 0, err.message);
}

static void end(struct bench *bench)
{
    laz_lines_free(bench->lines);
    laz_redactor_free(bench->redactor);
    laz_chain_free(bench->chain);
    laz_spool_crypt_free(bench->crypt);
    laz_buf_done(&bench->records);
    laz_buf_done(&bench->members);
    laz_buf_done(&bench->told);
    laz_unpack_done(&bench->unpacker);
    free(bench->sealed);
}

/* As a sink is offered it. */
static void tell(struct bench *bench)
{
    struct laz_packed_item item = {0};
    laz_unpack_begin(&bench->unpacker);
    for (size_t at = 0; at < bench->records.len; at += item.size) {
        size_t length = 0;
        require(laz_unpack_next(&bench->unpacker, bench->records.data + at, bench->records.len - at,
                        &item) == 1,
                "a record");
        const char *line = laz_unpack_line(&bench->unpacker, &item, &length);
        require(line != NULL, "memory");
        laz_buf_add(&bench->told, line, length);
        bench->told.len = bench->told.len < TOLD_BYTES ? bench->told.len : 0;
    }
    require(!bench->told.overflow, "memory");
}

static void seal(struct bench *bench)
{
    static const uint8_t before[LAZ_SPOOL_TAG_SIZE] = {0};
    struct laz_err err = {0};
    require(laz_chain_block(bench->chain, when, &bench->records, &err) == 0, err.message);
    const struct laz_spool_block block = {
            .records = bench->records.data, .length = bench->records.len, .first_seq = 1};
    if (bench->stage >= STAGE_ALL) {
        require(laz_spool_crypt_seal(
                        bench->crypt, &bench->head, &block, before, bench->sealed, &err) == 0,
                err.message);
    }
    if (bench->stage >= STAGE_TOLD) {
        tell(bench);
    }
    bench->records.len = 0;
}

static void take_line(struct bench *bench, const struct laz_line *line)
{
    const struct laz_record record = {.obj = "stdout", .when = when};
    struct laz_err err = {0};
    if (bench->stage < STAGE_MEMBERS) {
        return;
    }
    bench->members.len = 0;
    laz_line_members(line, &bench->members);
    if (bench->stage >= STAGE_CHAIN) {
        require(laz_chain_log(bench->chain, &record, bench->members.data, bench->members.len,
                        &bench->records, &err) == 0,
                err.message);
        if (laz_chain_open_bytes(bench->chain) >= LAZ_BLOCK_BYTES - 1024) {
            seal(bench);
        }
    }
}

/* Returns how many of the bytes are done. */
static size_t work(struct bench *bench, const char *bytes, size_t length, bool ended)
{
    struct laz_line line;
    size_t done = 0;
    if (bench->stage == STAGE_COPY) {
        for (size_t n = 0; done < length; done += n) {
            n = length - done < 65536 ? length - done : 65536;
            (void)memcpy(bench->sealed, bytes + done, n);
        }
        return length;
    }
    for (;;) {
        size_t taken = laz_lines_next(bench->lines, bytes + done, length - done,
                ended ? LAZ_LINES_END : LAZ_LINES_OPEN, &line);
        if (taken == 0) {
            return done;
        }
        take_line(bench, &line);
        done += taken;
    }
}

static void run_pipe(struct bench *bench)
{
    char *ring = malloc(RING_SIZE);
    size_t have = 0;
    require(ring != NULL, "memory");
    for (;;) {
        ssize_t n = read(STDIN_FILENO, ring + have, RING_SIZE - have);
        require(n >= 0, "standard input");
        have += (size_t)n;
        size_t done = work(bench, ring, have, n == 0);
        have -= done;
        (void)memmove(ring, ring + done, have);
        if (n == 0) {
            break;
        }
    }
    free(ring);
}

static int64_t processor_ns(void)
{
    struct timespec now;
    require(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0, "clock");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void run_file(struct bench *bench, const char *path, uint64_t rounds)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    require(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0, path);
    size_t size = (size_t)st.st_size;
    char *bytes = malloc(size);
    require(bytes != NULL && read(fd, bytes, size) == (ssize_t)size, path);
    (void)close(fd);
    uint64_t n_lines = 0;
    for (size_t i = 0; i < size; i++) {
        n_lines += bytes[i] == '\n' ? 1 : 0;
    }
    int64_t began = processor_ns();
    for (uint64_t round = 0; round < rounds; round++) {
        for (size_t at = 0; at < size;) {
            size_t n = size - at < RING_SIZE ? size - at : RING_SIZE;
            at += work(bench, bytes + at, n, at + n == size);
        }
    }
    double took = (double)(processor_ns() - began);
    (void)printf("%.2f\n", took / (double)(rounds * n_lines));
    free(bytes);
}

int main(int argc, char **argv)
{
    struct bench bench = {.stage = STAGE_COUNT};
    uint64_t rounds = 0;
    for (int i = 0; argc > 1 && i < STAGE_COUNT; i++) {
        bench.stage = strcmp(argv[1], names[i]) == 0 ? (enum stage)i : bench.stage;
    }
    bool in_memory = argc == 4 && laz_parse_u64(argv[3], strlen(argv[3]), 1000000, &rounds);
    if (bench.stage == STAGE_COUNT || (argc != 2 && !in_memory)) {
        (void)fprintf(stderr, "bench_log copy|lines|members|redact|chain|all|told [FILE ROUNDS]\n");
        return 125;
    }
    begin(&bench);
    if (in_memory) {
        run_file(&bench, argv[2], rounds);
    } else {
        run_pipe(&bench);
    }
    end(&bench);
    return 0;
}
