/* SPDX-License-Identifier: Apache-2.0
 *
 * The writing side of a trail. Each record is built without its hash and signature, hashed, and put
 * together in the buffer of the caller; only then does the chain move on.
 */
#include "audit/chain.h"

#include <stdlib.h>

#include <openssl/rand.h>

#include "audit/chain_inner.h"
#include "core/num.h"

void laz_chain_free(struct laz_chain *chain)
{
    if (chain != NULL) {
        laz_signer_free(chain->signer);
        laz_hasher_free(chain->hasher);
        laz_hasher_free(chain->block);
        laz_buf_done(&chain->line);
        laz_buf_done(&chain->members);
        laz_pack_middle_done(&chain->middle);
        free(chain);
    }
}

void laz_chain_place(const struct laz_chain *chain, struct laz_place *ret)
{
    *ret = chain->last;
}

uint64_t laz_chain_next(const struct laz_chain *chain)
{
    return chain->seq;
}

uint64_t laz_chain_unsigned(const struct laz_chain *chain)
{
    return chain->n_unsigned;
}

uint64_t laz_chain_open_bytes(const struct laz_chain *chain)
{
    return chain->block_bytes;
}

static int closed(struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "the chain is closed");
}

static int full(struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_MEMORY, 0, "a record does not fit");
}

static void put_hex(struct laz_buf *buf, const uint8_t *bytes, size_t size)
{
    char text[2 * LAZ_SIGNATURE_SIZE + 1];
    laz_format_hex(bytes, size, text);
    laz_buf_put(buf, text, 2 * size);
}

static void hex_member(struct laz_json *json, const char *key, const uint8_t *bytes, size_t size)
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(bytes, size, text);
    laz_json_string(json, key, text);
}

static struct laz_record own_record(const struct laz_chain *chain, const struct laz_record *given)
{
    struct laz_record record = *given;
    record.seq = chain->seq;
    record.task = chain->task;
    record.ctr = chain->ctr;
    record.chain = chain->id_text;
    record.prev = NULL;
    return record;
}

/* Into chain->line: the record without LF, hash and signature. Returns the length of what stands in
 * front of the hash, or 0 if it does not fit. */
static size_t build(struct laz_chain *chain, const struct laz_record *given, const char *prev,
        const char *members, size_t length)
{
    struct laz_record record = own_record(chain, given);
    record.prev = prev;
    struct laz_json json;
    chain->line.len = 0;
    chain->line.overflow = false;
    laz_record_head(&json, &chain->line, &record);
    size_t head = chain->line.len;
    laz_buf_str(&chain->line, ",\"d\":{");
    laz_buf_put(&chain->line, members, length);
    laz_buf_str(&chain->line, "}}");
    return chain->line.overflow ? 0 : head;
}

/* `out` takes it whole, or is as it was. */
static int keep_if_whole(struct laz_buf *out, size_t before, struct laz_err *err)
{
    if (!out->overflow) {
        return 0;
    }
    out->len = before;
    out->overflow = false;
    return full(err);
}

/* Hash what build() made and write it out, signed by `signer` if there is one. */
static int emit(struct laz_chain *chain, enum laz_trail_kind kind, size_t head,
        const struct laz_signer *signer, struct laz_buf *out, struct laz_err *err)
{
    struct laz_trail_line line = {.kind = kind, .seq = chain->seq};
    uint8_t h[LAZ_SHA256_SIZE];
    uint8_t signature[LAZ_SIGNATURE_SIZE];
    (void)memcpy(line.chain, chain->id, sizeof(line.chain));
    line.text[0] = (struct laz_span){.at = chain->line.data, .length = chain->line.len};
    if (laz_trail_hash(chain->hasher, &line, chain->last.h, h, err) < 0 ||
            (signer != NULL && laz_signer_sign(signer, h, signature, err) < 0)) {
        return -1;
    }
    size_t before = out->len;
    size_t added = sizeof(",\"h\":\"\"") + 2 * sizeof(h); /* and the line feed */
    added += signer == NULL ? 0 : sizeof(",\"sig\":\"\"") - 1 + 2 * sizeof(signature);
    if (chain->line.len + added > LAZ_TRAIL_LINE_MAX) {
        return full(err);
    }
    laz_buf_put(out, chain->line.data, head);
    laz_buf_str(out, ",\"h\":\"");
    put_hex(out, h, sizeof(h));
    laz_buf_char(out, '"');
    size_t tail = signer != NULL ? 2 : 0; /* the braces, behind the signature */
    laz_buf_put(out, chain->line.data + head, chain->line.len - head - tail);
    if (signer != NULL) {
        laz_buf_str(out, ",\"sig\":\"");
        put_hex(out, signature, sizeof(signature));
        laz_buf_str(out, "\"}}");
    }
    laz_buf_char(out, '\n');
    if (keep_if_whole(out, before, err) < 0) {
        return -1;
    }
    chain->last.seq = chain->seq++;
    (void)memcpy(chain->last.h, h, sizeof(h));
    chain->n_unsigned++;
    return 0;
}

