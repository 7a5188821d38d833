/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and variables, which were opened for us before this process could no longer open any.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secret/source.h"
#include "secret/value.h"

struct given {
    struct laz_source source; /* first */
    uint32_t index;
    const struct laz_fetch_item *item;   /* borrowed */
    const struct laz_secret_given *what; /* borrowed */
};

static void fail(const struct given *given, enum laz_secret_fault fault, const char *why)
{
    const struct laz_source_owner *owner = &given->source.owner;
    char text[LAZ_ERR_MESSAGE_MAX];
    (void)snprintf(text, sizeof(text), "%s %.200s: %.200s",
            given->item->source == LAZ_SECRET_FILE ? "file" : "variable", given->item->from, why);
    owner->failed(owner->context, &given->source, fault, text, "");
}

static int read_all(int fd, struct laz_buf *ret, struct laz_err *err)
{
    size_t room = ret->cap - 1; /* a byte more than there may be */
    while (ret->len < room) {
        ssize_t n = pread(fd, ret->data + ret->len, room - ret->len, (off_t)ret->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return laz_err_set(err, LAZ_E_SYSTEM, errno, "read: %s", strerror(errno));
        }
        if (n == 0) {
            break;
        }
        ret->len += (size_t)n;
    }
    return ret->len == room
            ? laz_err_set(err, LAZ_E_SECRET, 0, "more than %d bytes", LAZ_SECRET_SOURCE_MAX)
            : 0;
}

static void say_why_not(const struct given *given)
{
    int sys_errno = given->what->sys_errno;
    if (given->item->source != LAZ_SECRET_FILE) {
        fail(given, LAZ_SECRET_FAULT_ABSENT, "it is not set in the environment");
        return;
    }
    fail(given,
            sys_errno == ENOENT || sys_errno == ENOTDIR ? LAZ_SECRET_FAULT_ABSENT
                                                        : LAZ_SECRET_FAULT_REFUSED,
            given->what->why);
}

static void start(struct laz_source *source)
{
    const struct given *given = (const struct given *)source;
    const struct laz_source_owner *owner = &source->owner;
    struct laz_err err = {0};
    if (given->what->fd < 0) {
        say_why_not(given);
    } else if (read_all(given->what->fd, owner->into, &err) != 0) {
        fail(given, err.kind == LAZ_E_SECRET ? LAZ_SECRET_FAULT_LENGTH : LAZ_SECRET_FAULT_SYSTEM,
                err.message);
    } else {
        owner->given(owner->context, given->index, "", "");
    }
}

static void say(const struct laz_source *source, struct laz_source_said *ret)
{
    (void)source;
    *ret = (struct laz_source_said){.fault = LAZ_SECRET_FAULT_UNAVAILABLE};
}

static void end(struct laz_source *source)
{
    free(source);
}

static const struct laz_source_kind kind = {.start = start, .said = say, .free = end};

int laz_source_new_given(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err)
{
    struct given *given = calloc(1, sizeof(*given));
    if (given == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a source");
    }
    given->source = (struct laz_source){.kind = &kind, .owner = *owner, .items = 1U << item};
    given->index = item;
    given->item = &reach->means.config->items[item];
    given->what = &reach->means.given[item];
    *ret = &given->source;
    return 0;
}
