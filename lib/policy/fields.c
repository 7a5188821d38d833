/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the field table and lookups over it.
 */
#include "policy/fields.h"

#include <string.h>

#include "core/buf.h"
#include "policy/image.h"
#include "policy/runtime.h"

/* The words of each closed list. Those of vocabulary.h come from there. */
#define X_ACTION(id, name) {name, LAZ_ACTION_##id, false},
#define X_MODE(id, name)   {name, LAZ_MODE_##id, false},
#define X_LEVEL(id, name)  {name, LAZ_LEVEL_##id, false},
static const struct laz_word words_action[] = {LAZ_ACTIONS(X_ACTION){0}};
static const struct laz_word words_mode[] = {LAZ_MODES(X_MODE){"learn", 0, true}, {0}};
static const struct laz_word words_level[] = {LAZ_LEVELS(X_LEVEL){0}};
static const struct laz_word words_required[] = {{"required", LAZ_LEVEL_REQUIRED, false}, {0}};
static const struct laz_word words_refusal[] = {{"errno", LAZ_ACTION_ERRNO, false},
        {"notify", LAZ_ACTION_NOTIFY, false}, {"kill", LAZ_ACTION_KILL, false}, {0}};
static const struct laz_word words_isolate[] = {
        {"signals", 0, false}, {"abstract-sockets", 1, false}, {0}};
static const struct laz_word words_permission[] = {{"deny", 0, false}, {"allow", 1, false}, {0}};
static const struct laz_word words_any[] = {{"any", 0, false}, {0}};
static const struct laz_word words_all[] = {{"all", 0, false}, {0}};
static const struct laz_word words_only_if[] = {{"stop-requested", 1, false}, {0}};
static const struct laz_word words_abi[] = {{"native", LAZ_ABI_NATIVE, false},
        {"i386", LAZ_ABI_I386, false}, {"x32", LAZ_ABI_X32, false}, {"arm", LAZ_ABI_ARM, false},
        {0}};
/* Without the first, which nobody says. */
static const struct laz_word words_plain[] = {
        {"detect", LAZ_PLAIN_DETECT, false}, {"enforce", LAZ_PLAIN_ENFORCE, false}, {0}};
#define X_SINK(id, name) {name, LAZ_SINK_##id, false},
static const struct laz_word words_sink_type[] = {LAZ_SINK_TYPES(X_SINK){0}};
#define X_CLASS(id, name) {name, LAZ_SHIP_CLASS_##id, false},
static const struct laz_word words_class[] = {LAZ_SHIP_CLASSES(X_CLASS){0}};
#define X_TRANSPORT(id, name) {name, LAZ_TRANSPORT_##id, false},
static const struct laz_word words_transport[] = {LAZ_TRANSPORTS(X_TRANSPORT){0}};
#define X_FORMAT(id, name) {name, LAZ_FORMAT_##id, false},
static const struct laz_word words_format[] = {LAZ_FORMATS(X_FORMAT){0}};
/* Not all of LAZ_REDACTIONS: literals have a key of their own. */
static const struct laz_word words_redaction[] = {{"ssn", LAZ_REDACT_SSN, false},
        {"pan", LAZ_REDACT_PAN, false}, {"jwt", LAZ_REDACT_JWT, false},
        {"aws-key", LAZ_REDACT_AWS_KEY, false}, {"mrn", LAZ_REDACT_MRN, false}, {0}};
static const struct laz_word words_capture[] = {{"auto", 1, false}, {"disabled", 0, false}, {0}};
static const struct laz_word words_when_full[] = {{"drop", 0, false}, {"block", 1, false}, {0}};
static const struct laz_word words_imds[] = {{"denied", 0, false}, {"permitted", 1, false}, {0}};
#define X_STALE(id, name) {name, LAZ_STALE_##id, false},
static const struct laz_word words_stale[] = {LAZ_STALE_THEN(X_STALE){0}};
#define X_SECRET_FORM(id, name) {name, LAZ_SECRET_FORM_##id, false},
static const struct laz_word words_secret_coding[] = {LAZ_SECRET_CODINGS(X_SECRET_FORM){0}};
#define X_ALG(id, name, least, most) {name, LAZ_SECRET_ALG_##id, false},
static const struct laz_word words_alg_and_none[] = {LAZ_SECRET_ALGS(X_ALG){0}};
static const struct laz_word words_secret_form[] = {LAZ_SECRET_FORMS(X_SECRET_FORM){0}};
#define X_VOLUME(id, name) {name, LAZ_VOLUME_REQUIRE_##id, false},
static const struct laz_word words_volume[] = {LAZ_VOLUME_REQUIRES(X_VOLUME){0}};
#define X_TLS_PROFILE(id, name) {name, LAZ_TLS_##id, false},
static const struct laz_word words_tls_profile[] = {LAZ_TLS_PROFILES(X_TLS_PROFILE){0}};
#define X_TLS_FIPS(id, name) {name, LAZ_TLS_FIPS_##id, false},
static const struct laz_word words_tls_fips[] = {LAZ_TLS_FIPS(X_TLS_FIPS){0}};
#define X_IDENTITY_KEY(id, name) {name, LAZ_IDENTITY_KEY_##id, false},
static const struct laz_word words_identity_key[] = {LAZ_IDENTITY_KEYS(X_IDENTITY_KEY){0}};
#define X_SIGNING(id, name) {name, LAZ_SIGNING_##id, false},
static const struct laz_word words_signing[] = {LAZ_SIGNINGS(X_SIGNING){0}};
static const struct laz_word words_trust[] = {{"issuer", 1, false}, {0}};
static const struct laz_word words_purpose[] = {{"server", LAZ_PURPOSE_SERVER, false},
        {"client", LAZ_PURPOSE_CLIENT, false},
        {"both", LAZ_PURPOSE_SERVER | LAZ_PURPOSE_CLIENT, false}, {0}};
