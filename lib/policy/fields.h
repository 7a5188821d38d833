/* SPDX-License-Identifier: Apache-2.0
 *
 * The field table: every key of the policy language, once. The loader, the JSON Schema, the
 * reference page and the man page are driven by it; there is no second list of keys. The rows are
 * in fields.def, and behind them, with a root of their own, those of the host's file, in
 * runtime.def.
 */
#ifndef LAZ_POLICY_FIELDS_H
#define LAZ_POLICY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one value is. */
enum laz_field_type {
    LAZ_TYPE_MAP,   /* a mapping with the keys of the rows whose parent this is */
    LAZ_TYPE_LATER, /* known, and not supported by this version */
    LAZ_TYPE_BOOL,
    LAZ_TYPE_INT,      /* decimal; min..max, as signed numbers if min is negative */
    LAZ_TYPE_DURATION, /* milliseconds */
    LAZ_TYPE_PERCENT,
    LAZ_TYPE_OCTAL,
    LAZ_TYPE_WORD,
    LAZ_TYPE_NAME,
    LAZ_TYPE_POLICY, /* builtin/NAME or a file */
    LAZ_TYPE_USER,
    LAZ_TYPE_GROUP,
    LAZ_TYPE_PATH,
    LAZ_TYPE_ENV_NAME,
    LAZ_TYPE_ENV_VALUE,
    LAZ_TYPE_SYSCALL,
    LAZ_TYPE_SYSCALL_GROUP,
    LAZ_TYPE_ARGUMENT, /* of a system call; which one is known later */
    LAZ_TYPE_VALUE,    /* an integer or the name of a constant */
    LAZ_TYPE_CAPABILITY,
    LAZ_TYPE_ERRNO,
    LAZ_TYPE_SIGNAL,
    LAZ_TYPE_FAMILY,
    LAZ_TYPE_LIMIT, /* a number or a size, whichever the limit counts */
    LAZ_TYPE_SIZE,  /* bytes */
    LAZ_TYPE_PATTERN,
    LAZ_TYPE_LITERAL, /* text to redact */
    LAZ_TYPE_SINK_NAME,
    LAZ_TYPE_HOST,
    LAZ_TYPE_ADDRESS, /* HOST:PORT */
    LAZ_TYPE_LOG_GROUP,
    LAZ_TYPE_LOG_STREAM,
    LAZ_TYPE_URL,
    LAZ_TYPE_PORT,    /* PORT/tcp or PORT/udp: the port, and 65536 times the protocol */
    LAZ_TYPE_PROCESS, /* a name as the kernel keeps it */
    LAZ_TYPE_TEXT,
    LAZ_TYPE_VALUE_FROM, /* as ECS has it in a task definition */
    LAZ_TYPE_SECRET_ID,
    LAZ_TYPE_PARAMETER,
    LAZ_TYPE_KMS_KEY,
    LAZ_TYPE_BELOW, /* a path below another one */
    LAZ_TYPE_PARAMETER_PATH,
    LAZ_TYPE_VAULT_SECRET,
    LAZ_TYPE_VAULT_NAME, /* of a role, a mount, a namespace */
    LAZ_TYPE_VERSION,    /* text, and a number need not be in quotes */
    LAZ_TYPE_SAN_DNS,    /* names in a certificate */
    LAZ_TYPE_SAN_IP,
    LAZ_TYPE_SAN_URI,
    LAZ_TYPE_PEER,   /* a name in a certificate: dns:NAME, or a URI */
    LAZ_TYPE_SOCKET, /* ADDRESS:PORT, or unix:PATH */
    LAZ_TYPE_PCA,    /* the ARN of a CA */
    LAZ_TYPE_PCA_TEMPLATE,
    LAZ_TYPE_VALIDITY,  /* seconds, as minutes, hours or days */
    LAZ_TYPE_CHECK_URL, /* with a path */
    LAZ_TYPE_STATUS,    /* of HTTP: one, or a range */
    LAZ_TYPE_COMMAND,   /* a word of one: of a list it may be there twice */
    LAZ_TYPE_SERVICE,   /* of gRPC */
};