/* A record that is to be chained. */
struct item {
    enum laz_trail_kind kind;
    const struct laz_record *record;
    const char *members;
    size_t length;
    const struct laz_signer *signer; /* NULL: not signed */
};

static int add(
        struct laz_chain *chain, const struct item *item, struct laz_buf *out, struct laz_err *err)
{
    if (chain->signer == NULL) {
        return closed(err);
    }
    char prev[2 * LAZ_TRAIL_PREV_SIZE + 1];
    laz_format_hex(chain->last.h, LAZ_TRAIL_PREV_SIZE, prev);
    size_t head = build(chain, item->record, prev, item->members, item->length);
    return head == 0 ? full(err) : emit(chain, item->kind, head, item->signer, out, err);
}

int laz_chain_event(struct laz_chain *chain, const struct laz_record *record, const char *members,
        size_t length, struct laz_buf *out, struct laz_err *err)
{
    const struct item item = {
            .kind = LAZ_TRAIL_EVENT, .record = record, .members = members, .length = length};
    return add(chain, &item, out, err);
}

/* The end of the first `needle` in `text`, or NULL. A quotation mark inside a string has a \ in
 * front of it, so that these are found where the members are and nowhere else. */
static const char *behind(const struct laz_span *text, const char *needle)
{
    const char *at = memmem(text->at, text->length, needle, strlen(needle));
    return at == NULL ? NULL : at + strlen(needle);
}

/* {"lz":1,"ev":...,"sev":N | ,"seq":...,"task":...,"ctr":... | ,"pid":... "ts":"..." | ,"d":{...}}
 */
int laz_chain_adopt(struct laz_chain *chain, const char *line, size_t length, struct laz_buf *out,
        struct laz_err *err)
{
    const struct laz_span text = {.at = line, .length = length};
    const char *seq = behind(&text, ",\"seq\":");
    const char *pid = behind(&text, "\",\"pid\":");
    const char *d = behind(&text, "Z\",\"d\":{");
    if (chain->signer == NULL) {
        return closed(err);
    }
    if (seq == NULL || pid == NULL || d == NULL || seq > pid || pid > d ||
            !laz_trail_is_unchained(text)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "not a record of init's");
    }
    struct laz_json json;
    struct laz_buf *into = &chain->line;
    into->len = 0;
    into->overflow = false;
    laz_buf_put(into, line, (size_t)(seq - line) - strlen(",\"seq\":"));
    laz_json_init(&json, into);
    json.comma = true;
    laz_json_u64(&json, "seq", chain->seq);
    laz_json_string(&json, "task", chain->task);
    laz_json_string(&json, "ctr", chain->ctr);
    const char *rest = pid - strlen(",\"pid\":");
    const char *end = d - strlen(",\"d\":{");
    laz_buf_put(into, rest, (size_t)(end - rest));
    laz_json_string(&json, "chain", chain->id_text);
    laz_buf_str(into, ",\"prev\":\"");
    put_hex(into, chain->last.h, LAZ_TRAIL_PREV_SIZE);
    laz_buf_char(into, '"');
    size_t head = into->len;
    laz_buf_put(into, end, (size_t)(line + length - end));
    return into->overflow ? full(err) : emit(chain, LAZ_TRAIL_EVENT, head, NULL, out, err);
}

/* The chain's own records; genesis, checkpoint and final are signed. */
static const struct {
    const char *ev;
    int severity;
    bool is_signed;
} own_records[LAZ_TRAIL_KIND_COUNT] = {
        [LAZ_TRAIL_GENESIS] = {"chain.genesis", 1, true},
        [LAZ_TRAIL_CHECKPOINT] = {"chain.checkpoint", 0, true},
        [LAZ_TRAIL_FINAL] = {"chain.final", 1, true},
        [LAZ_TRAIL_GAP] = {"chain.gap", 6, false},
        [LAZ_TRAIL_BLOCK] = {"log.block", 0, false},
};

