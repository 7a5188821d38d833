/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as events of OCSF. Each member of an event comes from a member of the record or from the
 * table; where the record says nothing, the event has no such member, or the number that OCSF has
 * for "unknown".
 */
#include "sink/ocsf.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/json_read.h"
#include "sink/line.h"
#include "sink/sink.h"

#define OCSF_VERSION  "1.9.0-dev" /* the first with record_integrity */
#define NODES_MAX     4096
#define OTHER         99
#define TEXT_MAX      4096 /* bytes of a string that is looked into */
#define HASH_DIGITS   64
#define UID_DIGITS    16 /* of a record's hash: as `prev` names the record before */
#define CLASS_FINDING 2004
#define CLASS_FILE    1001
#define CLASS_PROCESS 1007
#define CLASS_LOG     1008
#define CLASS_NETWORK 4001
#define CLASS_LIFE    6002

struct row {
    const char *ev;
    uint32_t class;
    uint32_t activity;
    const char *class_name;
    const char *activity_name;
    const char *title;
};

static const struct row table[] = {
#define LAZ_OCSF_EVENT(ev, class, activity, class_name, activity_name, title)                      \
    {ev, class, activity, class_name, activity_name, title},
#include "sink/ocsf.def"
#undef LAZ_OCSF_EVENT
};

static const struct row base = {"", 0, OTHER, "Base Event", "Other", ""};

/* A record that was read, and the event that is being written. */
struct event {
    struct laz_json_doc doc;
    const struct laz_json_node *root;
    const struct laz_json_node *d;
    struct row row;
    struct laz_json json;
    const char *host;
    bool is_log;
};

/* ---- what the record says ---- */

static const struct laz_json_node *member(const struct event *event, const char *key)
{
    return laz_json_member(&event->doc, event->root, key);
}

/* "" if it is not there, or too long to be looked into. */
static const char *text_of(
        const struct event *event, const struct laz_json_node *node, char *memory)
{
    if (!laz_json_copy(&event->doc, node, memory, TEXT_MAX)) {
        memory[0] = '\0';
    }
    return memory;
}

static bool number_of(const struct event *event, const struct laz_json_node *node, uint64_t *ret)
{
    return laz_json_number(&event->doc, node, UINT64_MAX, ret);
}

/* A value as it stands in the record. */
static void put_node(struct event *event, const char *key, const struct laz_json_node *node)
{
    struct laz_buf *buf = event->json.buf;
    if (event->json.comma) {
        laz_buf_char(buf, ',');
    }
    laz_buf_printf(buf, "\"%s\":", key);
    laz_buf_put(buf, event->doc.text + node->start, node->end - node->start);
    event->json.comma = true;
}

static void put_member(struct event *event, const char *key, const char *from)
{
    const struct laz_json_node *node = member(event, from);
    if (node != NULL) {
        put_node(event, key, node);
    }
}

/* ---- time and severity ---- */

/* Digits at a place of a time whose form was checked. */
static int64_t digits(const char *at, size_t n)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* Milliseconds since 1970, of "2026-11-21T23:59:01.123456Z". */
static int64_t time_ms(const char *at)
{
    int64_t year = digits(at, 4);
    int64_t month = digits(at + 5, 2);
    int64_t day = digits(at + 8, 2);
    year -= month <= 2 ? 1 : 0; /* years that begin in March end with the day that may be there */
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
    int64_t seconds = (days * 24 + digits(at + 11, 2)) * 3600 + digits(at + 14, 2) * 60;
    return (seconds + digits(at + 17, 2)) * 1000 + digits(at + 20, 3);
}

/* Ours (0 to 10) as OCSF's: 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal. */
static uint64_t severity_id(const struct event *event)
{
    static const uint8_t ids[] = {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6};
    uint64_t severity = 0;
    if (!number_of(event, member(event, "sev"), &severity)) {
        return 0; /* lines of the workload have none */
    }
    return ids[severity < sizeof(ids) ? severity : sizeof(ids) - 1];
}

/* ---- parts of an event ---- */

