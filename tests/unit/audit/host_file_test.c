/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/audit/host_file: what is whole, and where and why it is not, of files as lib/core/ledger
 * writes them. The records are made here, from the page: docs/reference/hook.md.
 */
#include "audit/host_file.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "core/num.h"

#define ZEROS64 "0000000000000000000000000000000000000000000000000000000000000000"
#define LINES   8

/* A file of lines; each is made of the one before, unless the row says otherwise. */
struct file {
    char text[4096];
    size_t length;
    char prev[2 * LAZ_SHA256_SIZE + 1];
};

static void begin(struct file *file)
{
    *file = (struct file){.prev = ZEROS64};
}

static void put_text(struct file *file, const char *text, size_t length)
{
    cr_assert_lt(file->length + length, sizeof(file->text));
    (void)memcpy(file->text + file->length, text, length);
    file->length += length;
}

static void put_record(struct file *file, const char *front, unsigned long seq)
{
    char line[512];
    uint8_t hash[LAZ_SHA256_SIZE];
    int n = snprintf(line, sizeof(line),
            "{\"lz\":1,\"ev\":\"shim.exec\",\"sev\":3,\"seq\":%lu,\"task\":\"\",\"ctr\":\"web\","
            "\"pid\":7,\"exe\":\"\",\"obj\":\"one\",\"act\":\"enter\","
            "\"ts\":\"2026-11-23T10:00:00.%06luZ\",\"prev\":\"%s\",\"d\":{\"login\":-1}}\n",
            seq, seq, file->prev);
    cr_assert(n > 0 && (size_t)n < sizeof(line));
    laz_sha256_of(line, (size_t)n, hash);
    laz_format_hex(hash, sizeof(hash), file->prev);
    put_text(file, front, strlen(front));
    put_text(file, line, (size_t)n);
}

/* The size of a line whose number has one digit. */
static size_t line_size(void)
{
    struct file file;
    begin(&file);
    put_record(&file, "", 0);
    return file.length;
}

static struct laz_host_verdict judge(const struct file *file)
{
    struct laz_host_verdict verdict;
    /* of its own size, so that a sanitizer sees a look behind it */
    char *text = malloc(file->length + 1);
    cr_assert_not_null(text);
    (void)memcpy(text, file->text, file->length);
    laz_host_file_judge(text, file->length, &verdict);
    free(text);
    return verdict;
}

static void swap_lines(struct file *file, size_t a, size_t b)
{
    char line[512];
    size_t size = line_size();
    (void)memcpy(line, file->text + a * size, size);
    (void)memmove(file->text + a * size, file->text + b * size, size);
    (void)memcpy(file->text + b * size, line, size);
}

static void remove_lines(struct file *file, size_t first, size_t n)
{
    size_t size = line_size();
    (void)memmove(file->text + first * size, file->text + (first + n) * size,
            file->length - (first + n) * size);
    file->length -= n * size;
}

static void whole(struct file *file)
{
    begin(file);
    for (unsigned long seq = 0; seq < LINES; seq++) {
        put_record(file, "", seq);
    }
}

Test(host_file, that_nobody_touched_is_whole)
{
    struct file file;
    whole(&file);
    cr_expect(laz_host_file_is(file.text, file.length));
    struct laz_host_verdict verdict = judge(&file);
    cr_expect(laz_host_file_is_fine(&verdict), "%s", verdict.broken_why);
    cr_expect_eq(verdict.records, LINES);
    cr_expect_eq(verdict.last_seq, LINES - 1);
    cr_expect_eq(verdict.files, 1);
    cr_expect_eq(verdict.torn, 0);
}

Test(host_file, names_the_first_break_by_line_and_byte_and_counts_all)
{
    static const char follow[] = "it does not follow from the record in front of it";
    static const char missing[] = "records in front of it are missing";
    static const char again[] = "its number has been there before";
    static const struct {
        const char *what;
        uint64_t line; /* of the first break, in lines of the whole file */
        uint64_t breaks;
        const char *why;
    } rows[] = {
            {"a word changed", 5, 1, follow},
            {"a record cut out", 4, 2, missing},
            {"two records exchanged", 3, 8, missing},
            {"a record twice", 7, 2, again},
            {"the end of another file", 6, 1, follow},
            {"a number changed", 4, 3, missing},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct file file;
        struct file other;
        size_t size = line_size();
        whole(&file);
        if (i == 0) {
            file.text[4 * size - 6] = '2'; /* of login, in the fourth line */
        } else if (i == 1) {
            remove_lines(&file, 3, 1);
        } else if (i == 2) {
            swap_lines(&file, 2, 5);
        } else if (i == 3) {
            remove_lines(&file, 6, 2);
            put_text(&file, file.text + 4 * size, size);
        } else if (i == 4) {
            begin(&other);
            other.prev[0] = 'f'; /* so that each hash of it is another */
            for (unsigned long seq = 0; seq < LINES; seq++) {
                put_record(&other, "", seq);
            }
            remove_lines(&file, 5, LINES - 5);
            put_text(&file, other.text + 5 * size, (LINES - 5) * size);
        } else {
            char *seq = memmem(file.text + 3 * size, size, ",\"seq\":3", 8);
            cr_assert_not_null(seq);
            seq[7] = '5';
        }
        struct laz_host_verdict verdict = judge(&file);
        cr_expect_not(laz_host_file_is_fine(&verdict), "%s", rows[i].what);
        cr_expect_eq(verdict.broken.line, rows[i].line, "%s: line %lu", rows[i].what,
                (unsigned long)verdict.broken.line);
        cr_expect_eq(verdict.broken.byte, (rows[i].line - 1) * size, "%s", rows[i].what);
        cr_expect_eq(verdict.breaks, rows[i].breaks, "%s: %lu", rows[i].what,
                (unsigned long)verdict.breaks);
        cr_expect(verdict.broken_why != NULL && strstr(verdict.broken_why, rows[i].why) != NULL,
                "%s: %s", rows[i].what, verdict.broken_why);
    }
}