/* With d as chain->members has it. */
static int add_own(struct laz_chain *chain, enum laz_trail_kind kind, struct timespec when,
        struct laz_buf *out, struct laz_err *err)
{
    const struct laz_record record = {.ev = own_records[kind].ev,
            .severity = own_records[kind].severity,
            .exe = "",
            .obj = "trail",
            .act = "",
            .when = when};
    if (chain->members.overflow) {
        return full(err);
    }
    const struct item item = {.kind = kind,
            .record = &record,
            .members = chain->members.data,
            .length = chain->members.len,
            .signer = own_records[kind].is_signed ? chain->signer : NULL};
    return add(chain, &item, out, err);
}

static void own_members(struct laz_chain *chain, struct laz_json *json)
{
    chain->members.len = 0;
    chain->members.overflow = false;
    laz_json_init(json, &chain->members);
}

int laz_chain_log(struct laz_chain *chain, const struct laz_record *given, const char *members,
        size_t length, struct laz_buf *out, struct laz_err *err)
{
    if (chain->signer == NULL) {
        return closed(err);
    }
    const struct laz_record record = own_record(chain, given);
    int made = laz_pack_middle_make(&chain->middle, &record);
    const struct laz_buf *middle = &chain->middle.text;
    chain->is_middle_said = chain->is_middle_said && made == 1;
    if (made < 0 || laz_packed_line_most(middle->len, length) > LAZ_TRAIL_LINE_MAX) {
        return full(err);
    }
    const struct laz_packed packed = {.seq = chain->seq,
            .middle = {.at = middle->data, .length = chain->is_middle_said ? 0 : middle->len},
            .members = {.at = members, .length = length}};
    size_t before = out->len;
    laz_packed_put(out, &packed);
    if (keep_if_whole(out, before, err) < 0) {
        return -1;
    }
    if (chain->block_bytes == 0) {
        laz_hasher_begin(chain->block);
        chain->block_first = chain->seq;
    }
    laz_hasher_add(chain->block, out->data + before, out->len - before);
    chain->is_middle_said = true;
    chain->block_bytes += out->len - before;
    chain->block_last = chain->seq++;
    chain->n_unsigned++;
    return 0;
}

int laz_chain_block(
        struct laz_chain *chain, struct timespec when, struct laz_buf *out, struct laz_err *err)
{
    if (chain->block_bytes == 0) {
        return 0;
    }
    uint8_t digest[LAZ_SHA256_SIZE];
    struct laz_hasher *copy = laz_hasher_copy(chain->block); /* should `out` be full */
    if (copy == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to close a block");
    }
    int result = laz_hasher_end(copy, digest, err);
    laz_hasher_free(copy);
    if (result < 0) {
        return -1;
    }
    struct laz_json json;
    own_members(chain, &json);
    laz_json_u64(&json, "first", chain->block_first);
    laz_json_u64(&json, "last", chain->block_last);
    laz_json_u64(&json, "bytes", chain->block_bytes);
    hex_member(&json, "sha256", digest, sizeof(digest));
    if (add_own(chain, LAZ_TRAIL_BLOCK, when, out, err) < 0) {
        return -1;
    }
    chain->block_bytes = 0;
    chain->is_middle_said = false;
    return 0;
}

int laz_chain_gap(struct laz_chain *chain, struct timespec when, const struct laz_lost *lost,
        struct laz_buf *out, struct laz_err *err)
{
    struct laz_json json;
    own_members(chain, &json);
    laz_json_u64(&json, "first", lost->first);
    laz_json_u64(&json, "last", lost->last);
    laz_json_u64(&json, "count", lost->count);
    laz_json_u64(&json, "bytes", lost->bytes);
    laz_json_string(&json, "why", lost->why);
    if (add_own(chain, LAZ_TRAIL_GAP, when, out, err) < 0) {
        return -1;
    }
    chain->lost += lost->count;
    return 0;
}

