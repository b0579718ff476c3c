# SPDX-License-Identifier: GPL-2.0-or-later
"""What `-v` and `-h` print; other programs parse the version line."""

from __future__ import annotations

VERSION = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"

HELP = """\
Usage:
  {program} -A|E virtual-service [-s scheduler] [-p [timeout]] [-M netmask] [-o] [--pe persistence_engine]
      [-b sched-flags] [-j enable|disable]
  {program} -D virtual-service
  {program} -C
  {program} -R [--atomic]
  {program} -S [-n] [--json]
  {program} -a|e virtual-service -r server-address [options]
  {program} -d virtual-service -r server-address
  {program} -L|l [virtual-service] [options]
  {program} -Z [virtual-service]
  {program} -P|Q virtual-service -z local-address
  {program} -G [virtual-service] [-n] [--json]
  {program} --set tcp tcpfin udp
  {program} --sysctl vs.name=value
  {program} --start-daemon {{master|backup}} [daemon-options]
  {program} --stop-daemon {{master|backup}}
  {program} -h

Commands:
Each has a long form, and most have a short one.
  --add-service     -A        make a virtual service
  --edit-service    -E        replace the settings of a virtual service
  --delete-service  -D        remove a virtual service and its servers
  --clear           -C        remove everything
  --restore         -R        carry out the commands on stdin as one change
  --save            -S        write the table to stdout as commands
  --add-server      -a        add a real server to a virtual service
  --edit-server     -e        replace the settings of a real server
  --delete-server   -d        remove a real server
  --list            -L|-l     show services, servers or connections
  --zero            -Z        start counting from zero, for one service or all
  --add-laddr       -P        give FullNAT a local address to reach the servers from
  --del-laddr       -Q        take a local address away
  --get-laddr       -G        show local addresses, with the ports in use
  --set tcp tcpfin udp        change timeouts, in seconds; 0 keeps one
  --sysctl vs.name=value      change a setting (net.ipv4.vs.*); `bpvs sysctl` lists them
  --start-daemon              start to synchronise connections (not built yet)
  --stop-daemon               stop to synchronise connections (not built yet)
  --help            -h        show this text
  --version         -v        show the version

virtual-service:
  --tcp-service|-t  service-address   TCP at host[:port]
  --udp-service|-u  service-address   UDP at host[:port]
  --sctp-service    service-address   SCTP at host[:port]
  --fwmark-service|-f fwmark          packets with this firewall mark, 1 or more

Options:
  --ipv6         -6                   the service of the mark is for IPv6
  --scheduler    -s scheduler         one of rr|wrr|lc|wlc|lblc|lblcr|dh|sh|sed|nq|fo|ovf|mh|twos;
                                      the default is wlc
  --pe            engine              persistence engine: sip
  --persistent   -p [timeout]         same client, same server, for so many seconds (default 360)
  --netmask      -M netmask           clients that count as the same one
  --real-server  -r server-address    server at host[:port]
  --gatewaying   -g                   send to the server's MAC address: the default
  --ipip         -i                   send through a tunnel
  --masquerading -m                   rewrite addresses (NAT)
  --fullnat      -b                   with -a and -e: rewrite both ends, so that replies come back by themselves
  --local-address|--laddr|-z address  what FullNAT puts in the client's place, without a port
  --tun-type      type                ipip (the default), gue or gre
  --tun-port      port                UDP port of a gue tunnel
  --tun-nocsum                        no checksum in the tunnel's header
  --tun-csum                          with checksum in the tunnel's header
  --tun-remcsum                       with remote checksum offload in the tunnel's header
  --weight       -w weight            share of the connections, 0 for none
  --u-threshold  -x uthreshold        no new connections from so many on
  --l-threshold  -y lthreshold        new connections again below so many
  --connection   -c                   list the connections
  --timeout                           list the timeouts (tcp tcpfin udp)
  --daemon                            list the synchronisation daemons
  --stats                             list totals
  --rate                              list rates per second
  --exact        -X                   do not shorten long numbers
  --thresholds                        list the thresholds
  --persistent-conn                   list the templates of persistence
  --tun-info                          list the tunnel settings
  --nosort                            list in the order of the table
  --sort                              changes nothing, sorted is the default
  --ops          -o                   schedule each packet by itself
  --synproxy     -j enable|disable    answer SYNs with cookies and trouble no server before the client proves itself;
                                      without this option it is off
  --dry-run                           with what changes something: say what would change, and leave it
  --atomic                            with -R: all lines or none
  --json                              with -L, -S and -G: print JSON, with all that there is to know
  --numeric      -n                   addresses and ports as numbers
  --sched-flags  -b flags             with -A and -E: flags for the scheduler, with commas between:
                                      sh-fallback,sh-port | mh-fallback,mh-port | flag-1,flag-2,flag-3
Daemon Options:
  --syncid sid                        number of the group of daemons, 0 to 255
  --sync-maxlen length                longest message in bytes
  --mcast-interface interface         interface for the messages
  --mcast-group address               IPv4 or IPv6 group (default 224.0.0.81)
  --mcast-port port                   UDP port (default 8848)
  --mcast-ttl ttl                     TTL of the messages (default 1)
"""
