#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes down how it was called; as a monitor it goes on as the shell script that lies ready for its service.
my ($name) = $0 =~ m{([^/]+)$};
my $is_alert = $name =~ /\.alert$/;
my $stdin = $is_alert ? do { local $/; <STDIN> } : "";
$stdin = "" if !defined $stdin;
my $folder = "$ENV{ORACLE}/" . ($is_alert ? "calls" : "runs");
my $made = "$folder/.$$";
open(my $file, ">", $made) or die "$made: $!";
my @variables = map { "v$_=$ENV{$_}" } grep { /^(MON|LAB)_/ } sort keys %ENV;
print $file join("\0", "a$0", (map { "a$_" } @ARGV), @variables, "i$stdin");
close $file;
rename $made, "$folder/$^T.$$" or die "$made: $!";
exec "/bin/sh", "$ENV{ORACLE}/control/$ENV{MON_GROUP}.$ENV{MON_SERVICE}" if !$is_alert;
