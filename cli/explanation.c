/* SPDX-License-Identifier: Apache-2.0
 *
 * An explanation's memory and its two forms of print.
 */
#include "cli/explanation.h"

#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/words.h"

#define KEY_WIDTH 18 /* columns, the two before the key included */

struct laz_buf *laz_lines_add(struct laz_lines *lines, const struct laz_policy *policy,
        const char *key, struct laz_pos pos)
{
    struct laz_line *items = realloc(lines->items, (lines->n + 1) * sizeof(*items));
    if (items == NULL) {
        lines->dead.overflow = true;
        return &lines->dead;
    }
    lines->items = items;
    struct laz_line *line = &items[lines->n++];
    *line = (struct laz_line){.key = key};
    laz_buf_init_heap(&line->text, LAZ_EXPLANATION_TEXT_MAX);
    if (pos.line != 0) {
        laz_policy_pos_format(policy, pos, line->where, sizeof(line->where));
    }
    return &line->text;
}

struct laz_buf *laz_lines_add_rule(struct laz_lines *lines, const struct laz_policy *policy,
        const char *key, struct laz_verdict verdict)
{
    struct laz_buf *text = laz_lines_add(lines, policy, key, verdict.pos);
    if (text != &lines->dead) {
        struct laz_line *line = &lines->items[lines->n - 1];
        line->has_verdict = true;
        line->verdict = verdict;
        laz_policy_pos_format(policy, verdict.pos, line->where, sizeof(line->where));
    }
    return text;
}

static void lines_done(struct laz_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        laz_buf_done(&lines->items[i].text);
    }
    free(lines->items);
    *lines = (struct laz_lines){0};
}

void laz_explanation_init(struct laz_explanation *explanation)
{
    *explanation = (struct laz_explanation){0};
    laz_buf_init_heap(&explanation->sees, LAZ_EXPLANATION_TEXT_MAX);
}

void laz_explanation_done(struct laz_explanation *explanation)
{
    lines_done(&explanation->facts);
    lines_done(&explanation->rules);
    lines_done(&explanation->layers);
    laz_buf_done(&explanation->sees);
}

static bool is_complete(const struct laz_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        if (lines->items[i].text.overflow) {
            return false;
        }
    }
    return !lines->dead.overflow;
}

static const char *text_of(const struct laz_buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

static bool same_key(const struct laz_lines *lines, size_t i, size_t j)
{
    return j < lines->n && strcmp(lines->items[i].key, lines->items[j].key) == 0;
}

/* ---- Text ---- */

static void put_key(struct laz_buf *buf, const char *key)
{
    size_t length = strlen(key);
    laz_buf_printf(
            buf, "  %s%*s", key, length + 3 <= KEY_WIDTH ? (int)(KEY_WIDTH - 2 - length) : 1, "");
}

/* "text  (web.yaml:3:4)" */
static void put_line(struct laz_buf *buf, const struct laz_line *line)
{
    laz_buf_str(buf, text_of(&line->text));
    if (line->where[0] != '\0') {
        laz_buf_printf(buf, " (%s)", line->where);
    }
}

/* Lines with one key become one paragraph. */
static void put_lines(struct laz_buf *buf, const struct laz_lines *lines)
{
    size_t i = 0;
    while (i < lines->n) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
        put_key(buf, lines->items[i].key);
        size_t first = i;
        for (; same_key(lines, first, i); i++) {
            laz_buf_str(&text, i == first ? "" : ", ");
            put_line(&text, &lines->items[i]);
        }
        laz_cli_wrap(buf, text_of(&text), KEY_WIDTH, KEY_WIDTH);
    }
}

static void put_rules(struct laz_buf *buf, const struct laz_lines *rules)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct laz_line *line = &rules->items[i];
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
        if (line->has_verdict) {
            laz_words_verdict(&text, line->verdict);
            laz_buf_printf(&text, " (%s) %s", line->where, text_of(&line->text));
        } else {
            put_line(&text, line);
        }
        size_t before = buf->len;
        laz_buf_printf(buf, "  %zu. ", i + 1);
        size_t indent = buf->len - before;
        laz_cli_wrap(buf, text_of(&text), indent, indent);
    }
}

static void put_text(struct laz_buf *buf, const struct laz_explanation *explanation)
{
    laz_buf_printf(buf, "%s %s\n", explanation->kind, explanation->subject);
    put_lines(buf, &explanation->facts);
    if (explanation->decision == NULL) {
        return;
    }
    laz_buf_printf(buf, "\ndecision: %s\n", explanation->decision);
    put_rules(buf, &explanation->rules);
    laz_buf_str(buf, "\nlayers, in the order in which they are asked\n");
    put_lines(buf, &explanation->layers);
    laz_buf_str(buf, "\nthe workload sees ");
    laz_cli_wrap(buf, text_of(&explanation->sees), KEY_WIDTH, 2);
}

/* ---- JSON ---- */

static void json_line(struct laz_json *json, const char *name, const struct laz_line *line)
{
    laz_json_object(json, NULL);
    if (name != NULL) {
        laz_json_string(json, name, line->key);
    }
    if (line->has_verdict) {
        laz_json_string(json, "action", laz_action_name(line->verdict.action));
        if (laz_words_has_errno(line->verdict.action)) {
            laz_json_string(json, "errno", laz_err_errno_name(line->verdict.errno_value));
        }
    }
    laz_json_string(json, "text", text_of(&line->text));
    if (line->where[0] != '\0') {
        laz_json_string(json, "at", line->where);
    }
    laz_json_object_end(json);
}

static void json_lines(
        struct laz_json *json, const char *key, const char *name, const struct laz_lines *lines)
{
    laz_json_array(json, key);
    for (size_t i = 0; i < lines->n; i++) {
        json_line(json, name, &lines->items[i]);
    }
    laz_json_array_end(json);
}

static void json_facts(struct laz_json *json, const struct laz_lines *facts)
{
    laz_json_object(json, "facts");
    size_t i = 0;
    while (i < facts->n) {
        size_t first = i;
        laz_json_array(json, facts->items[i].key);
        for (; same_key(facts, first, i); i++) {
            json_line(json, NULL, &facts->items[i]);
        }
        laz_json_array_end(json);
    }
    laz_json_object_end(json);
}

static void put_json(struct laz_buf *buf, const struct laz_explanation *explanation)
{
    struct laz_json json;
    laz_json_init(&json, buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", true);
    laz_json_string(&json, "kind", explanation->kind);
    laz_json_string(&json, "subject", explanation->subject);
    json_facts(&json, &explanation->facts);
    if (explanation->decision != NULL) {
        laz_json_string(&json, "decision", explanation->decision);
        json_lines(&json, "rules", "rule", &explanation->rules);
        json_lines(&json, "layers", "layer", &explanation->layers);
        laz_json_string(&json, "sees", text_of(&explanation->sees));
    }
    laz_json_object_end(&json);
    laz_buf_char(buf, '\n');
}

int laz_explanation_print(const struct laz_explanation *explanation, bool json)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    if (json) {
        put_json(&buf, explanation);
    } else {
        put_text(&buf, explanation);
    }
    if (!is_complete(&explanation->facts) || !is_complete(&explanation->rules) ||
            !is_complete(&explanation->layers) || explanation->sees.overflow) {
        buf.overflow = true; /* better nothing than a part */
    }
    return laz_cli_print(&buf, LAZ_EXIT_FINE);
}
