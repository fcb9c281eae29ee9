# hold.pl FILE: keeps whoever opens FILE for writing waiting until standard input ends. Readers notice nothing.
# A lease does that; the kernel breaks it by itself after /proc/sys/fs/lease-break-time, 45 seconds.
use strict;
$| = 1;
my ($F_SETLEASE, $F_RDLCK) = (1024, 0);
$SIG{IO} = sub { print "waiting\n" };
open(my $file, '<', $ARGV[0]) or die "cannot open it: $!\n";
fcntl($file, $F_SETLEASE, $F_RDLCK) or die "no lease on it: $!\n";
print "held\n";
# A signal interrupts the read; only the end of the input ends it.
while (1) {
    my $read = sysread(STDIN, my $byte, 1);
    exit if defined $read && $read == 0;
}
