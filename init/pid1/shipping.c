/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams, and what helpers are told. Makes descriptors and passes them on: never in the data path.
 * libc only.
 */
#include "init/pid1/shipping.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/environment.h"
#include "core/fd.h"
#include "core/num.h"
#include "init/sense/state.h"
#include "init/ship/state.h"

void laz_shipping_init(struct laz_shipping *shipping)
{
    shipping->state = shipping->sense_state = -1;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        shipping->pipes[i][0] = shipping->pipes[i][1] = -1;
        shipping->rings[i] = shipping->outputs[i] = -1;
    }
}

int laz_shipping_events(const struct laz_shipping *shipping)
{
    return shipping->pipes[LAZ_STREAM_EVENTS][1];
}

/* ---- what is made once ---- */

static int memory_file(const char *name, off_t size, struct laz_err *err)
{
    /* Larger, it would fill the container's memory; smaller, it would kill whoever maps it. */
    const unsigned seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0) {
        (void)laz_err_set_errno(err, LAZ_E_SYSTEM, name);
        laz_fd_close(&fd);
    }
    return fd;
}

/* The workload's own name for it must work too: programs open /dev/stdout. It may write there, by
 * whatever user it becomes, and not read what is on its way; if the pipe were its own, it could
 * change that. */
static int make_pipe(enum laz_stream stream, int ret[2])
{
    if (pipe2(ret, O_CLOEXEC) < 0) {
        return -1;
    }
    return laz_stream_is_workloads(stream) ? fchmod(ret[1], S_IWUSR | S_IWGRP | S_IWOTH) : 0;
}

static int make_stream(struct laz_shipping *shipping, enum laz_stream stream, struct laz_err *err)
{
    int *pipe_fds = shipping->pipes[stream];
    if (make_pipe(stream, pipe_fds) < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "pipe");
    }
    if (!laz_stream_is_workloads(stream)) {
        /* whatever is done to its other end does not hold the writer */
        (void)fcntl(pipe_fds[1], F_SETFL, O_WRONLY | O_NONBLOCK);
    }
    if (stream != LAZ_STREAM_SENSE) {
        /* As much as is granted: beyond a share for each user, the kernel refuses. */
        (void)fcntl(pipe_fds[1], F_SETPIPE_SZ, (int)shipping->image->pipe_bytes);
        int granted = fcntl(pipe_fds[1], F_GETPIPE_SZ);
        shipping->pipe_bytes = granted > 0 ? (uint32_t)granted : 0;
    }
    shipping->rings[stream] = memory_file("lazaret-ring", LAZ_RING_SIZE, err);
    return shipping->rings[stream] < 0 ? -1 : 0;
}

static int capture(struct laz_shipping *shipping, struct laz_err *err)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        enum laz_stream stream = fd == STDOUT_FILENO ? LAZ_STREAM_STDOUT : LAZ_STREAM_STDERR;
        if (make_stream(shipping, stream, err) < 0) {
            return -1;
        }
        if (dup2(shipping->pipes[stream][1], fd) < 0) { /* meant to be inherited */
            return laz_err_set_errno(err, LAZ_E_SYSTEM, "dup2");
        }
        laz_fd_close(&shipping->pipes[stream][1]);
    }
    shipping->captures = true;
    return 0;
}

static int keep_outputs(struct laz_shipping *shipping, struct laz_err *err)
{
    shipping->outputs[LAZ_STREAM_STDOUT] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    shipping->outputs[LAZ_STREAM_STDERR] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (shipping->outputs[LAZ_STREAM_STDOUT] < 0 || shipping->outputs[LAZ_STREAM_STDERR] < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "dup");
    }
    return 0;
}

int laz_shipping_begin(
        struct laz_shipping *shipping, const struct laz_image *image, struct laz_err *err)
{
    shipping->image = image;
    shipping->state = memory_file("lazaret-ship", LAZ_SHIP_STATE_SIZE, err);
    if (shipping->state < 0 || keep_outputs(shipping, err) < 0 ||
            make_stream(shipping, LAZ_STREAM_EVENTS, err) < 0) {
        return -1;
    }
    if (image->sense_length > 0) {
        shipping->sense_state = memory_file("lazaret-sense", LAZ_SENSE_STATE_SIZE, err);
        if (shipping->sense_state < 0 || make_stream(shipping, LAZ_STREAM_SENSE, err) < 0) {
            return -1;
        }
    }
    /* At a terminal sits a person: programs ask whether it is one, and it stays theirs. */
    bool captures = image->capture && isatty(STDOUT_FILENO) == 0;
    return captures ? capture(shipping, err) : 0;
}

