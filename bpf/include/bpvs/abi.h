/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between data path and control path: keys, values, flags, verdicts.
 *
 * Nothing else is known to both sides, but verdicts.h. Python reads every layout and every number from the objects' BTF
 * (tools/gen_abi.py); a change of meaning raises ABI_VERSION.
 */
#ifndef BPVS_ABI_H
#define BPVS_ABI_H

#include "verdicts.h"
#include <linux/types.h>

enum limits {
	ABI_VERSION = 6,
	MAX_SERVICES = 4096,   /* rows of `services`, row 0 unused */
	TOTAL_ROW = 0,         /* of `service_rates`: all services together */
	MAX_DESTS = 16384,     /* rows of `dests`, row 0 unused */
	MAX_SERVERS = 65536,   /* rows of `servers`, shared by all plans */
	MAX_LOCALS = 65536,    /* rows of `locals`, shared by all plans */
	MAX_SLOT_ROWS = 65536, /* rows of `slots`, shared by all plans */
	MAX_CACHED = 131072,   /* destinations that lblc and lblcr remember, of all services */
	MAX_MEMBERS = 131072,  /* their servers */
	MAX_FRAGMENTS = 16384, /* datagrams whose fragments are put together */
	MAX_BOOKS = 16384,     /* pairs of local address and real server that have ports */
	GATEWAY_BITS = 8,      /* of `gateways` in struct runtime */
	MAX_STATIONS = 4096,   /* rows of `stations`; interfaces with a higher index carry no XDP */
	MAX_CALL_IDS = 65536,  /* templates of engine sip whose Call-ID is listed */
	MIN_CONNS = 1024,      /* smallest connection table */
	MAX_MARK_RULES = 256,  /* in force at once; `mark_rules` has as many rows again, to write the next list in */
	MARK_RULE_PORTS = 8,   /* ranges of ports of a rule */
	FIRST_PROBE_MARK = 0x62707000, /* marks of sockets that probe one real server, see probe.h */
	PROBE_MARKS = 4096,            /* how many */
	LOOPBACK_IFINDEX = 1,          /* `lo` has this index in every network namespace */
};

/* An IPv4 (as ::ffff:a.b.c.d) or IPv6 address, network byte order. */
struct address {
	__be32 word[4];
};

/* What identifies one direction of a flow, or a persistence template. */
struct flow_key {
	struct address src;
	struct address dst;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 is_template; /* src: the client under the service's mask, sport 0; see struct conn */
	__u8 pad[2];
};

enum direction {
	DIR_IN,  /* client to virtual service */
	DIR_OUT, /* real server to client */
};

/* Where a direction's connection lies. */
struct flow {
	__u32 slot;  /* row of `conns` */
	__u32 stamp; /* generation of the row << 1 | enum direction */
};

/* A MAC address, in halves of words: frames begin at even addresses, and copying bytes one by one takes its time. */
struct mac {
	__u16 word[3];
};

/* How to reach the next hop: a remembered answer of the FIB. */
struct hop {
	__u32 ifindex; /* 0: nothing remembered */
	struct mac dst;
	struct mac src;
	__u16 mtu;      /* bytes of IP packet */
	__u16 verified; /* when the kernel was last made to see to the station; see hop_second() */
	__u32 until;    /* stale from here on; milliseconds of 2^20 ns, see clock_ms() */
};