enum laz_field_shape {
    LAZ_SHAPE_ONE,
    LAZ_SHAPE_LIST,
    LAZ_SHAPE_ONE_OR_LIST,
    LAZ_SHAPE_DICT, /* a mapping whose keys are data: of type `keys` */
};

/* A word that stands for a number. Lists end with a NULL word. */
struct laz_word {
    const char *word;
    uint32_t value;
    bool is_later; /* known, and not supported by this version */
};

enum laz_field_id {
#define LAZ_FIELD(id, parent, key, ...) LAZ_FIELD_##id,
#include "policy/fields.def"
    LAZ_FIELD_COUNT, /* of the policy language */
    LAZ_FIELD_BEFORE_RUNTIME = LAZ_FIELD_COUNT - 1,
#include "policy/runtime.def"
#undef LAZ_FIELD
    LAZ_FIELD_END
};

/* Invariant: parents come before their children, and children follow in one block (pre-order). */
struct laz_field {
    const char *key; /* "" for the root */
    enum laz_field_id parent;
    enum laz_field_type type;
    enum laz_field_shape shape;
    enum laz_field_type keys;
    bool is_required; /* within its mapping */

    /* WORD: the words. A list or MAP that has words may be one of them instead; where a word stands
     * for a mapping, it is the value of the mapping's first key. */
    const struct laz_word *words;
    enum laz_field_type single; /* of a MAP: a value of this type stands for it; MAP: none does */
    int64_t min;
    uint64_t max;

    /* Of a list of mappings: their keys are also those of this list, which is an earlier row, with
     * this one of them required. So keys that mean the same have one row. ROOT: none. */
    enum laz_field_id alike;
    enum laz_field_id alike_required;

    const char *others; /* what people call it elsewhere: words for hints alone; NULL: as here */
    const char *preset; /* the default, as it would be written; NULL if there is none */
    uint16_t offset;    /* in struct laz_policy, of the member that takes the number */
    uint8_t size;       /* bytes of that member; 0: the loader has code for this key */

    const char *doc;     /* one sentence, Markdown */
    const char *example; /* as in YAML, after the colon; NULL if the preset shows it */
};

/* static; borrowed forever. */
const struct laz_field *laz_field_at(enum laz_field_id id);

/* The root of the language that a row belongs to, and what is behind that language's last row. */
static inline enum laz_field_id laz_field_root_of(enum laz_field_id id)
{
    return id < LAZ_FIELD_COUNT ? LAZ_FIELD_ROOT : LAZ_FIELD_RUNTIME;
}
static inline enum laz_field_id laz_field_end_of(enum laz_field_id id)
{
    return id < LAZ_FIELD_COUNT ? LAZ_FIELD_COUNT : LAZ_FIELD_END;
}

/* Is this row a key of that mapping: below it, or of the list that it is alike? */
bool laz_field_is_key_of(enum laz_field_id id, enum laz_field_id mapping);
/* And one that must be there? */
bool laz_field_is_required_of(enum laz_field_id id, enum laz_field_id mapping);

/* The row of a key below a parent, or of the list that it is alike, or ROOT if there is none. */
enum laz_field_id laz_field_find(enum laz_field_id parent, const char *key, size_t length);
/* The first row of that key in the same language that is not inside a list, or ROOT. */
enum laz_field_id laz_field_find_elsewhere(
        enum laz_field_id mapping, const char *key, size_t length);
/* The row of a whole path such as "workload.user", or ROOT. */
enum laz_field_id laz_field_by_path(const char *path);

/* The nearest key below a parent, or NULL. */
const char *laz_field_suggest(enum laz_field_id parent, const char *key, size_t length);

/* The row that others call by this word, below a parent or, if none is, below what that is in;
 * ROOT: nobody does. Case, '-' and '_' do not count. */
enum laz_field_id laz_field_called(enum laz_field_id parent, const char *word, size_t length);

/* "syscalls.rules[].when[].arg" into a caller's buffer. */
void laz_field_path(enum laz_field_id id, char *ret, size_t size);
/* How many parents a row has: 0 for the root. */
unsigned laz_field_depth(enum laz_field_id id);

/* The word with this spelling, or NULL. */
const struct laz_word *laz_word_find(const struct laz_word *words, const char *text, size_t length);
const char *laz_word_suggest(const struct laz_word *words, const char *text, size_t length);

#endif
