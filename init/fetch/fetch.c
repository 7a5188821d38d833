/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders, files that only root may open, and words with init. What is in files and answers is
 * looked at behind the filter alone.
 */
#include "init/fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/trusted.h"
#include "init/role/crypto.h"
#include "secret/memory.h"
#include "secret/place.h"

#define WORDS_MAX 512 /* bytes of a message: numbers, a version, a fingerprint, a reason */

/* ---- orders ---- */

static int take_config(
        struct laz_fetch *fetch, const struct laz_message *message, struct laz_err *err)
{
    if (message->length > sizeof(fetch->section)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a section of %zu bytes", message->length);
    }
    (void)memcpy(fetch->section, message->fields, message->length);
    fetch->has_config = true;
    return laz_fetch_decode(fetch->section, message->length, &fetch->config, err);
}

static int take_inherited(
        struct laz_fetch *fetch, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t item = laz_fields_u32(&fields);
    const struct laz_fetch_config *config = &fetch->config;
    bool fits = laz_fields_done(&fields) && fetch->has_config && item <= config->n_items;
    bool is_token = fits && item == config->n_items && config->vault.token_variable[0] != '\0';
    bool is_item =
            fits && item < config->n_items && config->items[item].source == LAZ_SECRET_VARIABLE;
    struct laz_secret_given *given = is_token ? &fetch->vault_token : NULL;
    given = is_item ? &fetch->given[item] : given;
    if (given == NULL || given->fd >= 0) {
        (void)close(message->fds[0]);
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such item: %u", item);
    }
    given->fd = message->fds[0];
    return 0;
}

static int take_key(struct laz_fetch *fetch, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_cleanup_fd int fd = message->fds[0];
    laz_fields_begin(&fields, message);
    if (!laz_fields_done(&fields) ||
            pread(fd, fetch->key, sizeof(fetch->key), 0) != (ssize_t)sizeof(fetch->key)) {
        return laz_err_set(err, LAZ_E_INTERNAL, errno, "the key of fingerprints is not there");
    }
    fetch->has_key = true;
    return 0;
}

/* It cannot change any more when it has begun. */
static int take_want(
        struct laz_fetch *fetch, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t wanted = laz_fields_u32(&fields);
    uint8_t whole = laz_fields_u8(&fields);
    uint32_t wait_ms = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || !fetch->has_config || fetch->has_begun || whole > 1 ||
            wanted == 0 || wanted >= UINT64_C(1) << fetch->config.n_items || wait_ms == 0 ||
            wait_ms > LAZ_FETCH_WAIT_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such wish: items %#x, %u, %u ms", wanted,
                whole, wait_ms);
    }
    fetch->wanted = wanted;
    fetch->asked = laz_secret_needed(&fetch->config, wanted);
    fetch->is_whole = whole != 0;
    fetch->wait_ms = wait_ms;
    return 0;
}

static int take_order(void *context, struct laz_message *message, struct laz_err *err)
{
    struct laz_fetch *fetch = context;
    if (message->type == LAZ_MESSAGE_CONFIG) {
        return take_config(fetch, message, err);
    }
    if (message->type == LAZ_MESSAGE_VARIABLE) {
        return laz_role_take_variable(&fetch->variables, message, err);
    }
    if (message->type == LAZ_MESSAGE_INHERITED) {
        return take_inherited(fetch, message, err);
    }
    if (message->type == LAZ_MESSAGE_KEY) {
        return take_key(fetch, message, err);
    }
    if (message->type == LAZ_MESSAGE_WANT) {
        return take_want(fetch, message, err);
    }
    fetch->has_begun = fetch->has_begun || message->type == LAZ_MESSAGE_BEGIN;
    return 0;
}

/* ---- opening, as root where init is ---- */

static bool is_asked(const struct laz_fetch *fetch, uint32_t item)
{
    return (fetch->asked >> item & 1U) != 0;
}

