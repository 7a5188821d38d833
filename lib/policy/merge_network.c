/* SPDX-License-Identifier: Apache-2.0
 *
 * network: ports for Landlock, and socket families as guards on the system calls that make sockets.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "policy/image.h"
#include "policy/merge.h"

#define GUARD_VALUES_MAX 3 /* values of one condition of a guard */
#define PROTOCOL_TCP     6
#define PROTOCOL_MPTCP   262

enum argument {
    DOMAIN,
    TYPE,
    PROTOCOL
}; /* of socket and socketpair */

/* ---- Merging ---- */

static void merge_families(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_node *remove = document->at[LAZ_FIELD_NETWORK_REMOVE];
    struct laz_node *add = document->at[LAZ_FIELD_NETWORK_FAMILIES];
    for (struct laz_node *node = laz_check_item(remove, NULL); node != NULL;
            node = laz_check_item(remove, node)) {
        uint64_t bit = UINT64_C(1) << node->number;
        if ((merge->families & bit) == 0) {
            laz_report_warning(merge->report, node, "no extended policy has this family");
        }
        merge->families &= ~bit;
    }
    for (struct laz_node *node = laz_check_item(add, NULL); node != NULL;
            node = laz_check_item(add, node)) {
        merge->families |= UINT64_C(1) << node->number;
        merge->family_pos[node->number] = node->pos;
    }
}

bool laz_ports_add(
        struct laz_arena *arena, struct laz_port_list *ports, uint16_t port, struct laz_pos pos)
{
    size_t slot = 0;
    while (slot < ports->n && ports->ports[slot] < port) {
        slot++;
    }
    if (slot < ports->n && ports->ports[slot] == port) {
        return true;
    }
    size_t n = ports->n;
    if (laz_arena_append(arena, &ports->ports, &ports->n, sizeof(*ports->ports)) == NULL ||
            laz_arena_append(arena, &ports->pos, &n, sizeof(*ports->pos)) == NULL) {
        ports->n = 0; /* the load fails for want of memory */
        return false;
    }
    (void)memmove(
            &ports->ports[slot + 1], &ports->ports[slot], (n - 1 - slot) * sizeof(*ports->ports));
    (void)memmove(&ports->pos[slot + 1], &ports->pos[slot], (n - 1 - slot) * sizeof(*ports->pos));
    ports->ports[slot] = port;
    ports->pos[slot] = pos;
    return true;
}

bool laz_ports_have(const struct laz_port_list *ports, uint16_t port)
{
    size_t i = 0;
    while (i < ports->n && ports->ports[i] != port) {
        i++;
    }
    return i < ports->n;
}

void laz_merge_ports(
        struct laz_merge *merge, struct laz_node *list, struct laz_port_list *ports, size_t max)
{
    if (list != NULL && list->is_word) {
        ports->any = true;
        ports->any_pos = list->pos;
    } else if (laz_check_item(list, NULL) != NULL && ports->any) {
        char where[LAZ_DIAGNOSTIC_FILE_MAX];
        laz_policy_pos_format(merge->policy, ports->any_pos, where, sizeof(where));
        laz_report_warning(merge->report, list,
                "changes nothing: lists add up, and %s says \"any\"; take that out there, or "
                "extend "
                "another policy",
                where);
    }
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        uint16_t port = (uint16_t)node->number;
        if (ports->n == max && !laz_ports_have(ports, port)) {
            laz_report_node(
                    merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %zu ports", max);
            return;
        }
        if (!laz_ports_add(merge->arena, ports, port, node->pos)) {
            return;
        }
    }
}

void laz_merge_network(struct laz_merge *merge, struct laz_document *document)
{
    merge_families(merge, document);
    laz_merge_ports(merge, document->at[LAZ_FIELD_NETWORK_TCP_BIND], &merge->policy->tcp_bind,
            LAZ_IMAGE_PORTS_MAX);
    laz_merge_ports(merge, document->at[LAZ_FIELD_NETWORK_TCP_CONNECT], &merge->policy->tcp_connect,
            LAZ_IMAGE_PORTS_MAX);
}

/* ---- Guards ---- */

/* A guard clause that lets through what its conditions describe. */
struct guard {
    struct laz_merge *merge;
    const struct laz_syscall *call;
    struct laz_clause clause;
};

static void begin(struct guard *guard, struct laz_pos pos)
{
    guard->clause = (struct laz_clause){.verdict = {.action = LAZ_ACTION_ALLOW, .pos = pos}};
}

static void add_values(
        struct guard *guard, enum argument arg, uint64_t mask, const uint64_t *values, size_t n)
{
    uint64_t copy[GUARD_VALUES_MAX];
    (void)memcpy(copy, values, n * sizeof(copy[0]));
    const struct laz_cond condition = {
            .arg = (uint8_t)arg, .mask = mask, .n_values = n, .values = copy};
    (void)laz_clause_add(guard->merge->arena, &guard->clause, guard->call, &condition);
}

static void end(struct guard *guard)
{
    struct laz_decision *decision =
            &guard->merge->policy->decisions[laz_syscall_index(guard->call)];
    struct laz_clause *clause = laz_arena_append(
            guard->merge->arena, &decision->guard.items, &decision->guard.n, sizeof(*clause));
    if (clause != NULL) {
        *clause = guard->clause;
    }
}

/* inet and inet6: TCP, where Landlock's port rules apply, and datagrams. SCTP, SMC and, unless it
 * is allowed, MPTCP are streams too, and Landlock does not see them. */
