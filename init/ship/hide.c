/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever fetched the values has spoken to the network: the file is checked to the last byte, and
 * only as the helper's own user. A refusal never says what stands in it.
 */
#include "init/ship/hide.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/json.h"
#include "core/json_read.h"
#include "init/ship/ship.h"
#include "log/masks.h"

#define SEALS      (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define JSON_NODES 512 /* a record of 4096 bytes has fewer */
#define FILES_MAX  ((size_t)LAZ_SHIP_HIDDEN_ITEMS * LAZ_MASKS_KEPT)
#define FIRST      (LAZ_MASKS_KEPT - 1)
#define ID_MIN     16
#define GIVEN_MAX  4
#define MASKED_MAX 65536 /* bytes of a record, or of one of its strings, with marks */

/* ---- what init hands over ---- */

static int refuse(struct laz_err *err, const char *why)
{
    return laz_err_set(err, LAZ_E_INTERNAL, errno, "what is to be hidden %s", why);
}

/* Nobody can change it while it is read, and it is no larger than it may be. */
static int check_file(int fd, size_t *ret_length, struct laz_err *err)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    errno = 0;
    if (seals < 0 || (seals & SEALS) != SEALS) {
        return refuse(err, "is not sealed");
    }
    if (fstat(fd, &status) < 0 || status.st_size < 0 ||
            (uint64_t)status.st_size > LAZ_MASKS_BYTES_MAX) {
        return refuse(err, "is too large");
    }
    *ret_length = (size_t)status.st_size;
    return 0;
}

/* One file, mapped, and how much of all texts it has. */
struct view {
    void *bytes;
    size_t length;
};

struct views {
    struct view all[FILES_MAX];
    size_t n;
    struct laz_bytes *texts; /* room for LAZ_SHIP_MASKS_MAX of each */
    size_t n_texts;
};

static int look(struct views *views, int fd, size_t length, struct laz_err *err)
{
    size_t n = 0;
    void *bytes = length == 0 ? NULL : mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "mmap: %s", strerror(errno));
    }
    views->all[views->n++] = (struct view){.bytes = bytes, .length = length};
    if (laz_masks_read(bytes, length, views->texts + views->n_texts, &n, err) < 0) {
        return -1;
    }
    views->n_texts += n;
    return 0;
}

/* What is in force now; then, as far as there is room for it, what every item had first, which may
 * be in a descriptor, and what was before. */
