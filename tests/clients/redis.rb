# redis-rb (Debian's ruby-redis), which speaks RESP2; its version 5 can be told to speak RESP3, but misreads maps then.

require 'redis'

PORT = Integer(ARGV.fetch(0))
warn "redis-rb #{Redis::VERSION} Ruby #{RUBY_VERSION}"

$count = 0

# Reports whether the block is what was expected, as a line of TAP.
def expect(what, expected)
  got = yield
  $count += 1
  return puts "ok #{$count} - #{what}" if expected === got

  puts "not ok #{$count} - #{what}\n# expected #{expected.inspect}, got #{got.inspect}"
rescue StandardError => error
  $count += 1
  puts "not ok #{$count} - #{what}\n# #{error.class}: #{error.message}"
end

def eventually
  3000.times { yield ? (return true) : sleep(0.01) }
  false
end

def connected
  Redis.new(port: PORT)
end

redis = connected
expect('connects with its defaults', 'PONG') { redis.ping }
redis.flushall

expect('sets the fields of a hash', 2) { redis.hset('user', 'name' => 'Ada', 'visits' => 1) }
expect('reads a hash', 'name' => 'Ada', 'visits' => '1') { redis.hgetall('user') }
expect('reads several fields', ['Ada', nil]) { redis.hmget('user', 'name', 'none') }
expect('counts', 42) { redis.hincrby('user', 'visits', 41) }
expect('removes fields', 2) { redis.hdel('user', 'name', 'visits') }
expect('a hash without fields is gone', false) { redis.exists?('user') }

expect('HSETEX sets a field and the TTL', 1) { redis.call('HSETEX', 'session', 'user', 'ada', 60) }
expect('the TTL is that of the hash', 1..60) { redis.ttl('session') }
expect('HSETEX again', 0) { redis.call('HSETEX', 'session', 'user', 'bob', 1) }
expect('the hash expires', true) { eventually { !redis.exists?('session') } }
expect('expiry', [true, true, -1]) do
  redis.hset('hash', 'f', 'v')
  [redis.expire('hash', 60), redis.persist('hash'), redis.ttl('hash')]
end
# redis-rb 5 adds the address of the server.
expect('errors have their text', /\AERR invalid expire time in 'hsetex' command( \(redis:.*\))?\z/) do
  redis.call('HSETEX', 'session', 'user', 'ada', 0)
rescue Redis::CommandError => error
  error.message
end

expect('pipelines answer in order', (1..1000).flat_map { |number| [1, number.to_s] }) do
  redis.pipelined do |pipeline|
    (1..1000).each do |number|
      pipeline.call('HSET', "key:#{number}", 'number', number)
      pipeline.hget("key:#{number}", 'number')
    end
  end
end
expect('scan_each finds every key', 1000) { redis.scan_each(match: 'key:*', count: 100).to_a.uniq.size }
expect('hscan_each finds every field', 1000) do
  redis.mapped_hmset('large', (1..1000).to_h { |number| ["field:#{number}", number] })
  redis.hscan_each('large', count: 100).to_h.size
end

expect('databases are apart', [1, false, true, false]) do
  redis.select(15)
  redis.call('HSET', 'moving', 'f', 'v')
  moved = redis.move('moving', 3) ? 1 : 0
  gone = redis.exists?('moving')
  redis.call('SWAPDB', 3, 15)
  back = redis.exists?('moving')
  redis.select(0)
  [moved, gone, back, redis.exists?('moving')]
end
expect('there are 16 of them', /\AERR DB index is out of range/) do
  redis.select(16)
rescue Redis::CommandError => error
  error.message
end

other = connected
expect('a transaction answers all at once', [1, 2]) do
  redis.multi do |transaction|
    transaction.hset('a', 'n', 1)
    transaction.hincrby('b', 'n', 2)
  end
end
expect('a watched key that changed stops it', [nil, '7']) do
  stopped = redis.watch('a') do
    other.hset('a', 'n', 7)
    redis.multi { |transaction| transaction.hset('a', 'n', 8) }
  end
  [stopped, redis.hget('a', 'n')]
end
expect('optimistic increments lose none', '80') do
  threads = Array.new(4) do
    Thread.new do
      own = connected
      20.times do
        loop do
          done = own.watch('counter') do
            count = own.hget('counter', 'count').to_i
            own.multi { |transaction| transaction.hset('counter', 'count', count + 1) }
          end
          break if done
        end
      end
    end
  end
  threads.each(&:join)
  redis.hget('counter', 'count')
end

expect('messages and the event of an expired key arrive', [%w[news hello], %w[__keyevent@0__:expired short]]) do
  heard = []
  subscriber = connected
  subscriber.subscribe_with_timeout(30, 'news', '__keyevent@0__:expired') do |on|
    # The last channel is confirmed: from now on nothing is missed.
    on.subscribe { |_, subscriptions| other.publish('news', 'hello') if subscriptions == 2 }
    on.message do |channel, message|
      heard << [channel, message]
      other.call('HSETEX', 'short', 'f', 'v', 1) if heard.size == 1
      subscriber.unsubscribe if heard.size == 2
    end
  end
  heard
end
expect('patterns, until unsubscribed', [%w[wea* weather rain], 0]) do
  heard = nil
  subscriber = connected
  subscriber.psubscribe_with_timeout(30, 'wea*') do |on|
    on.psubscribe { other.publish('weather', 'rain') }
    on.pmessage do |*message|
      heard = message
      subscriber.punsubscribe
    end
  end
  [heard, other.publish('weather', 'lost')]
end

expect('connects again after the server closed the connection', [1, 1]) do
  lasting = connected
  id = lasting.call('CLIENT', 'ID')
  killed = other.call('CLIENT', 'KILL', 'ID', id)
  # The server closes it on another thread, a moment after it said so.
  nil while other.call('CLIENT', 'LIST').match?(/^id=#{id} /)
  [killed, lasting.hset('back', 'f', 'v')]
end

puts "1..#{$count}"