void laz_shipping_part(struct laz_shipping *shipping)
{
    if (shipping->captures) {
        (void)dup2(shipping->outputs[LAZ_STREAM_STDERR], STDERR_FILENO);
        (void)close(STDOUT_FILENO);
    }
}

void laz_shipping_keep_variables(struct laz_shipping *shipping, char *const *environment)
{
    for (unsigned i = 0; i < LAZ_VARIABLE_COUNT; i++) {
        const char *value =
                laz_environment_find(environment, laz_variable_name((enum laz_variable)i));
        if (value != NULL) {
            value = strlen(value) > LAZ_VARIABLE_MAX ? "\n" : value;
            (void)memcpy(shipping->variables[i], value, strlen(value) + 1);
        }
    }
}

void laz_shipping_forget_variables(struct laz_shipping *shipping)
{
    for (unsigned i = 0; i < LAZ_VARIABLE_COUNT; i++) {
        if (shipping->variables[i][0] != '\0') { /* the others have no page yet */
            explicit_bzero(shipping->variables[i], sizeof(shipping->variables[i]));
        }
    }
}

/* ---- what is told ---- */

/* A message under way, to one helper; nothing more is sent after one that did not fit. */
struct talk {
    int chan;
    bool ok;
    struct laz_buf message;
};

static void send_to(struct talk *talk, const int *fds, size_t n_fds)
{
    struct laz_err ignored = {0}; /* the caller ends it */
    talk->ok = talk->ok && laz_message_end(&talk->message) &&
            laz_chan_send(talk->chan, &talk->message, fds, n_fds, &ignored) == 0;
}

static void send_config(struct talk *talk, const uint8_t *section, uint32_t length)
{
    laz_message_begin(&talk->message, LAZ_MESSAGE_CONFIG);
    laz_buf_put(&talk->message, section, length);
    send_to(talk, NULL, 0);
}

static void send_section(struct talk *talk, const uint8_t *section, uint32_t length, int state)
{
    send_config(talk, section, length);
    laz_message_begin(&talk->message, LAZ_MESSAGE_STATE);
    send_to(talk, &state, 1);
}

