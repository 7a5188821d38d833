/* SPDX-License-Identifier: Apache-2.0
 *
 * The health document as lines for people, the worst news in the first. What the document says may
 * be the workload's words: no byte of it reaches a terminal that is not printable.
 */
#include <stdlib.h>

#include "cli/top.h"
#include "core/json_read.h"

#define NODES_MAX 8192U
#define VALUE_MAX 256U

struct view {
    const struct laz_json_doc *doc;
    const struct laz_json_node *at; /* an object */
    struct laz_buf *buf;
};

static struct view inside(const struct view *view, const char *key)
{
    return (struct view){view->doc, laz_json_member(view->doc, view->at, key), view->buf};
}

/* "": there is none. What comes from elsewhere moves no cursor. */
static const char *text_of(
        const struct view *view, const struct laz_json_node *node, char ret[VALUE_MAX])
{
    if (!laz_json_copy(view->doc, node, ret, VALUE_MAX)) {
        ret[0] = '\0';
    }
    for (char *at = ret; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
    return ret;
}

static const char *word(const struct view *view, const char *key, char ret[VALUE_MAX])
{
    return text_of(view, laz_json_member(view->doc, view->at, key), ret);
}

static bool number(const struct view *view, const char *key, uint64_t *ret)
{
    return laz_json_number(view->doc, laz_json_member(view->doc, view->at, key), UINT64_MAX, ret);
}

static uint64_t count(const struct view *view, const char *key)
{
    uint64_t value = 0;
    return number(view, key, &value) ? value : 0;
}

static bool is_true(const struct view *view, const char *key)
{
    const struct laz_json_node *node = laz_json_member(view->doc, view->at, key);
    return node != NULL && node->type == LAZ_JSON_TRUE;
}

static void put_seconds(struct laz_buf *buf, uint64_t s)
{
    static const struct {
        uint64_t least;
        uint64_t unit;
        const char *name;
    } units[] = {{172800, 86400, "d"}, {7200, 3600, "h"}, {120, 60, "min"}, {0, 1, "s"}};
    size_t i = 0;
    while (s < units[i].least) {
        i++;
    }
    laz_buf_printf(buf, "%llu %s", (unsigned long long)(s / units[i].unit), units[i].name);
}

static void put_bytes(struct laz_buf *buf, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t i = 0;
    while (bytes >= 10240 && i < 3) {
        bytes /= 1024;
        i++;
    }
    laz_buf_printf(buf, "%llu %s", (unsigned long long)bytes, units[i]);
}

/* Up to a column; at least two blanks. */
static void pad(struct laz_buf *buf, size_t line, size_t column)
{
    do {
        laz_buf_char(buf, ' ');
    } while (!buf->overflow && (buf->len - line < column || buf->data[buf->len - 2] != ' '));
}

/* ---- what there is once ---- */

static void put_state(const struct view *top)
{
    char text[VALUE_MAX];
    struct view build = inside(top, "build");
    laz_buf_printf(top->buf, "%s", is_true(top, "live") ? "" : "NOT LIVE  ");
    laz_buf_str(top->buf, is_true(top, "ready") ? "ready" : "NOT READY");
    laz_buf_printf(top->buf, "  state %s", word(top, "state", text));
    if (word(top, "reason", text)[0] != '\0') {
        laz_buf_printf(top->buf, ": %s", text);
    }
    laz_buf_printf(top->buf, "  since %s", word(top, "since", text));
    laz_buf_char(top->buf, '\n');
    if (word(&build, "policy", text)[0] != '\0') {
        laz_buf_printf(top->buf, "policy      %s", text);
        struct view policy = inside(top, "policy");
        laz_buf_printf(top->buf, ", %s", word(&policy, "mode", text));
        laz_buf_printf(top->buf, ", sha256 %.12s", word(&build, "policy_sha256", text));
        laz_buf_printf(top->buf, "; refused calls: %llu\n",
                (unsigned long long)count(&policy, "violations"));
    }
}

static void put_degraded(const struct view *top)
{
    struct view policy = inside(top, "policy");
    const struct laz_json_node *list = laz_json_member(top->doc, policy.at, "degraded");
    const struct laz_json_node *node = NULL;
    bool any = false;
    while ((node = laz_json_next(top->doc, list, node)) != NULL) {
        char text[VALUE_MAX];
        if (text_of(top, node, text)[0] != '\0') {
            laz_buf_printf(top->buf, "%s%s", any ? ", " : "degraded    ", text);
            any = true;
        }
    }
    laz_buf_str(top->buf, any ? "\n" : "");
}

static void put_workload(const struct view *top)
{
    char text[VALUE_MAX];
    uint64_t value = 0;
    struct view app = inside(top, "app");
    struct view net = inside(top, "net");
    if (app.at != NULL) {
        laz_buf_printf(top->buf, "workload    pid %llu", (unsigned long long)count(&app, "pid"));
    }
    if (app.at != NULL && number(top, "uptime_s", &value)) {
        laz_buf_str(top->buf, ", up for ");
        put_seconds(top->buf, value);
    }
    if (word(top, "color", text)[0] != '\0') {
        laz_buf_printf(top->buf, "%scolor %s", app.at == NULL ? "workload    " : ", ", text);
    }
    if (word(top, "version", text)[0] != '\0') {
        laz_buf_printf(top->buf, ", version %s", text);
    }
    laz_buf_char(top->buf, '\n');
    if (number(&net, "established", &value)) {
        laz_buf_printf(top->buf, "connections %llu open, %llu accepted", (unsigned long long)value,
                (unsigned long long)count(&net, "passive_opens"));
        if (number(&net, "last_new_conn_age_s", &value)) {
            laz_buf_str(top->buf, ", the last one ");
            put_seconds(top->buf, value);
            laz_buf_str(top->buf, " ago");
        }
        laz_buf_char(top->buf, '\n');
    } else if (word(&net, "reason", text)[0] != '\0') {
        laz_buf_printf(top->buf, "connections not known: %s\n", text);
    }
}

/* ---- lists ---- */

/* One line of a list; `line` is where it begins. */
typedef void put_row(const struct view *row, size_t line);

static void put_list(const struct view *top, const char *key, const char *head, put_row *put)
{
    const struct laz_json_node *list = laz_json_member(top->doc, top->at, key);
    const struct laz_json_node *node = NULL;
    bool any = false;
    while ((node = laz_json_next(top->doc, list, node)) != NULL) {
        struct view row = {top->doc, node, top->buf};
        laz_buf_str(top->buf, any ? "" : head);
        any = true;
        put(&row, top->buf->len);
        laz_buf_char(top->buf, '\n');
    }
}

static void put_check(const struct view *row, size_t line)
{
    char text[VALUE_MAX];
    uint64_t ms = 0;
    laz_buf_str(row->buf, word(row, "name", text));
    pad(row->buf, line, 20);
    laz_buf_str(row->buf, word(row, "list", text));
    pad(row->buf, line, 30);
    laz_buf_str(row->buf, word(row, "kind", text));
    pad(row->buf, line, 38);
    if (is_true(row, "ok")) {
        laz_buf_str(row->buf, "ok");
    } else {
        laz_buf_printf(row->buf, "FAILED %llu", (unsigned long long)count(row, "fails"));
    }
    pad(row->buf, line, 50);
    if (number(row, "ms", &ms)) {
        laz_buf_printf(row->buf, "%llu ms", (unsigned long long)ms);
    }
    if (word(row, "why", text)[0] != '\0') {
        pad(row->buf, line, 60);
        laz_buf_str(row->buf, text);
    }
}

static void put_certificate(const struct view *row, size_t line)
{
    char text[VALUE_MAX];
    uint64_t days = 0;
    laz_buf_str(row->buf, word(row, "name", text));
    pad(row->buf, line, 30);
    if (number(row, "days_left", &days)) {
        laz_buf_printf(row->buf, "%llu", (unsigned long long)days);
    } else {
        laz_buf_str(row->buf, "EXPIRED");
    }
    pad(row->buf, line, 42);
    laz_buf_str(row->buf, word(row, "not_after", text));
}

static void put_item(const struct view *row, size_t line)
{
    char text[VALUE_MAX];
    laz_buf_str(row->buf, word(row, "name", text));
    pad(row->buf, line, 30);
    laz_buf_str(row->buf, word(row, "state", text));
}

static void put_sink(const struct view *row, size_t line)
{
    char text[VALUE_MAX];
    uint64_t age = 0;
    laz_buf_str(row->buf, word(row, "sink", text));
    pad(row->buf, line, 20);
    laz_buf_str(row->buf, is_true(row, "up") ? "up" : "DOWN");
    pad(row->buf, line, 30);
    put_bytes(row->buf, count(row, "backlog_bytes"));
    pad(row->buf, line, 42);
    laz_buf_printf(row->buf, "%llu", (unsigned long long)count(row, "dropped"));
    pad(row->buf, line, 54);
    if (number(row, "last_ack_age_s", &age)) {
        put_seconds(row->buf, age);
        laz_buf_str(row->buf, " ago");
    } else {
        laz_buf_str(row->buf, "never");
    }
    if (is_true(row, "required")) {
        pad(row->buf, line, 66);
        laz_buf_str(row->buf, "required");
    }
}

static void put_spool(const struct view *top)
{
    struct view spool = inside(top, "spool");
    if (spool.at == NULL) {
        return;
    }
    laz_buf_str(top->buf, "spool       ");
    put_bytes(top->buf, count(&spool, "used"));
    laz_buf_str(top->buf, " of ");
    put_bytes(top->buf, count(&spool, "limit"));
    laz_buf_str(top->buf, is_true(&spool, "full") ? ", FULL\n" : "\n");
}

int laz_top_show(const char *document, size_t length, struct laz_buf *ret, bool *ret_is_ready,
        struct laz_err *err)
{
    struct laz_json_node *nodes = calloc(NODES_MAX, sizeof(*nodes));
    struct laz_json_room room = {.nodes = nodes, .max = NODES_MAX, .kind = LAZ_E_SYSTEM};
    struct laz_json_doc doc;
    int result = -1;
    if (nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the document");
    }
    if (laz_json_read(document, length, &room, &doc, err) < 0) {
        (void)laz_err_context(err, "the health document");
    } else {
        struct view top = {&doc, laz_json_root(&doc), ret};
        put_state(&top);
        put_degraded(&top);
        put_workload(&top);
        put_list(&top, "checks",
                "\nCHECK               LIST      KIND    STATE       TOOK      WHY\n", put_check);
        put_list(&top, "tls", "\nCERTIFICATE                   DAYS LEFT   UNTIL\n",
                put_certificate);
        put_list(&top, "items", "\nFETCHED                       STATE\n", put_item);
        put_list(&top, "logs", "\nSINK                STATE     BEHIND      DROPPED     ACKED\n",
                put_sink);
        put_spool(&top);
        if (inside(&top, "app").at == NULL) {
            laz_buf_str(ret, "\nRoot of the container, and the user of its init, see more.\n");
        }
        *ret_is_ready = is_true(&top, "ready");
        result = 0;
    }
    free(nodes);
    return result;
}