/* TCP numbers as the kernel's IP_VS_TCP_S_*, those of SCTP in the order of its IP_VS_SCTP_S_* */
enum conn_state {
	STATE_NONE,
	STATE_ESTABLISHED,
	STATE_SYN_SENT,
	STATE_SYN_RECV,
	STATE_FIN_WAIT,
	STATE_TIME_WAIT,
	STATE_CLOSE,
	STATE_CLOSE_WAIT,
	STATE_LAST_ACK,
	STATE_LISTEN,
	STATE_SYNACK,
	STATE_TCP_COUNT,
	STATE_UDP = STATE_TCP_COUNT,
	STATE_NEW, /* scheduled, its first packet not yet forwarded */
	STATE_SCTP_NONE,
	STATE_SCTP_INIT1,     /* one INIT of the client */
	STATE_SCTP_INIT,      /* more than one */
	STATE_SCTP_C_SENT,    /* the server sent its cookie */
	STATE_SCTP_C_REPLIED, /* the client sent it back */
	STATE_SCTP_C_WAIT,    /* the server asks for an association: INIT */
	STATE_SCTP_COOKIE,    /* the client sent its cookie */
	STATE_SCTP_C_ECHOED,  /* the server sent it back */
	STATE_SCTP_ESTABLISHED,
	STATE_SCTP_S_SENT,     /* the server shuts down */
	STATE_SCTP_S_RECEIVED, /* the client does */
	STATE_SCTP_S_ACK_SENT, /* the server agreed */
	STATE_SCTP_REJECTED,   /* INIT answered by ABORT */
	STATE_SCTP_CLOSED,
	STATE_COUNT,
	STATE_ASSURED = STATE_COUNT, /* of templates, else STATE_NONE: one of its connections got through */
};

/* conn.state: enum conn_state in the low byte, and */
enum conn_bits {
	CONN_STATE = 0xff,
	CONN_ACTIVE = 1 << 8,        /* counted in dest.active */
	CONN_INACTIVE = 1 << 9,      /* counted in dest.inactive, of a template in dest.persistent */
	CONN_USED = 1 << 10,         /* without: the row holds no connection */
	CONN_LOCAL_CLIENT = 1 << 11, /* client is a socket of the director */
	CONN_TWO_WAY = 1 << 12,      /* replies come through the director too */
	CONN_TOA = 1 << 13,          /* the server is yet to be told the client's address */
	CONN_SYNPROXY = 1 << 14,     /* sequence numbers are translated */
	CONN_PENDING = 1 << 15,      /* the server has not answered our SYN */
	CONN_TEMPLATE = 1 << 16,     /* no connection: where a client's next ones go */
	CONN_VOID = 1 << 17,         /* a template whose server is gone: it leads nowhere, its key is not in `flows` */
	CONN_UNSURE = 1 << 18,       /* its template is yet to be told that it got through */
};

/* numbers of the kernel's IP_VS_CONN_F_*; FullNAT's is Alibaba's */
enum method {
	METHOD_NAT = 0,
	METHOD_LOCAL = 1,
	METHOD_TUNNEL = 2,
	METHOD_ROUTE = 3,
	METHOD_BYPASS = 4, /* no server: to where the packet was going */
	METHOD_FULLNAT = 5,
};

/*
 * A connection: one row of `conns`, found through its keys in `flows`. Two cache lines: what each packet needs, then the
 * four ends. To the server the client appears as local, which is the client itself but for FullNAT.
 *
 * A persistence template is one too: client under the service's mask, client port 0; virtual and server port 0 where the
 * service takes any port; protocol 0 and the mark in the place of the virtual address where it has a mark.
 */
struct conn {
	__u32 state; /* enum conn_state | enum conn_bits */
	__u32 stamp; /* generation: one more each time the row is freed */
	__u32 seen;  /* last packet, at most SEEN_GRAIN behind; see clock_ms() */
	__u32 control; /* the template that sent it to its server: row of `conns` + 1, 0: none; of one: how many it sent */
	__u32 dest;    /* row of `dests` */
	__u32 delta; /* ones' complement sum of (server + local - virtual - client address), for checksums */
	__u32 shift; /* SYNPROXY: a sequence number of the server plus this is the one that the client knows */
		     /* else, with CONN_TOA: what the server's SYN, ACK acknowledged */
	__be16 client_port;
	__be16 virtual_port;
	__be16 local_port;
	__be16 server_port;
	__u8 protocol;
	__u8 method;       /* enum method */
	__s8 scale;        /* the server's window scale less the one that the client knows */
	__u8 client_scale; /* the client's window scale, where the server knows of none */
	struct hop back;   /* next hop toward the client */
	struct address client;
	struct address virtual;
	struct address local;
	struct address server;
};