/* The first digits of the record's hash, by which the next one names it; else chain and number. */
static void put_uid(struct event *event)
{
    char memory[TEXT_MAX];
    char chain[TEXT_MAX];
    uint64_t seq = 0;
    if (strlen(text_of(event, member(event, "h"), memory)) == HASH_DIGITS) {
        laz_json_bytes(&event->json, "uid", memory, UID_DIGITS);
        return;
    }
    struct laz_buf uid;
    laz_buf_init_fixed(&uid, memory, sizeof(memory));
    if (number_of(event, member(event, "seq"), &seq)) {
        laz_buf_printf(&uid, "%s:%" PRIu64, text_of(event, member(event, "chain"), chain), seq);
    }
    laz_json_bytes(&event->json, "uid", uid.data, uid.len);
}

static bool has_text(const struct event *event, const char *key)
{
    const struct laz_json_node *node = member(event, key);
    return node != NULL && node->type == LAZ_JSON_STRING && node->end - node->start > 2;
}

static void put_metadata(struct event *event)
{
    struct laz_json *json = &event->json;
    laz_buf_str(json->buf,
            LAZ_OCSF_START "\"vendor_name\":\"Lazaret\",\"version\":\"" LAZARET_VERSION
                           "\"},\"version\":\"" OCSF_VERSION "\"");
    json->comma = true;
    laz_json_array(json, "profiles");
    if (has_text(event, "ctr")) {
        laz_json_string(json, NULL, "container");
    }
    if (event->row.class == 0 || event->row.class >= CLASS_NETWORK) {
        laz_json_string(json, NULL, "host"); /* the others have a device of their own */
    }
    if (has_text(event, "h")) {
        laz_json_string(json, NULL, "record_integrity");
    }
    if (event->row.class == CLASS_FINDING) {
        laz_json_string(json, NULL, "security_control");
    }
    laz_json_array_end(json);
    put_member(event, "event_code", "ev");
    put_uid(event);
    put_member(event, "sequence", "seq");
    put_member(event, "original_time", "ts");
    laz_json_object_end(json);
}

static void put_class(struct event *event, const char *when)
{
    struct laz_json *json = &event->json;
    const struct row *row = &event->row;
    laz_json_u64(json, "category_uid", row->class / 1000);
    laz_json_u64(json, "class_uid", row->class);
    laz_json_string(json, "class_name", row->class_name);
    laz_json_u64(json, "activity_id", row->activity);
    laz_json_string(json, "activity_name", row->activity_name);
    laz_json_u64(json, "type_uid", (uint64_t)row->class * 100 + row->activity);
    laz_json_u64(json, "severity_id", severity_id(event));
    laz_json_i64(json, "time", time_ms(when));
}

static void put_attestation(struct event *event)
{
    struct laz_json *json = &event->json;
    char prev[TEXT_MAX];
    if (!has_text(event, "h")) {
        return;
    }
    laz_json_array(json, "attestation_list");
    laz_json_object(json, NULL);
    put_member(event, "chain_uid", "chain");
    laz_json_object(json, "fingerprint");
    laz_json_u64(json, "algorithm_id", 3);
    laz_json_string(json, "algorithm", "SHA-256");
    laz_json_u64(json, "encoding_id", 1);
    laz_json_u64(json, "serialization_id", OTHER);
    laz_json_string(json, "serialization", "Lazaret trail, format 1, of raw_data");
    put_member(event, "value", "h");
    laz_json_object_end(json);
    (void)text_of(event, member(event, "prev"), prev);
    if (prev[0] != '\0' && strspn(prev, "0") != strlen(prev)) {
        laz_json_object(json, "prev_event");
        put_member(event, "uid", "prev");
        laz_json_object_end(json);
    }
    laz_json_object_end(json);
    laz_json_array_end(json);
}

/* Whom it is about; Lazaret, where the record says nobody. */
static void put_process(struct event *event, const char *key)
{
    char exe[TEXT_MAX];
    laz_json_object(&event->json, key);
    put_member(event, "pid", "pid");
    if (*text_of(event, member(event, "exe"), exe) != '\0') {
        put_member(event, exe[0] == '/' ? "path" : "name", "exe");
    }
    laz_json_object_end(&event->json);
}

static void put_actor(struct event *event)
{
    uint64_t pid = 0;
    laz_json_object(&event->json, "actor");
    if (number_of(event, member(event, "pid"), &pid) && pid > 0) {
        put_process(event, "process");
    } else {
        laz_json_string(&event->json, "app_name", "Lazaret");
    }
    laz_json_object_end(&event->json);
}

