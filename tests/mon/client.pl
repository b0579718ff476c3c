# SPDX-License-Identifier: GPL-2.0-or-later
# Mon::Client's methods, one after the other: reads [METHOD, ARGUMENTS...] as JSON lines, writes what came as JSON lines.
use strict;
use warnings;
use JSON::PP;
use Mon::Client;

$| = 1;
my ($port, $trap_port) = @ARGV;
my $json = JSON::PP->new->canonical->allow_nonref;
my $client = Mon::Client->new(host => "127.0.0.1", port => $port, username => "alice", password => "alicepw");
while (my $line = <STDIN>) {
    my ($method, @arguments) = @{$json->decode($line)};
    my @result;
    if ($method eq "send_trap") {
        my $sender = Mon::Client->new(
            host => "127.0.0.1", port => $trap_port, username => "trapper", password => "trappw"
        );
        @result = ($sender->send_trap(@arguments) ? "sent" : $sender->error);
    } else {
        @result = $client->$method(@arguments);
    }
    print $json->encode({result => \@result, error => $client->error}), "\n";
}
