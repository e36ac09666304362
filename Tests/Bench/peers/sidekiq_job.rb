# sidekiq -r ./sidekiq_job.rb -c 10: each job is parsed and counted.
require "sidekiq"
require "json"

# redis-rb 4.8 deprecates a call that Sidekiq 6.4 makes for each job; a line for each would be what is measured.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

address = { url: ENV.fetch("REDIS_URL") }
Sidekiq.configure_server do |config|
  config.redis = address
  # No line for each job.
  config.logger.level = Logger::WARN
end
Sidekiq.configure_client { |config| config.redis = address }

class SendMessage
  include Sidekiq::Worker
  COUNT = ENV.fetch("BENCH_COUNT").to_i
  LOCK = Mutex.new
  @@done = 0

  def perform(payload)
    message = JSON.parse(payload)
    return unless message["to"] && message["text"]
    done = LOCK.synchronize { @@done += 1 }
    Sidekiq.redis { |redis| redis.set("bench:begun", 1) } if done == 1
    Sidekiq.redis { |redis| redis.set("bench:done", done) } if done == COUNT
  end
end