/* The container's host name is all that is known of a machine. */
static void put_device(struct event *event)
{
    laz_json_object(&event->json, "device");
    laz_json_u64(&event->json, "type_id", 0);
    laz_json_string(&event->json, strcmp(event->host, "-") == 0 ? "name" : "hostname",
            strcmp(event->host, "-") == 0 ? "container" : event->host);
    if (has_text(event, "ctr")) {
        laz_json_object(&event->json, "container");
        put_member(event, "name", "ctr");
        laz_json_object_end(&event->json);
    }
    laz_json_object_end(&event->json);
}

/* ---- what a class wants ---- */

static void put_attacks(struct event *event)
{
    const struct laz_json_node *list = laz_json_member(&event->doc, event->d, "attack");
    const struct laz_json_node *item = laz_json_next(&event->doc, list, NULL);
    if (list == NULL || list->type != LAZ_JSON_ARRAY || item == NULL) {
        return;
    }
    laz_json_array(&event->json, "attacks");
    for (; item != NULL; item = laz_json_next(&event->doc, list, item)) {
        laz_json_object(&event->json, NULL);
        laz_json_object(&event->json, "technique");
        put_node(event, "uid", item);
        laz_json_object_end(&event->json);
        laz_json_object_end(&event->json);
    }
    laz_json_array_end(&event->json);
}

static void put_finding(struct event *event)
{
    struct laz_json *json = &event->json;
    char ev[TEXT_MAX];
    char act[TEXT_MAX];
    (void)text_of(event, member(event, "ev"), ev);
    (void)text_of(event, member(event, "act"), act);
    bool is_call = strcmp(ev, "seccomp.deny") == 0 || strcmp(ev, "exec.budget") == 0;
    bool is_denied = is_call && strcmp(act, "observed") != 0;
    laz_json_object(json, "finding_info");
    put_uid(event);
    laz_json_string(json, "title", event->row.title);
    laz_json_object_end(json);
    laz_json_u64(json, "action_id", is_denied ? 2 : 3);       /* denied, observed */
    laz_json_u64(json, "disposition_id", is_denied ? 2 : 15); /* blocked, detected */
    put_attacks(event);
}

static void put_hash(struct event *event, const struct laz_json_node *file)
{
    const struct laz_json_node *sum = laz_json_member(&event->doc, file, "sha256");
    if (sum == NULL) {
        return;
    }
    laz_json_array(&event->json, "hashes");
    laz_json_object(&event->json, NULL);
    laz_json_u64(&event->json, "algorithm_id", 3);
    put_node(event, "value", sum);
    laz_json_object_end(&event->json);
    laz_json_array_end(&event->json);
}

static uint64_t file_type(const char *kind)
{
    static const struct {
        const char *kind;
        uint8_t id;
    } kinds[] = {{"file", 1}, {"folder", 2}, {"link", 7}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i].kind) == 0) {
            return kinds[i].id;
        }
    }
    return 0;
}

static void put_file(struct event *event)
{
    struct laz_json *json = &event->json;
    char path[TEXT_MAX];
    char kind[TEXT_MAX];
    const struct laz_json_node *file = laz_json_member(&event->doc, event->d, "after");
    if (file == NULL) {
        file = laz_json_member(&event->doc, event->d, "before");
    }
    const struct laz_json_node *size = laz_json_member(&event->doc, file, "size");
    const char *slash = strrchr(text_of(event, member(event, "obj"), path), '/');
    (void)text_of(event, laz_json_member(&event->doc, file, "kind"), kind);
    laz_json_object(json, "file");
    laz_json_string(json, "name", slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    put_member(event, "path", "obj");
    laz_json_u64(json, "type_id", file_type(kind));
    if (size != NULL) {
        put_node(event, "size", size);
    }
    put_hash(event, file);
    laz_json_object_end(json);
}

static void put_listener(struct event *event)
{
    const struct laz_json_node *port = laz_json_member(&event->doc, event->d, "port");
    uint64_t number = 0;
    laz_json_object(&event->json, "src_endpoint");
    laz_json_string(&event->json, "hostname", event->host);
    if (number_of(event, port, &number) && number <= UINT16_MAX) {
        laz_json_u64(&event->json, "port", number);
    }
    laz_json_object_end(&event->json);
}

static void put_of_class(struct event *event)
{
    put_device(event);
    switch (event->row.class) {
    case CLASS_FINDING:
        put_finding(event);
        break;
    case CLASS_FILE:
        put_actor(event);
        put_file(event);
        break;
    case CLASS_PROCESS:
        put_actor(event);
        put_process(event, "process");
        break;
    case CLASS_LOG:
        laz_json_string(&event->json, "log_name", "Lazaret");
        break;
    case CLASS_NETWORK:
        put_actor(event);
        put_listener(event);
        break;
    case CLASS_LIFE:
        laz_json_object(&event->json, "app");
        put_member(event, "name", has_text(event, "ctr") ? "ctr" : "ev");
        laz_json_object_end(&event->json);
        break;
    default:
        break;
    }
}

/* The activity that an `act` makes another one. */
static void choose_activity(struct event *event)
{
    static const struct {
        const char *act;
        uint32_t activity;
        const char *name;
    } acts[] = {
            {"created", 1, "Create"},
            {"deleted", 4, "Delete"},
            {"owner", 7, "Set Security"},
            {"mode", 7, "Set Security"},
            {"touched", 6, "Set Attributes"},
    };
    char act[TEXT_MAX];
    (void)text_of(event, member(event, "act"), act);
    for (size_t i = 0; event->row.class == CLASS_FILE && i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(act, acts[i].act) == 0) {
            event->row.activity = acts[i].activity;
            event->row.activity_name = acts[i].name;
        }
    }
}

