/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between init and its own processes: one catalogue (msg.def), one header, fields
 * written one by one. libc only: linked into PID 1, which trusts none of it.
 */
#ifndef LAZ_IPC_MSG_H
#define LAZ_IPC_MSG_H

#include "core/buf.h"

#define LAZ_MESSAGE_MAX     16384 /* bytes, header included */
#define LAZ_MESSAGE_FDS_MAX 2
#define LAZ_MESSAGE_HEADER  8 /* u16 type, u16 zero, u32 length of the fields; little-endian */

/* X(ENUM, "what ps and the records call it") */
#define LAZ_ROLES(X)                                                                               \
    X(INIT, "init")                                                                                \
    X(LAUNCH, "launch")                                                                            \
    X(SHIP, "ship")                                                                                \
    X(SENSE, "sense")                                                                              \
    X(FETCH, "fetch")                                                                              \
    X(TUNNEL, "tunnel")                                                                            \
    X(HEALTH, "health")

enum laz_role {
#define X(id, name) LAZ_ROLE_##id,
    LAZ_ROLES(X)
#undef X
    LAZ_ROLE_COUNT
};

/* Sets of roles, for msg.def: bit n is enum value n. */
enum laz_roles {
#define X(id, name) LAZ_ROLES_##id = 1 << LAZ_ROLE_##id,
    LAZ_ROLES(X)
#undef X
    LAZ_ROLES_HELPER = LAZ_ROLES_SHIP | LAZ_ROLES_SENSE | LAZ_ROLES_FETCH | LAZ_ROLES_TUNNEL
            | LAZ_ROLES_HEALTH,
    LAZ_ROLES_SERVER = LAZ_ROLES_TUNNEL | LAZ_ROLES_HEALTH, /* who is connected to */
    LAZ_ROLES_TELLER = LAZ_ROLES_SHIP | LAZ_ROLES_HEALTH,   /* who says which policy holds */
    /* Who is told of variables: those that may speak to AWS, and health. */
    LAZ_ROLES_VARIED = LAZ_ROLES_SHIP | LAZ_ROLES_FETCH | LAZ_ROLES_HEALTH
};

const char *laz_role_name(enum laz_role role);

/* What `ship` and `fetch` get of the container's environment: what leads to the task's credentials
 * and region, and to who the task is; nothing else, ever. */
