/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks a text of the OCI runtime specification beside the table of its keys. Go's decoder, which
 * runc and containerd have, takes a key of any case, and folds U+017F and U+212A to s and k; crun's
 * reader takes the exact key alone. The last of two is Go's, the first one crun's.
 */
#include "oci/keys.h"

#include <string.h>
#include <strings.h>

#include "core/format.h"

#define PATH_SIZE 256 /* where a fault is, cut where it is longer */
#define WHY_SIZE  128 /* a sentence with a key of the table */
#define KEY_SIZE  64  /* no key of the specification has half of that */

enum shape {
    STRING,
    BOOLEAN,
    INTEGER, /* of either sign, without point and exponent */
    COUNT,   /* the same, not negative */
    STRINGS, /* arrays of these */
    COUNTS,
    OBJECTS,
    OBJECT,
    STRING_MAP, /* keys are free, values are strings, or objects */
    OBJECT_MAP,
    ANYTHING,
};

enum object {
    NOTHING,
    CONFIG,
    ROOT,
    PROCESS,
    CONSOLE,
    USER,
    CAPABILITIES,
    RLIMIT,
    SCHEDULER,
    IO_PRIORITY,
    AFFINITY,
    MOUNT,
    MAPPING,
    HOOKS,
    HOOK,
    LINUX,
    NAMESPACE,
    DEVICE,
    NET_DEVICE,
    RESOURCES,
    DEVICE_RULE,
    MEMORY,
    CPU,
    PIDS,
    BLOCK_IO,
    WEIGHT,
    THROTTLE,
    HUGEPAGE,
    NETWORK,
    PRIORITY,
    RDMA,
    SECCOMP,
    SYSCALL,
    SYSCALL_ARG,
    INTEL_RDT,
    MEMORY_POLICY,
    PERSONALITY,
    TIME_OFFSET,
    OBJECTS_ALL,
};

struct row {
    enum object object;
    char key[28]; /* no pointer: it would be relocated whenever a program starts */
    enum shape shape;
    enum object inside;
};

static const struct row rows[] = {
#define LAZ_OCI_KEY(object, key, shape, inside) {object, key, shape, inside},
#include "oci/keys.def"
#undef LAZ_OCI_KEY
};

/* What a value has to be. */
struct wanted {
    enum shape shape;
    enum object inside;
};

/* A container that is being looked at. */
struct frame {
    const struct laz_json_node *container;
    const struct laz_json_node *element; /* the last one: a key, or a value in an array */
    struct wanted wanted;
    uint32_t n; /* elements so far */
};

/* The rows of an object: from the first to behind the last. */
struct span {
    size_t from;
    size_t to;
};

struct walk {
    const struct laz_json_doc *doc;
    struct span spans[OBJECTS_ALL];
    struct frame frames[LAZ_OCI_DEPTH_MAX + 1];
    size_t depth; /* frames in use */
};

/* ---- what is wrong, and where ---- */

/* Somebody's text, for a message: what a terminal could take for something else is a '?'. */
static void put_safely(struct laz_buf *ret, const char *text, size_t length)
{
    for (size_t i = 0; i < length && i < KEY_SIZE; i++) {
        bool is_plain = text[i] > 0x20 && text[i] < 0x7F;
        laz_buf_put(ret, is_plain ? &text[i] : "?", 1);
    }
}

static int fail(const struct walk *walk, const char *why, struct laz_err *err)
{
    char memory[PATH_SIZE];
    struct laz_buf path;
    laz_buf_init_fixed(&path, memory, sizeof(memory));
    laz_buf_str(&path, "");
    for (size_t i = 0; i < walk->depth; i++) {
        const struct frame *frame = &walk->frames[i];
        if (frame->element == NULL) {
            break;
        }
        if (frame->container->type == LAZ_JSON_ARRAY) {
            laz_buf_printf(&path, "[%u]", frame->n - 1);
            continue;
        }
        laz_buf_str(&path, path.len == 0 ? "" : ".");
        put_safely(&path, walk->doc->text + frame->element->start + 1,
                frame->element->end - frame->element->start - 2U);
    }
    return laz_err_set(err, LAZ_E_OCI, 0, "%s%s%s", memory, memory[0] == '\0' ? "" : ": ", why);
}

/* ---- keys ---- */

static void find_spans(struct span ret[OBJECTS_ALL])
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span *span = &ret[rows[i].object];
        span->from = span->to == 0 ? i : span->from;
        span->to = i + 1;
    }
}

