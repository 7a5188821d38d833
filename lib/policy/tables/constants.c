/* SPDX-License-Identifier: Apache-2.0
 *
 * Constants by name and by value, within the argument of a system call: lookups over constants.def
 * and names.def. It knows nothing of operators, and does not parse numbers.
 */
#include <assert.h>
#include <string.h>

#include "policy/tables/tables.h"

enum family {
#define LAZ_CONSTANT_FAMILY(family) FAMILY_##family,
#include "policy/tables/constants.def"
    FAMILY_COUNT
};
static_assert(FAMILY_COUNT <= 64, "families no longer fit a word");

#define F(family) (UINT64_C(1) << FAMILY_##family)

static const struct {
    const char *call;
    const char *arg;
    uint64_t families;
} bindings[] = {
#define LAZ_CONSTANT_BINDING(call, arg, families) {#call, #arg, families},
#include "policy/tables/constants.def"
};

static const struct {
    struct laz_constant constant;
    uint8_t family;
} constants[] = {
#define LAZ_CONSTANT(family, name, value) {{#name, UINT64_C(value)}, FAMILY_##family},
#include "policy/tables/constants.def"
#define LAZ_CAPABILITY(name, value)       {{name, value}, FAMILY_CAPABILITY},
#define LAZ_SIGNAL(name, value)           {{name, value}, FAMILY_SIGNAL},
#define LAZ_RLIMIT(name, constant, value) {{constant, value}, FAMILY_RLIMIT},
#include "policy/tables/names.def"
};

#define CONSTANT_COUNT (sizeof(constants) / sizeof(constants[0]))

static uint64_t families_of(const struct laz_syscall *call, unsigned arg)
{
    if (!call) {
        return UINT64_MAX;
    }
    if (arg >= call->n_args) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
        if (strcmp(bindings[i].call, call->name) == 0 &&
                strcmp(bindings[i].arg, call->args[arg].name) == 0) {
            return bindings[i].families;
        }
    }
    return 0;
}

static bool is_of(size_t i, uint64_t families)
{
    return (families >> constants[i].family & 1) != 0;
}

enum laz_constant_found laz_constant_lookup(const struct laz_syscall *call, unsigned arg,
        const char *name, size_t len, uint64_t *ret_value)
{
    for (size_t i = 0; i < CONSTANT_COUNT; i++) {
        const struct laz_constant *constant = &constants[i].constant;
        if (strncmp(constant->name, name, len) == 0 && constant->name[len] == '\0') {
            *ret_value = constant->value;
            return is_of(i, families_of(call, arg)) ? LAZ_CONSTANT_SCOPED : LAZ_CONSTANT_ELSEWHERE;
        }
    }
    return LAZ_CONSTANT_UNKNOWN;
}

const char *laz_constant_name(const struct laz_syscall *call, unsigned arg, uint64_t value)
{
    uint64_t families = families_of(call, arg);
    size_t found = CONSTANT_COUNT;
    for (size_t i = 0; i < CONSTANT_COUNT; i++) {
        if (!is_of(i, families) || constants[i].constant.value != value) {
            continue;
        }
        if (found == CONSTANT_COUNT) {
            found = i;
        } else if (constants[found].family != constants[i].family) {
            return NULL;
        }
    }
    return found < CONSTANT_COUNT ? constants[found].constant.name : NULL;
}

static const char *candidate_at(const void *context, size_t i)
{
    if (i >= CONSTANT_COUNT) {
        return NULL;
    }
    return is_of(i, *(const uint64_t *)context) ? constants[i].constant.name : "";
}

const char *laz_suggest_constant(
        const struct laz_syscall *call, unsigned arg, const char *word, size_t len)
{
    uint64_t families = families_of(call, arg);
    if (families == 0) {
        families = UINT64_MAX;
    }
    return laz_suggest(word, len, candidate_at, &families);
}
