/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SCTP states of IPVS (net/netfilter/ipvs/ip_vs_proto_sctp.c): next state by direction, event and state, with the
 * three tables of tcp_state.h. Where the client asks they are INIT1, INIT, C_SENT, C_REPLIED, ESTABLISHED; where the
 * server does, C_WAIT, COOKIE, C_ECHOED, ESTABLISHED.
 */
#ifndef BPVS_SCTP_STATE_H
#define BPVS_SCTP_STATE_H

#include "packet.h"
#include "tcp_state.h"

/* The table is padded to powers of two, as TCP's. */
#define SCTP_VIEW_MASK 3
#define SCTP_EVENT_MASK 15
#define SCTP_STATE_MASK 15

#define NO STATE_SCTP_NONE
#define I1 STATE_SCTP_INIT1
#define IN STATE_SCTP_INIT
#define CS STATE_SCTP_C_SENT
#define CR STATE_SCTP_C_REPLIED
#define CW STATE_SCTP_C_WAIT
#define CO STATE_SCTP_COOKIE
#define CE STATE_SCTP_C_ECHOED
#define ES STATE_SCTP_ESTABLISHED
#define SS STATE_SCTP_S_SENT
#define SR STATE_SCTP_S_RECEIVED
#define SA STATE_SCTP_S_ACK_SENT
#define RJ STATE_SCTP_REJECTED
#define CL STATE_SCTP_CLOSED

/* clang-format off */
static const __u8 sctp_next[SCTP_VIEW_MASK + 1][SCTP_EVENT_MASK + 1][SCTP_STATE_MASK + 1] = {
	[VIEW_IN] = {				/* NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL */
		[CHUNK_DATA]              = { ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_INIT]              = { I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN },
		[CHUNK_INIT_ACK]          = { CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_COOKIE_ECHO]       = { CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_COOKIE_ACK]        = { ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL },
		[CHUNK_SHUTDOWN]          = { SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL },
		[CHUNK_SHUTDOWN_ACK]      = { CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL },
		[CHUNK_SHUTDOWN_COMPLETE] = { CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL },
		[CHUNK_ERROR]             = { CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL },
		[CHUNK_ABORT]             = { CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_OUT] = {
		[CHUNK_DATA]              = { ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_INIT]              = { CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW },
		[CHUNK_INIT_ACK]          = { CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_COOKIE_ECHO]       = { CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_COOKIE_ACK]        = { ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL },
		[CHUNK_SHUTDOWN]          = { SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL },
		[CHUNK_SHUTDOWN_ACK]      = { SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL },
		[CHUNK_SHUTDOWN_COMPLETE] = { CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_ERROR]             = { CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_ABORT]             = { CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	},
	[VIEW_IN_ONLY] = {
		[CHUNK_DATA]              = { ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_INIT]              = { I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN },
		[CHUNK_INIT_ACK]          = { CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_COOKIE_ECHO]       = { ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_COOKIE_ACK]        = { ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL },
		[CHUNK_SHUTDOWN]          = { SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL },
		[CHUNK_SHUTDOWN_ACK]      = { CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL },
		[CHUNK_SHUTDOWN_COMPLETE] = { CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL },
		[CHUNK_ERROR]             = { CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[CHUNK_ABORT]             = { CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL },
	},
};
/* clang-format on */

#undef NO
#undef I1
#undef IN
#undef CS
#undef CR
#undef CW
#undef CO
#undef CE
#undef ES
#undef SS
#undef SR
#undef SA
#undef RJ
#undef CL

static __always_inline __u8 sctp_next_state(__u32 view, __u32 event, __u32 state)
{
	if (state < STATE_SCTP_NONE || state > STATE_SCTP_CLOSED)
		state = STATE_SCTP_NONE;
	state -= STATE_SCTP_NONE;
	barrier_var(state);
	barrier_var(event);
	barrier_var(view);
	return sctp_next[view & SCTP_VIEW_MASK][event & SCTP_EVENT_MASK][state & SCTP_STATE_MASK];
}

#endif
