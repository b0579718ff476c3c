/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistence: a client's new connections go where its template says. A template is a row of `conns`, found in `flows`:
 *
 *	service        protocol  client                  virtual              server
 *	address:port   its own   under the mask, port 0  address, port        address, port
 *	port 21 or 0   its own   the same                address, port 0      address, port 0
 *	mark           0         the same                the mark, port 0     address, port 0
 *
 * Engine sip adds a hash of the Call-ID to the key: 64 bits over the first words of the virtual address. Two calls of one
 * client take each other for the same once in 2^64.
 *
 * Its server is asked for neither weight nor overload. If it is no longer listed, or quiet and expire_quiescent_template
 * says so, the template leads nowhere from then on (CONN_VOID): its key goes, its row waits for its time.
 */
#ifndef BPVS_PERSIST_H
#define BPVS_PERSIST_H

#include "begin.h"
#include "service.h"
#include "sip.h"
#include "template.h"

static __always_inline void template_key(struct flow_key *key, const struct packet *pkt, const struct service *service,
					 const struct plan *plan)
{
	__builtin_memset(key, 0, sizeof(*key));
	for (int i = 0; i < 4; i++)
		key->src.word[i] = pkt->key.src.word[i] & plan->mask.word[i];
	key->dst = service->address;
	key->dport = service->port == bpf_htons(FTP_PORT) ? 0 : service->port;
	key->protocol = service->protocol;
	key->is_template = 1;
	if (plan->flags & PLAN_SIP)
		sip_key(key);
}

/* The server's port for this packet: its own toward the service's own port, else the packet's. */
static __always_inline __be16 persist_port(const struct packet *pkt, const struct service *service,
					   const struct dest *dest)
{
	return service->port && service->port == pkt->key.dport && dest->port ? dest->port : pkt->key.dport;
}

static __always_inline bool template_leads(const struct conn *template)
{
	struct settings *settings = settings_get();
	struct dest *dest = conn_dest(template);

	if (!settings || !dest || !(dest->flags & DEST_LISTED))
		return false;
	return !(settings->vs.expire_quiescent_template && dest->flags & DEST_QUIET);
}

/* It leads nowhere: its key is free for another, once, whoever else tries. */
static __always_inline void template_void(struct conn *template, const struct flow_key *key)
{
	__u32 state = template->state;

	if (state & CONN_TEMPLATE && !(state & CONN_VOID) &&
	    __sync_val_compare_and_swap(&template->state, state, state | CONN_VOID) == state)
		bpf_map_delete_elem(&flows, key);
}

/* Chooses as the template of that key says, which counts the connection from here on; false without a usable one. */
static __noinline bool template_choose(const struct flow_key *key, const struct packet *pkt,
				       const struct service *service, struct choice *choice)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, key);
	struct conn *template;
	__u32 slot, stamp;
	struct dest *dest;

	if (!flow)
		return false;
	slot = flow->slot;
	stamp = flow->stamp >> 1;
	template = bpf_map_lookup_elem(&conns, &slot);
	if (!template || template->stamp != stamp)
		return false;
	if (!template_leads(template)) {
		template_void(template, key);
		return false;
	}
	dest = conn_dest(template);
	if (!dest || !template_join(template, stamp))
		return false;
	choice->control = slot + 1;
	choice->dest = template->dest;
	choice->port = persist_port(pkt, service, dest);
	return true;
}

/* Where the client's template sends the connection; false if it has none that is usable. Not static: verified once. */
__noinline bool persist_find(const struct packet *pkt, const struct service *service, const struct plan *plan,
			     struct choice *choice)
{
	struct flow_key key;

	if (!pkt || !service || !plan || !choice)
		return false;
	template_key(&key, pkt, service, plan);
	return template_choose(&key, pkt, service, choice);
}

static __always_inline void template_fill(struct conn *template, const struct flow_key *key,
					  const struct service *service, const struct dest *dest, __u32 row)
{
	template->client = key->src;
	template->virtual = service->address;
	template->local = key->src;
	template->server = dest->address;
	template->client_port = 0;
	template->virtual_port = key->dport;
	template->local_port = 0;
	template->server_port = key->dport ? dest->port : 0;
	template->protocol = key->protocol;
	template->method = dest->method;
	template->dest = row;
	template->seen = clock_ms(clock_ns());
	template->control = 1;
	template->delta = key->dst.word[0] ^ service->address.word[0];
	template->shift = key->dst.word[1] ^ service->address.word[1];
}

/*
 * Makes the client a template for the server that was chosen. Another CPU may have done so first: then that one's server
 * is the choice. False: no room. Not static: verified once.
 */
__noinline bool persist_make(const struct packet *pkt, const struct service *service, const struct plan *plan,
			     struct choice *choice)
{
	struct flow flow = {};
	struct conn *template;
	struct flow_key key;
	struct dest *dest;
	__u32 row;

	if (!pkt || !service || !plan || !choice)
		return false;
	row = choice->dest;
	dest = bpf_map_lookup_elem(&dests, &row);
	template = dest ? slot_take(&flow.slot) : NULL;
	if (!template)
		return false;
	template_key(&key, pkt, service, plan);
	template_fill(template, &key, service, dest, row);
	conn_template(template)->timeout_s = plan->timeout_s;
	if (plan->flags & PLAN_SIP)
		sip_note(flow.slot);
	__sync_fetch_and_add(&dest->persistent, 1);
	template->state = CONN_USED | CONN_TEMPLATE | CONN_INACTIVE | STATE_NONE;
	flow.stamp = template->stamp << 1;
	if (bpf_map_update_elem(&flows, &key, &flow, BPF_NOEXIST)) {
		uncount(template, template->state);
		template->state = 0;
		bpf_map_delete_elem(&call_ids, &flow.slot);
		slot_free(template, flow.slot);
		return template_choose(&key, pkt, service, choice);
	}
	choice->control = flow.slot + 1;
	choice->port = persist_port(pkt, service, dest);
	return true;
}

/* The client's template is to name the server of the choice; one that names another leads nowhere from now on. */
static __noinline bool persist_name(const struct packet *pkt, const struct service *service, const struct plan *plan,
				    struct choice *choice)
{
	__u32 wanted = choice->dest;
	struct conn *template;
	struct flow_key key;

	if (persist_find(pkt, service, plan, choice)) {
		if (choice->dest == wanted)
			return true;
		template = template_of(choice->control);
		template_key(&key, pkt, service, plan);
		if (template)
			template_void(template, &key);
		template_leave(choice->control);
	}
	choice->dest = wanted;
	return persist_make(pkt, service, plan, choice);
}

#endif
