/* SPDX-License-Identifier: Apache-2.0
 *
 * What is under a path: which mount, which device, and whether what is written there is encrypted
 * on its way to a disk. Looks at a table of mounts and at sysfs, wherever they are; never at the
 * data. What the kernel does not show (an encrypted EBS volume, say) is unknown.
 */
#ifndef LAZ_SENSE_VOLUME_H
#define LAZ_SENSE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/sense.h"

#define LAZ_MOUNTS_MAX      262144 /* bytes of a table of mounts */
#define LAZ_VOLUME_WORD_MAX 64     /* bytes of a file system's name, and of a device's */

/* X(ENUM, "what events call it", "what it is") */
#define LAZ_VOLUME_STATES(X)                                                                       \
    X(MEMORY, "memory", "it is in memory")                                                         \
    X(ENCRYPTED, "encrypted", "dm-crypt is under it")                                              \
    X(ATTESTED, "attested", "the policy says who encrypts it")                                     \
    X(UNKNOWN, "unknown", "nothing shows that it is encrypted")                                    \
    X(CLEAR, "clear", "it goes over the network in the clear")                                     \
    X(LAYER, "not-mounted", "nothing is mounted there: it is in the container's own layer")        \
    X(OTHER, "other", "it is another volume than the policy names")                                \
    X(ABSENT, "absent", "it is not there")

enum laz_volume_state {
#define X(id, word, text) LAZ_VOLUME_##id,
    LAZ_VOLUME_STATES(X)
#undef X
    LAZ_VOLUME_STATE_COUNT
};

/* Of one line of the table. Texts are cut, and blanks in them written as the kernel does. */
struct laz_mount {
    uint64_t id;
    uint32_t major;
    uint32_t minor;
    char type[LAZ_VOLUME_WORD_MAX];
    char source[LAZ_VOLUME_WORD_MAX];
    bool is_root;    /* what "/" is on */
    bool is_private; /* a network's file system whose options say that it is encrypted, or on no
                        network */
};

struct laz_volume_seen {
    enum laz_volume_state state;
    struct laz_mount mount;
};

/* The mount that a path without links is on, from /proc/PID/mountinfo; false: there is none. */
bool laz_mount_find(const char *table, size_t length, const char *path, struct laz_mount *ret);

/* Is all that is written to the device encrypted by dm-crypt? `sys` is the folder /sys. */
bool laz_device_is_encrypted(int sys, uint32_t major, uint32_t minor);

/* The serial number of the disk; "" if it has none. */
void laz_device_serial(int sys, uint32_t major, uint32_t minor, char *ret, size_t size);

/* What `volume` is on, by the table and sysfs. */
void laz_volume_look(const struct laz_sense_volume *volume, const char *table, size_t length,
        int sys, struct laz_volume_seen *ret);

/* Is that as good as the policy requires? */
bool laz_volume_is_good(const struct laz_sense_volume *volume, enum laz_volume_state state);

const char *laz_volume_state_name(enum laz_volume_state state); /* static */
const char *laz_volume_state_text(enum laz_volume_state state); /* static; a clause */

#endif