static const struct laz_word words_durability[] = {{"spool", 0, false}, {"acked", 1, false}, {0}};

#define X_TUNNEL_PROTOCOL(id, name) {name, LAZ_TUNNEL_##id, false},
static const struct laz_word words_tunnel_protocol[] = {LAZ_TUNNEL_PROTOCOLS(X_TUNNEL_PROTOCOL){0}};

static const struct laz_word words_expose[] = {{"minimal", 0, false}, {"full", 1, false}, {0}};
static const struct laz_word words_enforce[] = {{"enforce", 1, false}, {0}};
#define X_HOST_EXEC(id, name) {name, LAZ_HOST_EXEC_##id, false},
static const struct laz_word words_host_exec[] = {LAZ_HOST_EXECS(X_HOST_EXEC){0}};
#define X_HOST_USER(id, name) {name, LAZ_HOST_USER_##id, false},
static const struct laz_word words_host_user[] = {LAZ_HOST_USERS(X_HOST_USER){0}};
#define X_HOST_PRIVILEGED(id, name) {name, LAZ_HOST_PRIVILEGED_##id, false},
static const struct laz_word words_host_privileged[] = {LAZ_HOST_PRIVILEGED(X_HOST_PRIVILEGED){0}};
#define X_HOST_ANNOTATIONS(id, name) {name, LAZ_HOST_ANNOTATIONS_##id, false},
static const struct laz_word words_host_annotations[] = {
        LAZ_HOST_ANNOTATIONS(X_HOST_ANNOTATIONS){0}};
#define X_HOST_VERB(id, name) {name, LAZ_HOST_VERB_##id, false},
static const struct laz_word words_host_verb[] = {LAZ_HOST_VERBS(X_HOST_VERB){0}};
#define X_HOST_USER_NAMESPACE(id, name) {name, LAZ_HOST_USER_NAMESPACE_##id, false},
static const struct laz_word words_host_user_namespace[] = {
        LAZ_HOST_USER_NAMESPACES(X_HOST_USER_NAMESPACE){0}};
#define X_HOST_SECCOMP(id, name) {name, LAZ_HOST_SECCOMP_##id, false},
static const struct laz_word words_host_seccomp[] = {LAZ_HOST_SECCOMPS(X_HOST_SECCOMP){0}};
#define X_HOST_NAMESPACE(id, name) {name, LAZ_HOST_NAMESPACE_##id, false},
static const struct laz_word words_host_namespace[] = {LAZ_HOST_NAMESPACES(X_HOST_NAMESPACE){0}};
static const struct laz_word words_unknown[] = {{"refuse", LAZ_UNKNOWN_REFUSE, false},
        {"clamp-default", LAZ_UNKNOWN_CLAMP_DEFAULT, false}, {0}};
static const struct laz_word words_image_init[] = {
        {"refuse", LAZ_IMAGE_INIT_REFUSE, false}, {"replace", LAZ_IMAGE_INIT_REPLACE, false}, {0}};

#define STORE(member)                                                                              \
    .offset = offsetof(struct laz_policy, member), .size = sizeof(((struct laz_policy *)0)->member)

