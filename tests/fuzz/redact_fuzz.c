/* SPDX-License-Identifier: Apache-2.0
 *
 * Literals, each behind its length, and a text. No literal is left in what comes out; what was
 * taken out, and how often, is what was found. Where the first byte is 1, the second and so many
 * others are a secret, of which in no way of writing it anything is left, wherever in the text.
 */

#include "tests/fixture/redact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tests/fixture/canary.h"

#define LITERALS_MAX 4
#define SECRET_LEAST 6
#define SECRET_MAX   320

struct input {
    char texts[LITERALS_MAX][LAZ_REDACT_LITERAL_MAX + 1];
    const char *literals[LITERALS_MAX];
    size_t n_literals;
    const uint8_t *data;
    size_t size;
};

/* Could it be in a mark, or be made by one and what stands beside it? */
static bool is_of_marks(const char *literal)
{
    struct laz_buf marks;
    laz_buf_init_heap(&marks, 1024);
    for (int kind = 0; kind < LAZ_REDACT_COUNT; kind++) {
        laz_redact_put_mark(&marks, (enum laz_redaction)kind);
    }
    bool result = strpbrk(literal, "[]\n") != NULL || strstr(marks.data, literal) != NULL;
    laz_buf_done(&marks);
    return result;
}

static void read_literals(struct input *input)
{
    while (input->size > 1 && input->n_literals < LITERALS_MAX && input->data[0] != 0) {
        size_t length = LAZ_REDACT_LITERAL_MIN + input->data[0] % 40U;
        char *text = input->texts[input->n_literals];
        if (length > input->size - 1) {
            return;
        }
        (void)memcpy(text, input->data + 1, length);
        input->data += 1 + length;
        input->size -= 1 + length;
        if (strlen(text) == length && !is_of_marks(text)) {
            input->literals[input->n_literals++] = text;
        } else {
            (void)memset(text, 0, LAZ_REDACT_LITERAL_MAX + 1);
        }
    }
}

static void check(const struct laz_redactor *redactor, const struct input *input, const char *text,
        size_t length)
{
    struct laz_redact_text all = {.text = text, .length = length, .before = {'\n', '\n'}};
    struct laz_redact_match match;
    struct laz_buf expected;
    struct laz_buf found;
    uint32_t counts[LAZ_REDACT_COUNT] = {0};
    size_t done = 0;
    laz_buf_init_heap(&expected, 1U << 24);
    laz_buf_init_heap(&found, 1U << 24);
    bool any = redact(redactor, text, length, &found, counts);
    while (laz_redactor_find(redactor, &all, done, length, &match)) {
        require(match.at >= done && match.length > match.kept && match.length <= length - match.at);
        require(match.length <= LAZ_REDACT_MATCH_MAX && counts[match.kind]-- > 0);
        laz_buf_put(&expected, text + done, match.at + match.kept - done);
        laz_redact_put_mark(&expected, match.kind);
        done = match.at + match.length;
    }
    laz_buf_put(&expected, text + done, length - done);
    for (size_t i = 0; i < LAZ_REDACT_COUNT; i++) {
        require(counts[i] == 0);
    }
    require(any == (done > 0) && (any || found.len == 0));
    const struct laz_buf *out = any ? &found : &expected;
    require(out->len == expected.len &&
            (out->len == 0 || memcmp(out->data, expected.data, out->len) == 0));
    for (size_t i = 0; i < input->n_literals && out->len > 0; i++) {
        const char *literal = input->literals[i];
        require(memmem(out->data, out->len, literal, strlen(literal)) == NULL);
    }
    require(all.work <= 2048 * (uint64_t)length + 2048);
    laz_buf_done(&expected);
    laz_buf_done(&found);
}

/* The rest of the input with the secret in the middle of it, in one of the ways. */
static void put_text(struct laz_buf *text, const struct laz_bytes *secret, const uint8_t *data,
        size_t size, unsigned how)
{
    size_t middle = size == 0 ? 0 : how % size;
    laz_buf_put(text, data, middle);
    canary_write(text, (enum canary_way)(how % CANARY_WAYS), secret->at, secret->length, how % 3);
    laz_buf_put(text, data + middle, size - middle);
}

static void check_secret(const struct laz_redactor *redactor, const struct laz_bytes *secret,
        const char *text, size_t length)
{
    uint32_t counts[LAZ_REDACT_COUNT] = {0};
    struct laz_buf found;
    laz_buf_init_heap(&found, 1U << 24);
    if (redact(redactor, text, length, &found, counts)) {
        require(canary_find(found.data, found.len, secret->at, secret->length) == NULL);
    } else {
        require(canary_find(text, length, secret->at, secret->length) == NULL);
    }
    found.len = 0;
    if (laz_redact_secrets(redactor, text, length, &found)) {
        require(canary_find(found.data, found.len, secret->at, secret->length) == NULL);
    }
    laz_buf_done(&found);
}

/* What a mark could make, and what no line has, is not looked for. */
static bool is_searched_for(const struct laz_bytes *secret)
{
    static const char never[] = "[]:\n\r";
    for (size_t i = 0; i < secret->length; i++) {
        if (memchr(never, secret->at[i], sizeof(never) - 1) != NULL) {
            return false;
        }
    }
    return memmem("REDACTEDsecret", 14, secret->at, secret->length) == NULL;
}

static int run_secret(const uint8_t *data, size_t size)
{
    size_t length = SECRET_LEAST + data[0] % (size_t)(SECRET_MAX - SECRET_LEAST);
    if (size < 2 + length) {
        return 0;
    }
    const struct laz_bytes secret = {.at = (const char *)data + 2, .length = length};
    const struct laz_redactor_options options = {.patterns = 0};
    struct laz_redactor *redactor = NULL;
    struct laz_buf text;
    struct laz_err err = {0};
    laz_buf_init_heap(&text, 1U << 24);
    require(laz_redactor_new(&options, &redactor, &err) == 0);
    require(laz_redactor_hide(redactor, &secret, 1, &err) == 0);
    put_text(&text, &secret, data + 2 + length, size - 2 - length, data[1]);
    if (is_searched_for(&secret)) {
        check_secret(redactor, &secret, text.data, text.len);
    }
    laz_buf_done(&text);
    laz_redactor_free(redactor);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 3 && data[0] == 1) {
        return run_secret(data + 1, size - 1);
    }
    struct input input = {.data = data, .size = size};
    struct laz_redactor *redactor = NULL;
    struct laz_err err = {0};
    read_literals(&input);
    const struct laz_redactor_options options = {.patterns = 0x1F,
            .mrn = "MRN-[0-9]{4,8}",
            .n_literals = input.n_literals,
            .literals = input.literals};
    require(laz_redactor_new(&options, &redactor, &err) == 0);
    char *text = malloc(input.size); /* to the end, and no byte further */
    require(text != NULL || input.size == 0);
    if (input.size > 0) {
        (void)memcpy(text, input.data, input.size);
        check(redactor, &input, text, input.size);
    }
    free(text);
    laz_redactor_free(redactor);
    return 0;
}