static int look_at_all(
        const struct laz_ship_hidden *hidden, struct views *views, struct laz_err *err)
{
    static const size_t order[LAZ_MASKS_KEPT] = {0, FIRST, 1, 2};
    size_t older = 0;
    for (size_t age = 0; age < LAZ_MASKS_KEPT; age++) {
        for (size_t item = 0; item < LAZ_SHIP_HIDDEN_ITEMS; item++) {
            const int *fds = hidden->fds[item];
            int fd = fds[order[age]];
            bool is_in_force = age == 0 || (order[age] == FIRST && fds[0] < 0);
            size_t length = 0;
            if (fd < 0) {
                continue;
            }
            if (check_file(fd, &length, err) < 0) {
                return -1;
            }
            older += is_in_force ? 0 : length;
            if ((is_in_force || older <= LAZ_SHIP_HIDDEN_OLDER_MAX) &&
                    look(views, fd, length, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* Of an address of the agent its last part lets whoever has it ask for this task: shorter ones, and
 * words, are none. */
static void add_id(struct views *views, const char *address)
{
    const char *slash = strrchr(address, '/');
    size_t length = slash == NULL ? 0 : strlen(slash + 1);
    if (length >= ID_MIN && strpbrk(slash + 1, "0123456789") != NULL) {
        views->texts[views->n_texts++] = (struct laz_bytes){.at = slash + 1, .length = length};
    }
}

/* What the agent has given the container, and its environment shows. */
static void add_given(struct views *views, const struct laz_role_variables *variables)
{
    const char *token = variables->text[LAZ_VARIABLE_AUTHORIZATION];
    add_id(views, variables->text[LAZ_VARIABLE_ECS_METADATA]);
    add_id(views, variables->text[LAZ_VARIABLE_ECS_METADATA_V4]);
    add_id(views, variables->text[LAZ_VARIABLE_CREDENTIALS_RELATIVE]);
    if (strlen(token) >= ID_MIN) {
        views->texts[views->n_texts++] = (struct laz_bytes){.at = token, .length = strlen(token)};
    }
}

static int hide(struct laz_ship *ship, struct laz_err *err)
{
    struct views views = {0};
    views.texts = calloc(FILES_MAX * LAZ_SHIP_MASKS_MAX + GIVEN_MAX, sizeof(*views.texts));
    if (views.texts == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for what is to be hidden");
    }
    int result = look_at_all(&ship->hidden, &views, err);
    add_given(&views, &ship->orders.variables);
    result = result == 0 ? laz_redactor_hide(ship->ledger.redactor, views.texts, views.n_texts, err)
                         : -1;
    for (size_t i = 0; i < views.n; i++) {
        if (views.all[i].bytes != NULL) {
            (void)munmap(views.all[i].bytes, views.all[i].length);
        }
    }
    free(views.texts);
    return result;
}

int laz_ship_hide(struct laz_ship *ship, struct laz_err *err)
{
    int result = hide(ship, err);
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        if (ship->streams[i].lines != NULL) {
            laz_lines_look_again(ship->streams[i].lines);
        }
    }
    return result;
}

void laz_ship_tell_hidden(struct laz_ship *ship)
{
    for (; ship->hidden.n_asked > 0; ship->hidden.n_asked--) {
        laz_role_say_only(ship->ear.chan, LAZ_MESSAGE_HIDDEN);
    }
}

static bool is_same_file(int one, int other)
{
    struct stat a;
    struct stat b;
    return one >= 0 && other >= 0 && fstat(one, &a) == 0 && fstat(other, &b) == 0 &&
            a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* In place of the oldest, or of itself: what was not delivered after all leaves what was in front.
 * The first of all gives way to none; init tells the oldest first. */
static void put_first(int fds[LAZ_MASKS_KEPT], int fd)
{
    size_t at = 0;
    if (fds[FIRST] < 0) {
        fds[FIRST] = fd;
        return;
    }
    while (at < FIRST - 1 && !is_same_file(fds[at], fd)) {
        at++;
    }
    laz_fd_close(&fds[at]);
    (void)memmove(fds + 1, fds, at * sizeof(*fds));
    fds[0] = fd;
}

int laz_ship_take_hide(
        struct laz_ship *ship, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t item = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || item >= LAZ_SHIP_HIDDEN_ITEMS) {
        (void)close(message->fds[0]);
        return refuse(err, "is of no item");
    }
    put_first(ship->hidden.fds[item], message->fds[0]);
    ship->hidden.n_asked++;
    return 0;
}

int laz_ship_hide_asked(struct laz_ship *ship, struct laz_err *err)
{
    if (ship->hidden.n_asked > 0 && laz_ship_hide(ship, err) < 0) {
        return -1;
    }
    laz_ship_tell_hidden(ship);
    return 0;
}

void laz_ship_hidden_init(struct laz_ship_hidden *hidden)
{
    (void)memset(hidden->fds, -1, sizeof(hidden->fds));
}

void laz_ship_forget(struct laz_ship *ship)
{
    laz_redactor_free(ship->ledger.redactor);
    ship->ledger.redactor = NULL;
    for (size_t i = 0; i < FILES_MAX; i++) {
        laz_fd_close(&ship->hidden.fds[i / LAZ_MASKS_KEPT][i % LAZ_MASKS_KEPT]);
    }
}

/* ---- what is no line of the workload ---- */

/* Nodes of which strings may have come from outside. */
struct range {
    const struct laz_json_node *first;
    const struct laz_json_node *end;
};

static struct range value_of(const struct laz_json_doc *doc, const char *key)
{
    const struct laz_json_node *value = laz_json_member(doc, laz_json_root(doc), key);
    return value == NULL ? (struct range){0}
                         : (struct range){.first = value, .end = doc->nodes + value->next};
}

static bool is_in(const struct laz_json_node *node, const struct range ranges[3])
{
    bool found = false;
    for (size_t i = 0; i < 3; i++) {
        found = found || (node >= ranges[i].first && node < ranges[i].end);
    }
    return found;
}

static bool mask_strings(const struct laz_redactor *redactor, const struct laz_json_doc *doc,
        const struct range ranges[3], size_t length, struct laz_buf *ret)
{
    size_t done = 0;
    for (const struct laz_json_node *node = doc->nodes; node < doc->nodes + doc->n; node++) {
        laz_cleanup_buf struct laz_buf plain;
        laz_cleanup_buf struct laz_buf masked;
        struct laz_json json;
        bool is_key = node->end < length && doc->text[node->end] == ':';
        laz_buf_init_heap(&plain, MASKED_MAX);
        laz_buf_init_heap(&masked, MASKED_MAX);
        if (node->type != LAZ_JSON_STRING || is_key || !is_in(node, ranges) ||
                !laz_json_text(doc, node, &plain) || plain.len == 0 ||
                !laz_redact_secrets(redactor, plain.data, plain.len, &masked)) {
            continue;
        }
        laz_buf_put(ret, doc->text + done, node->start - done);
        laz_json_init(&json, ret);
        laz_json_bytes(&json, NULL, masked.data, masked.len);
        done = node->end;
    }
    if (done > 0) {
        laz_buf_put(ret, doc->text + done, length - done);
    }
    return done > 0;
}

static bool mask_object(const struct laz_redactor *redactor, enum laz_ship_words words,
        const struct laz_bytes *text, struct laz_buf *ret)
{
    struct laz_json_node nodes[JSON_NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = JSON_NODES, .kind = LAZ_E_INTERNAL};
    struct laz_json_doc doc;
    struct laz_err ignored = {0};
    if (laz_json_read(text->at, text->length, &room, &doc, &ignored) < 0) {
        return false; /* no record: whoever makes one of it refuses */
    }
    const struct range all = {.first = doc.nodes, .end = doc.nodes + doc.n};
    const struct range members[3] = {all};
    const struct range record[3] = {
            value_of(&doc, "exe"), value_of(&doc, "obj"), value_of(&doc, "d")};
    return mask_strings(
            redactor, &doc, words == LAZ_SHIP_MEMBERS ? members : record, text->length, ret);
}

bool laz_ship_mask(const struct laz_redactor *redactor, enum laz_ship_words words,
        const struct laz_bytes *text, struct laz_buf *ret)
{
    laz_cleanup_buf struct laz_buf object;
    laz_cleanup_buf struct laz_buf masked;
    if (redactor == NULL || !laz_redactor_hides(redactor)) {
        return false;
    }
    if (words == LAZ_SHIP_RECORD) {
        return mask_object(redactor, words, text, ret);
    }
    laz_buf_init_heap(&object, MASKED_MAX);
    laz_buf_init_heap(&masked, MASKED_MAX);
    laz_buf_char(&object, '{');
    laz_buf_put(&object, text->at, text->length);
    laz_buf_char(&object, '}');
    const struct laz_bytes whole = {.at = object.data, .length = object.len};
    if (object.overflow || !mask_object(redactor, words, &whole, &masked)) {
        return false;
    }
    laz_buf_put(ret, masked.data + 1, masked.len - 2);
    return true;
}

void laz_ship_mask_text(const struct laz_redactor *redactor, char *text, size_t size)
{
    laz_cleanup_buf struct laz_buf masked;
    laz_buf_init_heap(&masked, MASKED_MAX);
    if (redactor != NULL && laz_redact_secrets(redactor, text, strlen(text), &masked)) {
        (void)snprintf(text, size, "%s", masked.data);
    }
}