/* A regular file, and nothing of it. Each renewal opens it anew, while the workload runs. */
static void open_source(
        const struct laz_fetch *fetch, const char *path, struct laz_secret_given *ret)
{
    struct laz_err why = {0};
    *ret = (struct laz_secret_given){.fd = -1};
    if (laz_trusted_open(path, &fetch->config.workload, &ret->fd, &why) < 0) {
        ret->sys_errno = why.sys_errno;
        (void)snprintf(ret->why, sizeof(ret->why), "%.319s", why.message);
    }
}

/* An item whose service is nowhere needs none, and will say so itself. */
static void add_port(const struct laz_fetch *fetch, const struct laz_fetch_item *item,
        enum laz_fetch_service service, struct laz_fetch_left *left)
{
    struct laz_secret_place place;
    struct laz_err why = {0};
    if (laz_secret_find_place(&fetch->config, item, service, &fetch->environment, &place, &why) ==
            0) {
        left->ports[left->n_ports++] = place.port;
    }
}

static void find_ports(struct laz_fetch *fetch, struct laz_fetch_left *left)
{
    for (uint32_t i = 0; i < fetch->config.n_items; i++) {
        const struct laz_fetch_item *item = &fetch->config.items[i];
        enum laz_fetch_service service;
        if (!is_asked(fetch, i)) {
            continue;
        }
        if (laz_secret_service(item, &service)) {
            add_port(fetch, item, service, left);
        }
        if (item->kms_key[0] != '\0') {
            add_port(fetch, item, LAZ_FETCH_KMS, left);
        }
    }
    if (left->n_ports > 0 || fetch->config.vault.login == LAZ_FETCH_LOGIN_AWS) {
        left->ports[left->n_ports++] = laz_aws_credentials_port(&fetch->environment);
        left->token_folder = laz_role_open_token_folder(&fetch->variables, &fetch->config.workload);
    }
    if (fetch->config.vault.login != LAZ_FETCH_LOGIN_NONE) {
        struct laz_secret_place place;
        struct laz_err why = {0};
        if (laz_secret_find_vault(&fetch->config.vault, &place, &why) == 0) {
            left->ports[left->n_ports++] = place.port;
        }
    }
}

/* Where they cannot be opened, those items say why that need them. */
static void open_authorities(const struct laz_fetch *fetch, const char *ca, const char *key,
        struct laz_tls_files *ret, char ret_why[LAZ_ERR_MESSAGE_MAX])
{
    struct laz_err why = {0};
    if (laz_trusted_open(ca, &fetch->config.workload, &ret->ca, &why) < 0) {
        (void)snprintf(ret_why, LAZ_ERR_MESSAGE_MAX, "%s: %.100s: %.320s", key, ca, why.message);
    }
}

static void open_vault(struct laz_fetch *fetch)
{
    struct laz_fetch_vault *vault = &fetch->config.vault;
    if (vault->login == LAZ_FETCH_LOGIN_NONE) {
        return;
    }
    if (vault->token_file[0] != '\0') {
        open_source(fetch, vault->token_file, &fetch->vault_token);
    }
    if (vault->ca[0] == '\0') {
        vault->ca = fetch->config.ca;
    }
    open_authorities(
            fetch, vault->ca, "secrets.vault.ca", &fetch->vault_files, fetch->no_vault_files);
}

/* Where nothing of Vault's is asked for, nobody logs in there. */
static void leave_vault(struct laz_fetch *fetch)
{
    const struct laz_fetch_config *config = &fetch->config;
    bool is_asked_there = false;
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        bool is_there = item->source == LAZ_SECRET_IDENTITY
                ? config->identities[item->identity].source == LAZ_IDENTITY_FROM_VAULT_PKI
                : item->source == LAZ_SECRET_VAULT;
        is_asked_there = is_asked_there || (is_asked(fetch, i) && is_there);
    }
    if (!is_asked_there) {
        fetch->config.vault.login = LAZ_FETCH_LOGIN_NONE;
    }
}

