/* SPDX-License-Identifier: Apache-2.0
 *
 * The small vocabularies: capabilities, errnos, signals, limits and socket families. Lookups over
 * names.def and core/errno.def, nothing else; matching is exact, but for an optional CAP_ or SIG.
 */
#include "policy/tables/names.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "policy/tables/tables.h"

static const struct laz_name capabilities[] = {
#define LAZ_CAPABILITY(name, value) {name, value},
#include "policy/tables/names.def"
};

static const struct laz_name errnos[] = {
#define LAZ_ERRNO(name) {#name, name},
#include "core/errno.def"
#undef LAZ_ERRNO
#define LAZ_ERRNO_ALIAS(name, canonical) {name, canonical},
#include "policy/tables/names.def"
};

static const char *const errno_aliases[] = {
#define LAZ_ERRNO_ALIAS(name, canonical) name,
#include "policy/tables/names.def"
};

static const struct laz_name signals[] = {
#define LAZ_SIGNAL(name, value) {name, value},
#include "policy/tables/names.def"
};

static const struct laz_name rlimits[] = {
#define LAZ_RLIMIT(name, constant, value) {name, value},
#include "policy/tables/names.def"
};

static const struct laz_socket_family families[] = {
#define LAZ_SOCKET_FAMILY(name, family, protocol) {name, family, protocol},
#include "policy/tables/names.def"
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct laz_name_table tables[] = {
        [LAZ_NAMES_CAPABILITY] = {capabilities, COUNT(capabilities), sizeof("CAP_") - 1},
        [LAZ_NAMES_ERRNO] = {errnos, COUNT(errnos), 0},
        [LAZ_NAMES_SIGNAL] = {signals, COUNT(signals), sizeof("SIG") - 1},
        [LAZ_NAMES_RLIMIT] = {rlimits, COUNT(rlimits), 0},
};

const struct laz_name_table *laz_name_table(enum laz_names which)
{
    assert((size_t)which < COUNT(tables) && tables[which].names);
    return &tables[which];
}

static int value_of(const struct laz_name_table *table, const char *name, size_t len)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *full = table->names[i].name;
        const char *brief = full + table->prefix;
        if ((strncmp(full, name, len) == 0 && full[len] == '\0') ||
                (strncmp(brief, name, len) == 0 && brief[len] == '\0')) {
            return table->names[i].value;
        }
    }
    return -1;
}

static const char *name_of(const struct laz_name_table *table, int value)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->names[i].value == value) {
            return table->names[i].name;
        }
    }
    return NULL;
}

int laz_capability_by_name(const char *name, size_t len)
{
    return value_of(&tables[LAZ_NAMES_CAPABILITY], name, len);
}

const char *laz_capability_name(int capability)
{
    return name_of(&tables[LAZ_NAMES_CAPABILITY], capability);
}

int laz_errno_by_name(const char *name, size_t len)
{
    return value_of(&tables[LAZ_NAMES_ERRNO], name, len);
}

const char *laz_errno_alias_at(size_t i)
{
    return i < COUNT(errno_aliases) ? errno_aliases[i] : NULL;
}

const char *laz_errno_name(int number)
{
    return name_of(&tables[LAZ_NAMES_ERRNO], number);
}

int laz_signal_by_name(const char *name, size_t len)
{
    return value_of(&tables[LAZ_NAMES_SIGNAL], name, len);
}

const char *laz_signal_name(int number)
{
    return name_of(&tables[LAZ_NAMES_SIGNAL], number);
}

int laz_rlimit_by_name(const char *name, size_t len)
{
    return value_of(&tables[LAZ_NAMES_RLIMIT], name, len);
}

const char *laz_rlimit_name(int resource)
{
    return name_of(&tables[LAZ_NAMES_RLIMIT], resource);
}

const struct laz_socket_family *laz_socket_family_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT(families); i++) {
        if (strncmp(families[i].name, name, len) == 0 && families[i].name[len] == '\0') {
            return &families[i];
        }
    }
    return NULL;
}

const struct laz_socket_family *laz_socket_family_by_value(int family, int protocol)
{
    /* The narrow entries stand before the wide one. */
    for (size_t i = 0; i < COUNT(families); i++) {
        const struct laz_socket_family *entry = &families[i];
        if (entry->family == family && (entry->protocol < 0 || entry->protocol == protocol)) {
            return entry;
        }
    }
    return NULL;
}

size_t laz_socket_family_count(void)
{
    return COUNT(families);
}

const struct laz_socket_family *laz_socket_family_at(size_t i)
{
    assert(i < COUNT(families));
    return &families[i];
}