/* What a template remembers; lies in conn.back. In delta and shift is the hash of a Call-ID that its key has, or 0. */
struct template {
	__u32 timeout_s;
};

/* By what engine sip tells a client's calls apart. */
struct call_id {
	__u8 length;
	char text[255];
};

/* One real server as a plan lists it; never changed while a plan shows it. */
struct server {
	struct address address;
	__be16 port; /* 0: the packet's own */
	__u8 method;
	__u8 flags; /* enum server_flags */
	__u32 weight;
	__u32 dest; /* row of `dests` */
	__u32 reserved;
};

enum server_flags {
	SERVER_LIMITED = 1, /* has thresholds: dest.overloaded may forbid it new connections */
};

enum scheduler {
	SCHED_NONE,
	SCHED_RR,
	SCHED_WRR,
	SCHED_LC,
	SCHED_WLC,
	SCHED_LBLC,
	SCHED_LBLCR,
	SCHED_DH,
	SCHED_SH,
	SCHED_SED,
	SCHED_NQ,
	SCHED_FO,
	SCHED_OVF,
	SCHED_MH,
	SCHED_TWOS,
};

enum slot_limits {
	SLOTS_PER_ROW = 32,
	HASH_SLOTS = 256,                /* table of sh and dh: IP_VS_SH_TAB_SIZE, IP_VS_DH_TAB_SIZE */
	MAGLEV_SLOTS = 4093,             /* table of mh: the prime for IP_VS_MH_TAB_INDEX 12 */
	MAGLEV_KEY = 2654435761U,        /* of the hash that finds a slot, and a server's first slot */
	MAGLEV_STRIDE_KEY = 2654446892U, /* of the hash that gives the distance of its slots */
	SLOT_EMPTY = 0xffff,
};

/* A part of the table that some schedulers look servers up in: places in the plan's list, or SLOT_EMPTY. */
struct slot_row {
	__u16 place[SLOTS_PER_ROW];
};

enum cache_limits {
	CACHE_GOAL = 16384,               /* destinations of a service; unused ones are forgotten sooner above it */
	CACHE_LIMIT = CACHE_GOAL * 3 / 2, /* more are not remembered */
};

/* What lblc and lblcr remember a destination by. */
struct cache_key {
	struct address destination;
	__u32 generation; /* of the plan; the remainder by MAX_SERVICES is the service's row */
};

/* What they remember of it. */
struct cached {
	__u32 used;     /* last time; see clock_ms() */
	__u32 modified; /* last time that the set of servers changed */
	__u32 count;    /* of servers */
	__u32 busy;     /* a CPU is changing the set */
};

struct member_key {
	struct cache_key cache;
	__u32 index; /* from 0, oldest first */
};

/* One of a destination's servers. */
struct member {
	struct address address;
	__be16 port;
	__u16 pad;
	__u32 place; /* in the plan's list, when it was last looked for */
};

/* Connections, packets and bytes (IP length) of a real server or a service. */
struct counters {
	__u64 connections;
	__u64 in_packets;
	__u64 out_packets;
	__u64 in_bytes;
	__u64 out_bytes;
};

/* What each CPU keeps of a real server: what it counted there, and the next hop toward it. One cache line. */
struct lane {
	struct counters counters;
	struct hop hop;
};

enum plan_flags {
	PLAN_SYNPROXY = 1, /* clients are asked for a cookie first */
	PLAN_SERVES = 2,   /* some server has a weight above 0 */
	PLAN_OPS = 4,      /* each datagram is scheduled by itself */
	PLAN_SIP = 8,      /* persistence engine sip: clients are told apart by Call-ID too */
	PLAN_FLAG_1 = 16,  /* scheduler flags; sh and mh: fallback */
	PLAN_FLAG_2 = 32,  /* sh and mh: port */
	PLAN_FLAG_3 = 64,
};