static void open_all(struct laz_fetch *fetch, struct laz_fetch_left *left)
{
    leave_vault(fetch);
    for (uint32_t i = 0; i < fetch->config.n_items; i++) {
        if (is_asked(fetch, i) && fetch->config.items[i].source == LAZ_SECRET_FILE) {
            open_source(fetch, fetch->config.items[i].from, &fetch->given[i]);
        }
    }
    for (uint32_t i = 0; i < fetch->config.n_identities; i++) {
        if (fetch->config.identities[i].ca[0] != '\0') {
            open_source(fetch, fetch->config.identities[i].ca, &fetch->identity_cas[i]);
        }
    }
    laz_role_environment(&fetch->variables, &fetch->environment);
    find_ports(fetch, left);
    if (fetch->config.ca[0] == '\0') {
        fetch->config.ca = laz_tls_system_ca();
    }
    if (left->n_ports > 0) {
        open_authorities(fetch, fetch->config.ca, "secrets.ca", &fetch->files, fetch->no_files);
    }
    open_vault(fetch);
}

/* ---- words with init ---- */

static void say_with(struct laz_fetch *fetch, struct laz_buf *message, int fd)
{
    struct laz_err err = {0};
    if (!laz_message_end(message)) {
        (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "a message does not fit");
        laz_role_fail(fetch->ear.chan, &err);
    }
    if (laz_chan_send(fetch->ear.chan, message, &fd, fd < 0 ? 0 : 1, &err) != 0) {
        laz_role_fail(fetch->ear.chan, &err);
    }
}

static void say_file(struct laz_fetch *fetch, enum laz_message_type type, uint32_t item, int fd)
{
    char memory[WORDS_MAX];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    laz_message_u32(&message, item);
    say_with(fetch, &message, fd);
}

/* Its request comes last: where there is no room for all of it, what is in front of it is cut. */
static void cut_why(const char *why, char ret[LAZ_WHY_MAX + 1])
{
    const char *id = strrchr(why, '(');
    size_t length = id == NULL || strncmp(id, "(request ", 9) != 0 ? 0 : strlen(id);
    bool is_cut = strlen(why) > LAZ_WHY_MAX && length > 0 && length < LAZ_WHY_MAX / 2;
    size_t room = is_cut ? LAZ_WHY_MAX - length - 1 : LAZ_WHY_MAX;
    (void)snprintf(ret, LAZ_WHY_MAX + 1, "%.*s%s%.*s", (int)room, why, is_cut ? " " : "",
            is_cut ? (int)length : 0, is_cut ? id : "");
}

static void on_item(void *context, uint32_t item, const struct laz_secret_result *result)
{
    static const enum laz_outcome outcomes[] = {[LAZ_SECRET_END_FETCHED] = LAZ_OUTCOME_FETCHED,
            [LAZ_SECRET_END_ABSENT] = LAZ_OUTCOME_ABSENT,
            [LAZ_SECRET_END_FAILED] = LAZ_OUTCOME_FAILED};
    struct laz_fetch *fetch = context;
    char memory[WORDS_MAX];
    char why[LAZ_WHY_MAX + 1];
    struct laz_buf message;
    cut_why(result->why, why);
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_ITEM);
    laz_message_u32(&message, item);
    laz_message_u8(&message, (uint8_t)outcomes[result->end]);
    laz_message_u64(&message, result->renew);
    laz_message_u64(&message, result->expires);
    laz_message_string(&message, result->version);
    laz_message_string(&message, result->fingerprint);
    laz_message_string(&message, why);
    say_with(fetch, &message, -1);
    if (result->end == LAZ_SECRET_END_FETCHED) {
        say_file(fetch, LAZ_MESSAGE_VALUE, item, result->fd);
        say_file(fetch, LAZ_MESSAGE_MASKS, item, result->masks);
    }
}

static void on_done(void *context)
{
    struct laz_fetch *fetch = context;
    laz_role_say_only(fetch->ear.chan, LAZ_MESSAGE_DONE);
    fetch->is_done = true;
    (void)event_base_loopbreak(fetch->base); /* what is under way ends first */
}