static const struct row *find_row(
        const struct walk *walk, enum object object, const char *key, bool is_any_case)
{
    for (size_t i = walk->spans[object].from; i < walk->spans[object].to; i++) {
        if (rows[i].object == object && (is_any_case || rows[i].key[0] == key[0]) &&
                (is_any_case ? strcasecmp(rows[i].key, key) : strcmp(rows[i].key, key)) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* A key before this one differs by case alone. */
static bool has_alike(const struct walk *walk, const struct frame *frame, const char *key)
{
    const struct laz_json_node *other = laz_json_next(walk->doc, frame->container, NULL);
    for (; other != frame->element; other = laz_json_next(walk->doc, frame->container, other + 1)) {
        char name[KEY_SIZE];
        if (laz_json_copy(walk->doc, other, name, sizeof(name)) && strcasecmp(name, key) == 0) {
            return true;
        }
    }
    return false;
}

/* The key of an object of the specification, and so what its value has to be. */
static int check_key(
        const struct walk *walk, const struct frame *frame, struct wanted *ret, struct laz_err *err)
{
    char key[KEY_SIZE];
    if (!laz_json_is_ascii(walk->doc, frame->element)) {
        return fail(walk, "a key that is not ASCII, which one runtime takes for another key", err);
    }
    if (!laz_json_copy(walk->doc, frame->element, key, sizeof(key))) {
        return fail(walk, "a key that is longer than any of the specification", err);
    }
    if (frame->n > LAZ_OCI_KEYS_MAX) {
        return fail(walk, "more keys than an object of the specification has", err);
    }
    const struct row *row = find_row(walk, frame->wanted.inside, key, false);
    if (row != NULL) {
        *ret = (struct wanted){.shape = row->shape, .inside = row->inside};
        return 0;
    }
    row = find_row(walk, frame->wanted.inside, key, true);
    if (row != NULL) {
        char why[WHY_SIZE];
        (void)laz_format(why, sizeof(why), "differs from %s by case alone", row->key);
        return fail(walk, why, err);
    }
    if (has_alike(walk, frame, key)) {
        return fail(walk, "differs from a key before it by case alone", err);
    }
    *ret = (struct wanted){.shape = ANYTHING};
    return 0;
}

/* ---- values ---- */

static bool is_digits(
        const struct laz_json_doc *doc, const struct laz_json_node *node, bool is_count)
{
    uint32_t at = node->start + (!is_count && doc->text[node->start] == '-');
    for (; at < node->end; at++) {
        if (doc->text[at] < '0' || doc->text[at] > '9') {
            return false;
        }
    }
    return true;
}

/* NULL: it is what is wanted. */
static const char *find_fault(const struct laz_json_doc *doc, const struct laz_json_node *value,
        const struct wanted *wanted)
{
    switch (wanted->shape) {
    case STRING:
        return value->type == LAZ_JSON_STRING ? NULL : "not a string";
    case BOOLEAN:
        return value->type == LAZ_JSON_TRUE || value->type == LAZ_JSON_FALSE ? NULL
                                                                             : "not true or false";
    case INTEGER:
    case COUNT:
        return value->type == LAZ_JSON_NUMBER && is_digits(doc, value, wanted->shape == COUNT)
                ? NULL
                : wanted->shape == COUNT ? "not a whole number that is not negative"
                                         : "not a whole number";
    case STRINGS:
    case COUNTS:
    case OBJECTS:
        return value->type == LAZ_JSON_ARRAY ? NULL : "not an array";
    case OBJECT:
    case STRING_MAP:
    case OBJECT_MAP:
        return value->type == LAZ_JSON_OBJECT ? NULL : "not an object";
    case ANYTHING:
        return NULL;
    }
    return "not known";
}

/* What the elements of an array or a free map have to be. */
static struct wanted inside(const struct wanted *wanted)
{
    switch (wanted->shape) {
    case STRINGS:
    case STRING_MAP:
        return (struct wanted){.shape = STRING};
    case COUNTS:
        return (struct wanted){.shape = COUNT};
    case OBJECTS:
    case OBJECT_MAP:
        return (struct wanted){.shape = OBJECT, .inside = wanted->inside};
    case STRING:
    case BOOLEAN:
    case INTEGER:
    case COUNT:
    case OBJECT:
    case ANYTHING:
        break;
    }
    return (struct wanted){.shape = ANYTHING};
}

/* The next element of the innermost container; at its end it is left. */
static int step(struct walk *walk, struct laz_err *err)
{
    struct frame *frame = &walk->frames[walk->depth - 1];
    bool is_object = frame->container->type == LAZ_JSON_OBJECT;
    const struct laz_json_node *last =
            frame->element != NULL && is_object ? frame->element + 1 : frame->element;
    const struct laz_json_node *element = laz_json_next(walk->doc, frame->container, last);
    if (element == NULL) {
        walk->depth--;
        return 0;
    }
    frame->element = element;
    frame->n++;
    bool is_member = frame->wanted.shape == OBJECT;
    struct wanted wanted = inside(&frame->wanted);
    if (is_member && check_key(walk, frame, &wanted, err) < 0) {
        return -1;
    }
    const struct laz_json_node *value = is_object ? element + 1 : element;
    if (is_member && value->type == LAZ_JSON_NULL) {
        return 0; /* the same as absent, to Go and to crun */
    }
    const char *fault = find_fault(walk->doc, value, &wanted);
    if (fault != NULL) {
        return fail(walk, fault, err);
    }
    bool is_open = value->type == LAZ_JSON_ARRAY || value->type == LAZ_JSON_OBJECT;
    if (is_open && wanted.shape != ANYTHING) {
        walk->frames[walk->depth++] = (struct frame){.container = value, .wanted = wanted};
    }
    return 0;
}

/* Runtimes in C end a string there, others do not. Only an escape can be one. */
static int check_nuls(const struct laz_json_doc *doc, struct laz_err *err)
{
    if (memchr(doc->text, '\\', doc->length) == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < doc->n; i++) {
        if (laz_json_has_nul(doc, &doc->nodes[i])) {
            return laz_err_set(
                    err, LAZ_E_OCI, 0, "byte %u: a NUL in a string", doc->nodes[i].start);
        }
    }
    return 0;
}

int laz_oci_check_keys(const struct laz_json_doc *doc, enum laz_oci_form form, struct laz_err *err)
{
    struct walk walk = {.doc = doc, .depth = 1};
    const struct laz_json_node *root = laz_json_root(doc);
    find_spans(walk.spans);
    walk.frames[0] = (struct frame){.container = root,
            .wanted = {.shape = OBJECT, .inside = form == LAZ_OCI_CONFIG ? CONFIG : PROCESS}};
    if (root->type != LAZ_JSON_OBJECT) {
        return laz_err_set(err, LAZ_E_OCI, 0, "not an object");
    }
    while (walk.depth > 0) {
        if (step(&walk, err) < 0) {
            return -1;
        }
    }
    return check_nuls(doc, err);
}