/*
 * How a service distributes: written whole while nobody looks at it, then shown by one store to service.current.
 * `turn` alone moves afterwards; only the data path moves it.
 */
struct plan {
	__u64 turn;      /* the scheduler's memory, see sched/ */
	__u32 scheduler; /* enum scheduler */
	__u32 first;     /* its servers: rows first .. first + count - 1 of `servers`, newest server first */
	__u32 count;
	__u32 step;        /* wrr: greatest common divisor of the positive weights */
	__u32 top;         /* wrr: greatest weight - (step - 1) */
	__u32 flags;       /* enum plan_flags */
	__u32 local_first; /* its local addresses: rows of `locals`, those of IPv4 before those of IPv6 */
	__u32 local_ipv4;  /* how many */
	__u32 local_ipv6;
	__u32 timeout_s; /* of persistence templates; 0: not persistent */
	struct address
		mask; /* of the clients that persistence takes for one; IPv4's in the last word, the others all ones */
	__u32 slots;  /* sh, dh, mh, fo, ovf: first row of its table in `slots` */
	__u32 slot_rows;      /* how many */
	__u32 generation;     /* lblc, lblcr: another one when the scheduler starts from scratch */
	struct counters left; /* what servers that were removed had counted */
	struct counters zero; /* what `ipvsadm -Z` takes off the display */
};

/* A virtual service. One by mark has protocol and port 0, and its mark for an address, see mark_address(). */
struct service {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 family;     /* AF_INET or AF_INET6; 0: the row is unused */
	__u32 current;   /* which of the two plans is in force */
	__u32 cached;    /* lblc, lblcr: destinations remembered */
	__u32 cache_age; /* times that the housekeeper looked at them */
	__u32 forgets;   /* how many it may forget at this one */
	__u32 until;     /* of a probe: when it ends if nobody ends it before; see clock_ms() */
	struct plan plan[2];
};