static void guard_internet(
        struct guard *guard, const uint64_t *domains, size_t n, struct laz_pos pos)
{
    bool multipath = guard->merge->policy->multipath_tcp;
    const uint64_t stream[] = {SOCK_STREAM};
    const uint64_t protocols[] = {0, PROTOCOL_TCP, PROTOCOL_MPTCP};
    begin(guard, pos);
    add_values(guard, DOMAIN, UINT32_MAX, domains, n);
    add_values(guard, TYPE, LAZ_SOCKET_TYPE_MASK, stream, 1);
    add_values(guard, PROTOCOL, UINT32_MAX, protocols, multipath ? 3 : 2);
    end(guard);
    const uint64_t others[] = {SOCK_DGRAM, SOCK_RAW};
    begin(guard, pos);
    add_values(guard, DOMAIN, UINT32_MAX, domains, n);
    add_values(guard, TYPE, LAZ_SOCKET_TYPE_MASK, others, guard->merge->policy->raw ? 2 : 1);
    end(guard);
}

static void guard_family(
        struct guard *guard, const struct laz_socket_family *family, struct laz_pos pos)
{
    const uint64_t domain[] = {(uint64_t)family->family};
    const uint64_t protocol[] = {(uint64_t)family->protocol};
    begin(guard, pos);
    add_values(guard, DOMAIN, UINT32_MAX, domain, 1);
    if (family->protocol >= 0) {
        add_values(guard, PROTOCOL, UINT32_MAX, protocol, 1);
    }
    end(guard);
}

static bool has_family(const struct laz_merge *merge, int family, struct laz_pos *ret_pos)
{
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        if ((merge->families >> i & 1) != 0 && laz_socket_family_at(i)->family == family) {
            *ret_pos = merge->family_pos[i];
            return true;
        }
    }
    return false;
}

static bool can_be_allowed(const struct laz_decision *decision)
{
    return decision->allow.n > 0 || !laz_verdict_refuses(decision->base);
}

/* No family is left for this call: an empty guard would mean "any". */
static void refuse_all(struct laz_decision *decision)
{
    decision->base = decision->otherwise;
    decision->allow = (struct laz_clauses){0};
}

static void guard_socket(struct laz_merge *merge)
{
    struct guard guard = {.merge = merge, .call = laz_syscall_by_name("socket", strlen("socket"))};
    struct laz_decision *decision = &merge->policy->decisions[laz_syscall_index(guard.call)];
    if (!can_be_allowed(decision)) {
        return;
    }
    uint64_t internet[2];
    size_t n_internet = 0;
    struct laz_pos pos = {0};
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        const struct laz_socket_family *family = laz_socket_family_at(i);
        if ((merge->families >> i & 1) == 0) {
            continue;
        }
        if (family->family == AF_INET || family->family == AF_INET6) {
            internet[n_internet++] = (uint64_t)family->family;
            /* One clause for both: the position is the one nearer to the named file. */
            bool is_nearer = n_internet == 1 || merge->family_pos[i].file < pos.file;
            pos = is_nearer ? merge->family_pos[i] : pos;
        } else {
            guard_family(&guard, family, merge->family_pos[i]);
        }
    }
    if (n_internet > 0) {
        guard_internet(&guard, internet, n_internet, pos);
    }
    if (decision->guard.n == 0) {
        refuse_all(decision);
    }
}

static void guard_socketpair(struct laz_merge *merge)
{
    static const struct laz_socket_family local = {.family = AF_UNIX, .protocol = -1};
    struct guard guard = {
            .merge = merge, .call = laz_syscall_by_name("socketpair", strlen("socketpair"))};
    struct laz_decision *decision = &merge->policy->decisions[laz_syscall_index(guard.call)];
    struct laz_pos pos = {0};
    if (!can_be_allowed(decision)) {
        return;
    }
    if (has_family(merge, AF_UNIX, &pos)) {
        guard_family(&guard, &local, pos);
    } else {
        refuse_all(decision);
    }
}

/* MSG_FASTOPEN connects inside send: Landlock's connect rule never sees it. */
static void refuse_fast_open(struct laz_merge *merge, const char *name)
{
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    struct laz_decision *decision = &merge->policy->decisions[laz_syscall_index(call)];
    int arg = laz_syscall_arg_by_name(call, "flags", strlen("flags"));
    if (!can_be_allowed(decision) || arg < 0) {
        return;
    }
    uint64_t zero[] = {0};
    struct laz_clause clause = {.verdict = decision->otherwise};
    clause.verdict.pos = merge->policy->key_pos[LAZ_FIELD_NETWORK_FAST_OPEN];
    const struct laz_cond condition = {.arg = (uint8_t)arg,
            .mask = MSG_FASTOPEN,
            .negate = true,
            .n_values = 1,
            .values = zero};
    if (laz_clause_add(merge->arena, &clause, call, &condition)) {
        laz_clauses_insert(merge->arena, &decision->refuse, &clause);
    }
}

/* "any" is what grants, wherever a list was said after it. */
static void blame_any(
        struct laz_policy *policy, const struct laz_port_list *ports, enum laz_field_id id)
{
    if (ports->any) {
        policy->key_pos[id] = ports->any_pos;
    }
}

void laz_finish_network(struct laz_merge *merge)
{
    blame_any(merge->policy, &merge->policy->tcp_bind, LAZ_FIELD_NETWORK_TCP_BIND);
    blame_any(merge->policy, &merge->policy->tcp_connect, LAZ_FIELD_NETWORK_TCP_CONNECT);
    guard_socket(merge);
    guard_socketpair(merge);
    if (!merge->policy->fast_open) {
        refuse_fast_open(merge, "sendto");
        refuse_fast_open(merge, "sendmsg");
        refuse_fast_open(merge, "sendmmsg");
    }
}