/* ---- all of it ---- */

static struct row row_of(const struct event *event)
{
    char ev[TEXT_MAX];
    (void)text_of(event, member(event, "ev"), ev);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].ev, ev) == 0) {
            return table[i];
        }
    }
    return base;
}

/* What the workload wrote is the message; of everything else, the record that was hashed is inside.
 */
static void put_contents(struct event *event)
{
    const struct laz_json_node *msg = laz_json_member(&event->doc, event->d, "msg");
    if (event->is_log && msg != NULL) {
        put_node(event, "message", msg);
        laz_json_object(&event->json, "unmapped");
        put_member(event, "obj", "obj");
        for (const struct laz_json_node *key = laz_json_next(&event->doc, event->d, NULL);
                key != NULL;) {
            const struct laz_json_node *value = laz_json_next(&event->doc, event->d, key);
            char name[TEXT_MAX];
            if (value != msg && *text_of(event, key, name) != '\0') {
                put_node(event, name, value);
            }
            key = laz_json_next(&event->doc, event->d, value);
        }
        laz_json_object_end(&event->json);
        return;
    }
    if (event->row.title[0] != '\0') {
        laz_json_string(&event->json, "message", event->row.title);
    }
    laz_json_bytes(&event->json, "raw_data", event->doc.text,
            event->doc.nodes[0].end - event->doc.nodes[0].start);
}

static void put_event(struct event *event, const char *when)
{
    event->json.comma = false;
    event->row = row_of(event);
    choose_activity(event);
    put_metadata(event);
    put_class(event, when);
    put_of_class(event);
    put_attestation(event);
    put_contents(event);
    laz_buf_str(event->json.buf, "}\n");
}

int laz_ocsf_line(
        struct laz_buf *buf, const char *host, const char *text, size_t length, struct laz_err *err)
{
    struct event event = {.host = host};
    size_t before = buf->len;
    const char *when = laz_line_time(text, length);
    if (laz_line_check(text, length, err) != 0) {
        return -1;
    }
    struct laz_json_node *nodes = calloc(NODES_MAX, sizeof(*nodes));
    const struct laz_json_room room = {.nodes = nodes, .max = NODES_MAX, .kind = LAZ_E_SINK};
    if (nodes == NULL || when == NULL) {
        free(nodes);
        return laz_err_set(err, LAZ_E_SINK, 0, "it has no time, or there is no memory");
    }
    if (laz_json_read(text, length - 1, &room, &event.doc, err) != 0) {
        free(nodes);
        return -1;
    }
    event.root = laz_json_root(&event.doc);
    event.d = laz_json_member(&event.doc, event.root, "d");
    event.is_log = memcmp(text + LAZ_LINE_EVENT_AT, "log\"", 4) == 0;
    laz_json_init(&event.json, buf);
    put_event(&event, when);
    free(nodes);
    if (buf->len - before > LAZ_SINK_RECORD_MAX) {
        buf->len = before;
        return laz_err_set(err, LAZ_E_SINK, 0, "as an event of OCSF it is too long");
    }
    return 0;
}
