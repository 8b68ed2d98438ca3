# Perl's Redis (libredis-perl), which speaks RESP2.

use strict;
use warnings;
use Redis;
use Test::More;

my $port = shift;
diag "Redis $Redis::VERSION Perl $^V";

sub connected { Redis->new(server => "127.0.0.1:$port", @_) }

# Calls until the reply is true; a server that never gives it fails the test.
sub wait_until {
    my ($what, $condition) = @_;
    for (1 .. 3000) {
        return pass $what if $condition->();
        select undef, undef, undef, 0.01;
    }
    fail $what;
}

my $redis = connected();
is $redis->ping, 'PONG', 'connects with its defaults';
$redis->flushall;

is $redis->hset('user', name => 'Ada', visits => 1), 2, 'sets the fields of a hash';
is_deeply {$redis->hgetall('user')}, {name => 'Ada', visits => 1}, 'reads a hash';
is_deeply [$redis->hmget('user', 'name', 'none')], ['Ada', undef], 'reads several fields';
is $redis->hincrby('user', visits => 41), 42, 'counts';
is $redis->hdel('user', 'name', 'visits'), 2, 'removes fields';
ok !$redis->exists('user'), 'a hash without fields is gone';

is $redis->hsetex('session', user => 'ada', 60), 1, 'HSETEX sets a field and the TTL';
cmp_ok $redis->ttl('session'), '<=', 60, 'the TTL is that of the hash';
cmp_ok $redis->ttl('session'), '>', 0, 'the TTL runs';
is $redis->hsetex('session', user => 'bob', 1), 0, 'HSETEX again';
wait_until 'the hash expires', sub { !$redis->exists('session') };
eval { $redis->hsetex('session', user => 'ada', 0) };
like $@, qr/ERR invalid expire time in 'hsetex' command/, 'errors have their text';

# With a callback, a call is pipelined.
my @replies;
for my $number (1 .. 1000) {
    $redis->hset("key:$number", number => $number, sub { });
    $redis->hget("key:$number", 'number', sub { push @replies, $_[0] });
}
$redis->wait_all_responses;
is_deeply \@replies, [1 .. 1000], 'pipelines answer in order';

my ($cursor, %found) = (0);
do {
    ($cursor, my $keys) = $redis->scan($cursor, MATCH => 'key:*', COUNT => 100);
    $found{$_} = 1 for @$keys;
} while $cursor;
is keys %found, 1000, 'SCAN finds every key';

$redis->hset('large', map { ("field:$_" => $_) } 1 .. 1000);
($cursor, my %fields) = (0);
do {
    ($cursor, my $page) = $redis->hscan('large', $cursor, COUNT => 100);
    %fields = (%fields, @$page);
} while $cursor;
is keys %fields, 1000, 'HSCAN finds every field';

$redis->select(15);
$redis->hset('moving', f => 'v');
is $redis->move('moving', 3), 1, 'MOVE';
ok !$redis->exists('moving'), 'and it is gone here';
is $redis->swapdb(3, 15), 'OK', 'SWAPDB';
ok $redis->exists('moving'), 'brings it back';
eval { $redis->select(16) };
like $@, qr/ERR DB index is out of range/, 'there are 16 databases';
$redis->select(0);
ok !$redis->exists('moving'), 'databases are apart';

my $other = connected();
$redis->multi;
$redis->hset('a', n => 1);
$redis->hincrby('b', n => 2);
is $other->exists('a'), 0, 'nothing of a transaction is seen before EXEC';
is_deeply [$redis->exec], [1, 2], 'a transaction answers all at once';
$redis->watch('a');
$other->hset('a', n => 7);
$redis->multi;
$redis->hset('a', n => 8);
is $redis->exec, undef, 'a watched key that changed stops it';
is $redis->hget('a', 'n'), 7, 'and it has changed nothing';

my $subscriber = connected();
my @heard;
my $listener = sub { my ($message, $channel, $subscribed) = @_; push @heard, "$subscribed $channel $message" };
$subscriber->subscribe('news', '__keyevent@0__:expired', $listener);
$subscriber->psubscribe('wea*', $listener);
is $redis->publish('news', 'hello'), 1, 'somebody listens to a channel';
is $redis->publish('weather', 'rain'), 1, 'somebody listens to a pattern';
$redis->hset('short', f => 'v');
$redis->pexpire('short', 20);
for (my $tries = 0; @heard < 3 && $tries < 300; $tries++) { $subscriber->wait_for_messages(0.1) }
is_deeply [sort @heard],
    ['__keyevent@0__:expired __keyevent@0__:expired short', 'news news hello', 'wea* weather rain'],
    'messages and the event of an expired key arrive';
$subscriber->unsubscribe('news', '__keyevent@0__:expired', $listener);
$subscriber->punsubscribe('wea*', $listener);
is $redis->publish('news', 'lost'), 0, 'nobody listens any more';
is $subscriber->ping, 'PONG', 'a subscriber becomes a client again';

# It reconnects only if told to.
my $lasting = connected(reconnect => 30, every => 10_000, name => 'lasting');
my ($id) = $redis->client_list =~ /^id=(\d+) .* name=lasting /m;
is $redis->client_kill('ID', $id), 1, 'the server closes a connection';
# It does so on another thread, a moment after it said so.
1 while $redis->client_list =~ / name=lasting /;
is $lasting->hset('back', f => 'v'), 1, 'the client connects again';

done_testing;