static void on_failed(void *context, const struct laz_err *err)
{
    const struct laz_fetch *fetch = context;
    laz_role_fail(fetch->ear.chan, err);
}

static void on_orders(evutil_socket_t fd, short what, void *context)
{
    struct laz_fetch *fetch = context;
    (void)fd;
    (void)what;
    if (!laz_role_read_orders(&fetch->ear)) {
        _exit(0); /* init has gone */
    }
}

/* ---- its life ---- */

/* Will libcrypto have a private key? */
static bool reads_keys(const struct laz_fetch_config *config)
{
    bool does = config->n_identities > 0;
    for (uint32_t i = 0; i < config->n_items; i++) {
        does = does || config->items[i].form == LAZ_SECRET_FORM_PEM;
    }
    return does;
}

static int begin(struct laz_fetch *fetch, struct laz_err *err)
{
    struct laz_fetch_left left = {.token_folder = -1};
    const struct laz_gather_owner owner = {
            .item = on_item, .done = on_done, .failed = on_failed, .context = fetch};
    if (!fetch->has_config || !fetch->has_key || fetch->wanted == 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "orders are missing");
    }
    if (reads_keys(&fetch->config) && !laz_secret_lock_keys(0)) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for keys");
    }
    open_all(fetch, &left);
    if (laz_fetch_narrow(&left, err) < 0) {
        return -1;
    }
    const struct laz_secret_means means = {.config = &fetch->config,
            .environment = &fetch->environment,
            .ca = fetch->config.ca,
            .files = &fetch->files,
            .no_ca = fetch->no_files,
            .given = fetch->given,
            .wanted = fetch->wanted,
            .asked = fetch->asked,
            .is_whole = fetch->is_whole,
            .wait_ms = fetch->wait_ms,
            .key = fetch->key,
            .vault_ca = fetch->config.vault.ca,
            .vault_files = &fetch->vault_files,
            .no_vault_ca = fetch->no_vault_files,
            .vault_token = fetch->vault_token,
            .identity_cas = fetch->identity_cas};
    fetch->orders_event =
            event_new(fetch->base, fetch->ear.chan, EV_READ | EV_PERSIST, on_orders, fetch);
    if (fetch->orders_event == NULL || event_add(fetch->orders_event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return laz_gather_new(fetch->base, &means, &owner, &fetch->gather, err);
}

_Noreturn void laz_role_fetch(int chan)
{
    struct laz_err err = {0};
    enum laz_fips_state fips = LAZ_FIPS_UNASKED;
    struct laz_fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL) {
        _exit(1);
    }
    fetch->ear = (struct laz_role_ear){
            .chan = chan, .role = LAZ_ROLE_FETCH, .take = take_order, .context = fetch};
    fetch->files = (struct laz_tls_files){.ca = -1, .cert = -1, .key = -1};
    fetch->vault_files = fetch->files;
    fetch->vault_token.fd = -1;
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX; i++) {
        fetch->given[i].fd = -1;
    }
    for (uint32_t i = 0; i < LAZ_FETCH_IDENTITIES_MAX; i++) {
        fetch->identity_cas[i].fd = -1;
    }
    if (!laz_secret_wipe_libraries()) {
        (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "libcrypto has begun already");
        laz_role_fail(chan, &err);
    }
    laz_role_await_orders(&fetch->ear, &fetch->has_begun);
    fetch->base = event_base_new();
    if (fetch->base == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no event loop");
        laz_role_fail(chan, &err);
    }
    if (laz_role_begin_crypto(fetch->config.tls_fips, &fips, &err) < 0 || begin(fetch, &err) < 0) {
        laz_role_fail(chan, &err);
    }
    laz_role_say_ready(chan, fips);
    laz_gather_start(fetch->gather);
    if (!fetch->is_done) { /* a loop forgets what it was told before it began */
        (void)event_base_dispatch(fetch->base);
    }
    laz_gather_free(fetch->gather);
    _exit(0);
}