struct service_key {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

/* What identifies a datagram that came in fragments (RFC 791, RFC 8200). */
struct fragment_key {
	struct address src;
	struct address dst;
	__u32 id;      /* as it stands in the header */
	__u8 protocol; /* behind the fragment header: perhaps another extension header */
	__u8 pad[3];
};

/* What the first fragment told. */
struct fragment {
	__be16 sport;
	__be16 dport;
	__u32 until; /* to be forgotten from here on, see clock_ms() */
	__u32 dest;  /* one-packet scheduling: where it went, row of `dests`; 0: there is a connection, or none yet */
	__be16 server_port;
	__u8 protocol; /* behind all extension headers */
};

/* What identifies a book of ports: the ports of a local address are counted apart for each real server. */
struct book_key {
	struct address local;
	struct address server;
	__u8 protocol;
	__u8 pad[3];
};

enum book_limits {
	BOOK_WORDS = 1024, /* 64 ports each */
	BOOK_GROUPS = BOOK_WORDS / 64,
	FIRST_PORT = 1024, /* lower ones are never given */
	LAST_PORT = 65535,
};

/* Which local ports are taken. A bit of `full` stands for a word without a free port. */
struct book {
	__u32 turn; /* the port to look at next, counted without end */
	__u32 used;
	__u64 exhausted; /* how often no port was free */
	__u64 full[BOOK_GROUPS];
	__u64 taken[BOOK_WORDS];
};

enum dest_flags {
	DEST_USED = 1,   /* the row names a real server */
	DEST_LISTED = 2, /* a plan in force lists it; without: its connections' packets are dropped */
	DEST_LOCAL = 4,  /* an address of the director, when last listed */
	DEST_ORPHAN = 8, /* its service was deleted: in another one its counters begin at zero */
	DEST_QUIET = 16, /* listed with weight 0: no new connections but those of persistence */
};

/* numbers of the kernel's IP_VS_CONN_F_TUNNEL_TYPE_* */
enum tunnel_type {
	TUNNEL_IPIP,
	TUNNEL_GUE,
	TUNNEL_GRE,
};

/* How a server of method TUNNEL is reached. */
struct tunnel {
	struct address source; /* of the outer header */
	__be16 port;           /* of GUE */
	__u8 type;             /* enum tunnel_type */
	__u8 check;            /* outer checksum: 0 none, else computed */
};

/* What a real server keeps while plans come and go: identity, tunnel and connection counts. */
struct dest {
	struct address address;
	struct address virtual;
	__be16 port;
	__be16 virtual_port;
	__u8 protocol;
	__u8 family;   /* of the virtual service */
	__u8 flags;    /* enum dest_flags */
	__u8 method;   /* enum method, of new connections */
	__u32 service; /* row of `services` when last listed */
	__u32 weight;  /* the last one above 0 */
	__u32 active;  /* connections; the data path counts both in one step, see load.h */
	__u32 inactive;
	__u32 persistent; /* templates; the data path counts */
	__u32 upper;      /* thresholds of connections; 0: none */
	__u32 lower;
	__u32 overloaded; /* no new connections; the data path sets and clears it */
	struct tunnel tunnel;
	__u32 path_mtu;       /* of the way to the server, as routers told it */
	__u32 path_mtu_until; /* forgotten from here on; see clock_ms() */
	__u32 local_turn;     /* FullNAT: the local address to take next, counted without end */
	struct counters zero; /* what `ipvsadm -Z` takes off the display */
};

/* Rates by IPVS's estimator (net/netfilter/ipvs/ip_vs_est.c): scaled by 2^10 (connections, packets) and 2^5 (bytes). */
struct rates {
	struct counters last; /* dest: counters at the last tick; service: increase since then */
	struct counters average;
};

/* What an address of the table is, if the host has no such address. */
enum foreign_flags {
	FOREIGN_LOCAL = 1,   /* a local address of FullNAT */
	FOREIGN_VIRTUAL = 2, /* a virtual address */
};

/* Where outer source addresses come from, so that receivers spread flows: prefix | a flow's hash & mask. */
struct spread {
	struct address prefix;
	__u32 mask; /* of the last word, host byte order; 0: the way's own source address */
};

/* Ports, host byte order, both ends included. */
struct port_range {
	__u16 first;
	__u16 last;
};

/*
 * Gives packets a mark as netfilter would: those between the two networks that came in by the interface, with the protocol
 * and one of the ports. Never changed while it is in force.
 */
struct mark_rule {
	struct address src;
	struct address src_mask;
	struct address dst;
	struct address dst_mask;
	__u32 mark;    /* 0: none of ours, whatever later rules say */
	__u32 ifindex; /* 0: any; that of no interface where there is none of that name */
	__u8 family;
	__u8 protocol; /* 0: any */
	__u8 ranges;   /* how many; 0: any port */
	__u8 pad;
	struct port_range ports[MARK_RULE_PORTS]; /* to which it goes */
	char interface[16];                       /* its name, "": any */
};

/* IPVS's settings, net.ipv4.vs.*, by their names there; those that mean something here. */
struct vs {
	__u32 am_droprate;
	__u32 amemthresh;
	__u32 cache_bypass;
	__u32 conn_reuse_mode;
	__u32 drop_entry;
	__u32 drop_packet;
	__u32 expire_nodest_conn;
	__u32 expire_quiescent_template;
	__u32 lblc_expiration;
	__u32 lblcr_expiration;
	__u32 nat_icmp_send;
	__u32 pmtu_disc;
	__u32 run_estimation;
	__u32 schedule_icmp;
	__u32 secure_tcp;
	__u32 sloppy_sctp;
	__u32 sloppy_tcp;
};

/* Settings of the instance that commands may change while packets flow. */
struct settings {
	__u32 abi;           /* ABI_VERSION of whoever loaded the programs */
	__u32 services_ipv4; /* those with clients or servers of that family; 0: every IPv4 packet passes untouched */
	__u32 services_ipv6;
	__u32 dest_high; /* rows of `dests` and `services` at and above these were never used */
	__u32 service_high;
	__u32 timeout_s[STATE_COUNT];
	__u32 unsettled;  /* a command was about to make maps agree with `services`; the next one does it */
	__u32 sysctls;    /* bit i: the loader switched on the i-th of its sysctls, which was off */
	__u32 mode;       /* enum attach_mode */
	__u32 restricted; /* only the interfaces in `attachments` are wanted */
	struct spread spread_ipv4;
	struct spread spread_ipv6;
	__u32 foreigners;    /* addresses in `foreign`; 0: nothing is answered for any */
	__u32 tunnels;       /* 1: there was a real server with method TUNNEL; 0: no ICMP error is about one */
	__u32 local_servers; /* real servers on the director; 0: nothing is looked at on its way out */
	__u32 siding_done;   /* interface out of which packets come back at once and finished; 0: none */
	__u32 siding_wait;   /* interface out of which they come back later */
	__u32 any_port;      /* services with port 0 */
	__u32 ftp;           /* services of TCP port 21 */
	__u32 marked_ipv4;   /* services by mark */
	__u32 marked_ipv6;
	__u32 detour;     /* interface that brings packets which the kernel routed by their mark; 0: none */
	__u32 mark_rules; /* those in force: first row << 16 | how many; 0: none */
	__u32 conn_rows;  /* of `conns` */
	struct vs vs;
	struct counters zero; /* what `ipvsadm -Z` takes off the totals */
};

/* Counters of the data path itself. */
struct runtime {
	__u32 conn_high;     /* rows of `conns` at and above this were never used */
	__u32 sweep;         /* next row to look at for expiry */
	__u32 estimate;      /* next eighth of the rows to estimate */
	__u32 forget_at;     /* when unused destinations are forgotten next; see clock_ms() */
	__u32 answers;       /* ICMP errors sent in this second */
	__u64 answers_since; /* ns of CLOCK_MONOTONIC */
	__u64 secret[2][2];  /* of cookies of even and odd age */
	__u32 secret_age;    /* counts the secrets; the current one is secret[secret_age & 1] */
	__u32 greetings;     /* SYNs answered with a cookie in this second */
	__u64 greetings_since;
	__u32 conns_seen; /* in use, of the rows that the present walk of expiry has passed */
	__u32 drop_rate;  /* drop_packet drops every so manieth packet, where it is automatic */
	__u32 drop_left;  /* packets until it does */
	__u32 renew_at;   /* when the older secret of cookies is replaced next; see clock_ms() */
	/* stations toward clients: MAC address << 16 | when the kernel was last made to see to it; see hop_second() */
	__u64 gateways[1 << GATEWAY_BITS];
};

/* What an interface carries of ours. */
enum attachment_flags {
	ATTACHED_TC = 1,
	ATTACHED_XDP = 2,
	OWNS_QDISC = 4, /* the clsact qdisc is ours too */
	ATTACHED_EGRESS = 8,
};
struct attachment {
	__u32 flags; /* enum attachment_flags, 0: looked at and left alone; noted before it is done */
};

/* The MAC address of an Ethernet interface that carries our programs; zero: not known. */
struct station {
	struct mac mac;
	__u16 carries_xdp; /* frames may be redirected there */
};

enum attach_mode {
	MODE_AUTO, /* XDP where the driver does it natively and nothing is lost, TC everywhere */
	MODE_XDP,  /* XDP and TC */
	MODE_TC,
};

#endif