static const struct laz_field fields[LAZ_FIELD_END] = {
#define LAZ_FIELD(id, parent_id, name, ...)                                                        \
    [LAZ_FIELD_##id] = {.key = name, .parent = LAZ_FIELD_##parent_id, __VA_ARGS__},
#include "policy/fields.def"
#include "policy/runtime.def"
#undef LAZ_FIELD
};

const struct laz_field *laz_field_at(enum laz_field_id id)
{
    return &fields[id < LAZ_FIELD_END ? id : LAZ_FIELD_ROOT];
}

static bool is_key(const struct laz_field *field, const char *key, size_t length)
{
    return strncmp(field->key, key, length) == 0 && field->key[length] == '\0';
}

bool laz_field_is_key_of(enum laz_field_id id, enum laz_field_id mapping)
{
    enum laz_field_id alike = fields[mapping].alike;
    return id != laz_field_root_of(id) &&
            (fields[id].parent == mapping ||
                    (alike != LAZ_FIELD_ROOT && fields[id].parent == alike));
}

bool laz_field_is_required_of(enum laz_field_id id, enum laz_field_id mapping)
{
    return laz_field_is_key_of(id, mapping) &&
            (fields[id].is_required || id == fields[mapping].alike_required);
}

enum laz_field_id laz_field_find(enum laz_field_id parent, const char *key, size_t length)
{
    for (enum laz_field_id id = laz_field_root_of(parent) + 1; id < laz_field_end_of(parent);
            id++) {
        if (laz_field_is_key_of(id, parent) && is_key(&fields[id], key, length)) {
            return id;
        }
    }
    return LAZ_FIELD_ROOT;
}

enum laz_field_id laz_field_find_elsewhere(
        enum laz_field_id mapping, const char *key, size_t length)
{
    enum laz_field_id root = laz_field_root_of(mapping);
    for (enum laz_field_id id = root + 1; id < laz_field_end_of(mapping); id++) {
        bool is_in_list = false;
        for (enum laz_field_id up = fields[id].parent; up != root; up = fields[up].parent) {
            is_in_list = is_in_list || fields[up].shape != LAZ_SHAPE_ONE;
        }
        if (is_key(&fields[id], key, length) && !is_in_list) {
            return id;
        }
    }
    return LAZ_FIELD_ROOT;
}

enum laz_field_id laz_field_by_path(const char *path)
{
    enum laz_field_id id = LAZ_FIELD_ROOT;
    for (;;) {
        size_t length = strcspn(path, ".");
        id = laz_field_find(id, path, length);
        if (id == LAZ_FIELD_ROOT || path[length] == '\0') {
            return id;
        }
        path += length + 1;
    }
}

/* Candidates for suggestions: the i-th key below the parent. */
static const char *key_at(const void *context, size_t i)
{
    const enum laz_field_id *parent = context;
    for (enum laz_field_id id = laz_field_root_of(*parent) + 1; id < laz_field_end_of(*parent);
            id++) {
        if (laz_field_is_key_of(id, *parent) && i-- == 0) {
            return fields[id].key;
        }
    }
    return NULL;
}

const char *laz_field_suggest(enum laz_field_id parent, const char *key, size_t length)
{
    return laz_suggest(key, length, key_at, &parent);
}

static bool is_filler(char c)
{
    return c == '-' || c == '_';
}

/* "periodSeconds" is "period-seconds". */
static bool is_same_word(const char *word, size_t length, const char *name, size_t name_length)
{
    size_t i = 0;
    size_t k = 0;
    for (;;) {
        i += i < length && is_filler(word[i]) ? 1 : 0;
        k += k < name_length && is_filler(name[k]) ? 1 : 0;
        if (i == length || k == name_length) {
            return i == length && k == name_length;
        }
        bool is_capital = word[i] >= 'A' && word[i] <= 'Z';
        if ((is_capital ? word[i] - 'A' + 'a' : word[i]) != name[k]) {
            return false;
        }
        i++;
        k++;
    }
}

static bool is_called(const struct laz_field *field, const char *word, size_t length)
{
    const char *at = field->others == NULL ? "" : field->others;
    while (*at != '\0') {
        size_t n = strcspn(at, " ");
        if (is_same_word(word, length, at, n)) {
            return true;
        }
        at += n + (at[n] == ' ' ? 1 : 0);
    }
    return false;
}

enum laz_field_id laz_field_called(enum laz_field_id parent, const char *word, size_t length)
{
    enum laz_field_id root = laz_field_root_of(parent);
    for (; parent != root; parent = fields[parent].parent) {
        for (enum laz_field_id id = root + 1; id < laz_field_end_of(root); id++) {
            if (laz_field_is_key_of(id, parent) && is_called(&fields[id], word, length)) {
                return id;
            }
        }
    }
    return LAZ_FIELD_ROOT;
}

unsigned laz_field_depth(enum laz_field_id id)
{
    unsigned depth = 0;
    for (enum laz_field_id root = laz_field_root_of(id); id != root; id = fields[id].parent) {
        depth++;
    }
    return depth;
}

void laz_field_path(enum laz_field_id id, char *ret, size_t size)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, size);
    for (unsigned depth = laz_field_depth(id); depth > 0; depth--) {
        enum laz_field_id above = id;
        for (unsigned i = 1; i < depth; i++) {
            above = fields[above].parent;
        }
        const struct laz_field *field = &fields[above];
        bool is_list = field->shape == LAZ_SHAPE_LIST || field->shape == LAZ_SHAPE_ONE_OR_LIST;
        laz_buf_str(&buf, field->key);
        laz_buf_str(&buf, depth == 1 ? "" : is_list ? "[]." : ".");
    }
}

const struct laz_word *laz_word_find(const struct laz_word *words, const char *text, size_t length)
{
    for (; words != NULL && words->word != NULL; words++) {
        if (strlen(words->word) == length && memcmp(words->word, text, length) == 0) {
            return words;
        }
    }
    return NULL;
}

static const char *word_at(const void *context, size_t i)
{
    return ((const struct laz_word *)context)[i].word;
}

const char *laz_word_suggest(const struct laz_word *words, const char *text, size_t length)
{
    return laz_suggest(text, length, word_at, words);
}