#define LAZ_VARIABLES(X)                                                                           \
    X(CREDENTIALS_RELATIVE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")                              \
    X(CREDENTIALS_FULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI")                                      \
    X(AUTHORIZATION, "AWS_CONTAINER_AUTHORIZATION_TOKEN")                                          \
    X(AUTHORIZATION_FILE, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")                                \
    X(IMDS_DISABLED, "AWS_EC2_METADATA_DISABLED")                                                  \
    X(REGION, "AWS_REGION")                                                                        \
    X(DEFAULT_REGION, "AWS_DEFAULT_REGION")                                                        \
    X(ECS_METADATA, "ECS_CONTAINER_METADATA_URI")                                                  \
    X(ECS_METADATA_V4, "ECS_CONTAINER_METADATA_URI_V4")

#define LAZ_VARIABLE_MAX 2048 /* bytes of a value */

#define LAZ_FINGERPRINT_KEY_SIZE 32 /* bytes of what KEY brings */
/* Of each item: the last three, for a log may still show what was there before; and, at the end,
 * the first, which a descriptor keeps for as long as the workload runs. */
#define LAZ_MASKS_KEPT 4
#define LAZ_WHY_MAX    255 /* bytes of why an item was not fetched */

enum laz_variable {
#define X(id, name) LAZ_VARIABLE_##id,
    LAZ_VARIABLES(X)
#undef X
    LAZ_VARIABLE_COUNT,
    /* What health gets, and nothing else of them: those that the policy names. */
    LAZ_VARIABLE_COLOR = LAZ_VARIABLE_COUNT,
    LAZ_VARIABLE_VERSION
};

/* Of those that have one here. */
const char *laz_variable_name(enum laz_variable variable);

/* Bytes of such a value: no more of it is passed on. */
#define LAZ_COLOR_MAX 64

/* The sockets of health: init makes the first two, and keeps the third, which health makes. */
enum laz_health_socket {
    LAZ_HEALTH_SOCKET_PROBE, /* SOCK_SEQPACKET: a byte asks, a packet answers */
    LAZ_HEALTH_SOCKET_HTTP,  /* SOCK_STREAM */
    LAZ_HEALTH_SOCKET_TCP,   /* where the policy has health.listen */
    LAZ_HEALTH_SOCKET_COUNT
};

#define LAZ_GAUGES_MAX         4096 /* bytes of JSON */
#define LAZ_HEALTH_WORDS_MAX   200  /* bytes of what health says of why */
#define LAZ_HEALTH_COMMAND_MAX 8    /* commands that are checks */

/* What came of fetching one secret. */
enum laz_outcome {
    LAZ_OUTCOME_FETCHED,
    LAZ_OUTCOME_ABSENT, /* and optional */
    LAZ_OUTCOME_FAILED, /* only where each is for itself; the one from before stays */
    LAZ_OUTCOME_COUNT
};

enum laz_message_type {
#define LAZ_MESSAGE(id, from, to, fds, says) LAZ_MESSAGE_##id,
#include "ipc/msg.def"
#undef LAZ_MESSAGE
    LAZ_MESSAGE_COUNT
};

/* The streams that `ship` reads. A spool that is older knows them by these numbers. */
enum laz_stream {
    LAZ_STREAM_EVENTS, /* lines of init's own: core/record.h */
    LAZ_STREAM_STDOUT,
    LAZ_STREAM_STDERR,
    LAZ_STREAM_SENSE, /* lines of sense's */
    LAZ_STREAM_COUNT
};

static inline bool laz_stream_is_workloads(enum laz_stream stream)
{
    return stream == LAZ_STREAM_STDOUT || stream == LAZ_STREAM_STDERR;
}

/* A message that has been received. Descriptors are owned by whoever received it. */
struct laz_message {
    enum laz_message_type type;
    const uint8_t *fields; /* borrowed from the receiver's buffer */
    size_t length;
    size_t n_fds;
    int fds[LAZ_MESSAGE_FDS_MAX];
};

/* Begin a message in `buf`; then its fields; then laz_message_end, false if it did not fit. */
void laz_message_begin(struct laz_buf *buf, enum laz_message_type type);
void laz_message_u8(struct laz_buf *buf, uint8_t value);
void laz_message_u32(struct laz_buf *buf, uint32_t value);
void laz_message_u64(struct laz_buf *buf, uint64_t value);
void laz_message_string(struct laz_buf *buf, const char *text); /* its NUL included */
LAZ_MUST_CHECK bool laz_message_end(struct laz_buf *buf);

/* Who speaks, and to whom. */
struct laz_route {
    enum laz_role from;
    enum laz_role to;
};

/* Is this what the one may say to the other, with so many descriptors? LAZ_E_INTERNAL, with what is
 * wrong. `ret` borrows from `bytes`. */
LAZ_MUST_CHECK int laz_message_parse(const uint8_t *bytes, size_t length, size_t n_fds,
        struct laz_route route, struct laz_message *ret, struct laz_err *err);

/* Read the fields in order. After the first that is not there, all fail; laz_fields_done is false
 * then, and where bytes are left over. */
struct laz_fields {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void laz_fields_begin(struct laz_fields *fields, const struct laz_message *message);
uint8_t laz_fields_u8(struct laz_fields *fields);
uint32_t laz_fields_u32(struct laz_fields *fields);
uint64_t laz_fields_u64(struct laz_fields *fields);
const char *laz_fields_string(struct laz_fields *fields); /* "" where there is none */
LAZ_MUST_CHECK bool laz_fields_done(const struct laz_fields *fields);

#endif