static void anchors_member(struct laz_json *json, const struct laz_anchors *anchors)
{
    laz_json_array(json, "anchors");
    for (size_t i = 0; i < anchors->n; i++) {
        laz_json_object(json, NULL);
        laz_json_string(json, "sink", anchors->items[i].sink);
        laz_json_u64(json, "seq", anchors->items[i].seq);
        hex_member(json, "h", anchors->items[i].h, sizeof(anchors->items[i].h));
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

int laz_chain_checkpoint(struct laz_chain *chain, struct timespec when,
        const struct laz_anchors *anchors, struct laz_buf *out, struct laz_err *err)
{
    if (laz_chain_block(chain, when, out, err) < 0) {
        return -1;
    }
    struct laz_signer *next = laz_signer_new(err);
    uint8_t public_key[LAZ_PUBLIC_KEY_SIZE];
    if (next == NULL || laz_signer_public(next, public_key, err) < 0) {
        laz_signer_free(next);
        return -1;
    }
    struct laz_json json;
    own_members(chain, &json);
    laz_json_u64(&json, "epoch", chain->epoch);
    laz_json_u64(&json, "records", chain->n_unsigned);
    laz_json_u64(&json, "lost", chain->lost);
    anchors_member(&json, anchors);
    hex_member(&json, "pk", public_key, sizeof(public_key));
    if (add_own(chain, LAZ_TRAIL_CHECKPOINT, when, out, err) < 0) {
        laz_signer_free(next);
        return -1;
    }
    laz_signer_free(chain->signer);
    chain->signer = next;
    chain->epoch++;
    chain->n_unsigned = 0;
    return 0;
}

int laz_chain_final(struct laz_chain *chain, struct timespec when, int exit_code,
        const struct laz_anchors *anchors, struct laz_buf *out, struct laz_err *err)
{
    if (laz_chain_block(chain, when, out, err) < 0) {
        return -1;
    }
    struct laz_json json;
    own_members(chain, &json);
    laz_json_u64(&json, "epoch", chain->epoch);
    laz_json_u64(&json, "exit", (uint64_t)exit_code);
    laz_json_u64(&json, "records", chain->seq + 1);
    laz_json_u64(&json, "lost", chain->lost);
    anchors_member(&json, anchors);
    if (add_own(chain, LAZ_TRAIL_FINAL, when, out, err) < 0) {
        return -1;
    }
    laz_signer_free(chain->signer);
    chain->signer = NULL;
    return 0;
}

static int put_genesis(struct laz_chain *chain, const struct laz_chain_start *start,
        struct laz_buf *out, struct laz_err *err)
{
    uint8_t public_key[LAZ_PUBLIC_KEY_SIZE];
    if (laz_signer_public(chain->signer, public_key, err) < 0) {
        return -1;
    }
    struct laz_json json;
    own_members(chain, &json);
    laz_json_u64(&json, "format", 1);
    laz_json_string(&json, "boot", start->boot);
    laz_json_string(&json, "policy", start->policy);
    laz_json_string(&json, "binary", start->binary);
    hex_member(&json, "pk", public_key, sizeof(public_key));
    if (start->before == NULL) {
        laz_buf_str(&chain->members, ",\"before\":null");
    } else {
        laz_json_object(&json, "before");
        hex_member(&json, "chain", start->before->chain, sizeof(start->before->chain));
        laz_json_u64(&json, "seq", start->before->seq);
        hex_member(&json, "h", start->before->h, sizeof(start->before->h));
        laz_json_object_end(&json);
    }
    if (add_own(chain, LAZ_TRAIL_GENESIS, start->when, out, err) < 0) {
        return -1;
    }
    chain->n_unsigned = 0;
    return 0;
}

struct laz_chain *laz_chain_new(const struct laz_chain_start *start, struct laz_err *err)
{
    struct laz_chain *chain = calloc(1, sizeof(*chain));
    if (chain == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a chain");
        return NULL;
    }
    laz_buf_init_heap(&chain->line, LAZ_TRAIL_LINE_MAX + 1);
    laz_buf_init_heap(&chain->members, LAZ_TRAIL_LINE_MAX);
    laz_pack_middle_init(&chain->middle);
    chain->task = start->task;
    chain->ctr = start->ctr;
    chain->hasher = laz_hasher_new();
    chain->block = laz_hasher_new();
    if (chain->hasher == NULL || chain->block == NULL) {
        laz_chain_free(chain);
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a chain");
        return NULL;
    }
    return chain;
}

void laz_chain_know_id(struct laz_chain *chain)
{
    laz_format_hex(chain->id, sizeof(chain->id), chain->id_text);
    (void)memcpy(chain->last.chain, chain->id, sizeof(chain->id));
}

int laz_chain_open(const struct laz_chain_start *start, struct laz_chain **ret, struct laz_buf *out,
        struct laz_err *err)
{
    struct laz_chain *chain = laz_chain_new(start, err);
    if (chain == NULL) {
        return -1;
    }
    chain->signer = laz_signer_new(err);
    int result = -1;
    if (start->id != NULL) {
        (void)memcpy(chain->id, start->id, sizeof(chain->id));
    }
    if (start->id == NULL && RAND_bytes(chain->id, sizeof(chain->id)) != 1) {
        (void)laz_err_set(err, LAZ_E_SYSTEM, 0, "there is no randomness for a chain's identity");
    } else if (chain->signer != NULL) {
        laz_chain_know_id(chain);
        result = put_genesis(chain, start, out, err);
    }
    if (result < 0) {
        laz_chain_free(chain);
        return -1;
    }
    *ret = chain;
    return 0;
}