Test(host_file, of_which_the_beginning_is_cut_off_is_headless)
{
    struct file file;
    whole(&file);
    remove_lines(&file, 0, 3);
    struct laz_host_verdict verdict = judge(&file);
    cr_expect_not(laz_host_file_is_fine(&verdict));
    cr_expect_eq(verdict.breaks, 0);
    cr_expect_eq(verdict.first_seq, 3);
}

/* Whoever renames it leaves nothing behind: one behind the other they are what they were. */
Test(host_file, may_be_several_one_behind_the_other)
{
    struct file file;
    whole(&file);
    (void)memcpy(file.prev, ZEROS64, sizeof(file.prev));
    put_record(&file, "", 0);
    put_record(&file, "", 1);
    struct laz_host_verdict verdict = judge(&file);
    cr_expect(laz_host_file_is_fine(&verdict), "%s", verdict.broken_why);
    cr_expect_eq(verdict.files, 2);
    cr_expect_eq(verdict.second.line, LINES + 1);
    cr_expect_eq(verdict.second.byte, LINES * line_size());
}

/* What a writer began is no record; the next one leaves its number out. */
Test(host_file, says_what_was_begun_and_not_ended)
{
    struct file file;
    struct laz_host_verdict verdict;
    static const char torn[] = "{\"lz\":1,\"ev\":\"torn";
    begin(&file);
    put_record(&file, "", 0);
    put_text(&file, torn, strlen(torn));
    verdict = judge(&file);
    cr_expect_eq(verdict.end.line, 2, "at its end");
    cr_expect_eq(verdict.end.byte, line_size());
    cr_expect_not(laz_host_file_is_fine(&verdict));
    put_text(&file, "\n", 1);
    put_record(&file, "", 2);
    verdict = judge(&file);
    cr_expect_eq(verdict.breaks, 0, "%s", verdict.broken_why);
    cr_expect_eq(verdict.torn, 1);
    cr_expect_eq(verdict.tear.line, 2);
    cr_expect_eq(verdict.tear.byte, line_size());
    cr_expect_eq(verdict.end.line, 0);
    cr_expect_not(laz_host_file_is_fine(&verdict));
    /* the same words, where nobody left a number out */
    begin(&file);
    put_record(&file, "", 0);
    put_text(&file, "words\n", 6);
    put_record(&file, "", 1);
    verdict = judge(&file);
    cr_expect_eq(verdict.broken.line, 2);
    cr_expect_eq(verdict.torn, 0);
    cr_expect_str_eq(verdict.broken_why, "it is no record, and nobody began one here");
    /* a last record without its newline is none yet */
    whole(&file);
    file.length--;
    verdict = judge(&file);
    cr_expect_eq(verdict.records, LINES - 1);
    cr_expect_eq(verdict.end.line, LINES);
}

Test(host_file, is_known_by_its_first_record)
{
    struct file file;
    static const char words[] = "words\n{\"lz\":1,\n";
    begin(&file);
    put_text(&file, words, strlen(words));
    cr_expect_not(laz_host_file_is(file.text, file.length));
    put_record(&file, "", 1);
    cr_expect(laz_host_file_is(file.text, file.length));
    cr_expect_not(laz_host_file_is(file.text, file.length - 3));
    cr_expect_not(laz_host_file_is("", 0));
}

Test(host_file, is_judged_without_what_a_transport_puts_in_front)
{
    struct file file;
    begin(&file);
    for (unsigned long seq = 0; seq < 3; seq++) {
        put_record(&file, "<134>1 2026-11-23T10:00:00Z host lazaret - - - ", seq);
    }
    struct laz_host_verdict verdict = judge(&file);
    cr_expect(laz_host_file_is_fine(&verdict), "%s", verdict.broken_why);
    cr_expect_eq(verdict.records, 3);
    /* but not where nothing does: whose words they are is not known */
    begin(&file);
    put_record(&file, "", 0);
    put_record(&file, "words ", 1);
    put_record(&file, "", 2);
    verdict = judge(&file);
    cr_expect_eq(verdict.broken.line, 3);
    cr_expect_eq(verdict.records, 2);
}