static void send_facts(struct talk *talk, const struct laz_image *image)
{
    char digest[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(image->source_digest, LAZ_SHA256_SIZE, digest);
    laz_message_begin(&talk->message, LAZ_MESSAGE_FACTS);
    laz_message_string(&talk->message, image->name);
    laz_message_string(&talk->message, digest);
    laz_message_string(&talk->message, image->spool_dir);
    send_to(talk, NULL, 0);
}

static void send_variables(struct talk *talk, const struct laz_shipping *shipping)
{
    for (unsigned i = 0; i < LAZ_VARIABLE_COUNT; i++) {
        if (shipping->variables[i][0] != '\0') {
            laz_message_begin(&talk->message, LAZ_MESSAGE_VARIABLE);
            laz_message_u8(&talk->message, (uint8_t)i);
            laz_message_string(&talk->message, shipping->variables[i]);
            send_to(talk, NULL, 0);
        }
    }
}

static void send_streams(struct talk *talk, const struct laz_shipping *shipping)
{
    for (unsigned i = 0; i < LAZ_STREAM_COUNT; i++) {
        if (shipping->pipes[i][0] >= 0) {
            const int fds[] = {shipping->pipes[i][0], shipping->rings[i]};
            laz_message_begin(&talk->message, LAZ_MESSAGE_STREAM);
            laz_message_u8(&talk->message, (uint8_t)i);
            send_to(talk, fds, 2);
        }
        if (shipping->outputs[i] >= 0) {
            laz_message_begin(&talk->message, LAZ_MESSAGE_OUTPUT);
            laz_message_u8(&talk->message, (uint8_t)i);
            send_to(talk, &shipping->outputs[i], 1);
        }
    }
}

static void send_begin(struct talk *talk)
{
    laz_message_begin(&talk->message, LAZ_MESSAGE_BEGIN);
    send_to(talk, NULL, 0);
}

static void send_hide(struct talk *talk, uint32_t item, int masks)
{
    laz_message_begin(&talk->message, LAZ_MESSAGE_HIDE);
    laz_message_u32(&talk->message, item);
    send_to(talk, &masks, 1);
}

/* The oldest first: of each item the last ones count. */
static unsigned send_masks(struct talk *talk, const struct laz_secrets *secrets)
{
    unsigned n = 0;
    for (uint32_t i = 0; secrets != NULL && i < secrets->image->fetched.n; i++) {
        for (unsigned k = LAZ_MASKS_KEPT; k > 0; k--) {
            int masks = secrets->items[i].masks[k - 1];
            if (masks >= 0) {
                send_hide(talk, i, masks);
                n++;
            }
        }
    }
    return n;
}

bool laz_shipping_tell_ship(const struct laz_shipping *shipping, const struct laz_secrets *secrets,
        int chan, unsigned *ret_masks)
{
    char memory[LAZ_IMAGE_SHIP_MAX + LAZ_MESSAGE_HEADER + 1];
    struct talk talk = {.chan = chan, .ok = true};
    laz_buf_init_fixed(&talk.message, memory, sizeof(memory));
    send_section(&talk, shipping->image->ship, shipping->image->ship_length, shipping->state);
    send_facts(&talk, shipping->image);
    send_variables(&talk, shipping);
    *ret_masks = send_masks(&talk, secrets);
    send_streams(&talk, shipping);
    send_begin(&talk);
    return talk.ok;
}

bool laz_shipping_tell_masks(const struct laz_secrets *secrets, int chan, unsigned *ret_masks)
{
    char memory[64];
    struct talk talk = {.chan = chan, .ok = true};
    laz_buf_init_fixed(&talk.message, memory, sizeof(memory));
    *ret_masks = send_masks(&talk, secrets);
    return talk.ok;
}

bool laz_shipping_tell_hide(int chan, uint32_t item, int masks)
{
    char memory[64];
    struct talk talk = {.chan = chan, .ok = true};
    laz_buf_init_fixed(&talk.message, memory, sizeof(memory));
    send_hide(&talk, item, masks);
    return talk.ok;
}

static void send_want(struct talk *talk, const struct laz_secrets *secrets, uint32_t wait_ms)
{
    bool is_first = secrets->phase == LAZ_SECRETS_FETCHING;
    laz_message_begin(&talk->message, LAZ_MESSAGE_KEY);
    send_to(talk, &secrets->key, 1);
    laz_message_begin(&talk->message, LAZ_MESSAGE_WANT);
    laz_message_u32(&talk->message, secrets->wanted);
    laz_message_u8(&talk->message, is_first);
    laz_message_u32(&talk->message, wait_ms);
    send_to(talk, NULL, 0);
}

bool laz_shipping_tell_fetch(const struct laz_shipping *shipping, const struct laz_secrets *secrets,
        uint32_t wait_ms, int chan)
{
    char memory[LAZ_IMAGE_FETCH_MAX + LAZ_MESSAGE_HEADER + 1];
    struct talk talk = {.chan = chan, .ok = true};
    laz_buf_init_fixed(&talk.message, memory, sizeof(memory));
    send_config(&talk, secrets->image->fetch, secrets->image->fetch_length);
    send_want(&talk, secrets, wait_ms);
    send_variables(&talk, shipping);
    for (uint32_t i = 0; i < secrets->image->inherited.n; i++) {
        if (secrets->inherited[i] >= 0) {
            laz_message_begin(&talk.message, LAZ_MESSAGE_INHERITED);
            laz_message_u32(&talk.message, i);
            send_to(&talk, &secrets->inherited[i], 1);
        }
    }
    send_begin(&talk);
    return talk.ok;
}

bool laz_shipping_tell_sense(const struct laz_shipping *shipping, int chan)
{
    char memory[LAZ_IMAGE_SENSE_MAX + LAZ_MESSAGE_HEADER + 1];
    struct talk talk = {.chan = chan, .ok = true};
    laz_buf_init_fixed(&talk.message, memory, sizeof(memory));
    send_section(
            &talk, shipping->image->sense, shipping->image->sense_length, shipping->sense_state);
    laz_message_begin(&talk.message, LAZ_MESSAGE_EVENTS);
    send_to(&talk, &shipping->pipes[LAZ_STREAM_SENSE][1], 1);
    send_begin(&talk);
    return talk.ok;
}

bool laz_shipping_tell_finish(int chan, int exit_code, uint64_t until_ns)
{
    char memory[64];
    struct talk talk = {.chan = chan, .ok = true};
    laz_buf_init_fixed(&talk.message, memory, sizeof(memory));
    laz_message_begin(&talk.message, LAZ_MESSAGE_FINISH);
    laz_message_u32(&talk.message, (uint32_t)exit_code);
    laz_message_u64(&talk.message, until_ns);
    send_to(&talk, NULL, 0);
    return talk.ok;
}
