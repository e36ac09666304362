# Takes payloads on standard input, one a line, and queues a job for each, 1,000 at a time.
require_relative "sidekiq_job"
STDIN.each_line(chomp: true).each_slice(1000) do |lines|
  Sidekiq::Client.push_bulk("class" => SendMessage, "args" => lines.map { |line| [line] })
end
