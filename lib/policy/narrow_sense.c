/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching is no permission, but what a sealed policy watches stays watched: no detector weaker,
 * nothing looked at less often, nothing more allowed or excepted. Paths and detectors of its own a
 * child cannot lose: they add up.
 */
#include "policy/merge.h"
#include "policy/narrow.h"

static bool note(const struct laz_comparison *comparison, const char *key, const char *value)
{
    struct laz_widening *found = comparison->found;
    char path[LAZ_NAME_LENGTH_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "sense.%s", key);
    (void)laz_comparison_note(comparison, path, value);
    if (found->parent_pos.line == 0) {
        found->parent_pos = laz_policy_pos_of(comparison->parent, "sense");
    }
    found->is_less = true;
    return true;
}

static bool find_in_levels(const struct laz_comparison *comparison)
{
    const struct laz_sense_config *child = &comparison->child->sensing.config;
    const struct laz_sense_config *parent = &comparison->parent->sensing.config;
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        if (child->level[i] > parent->level[i]) { /* from required to disabled */
            return note(comparison, laz_detector_name((enum laz_detector)i),
                    laz_level_name(child->level[i]));
        }
    }
    return false;
}

static bool find_in_times(const struct laz_comparison *comparison)
{
    const struct laz_sense_config *child = &comparison->child->sensing.config;
    const struct laz_sense_config *parent = &comparison->parent->sensing.config;
    const struct {
        const char *key;
        uint32_t child_ms;
        uint32_t parent_ms;
    } times[] = {{"interval", child->interval_ms, parent->interval_ms},
            {"files.rehash", child->rehash_ms, parent->rehash_ms}};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (times[i].child_ms > times[i].parent_ms) {
            char text[LAZ_NAME_LENGTH_MAX];
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, text, sizeof(text));
            laz_buf_printf(&buf, "%ums", times[i].child_ms);
            return note(comparison, times[i].key, text);
        }
    }
    return false;
}

/* Something that the child's list has and the parent's does not. */
static bool adds_text(const struct laz_comparison *comparison, const char *key,
        const struct laz_string_list *child, const struct laz_string_list *parent)
{
    for (size_t i = 0; i < child->n; i++) {
        if (!laz_string_list_has(parent, child->items[i])) {
            (void)note(comparison, key, child->items[i]);
            comparison->found->child_pos = child->pos[i];
            comparison->found->is_less = false;
            return true;
        }
    }
    return false;
}

/* What the child does not want to hear of, of what the parent watches: a part of it, or all, by a
 * folder above. */
static bool adds_exception(const struct laz_comparison *comparison)
{
    const struct laz_sensing *child = &comparison->child->sensing;
    const struct laz_sensing *parent = &comparison->parent->sensing;
    for (size_t i = 0; i < child->except.n; i++) {
        bool was_watched = false;
        for (size_t k = 0; k < parent->watch.n; k++) {
            was_watched = was_watched ||
                    laz_path_is_at_or_below(child->except.items[i], parent->watch.items[k]) ||
                    laz_path_is_at_or_below(parent->watch.items[k], child->except.items[i]);
        }
        for (size_t k = 0; k < parent->except.n; k++) {
            was_watched = was_watched &&
                    !laz_path_is_at_or_below(child->except.items[i], parent->except.items[k]);
        }
        if (was_watched) {
            (void)note(comparison, "files.except", child->except.items[i]);
            comparison->found->child_pos = child->except.pos[i];
            comparison->found->is_less = false;
            return true;
        }
    }
    return false;
}

static bool adds_port(const struct laz_comparison *comparison)
{
    const struct laz_sensing *child = &comparison->child->sensing;
    const struct laz_sense_config *parent = &comparison->parent->sensing.config;
    for (uint32_t i = 0; i < child->n_ports_said; i++) {
        const struct laz_sense_port *port = &child->config.ports[i];
        bool is_there = false;
        for (uint32_t k = 0; k < parent->n_ports; k++) {
            is_there = is_there ||
                    (parent->ports[k].port == port->port &&
                            parent->ports[k].protocol == port->protocol);
        }
        if (!is_there) {
            char text[LAZ_NAME_LENGTH_MAX];
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, text, sizeof(text));
            laz_buf_printf(
                    &buf, "%u/%s", port->port, port->protocol == LAZ_SENSE_UDP ? "udp" : "tcp");
            (void)note(comparison, "listen.allow", text);
            comparison->found->child_pos = child->port_pos[i];
            comparison->found->is_less = false;
            return true;
        }
    }
    return false;
}

bool laz_sense_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    if (!parent->sensing.is_said) {
        return false;
    }
    if (!child->sensing.is_said) {
        (void)note(comparison, "files", "nothing");
        return true;
    }
    for (size_t i = 0; i < parent->sensing.watch.n; i++) { /* only where they are not one file's */
        bool is_watched = false;
        for (size_t k = 0; k < child->sensing.watch.n; k++) {
            is_watched = is_watched ||
                    laz_path_is_at_or_below(
                            parent->sensing.watch.items[i], child->sensing.watch.items[k]);
        }
        if (!is_watched) {
            char text[LAZ_NAME_LENGTH_MAX * 2];
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, text, sizeof(text));
            laz_buf_printf(&buf, "without %s", parent->sensing.watch.items[i]);
            return note(comparison, "files.watch", text);
        }
    }
    return find_in_levels(comparison) || find_in_times(comparison) ||
            adds_text(comparison, "foreign.allow", &child->sensing.foreign,
                    &parent->sensing.foreign) ||
            adds_port(comparison) || adds_exception(comparison);
}
