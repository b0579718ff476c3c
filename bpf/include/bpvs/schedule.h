/* SPDX-License-Identifier: GPL-2.0-only */
/* From service to connection: choose a real server, begin the connection. */
#ifndef BPVS_SCHEDULE_H
#define BPVS_SCHEDULE_H

#include "begin.h"
#include "bypass.h"
#include "caller.h"
#include "choose.h"
#include "ops.h"
#include "persist.h"
#include "mark.h"
#include "service.h"
#include "synproxy.h"

/* The connection that pkt is an untranslated reply of, or NULL. */
static __noinline struct conn *conn_find_reply(struct packet *pkt)
{
	enum direction direction = DIR_OUT;
	struct flow_key key = {};
	struct conn *conn;

	if (!pkt)
		return NULL;
	flow_key_turn(&pkt->key, &key);
	conn = conn_of_key(&key, &direction);
	if (!conn || direction != DIR_IN || conn_is_translated(conn))
		return NULL;
	pkt->direction = DIR_OUT;
	return conn;
}

/* Chooses a server for a new connection: the one of the client's template, else the scheduler's. Or false and the verdict. */
static __always_inline bool conn_choose(hook_ctx *ctx, const struct packet *pkt, const struct service *service,
					struct plan *plan, struct choice *choice, enum verdict *verdict)
{
	struct server *server;

	*verdict = service_refusal(pkt, service);
	if (!service_schedules(pkt, service, plan))
		return false;
	if (pkt->is_fragment) {
		*verdict = DROP_FRAGMENT;
		return fragment_recall(pkt, &choice->dest, &choice->port);
	}
	*verdict = DROP_NO_CALL_ID;
	if (plan->timeout_s && plan->flags & PLAN_SIP && !sip_find(ctx, pkt))
		return false;
	*verdict = service_refusal(pkt, service);
	if (plan->timeout_s && persist_find(pkt, service, plan, choice))
		return true;
	server = choose(plan, pkt);
	if (!server)
		return false;
	choice->dest = server->dest;
	choice->port = server->port ? server->port : pkt->key.dport;
	*verdict = DROP_TABLE_FULL;
	return !plan->timeout_s || persist_make(pkt, service, plan, choice);
}

/* Is it one of the packets that open no connection because drop_packet takes its share? */
static __always_inline bool defence_takes(const struct packet *pkt, const struct vs *vs)
{
	return defence_is_up(vs->drop_packet) && packet_opens(pkt, vs) && !pkt->is_fragment && drop_packet();
}

/* May a client's packet open a connection to the service, and to which server? Or false and the verdict. */
static __always_inline bool conn_admit(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
				       const struct service *service, struct plan *plan, struct handshake *handshake,
				       struct choice *choice, enum verdict *verdict)
{
	*verdict = DROP_DEFENCE;
	if (defence_takes(pkt, &settings->vs))
		return false;
	if (service_schedules(pkt, service, plan) && synproxy_guards(pkt, plan)) {
		*verdict = synproxy_admit(ctx, pkt, handshake, plan);
		if (*verdict == ANSWER_RESET && !service_is_named(pkt, service))
			*verdict = PASS_NO_CONNECTION; /* at that port somebody else may know it */
		if (*verdict)
			return false;
	}
	*verdict = PASS_NO_CONNECTION;
	if (!packet_opens(pkt, &settings->vs))
		return false;
	*verdict = PASS_MARTIAN;
	if (!address_is_host(&pkt->key.src))
		return false;
	if (conn_choose(ctx, pkt, service, plan, choice, verdict))
		return true;
	choice->dest = choice->control = choice->port = 0;
	return bypass_takes(ctx, pkt, &settings->vs, *verdict);
}

/* The service whose server begins a call with this packet, and that choice; or NULL. */
static __always_inline struct service *conn_called(hook_ctx *ctx, struct packet *pkt, struct choice *choice)
{
	__u32 row = HOOK_IS_COMPLETE ? caller_find(ctx, pkt, choice) : 0;

	pkt->is_calling = row;
	return row ? bpf_map_lookup_elem(&services, &row) : NULL;
}

/* A packet that no connection claims: its new connection, or NULL with the verdict. */
static __always_inline struct conn *conn_new(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
					     enum verdict *verdict)
{
	struct service *service = service_find(pkt, mark_of(ctx, pkt, settings), settings);
	struct handshake handshake = {};
	struct choice choice = {};
	struct conn *conn;
	struct plan *plan;
	__u32 slot = 0;

	*verdict = PASS_NO_SERVICE;
	if (!service) {
		conn = conn_find_reply(pkt);
		if (conn)
			return conn;
		service = conn_called(ctx, pkt, &choice);
		if (!service)
			return NULL;
	}
	pkt->by_mark = !service->protocol;
	plan = service_plan(service);
	if (pkt->is_error && (!settings->vs.schedule_icmp || plan->flags & PLAN_SYNPROXY))
		return NULL;
	pkt->is_alone = ops_takes(pkt, plan);
	*verdict = PASS_TO_TC;
	if (!HOOK_IS_COMPLETE && (pkt->is_alone || plan->flags & PLAN_SIP))
		return NULL;
	if (!pkt->is_calling && !conn_admit(ctx, pkt, settings, service, plan, &handshake, &choice, verdict))
		return NULL;
	conn = conn_begin(pkt, &choice, plan, &slot, verdict);
	if (!conn)
		return NULL;
	*verdict = DROP_TABLE_FULL;
	conn = pkt->is_alone ? ops_pass(pkt, conn) : conn_enter(pkt, conn, slot, pkt->is_opening ? &handshake : NULL);
	if (pkt->is_calling)
		pkt->direction = DIR_OUT;
	return conn;
}

#endif
