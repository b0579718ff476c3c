/* SPDX-License-Identifier: GPL-2.0-only */
/* Part of the contract of abi.h: by what name a packet is counted. Numbers are never used again. */
#ifndef BPVS_VERDICTS_H
#define BPVS_VERDICTS_H

/* What became of a packet. Forwarded packets are counted by their real server; all others here, by name. */
enum verdict {
	FORWARDED = 0,

	/* handed on to the stack, untouched */
	PASS_IDLE = 1,          /* no virtual service of that family */
	PASS_NOT_IP = 2,        /* neither IPv4 nor IPv6, or a VLAN's tag: its own interface will see it */
	PASS_NOT_FOR_HOST = 3,  /* the frame is addressed to another station */
	PASS_NOT_TRANSPORT = 4, /* not TCP, UDP, SCTP or an ICMP error */
	PASS_MALFORMED = 5,     /* shorter than its headers claim, or with an IPv4 address in an IPv6 header */
	PASS_FRAGMENT = 6,      /* a later fragment, ports unknown: in an ICMP error, or where there is no siding */
	PASS_NO_SERVICE = 7,    /* neither a connection nor a virtual service */
	PASS_NO_CONNECTION = 8, /* to a virtual service, but TCP without SYN, SCTP without INIT, or client port 20 */
	PASS_TO_TC = 9,         /* XDP leaves it to TC: local client, or neighbour to be resolved */
	PASS_MARTIAN = 10, /* a first packet whose source is nobody's: multicast, broadcast, loopback, unspecified */
	PASS_LOCAL_REPLY = 11, /* to a client on the director, seen before */

	DROP_NO_SERVER = 32,        /* no real server with a weight above 0 */
	DROP_SERVER_REMOVED = 33,   /* connection of a server that is no longer listed */
	DROP_TABLE_FULL = 34,       /* no room for the connection */
	DROP_TTL = 35,              /* time to live or hop limit used up */
	DROP_NO_ROUTE = 36,         /* no route to the next hop, or only to the director itself */
	DROP_NOT_FORWARDING = 37,   /* net.ipv4.ip_forward (or IPv6's) is off where the packet came in */
	DROP_TOO_BIG = 38,          /* larger than the MTU of the way out */
	DROP_NO_ROOM = 39,          /* the frame cannot grow by its outer header */
	DROP_NO_LOCAL_ADDRESS = 40, /* a FullNAT server, but no local address of its family */
	DROP_NO_PORT = 41,          /* all ports of the local addresses are in use toward that server */
	DROP_UNTRANSLATABLE = 42,   /* between IPv6 and IPv4: extension headers, options, most of ICMP */
	DROP_FRAGMENT = 44,         /* its first one did not come in time or got no server; of SCTP: its port changes */
	DROP_DEFENCE = 45,          /* would open a connection, but drop_packet takes its share */
	DROP_STRAY = 46,            /* from the port of a NAT server, but of no connection (nat_icmp_send) */
	DROP_NO_CALL_ID = 47,       /* engine sip: no message, or one without Call-ID */
	DROP_HANDSHAKE = 43, /* from a client whose server has not answered yet, or not as it should; a SYN given up */

	/* turned into an answer, or held */
	ANSWER_COOKIE = 64,    /* SYNPROXY: a SYN, answered with a cookie */
	ANSWER_RESET = 65,     /* SYNPROXY: no valid cookie, answered with RST as often as is allowed */
	ANSWER_SERVER = 66,    /* SYNPROXY: the server's SYN, ACK, answered for the client */
	ANSWER_ECHO = 67,      /* an echo request to an address of the table that is not the host's */
	ANSWER_NEIGHBOUR = 68, /* ARP or neighbour solicitation for a local address that is not the host's */
	ANSWER_TUNNEL = 69,    /* an ICMP error about a tunnel, passed on to the client as one about its packet */
	HOLD_FINISH = 80,      /* sent round by the siding to have its checksum finished, or its route taken off */
	HOLD_FRAGMENT = 82,    /* a fragment that came before the first one of its datagram, in the siding */
	HOLD_COOKIE = 83,      /* SYNPROXY: a cookie sent again, because its client was not heard of, or a refusal */
	HOLD_SYN = 81,         /* SYNPROXY: a SYN to a server that has not answered, in the siding */

	VERDICT_COUNT = 96,
};

#endif
